"""Soil columns: a land model of water alone, and the weather that drives it."""
