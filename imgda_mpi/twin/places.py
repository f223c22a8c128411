"""Points at which an experiment keeps profiles, by the vegetation that grows there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.columns.restart import OwnColumns
from imgda_mpi.columns.vegetation import COVERS
from imgda_mpi.numerics.keyed_random import generator
from imgda_mpi.parallel.failure import from_rank_0

CLASSES = {name: classes for name, classes in COVERS.items() if name != "barren"}
"""Vegetation of points, by IGBP classes."""

LARGEST_SHARE = 0.5
"""A cell is taken where more of its soil than this is of one class."""


@dataclass(frozen=True)
class Place:
    """The middle of a cell, degrees, and what most of it is covered by."""

    vegetation: str
    latitude: float
    longitude: float


def choose_places(own: OwnColumns, n: int, seed: int, comm: MPI.Intracomm) -> list[Place]:
    """So many cells of each class, chosen by chance, in the order of classes and cells; fewer where there are fewer.

    Of columns that move. The same on every rank. Collective.
    """
    grows = np.stack([np.isin(own.vegetation, classes) for classes in CLASSES.values()], axis=1)
    shares = own.images(grows.astype(np.float64))

    def choose() -> list[Place]:
        if shares is None:
            raise ValueError("rank 0 has the images")
        grid, places = own.patches.grid, []
        for number, (name, share) in enumerate(zip(CLASSES, shares, strict=True)):
            cells = np.flatnonzero(np.nan_to_num(share) > LARGEST_SHARE)
            chosen = np.sort(generator(seed, "places", number).permutation(cells)[:n])
            for row, column in zip(*np.divmod(chosen, grid.shape[1]), strict=True):
                places.append(Place(name, float(grid.latitude[row]), float(grid.longitude[column])))
        return places

    return from_rank_0(comm, choose)
