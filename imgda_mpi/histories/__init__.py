"""Soil moisture of runs and products in the order of time, whatever wrote it."""
