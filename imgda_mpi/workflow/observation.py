"""What is read from observation files, by the one rank that loads what this takes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.config import Cf, Gldas
from imgda_mpi.errors import fault
from imgda_mpi.fields import FieldFile
from imgda_mpi.grid import Grid
from imgda_mpi.images.cf import read_cf
from imgda_mpi.images.gldas import SURFACE_LAYER, read_gldas
from imgda_mpi.images.image import ObservedImage
from imgda_mpi.images.netcdf import resolve

log = logging.getLogger(__name__)


def read_image(wanted: Gldas | Cf, grid: Grid, time: datetime) -> ObservedImage:
    """The observed image on the model grid. Not collective.

    Raises
    ------
    InputError
    """
    read: Callable[..., ObservedImage] = read_gldas
    if isinstance(wanted, Cf):
        read = partial(read_cf, variable=wanted.variable, layer=wanted.layer)
    image = read(
        wanted.file,
        grid,
        wanted.time or time,
        max_time_offset=wanted.max_time_offset,
        method=wanted.regridding,
        valid_range=wanted.valid_range,
    )
    if isinstance(wanted, Cf) and wanted.layer not in (None, SURFACE_LAYER):
        log.warning("the observed layer %g-%g m stands for the image's %g-%g m", *wanted.layer, *SURFACE_LAYER)
    return image


def read_deviation(wanted: FieldFile, grid: Grid, time: datetime, land: BoolArray) -> tuple[FloatArray, Path]:
    """Standard deviations on the grid, m3 m-3, and the file that they are in. Not collective.

    Raises
    ------
    InputError
        Where a cell of the land has none.
    """
    values = read_cf(wanted.file, grid, time, variable=wanted.variable, valid_range=(0.0, 1.0)).values
    lacking = land & ~(values > 0)
    if lacking.any():
        raise fault(
            wanted.file,
            wanted.variable,
            found=f"none on {int(lacking.sum())} of {int(land.sum())} soil cells",
            expected="a positive standard deviation on every soil cell",
            do="fill the gaps in the file",
        )
    # Beyond the soil nothing is observed: any value serves, the mean keeps the variances alike.
    return np.where(values > 0, values, values[land].mean()), resolve(wanted.file, time)
