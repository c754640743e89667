"""Jobs: their method and parameters, and how their process is started, followed and stopped. Standard library only."""
