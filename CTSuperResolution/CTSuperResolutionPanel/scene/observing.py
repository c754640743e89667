"""Observer priorities in relation to Slicer's node selectors, which react to a removal and to an import by themselves.

Where the node that a selector shows is removed, it chooses another one; after an import, it has none.
"""

from __future__ import annotations

BEFORE_SELECTORS, AFTER_SELECTORS = 1.0, -1.0
