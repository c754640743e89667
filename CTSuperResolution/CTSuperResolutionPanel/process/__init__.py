"""The background process: what it is given, what it says, and how it is ended."""
