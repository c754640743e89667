"""slicer.app and what hangs on it: the scene, modules, loading and saving, settings, the main window."""
