"""Panel of the reader study module. It stands on CTSuperResolutionPanel, whose import finds CTSuperResolutionLib."""

import CTSuperResolutionPanel as CTSuperResolutionPanel
