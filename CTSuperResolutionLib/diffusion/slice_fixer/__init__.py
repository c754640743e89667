"""SliceFixer: repair of the slices of a reconstruction from few views, in one step."""
