"""PythonQt's conventions over PySide6: properties are attributes, signals are connected by their signature."""
