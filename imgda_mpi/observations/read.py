"""What is read from observation files: one rank loads what this takes, every rank gets the result."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.lazy import load
from imgda_mpi.observations.image import SURFACE_LAYER, ObservedImage
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.settings.fields import FieldFile

log = logging.getLogger(__name__)

READERS = {"gldas": "observations.gldas:read_gldas", "cf": "observations.cf:read_cf"}
"""Every kind of observation: what reads an image."""


def read_image(kind: str, grid: Grid, time: datetime, comm: MPI.Intracomm, **how: Any) -> ObservedImage:
    """The observed image on the model grid, the same on every rank. Collective over ``comm``.

    Parameters
    ----------
    kind : of `READERS`
    time : wanted, aware
    how : file, and what else the reader takes

    Raises
    ------
    InputError
    """

    def read() -> ObservedImage:
        image: ObservedImage = load(READERS[kind])(grid=grid, time=time, **how)
        layer = how.get("layer")
        if layer not in (None, SURFACE_LAYER):
            log.warning("the observed layer %g-%g m stands for the image's %g-%g m", *layer, *SURFACE_LAYER)
        return image

    return from_rank_0(comm, read)


def check_observed(observation: ObservedImage, land: BoolArray, allow_empty: bool, comm: MPI.Intracomm) -> int:
    """Cells of the land (ny, nx) that are observed; where there are none, a warning if that is allowed. Collective.

    Raises
    ------
    InputError
        Where there are none and it is not.
    """
    n_observed = int(np.count_nonzero(land & observation.observed))
    with same_fate(comm):
        if n_observed == 0 and not allow_empty:
            raise fault(
                observation.source,
                found=f"no valid pixel over land ({observation.pixels})",
                expected="at least one",
                do="give another file, or allow an empty image to write the background unchanged",
            )
    if n_observed == 0 and comm.rank == 0:
        log.warning("%s: no valid pixel over land; the background is written unchanged", observation.source)
    return n_observed


def read_fields(
    values: Mapping[str, Any], grid: Grid, time: datetime, land: BoolArray, comm: MPI.Intracomm
) -> tuple[dict[str, Any], list[Path]]:
    """Values with standard deviations (ny, nx), m3 m-3, in the place of files that hold them, and these files.

    Every land cell must have one. The same on every rank; collective over ``comm``.

    Raises
    ------
    InputError
        Where a cell of the land has none, or see `imgda_mpi.observations.cf.read_cf`.
    """
    read, files = dict(values), []
    for name, wanted in values.items():
        if isinstance(wanted, FieldFile):
            read[name], file = from_rank_0(comm, partial(_deviation, wanted.file, wanted.variable, grid, time, land))
            files.append(file)
    return read, files


def _deviation(file: Path, variable: str, grid: Grid, time: datetime, land: BoolArray) -> tuple[FloatArray, Path]:
    from imgda_mpi.observations.cf import POSSIBLE, read_cf  # on the one rank that reads

    image = read_cf(file, grid, time, variable=variable, valid_range=POSSIBLE)
    values = image.values
    lacking = land & ~(values > 0)
    if lacking.any():
        raise fault(
            image.path,
            variable,
            found=f"none on {int(lacking.sum())} of {int(land.sum())} soil cells",
            expected="a positive standard deviation on every soil cell",
            do="fill the gaps in the file",
        )
    # Beyond the soil nothing is observed: any value serves, the mean keeps the variances alike.
    return np.where(values > 0, values, values[land].mean()), image.path
