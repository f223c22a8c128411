"""Means and standard deviations over the positions of each wedge, whoever owns which part of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import Layout, Piece
from imgda_mpi.numerics.kalman import gain

FIELDS = ("gain", "background_variance", "observation_variance", "innovation_power", "increment_power")

OF_WEDGES = ("scale", "wedge", *(f"{field}_mean" for field in FIELDS))
"""What every file with statistics of wedges has of them, at least."""


@dataclass(frozen=True)
class WedgeStatistics:
    """Mean and standard deviation over the positions of each wedge, (n_wedges,) arrays by name."""

    scale: npt.NDArray[np.int64]
    wedge: npt.NDArray[np.int64]
    values: dict[str, FloatArray]


@dataclass(frozen=True)
class PieceStatistics:
    """Mean, and sum of squared differences from it, of each field over one piece: (n_fields,) arrays."""

    piece: Piece
    mean: FloatArray
    squares: FloatArray


def piece_statistics(
    layout: Layout, piece: Piece, background: Values, observation: Values, innovation: Values, increment: Values
) -> PieceStatistics:
    """Statistics of one piece from its variances B and R, innovation and increment, (n,) arrays each."""
    power = [layout.join_parts(np.square(values), piece.start) for values in (innovation, increment)]
    fields = np.stack([gain(background, observation), background, observation, *power]).astype(np.float64)
    mean = fields.mean(axis=1)
    return PieceStatistics(piece, mean, np.square(fields - mean[:, None]).sum(axis=1))


def gather_statistics(own: Iterable[PieceStatistics], comm: MPI.Intracomm) -> WedgeStatistics | None:
    """Statistics of all wedges from the pieces of all ranks, on rank 0, None elsewhere. Collective over ``comm``.

    Pieces are added up in the order of the coefficients, so that it does not matter who owned which.
    """
    parts = comm.gather(list(own))
    if parts is None:
        return None
    by_wedge: dict[tuple[int, int], list[PieceStatistics]] = {}
    for found in sorted((found for part in parts for found in part), key=lambda found: found.piece.start):
        by_wedge.setdefault((found.piece.wedge.scale, found.piece.wedge.number), []).append(found)
    moments = np.array([_moments(pieces) for pieces in by_wedge.values()])
    scale, wedge = np.array(list(by_wedge)).T
    values = {}
    for number, name in enumerate(FIELDS):
        values[f"{name}_mean"], values[f"{name}_sd"] = moments[:, 0, number], moments[:, 1, number]
    return WedgeStatistics(scale, wedge, values)


def _moments(pieces: list[PieceStatistics]) -> FloatArray:
    """Mean and standard deviation over the pieces of a wedge, (2, n_fields)."""
    size = np.array([found.piece.stop - found.piece.start for found in pieces], dtype=np.float64)[:, None]
    means = np.array([found.mean for found in pieces])
    mean = (size * means).sum(axis=0) / size.sum()
    squares = np.array([found.squares for found in pieces]) + size * np.square(means - mean)
    return np.stack([mean, np.sqrt(squares.sum(axis=0) / size.sum())])
