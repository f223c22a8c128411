"""Types of arrays; docstrings give their shapes and units."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating[Any]]
"""Real numbers of either precision, as images and coefficients of a transform."""
