"""Solvers: from an innovation and an error model to the increment of the image, on all ranks."""
