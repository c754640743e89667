"""Reader studies: their design, the reading with its log of answers, and the analysis. Nothing here imports torch."""
