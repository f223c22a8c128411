"""Observation files: pixels to an image on the model grid, with what became of each."""
