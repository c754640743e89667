"""The command line ``ctsr``. Heavy libraries are imported inside the commands, after the watch for cancelling began."""
