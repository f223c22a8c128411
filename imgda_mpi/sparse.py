"""Sparse matrices of scipy, which are loaded without what no one here asks them for."""

from __future__ import annotations

import numpy as np

from imgda_mpi.lazy import without

# Scipy copies all names of numpy, also those of parts that numpy loads where they are asked for: a Fortran compiler's
# and a test runner's take longer than scipy's own matrices.
with without(np, "f2py", "testing", "polynomial"):
    from scipy.sparse import coo_array, csc_array, csr_array, eye_array, hstack, vstack

__all__ = ["coo_array", "csc_array", "csr_array", "eye_array", "hstack", "vstack"]
