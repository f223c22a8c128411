"""Curvelet transforms of every kind, and what their coefficients are measured with."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from imgda_mpi.curvelet import Layout
from imgda_mpi.curvelet.geometry import Geometry, default_scales
from imgda_mpi.curvelet.layout import layout_of

SHAPES = [(32, 32), (33, 47), (37, 64), (101, 64), (128, 256), (96, 144)]
KINDS = list(product(("wavelets", "curvelets"), ("fast", "reference")))

every_kind = pytest.mark.parametrize(("finest", "sampling"), KINDS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "{}x{}".format(*shape))
every_finest = pytest.mark.parametrize("finest", ["wavelets", "curvelets"])


def inner(layout: Layout, a: np.ndarray, b: np.ndarray) -> float:
    """Equals the inner product of the images: complex wedges count twice, for their opposite half."""
    places = [(slice(wedge.start, wedge.stop), 1 if wedge.is_real else 2) for wedge in layout.wedges]
    return sum(factor * float((a[place] * b[place]).sum()) for place, factor in places)


def impulses(shape: tuple[int, int]) -> np.ndarray:
    """Every image with a single 1, (ny nx, ny, nx)."""
    return np.eye(math.prod(shape)).reshape(-1, *shape)


def fast_layout(shape: tuple[int, int], finest: str = "wavelets") -> Layout:
    """The layout of the usual transform, which is not made for it."""
    return layout_of(Geometry(shape, default_scales(shape), 16, finest, "fast"))
