"""Saved results as text and figures."""
