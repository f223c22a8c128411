"""Methods: a problem in, an increment out."""
