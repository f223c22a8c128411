"""Coefficients and images over ranks."""
