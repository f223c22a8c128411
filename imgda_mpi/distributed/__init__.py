"""Coefficients of an image over the ranks: who owns which, and what each rank does of an update."""
