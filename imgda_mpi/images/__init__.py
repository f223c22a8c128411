"""Observation files to images on the model grid."""
