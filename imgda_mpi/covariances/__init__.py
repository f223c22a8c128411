"""Error covariances of the background (B) and of the observations (R), each B in one file."""
