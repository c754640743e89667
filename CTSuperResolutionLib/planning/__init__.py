"""Planning: cost model and requirements of a job, known before any of it is done."""
