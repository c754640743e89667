"""The test host: Slicer's Python modules slicer, qt and ctk over PySide6 and slicer-core, without Slicer.

``host.start()`` puts them into sys.modules, once per process.
"""
