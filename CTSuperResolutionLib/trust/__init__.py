"""How far to believe a result: the spread of its error, tested on the very scan."""
