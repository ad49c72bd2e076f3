"""Data, pipeline and tensor parallelism, and what they cost."""
