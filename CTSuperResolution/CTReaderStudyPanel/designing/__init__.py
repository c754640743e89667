"""Design of a study: its cases, readers and protocol, how many of them are needed, and the folder that is made."""
