"""The MRML scene: geometry of volumes, what goes out of it into files, and what comes back."""
