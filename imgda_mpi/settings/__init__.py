"""Settings files: one section for each part that can be chosen."""
