"""What a job leaves: its folder, its report, its picture."""
