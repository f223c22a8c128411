"""What is read from observation files: one rank loads what this takes, every rank gets the result."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.lazy import load
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.parallel.failure import from_rank_0, same_fate

log = logging.getLogger(__name__)

READERS = {
    "gldas": "observations.gldas:read_gldas",
    "cf": "observations.cf:read_cf",
    "points": "observations.point_files:read_points",
}
"""Every kind of observation: what reads an image."""

# A product that holds one number where it has no soil has it in most cells of the sea; of soil it is nowhere the same.
ONE_NUMBER = 0.1  # of the cells without soil in the model
SAME = 1e-3  # m3 m-3: packing moves a zero by less, and no soil is so dry
FEW = 5  # cells that may have one number by chance


# Models and products differ in their level, by two in wet places and more in dry ones; the median over a region of one
# and the other, both physical, does not differ by this much.
LIKE_BACKGROUND = (0.2, 5.0)


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
        image = load_image(kind, grid, time, **how)
        say_remarks(image.source, image.remarks)
        return image

    return from_rank_0(comm, read)


def load_image(kind: str, grid: Grid, time: datetime, **how: Any) -> ObservedImage:
    """As `read_image`, on the rank that calls and without a word. Not collective."""
    image: ObservedImage = load(READERS[kind])(grid=grid, time=time, **how)
    return image


def say_remarks(where: str, remarks: Sequence[str]) -> None:
    """Warn of what is doubtful of an image."""
    for remark in remarks:
        log.warning("%s: %s", where, remark)


def check_observed(
    observation: ObservedImage,
    background: FloatArray,
    comm: MPI.Intracomm,
    *,
    allow_empty: bool,
    allow_unlike_background: bool,
) -> int:
    """Cells of the land that are observed; warnings of numbers that stand for no value. Collective over ``comm``.

    ``background`` is the model's image (ny, nx) m3 m-3, NaN where it has no soil.

    Raises
    ------
    InputError
        Where no cell is observed, or the level is not the background's (see `check_level`), and that is not allowed.
    """
    land = np.isfinite(background)
    cells = land & observation.observed
    n_observed = int(np.count_nonzero(cells))
    with same_fate(comm):
        if n_observed == 0 and not allow_empty:
            raise fault(
                observation.source,
                found=f"no valid pixel over land ({observation.pixels})",
                expected="at least one",
                do="give another file, or set allow_empty to write the background unchanged",
            )
        if not allow_unlike_background:
            check_level(observation.values, background, cells, observation.source)
    if comm.rank == 0:
        if n_observed == 0:
            log.warning("%s: no valid pixel over land; the background is written unchanged", observation.source)
        warn_of_fill(observation, land)
        warn_of_zeros(observation, cells)
    return n_observed


def check_level(values: FloatArray, background: FloatArray, cells: BoolArray, where: str) -> None:
    """Refuse an image (ny, nx) whose median over some cells is not that of the background within `LIKE_BACKGROUND`.

    Raises
    ------
    InputError
        Both in m3 m-3: a factor of that size is one of units.
    """
    if not cells.any():
        return
    median, of_background = float(np.median(values[cells])), float(np.median(background[cells]))
    low, high = (factor * of_background for factor in LIKE_BACKGROUND)
    if not low <= median <= high:
        raise fault(
            where,
            found=f"a median of {median:.4g} m3 m-3 over {int(cells.sum())} soil cells",
            expected=f"{low:.4g} to {high:.4g}, {LIKE_BACKGROUND[0]:g} to {LIKE_BACKGROUND[1]:g} times the "
            "background's there",
            do="correct the file's units or values, or set allow_unlike_background",
        )


def warn_of_fill(observation: ObservedImage, land: BoolArray) -> None:
    """Warn where one number stands for the sea (off the land, (ny, nx)), as 0 in ERA5 and 1 over the ice of others."""
    beyond = observation.values[observation.observed & ~land]
    numbers, counts = np.unique(np.round(beyond / SAME), return_counts=True)
    n_same = int(counts.max(initial=0))
    if n_same > max(ONE_NUMBER * beyond.size, FEW):
        log.warning(
            "%s: the same value, %.3f, in %d of %d observed cells where the model has no soil: a number that stands "
            "for the sea makes coasts wrong; set mask to leave it out",
            observation.source,
            SAME * numbers[counts.argmax()],
            n_same,
            beyond.size,
        )


def warn_of_zeros(observation: ObservedImage, cells: BoolArray) -> None:
    """Warn where many of the observed soil cells (ny, nx) hold 0, which stands for no value in some products."""
    n_cells, n_zero = int(cells.sum()), int((np.abs(observation.values[cells]) < 0.5 * SAME).sum())
    if n_zero > max(ONE_NUMBER * n_cells, FEW):
        log.warning(
            "%s: 0 in %d of %d observed soil cells, which no soil holds: if it stands for no value, set mask to leave "
            "it out, as {variable = <the same>, min = 0.001}, or make it the file's _FillValue",
            observation.source,
            n_zero,
            n_cells,
        )
