"""What the full solver takes of each rank, with one variance for each wedge."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.distributed.image_rows import blocks_of
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.planning.case import REAL, Case, complex_flops, real_flops

ITERATIONS = 150
"""Of conjugate gradients in all systems, as usual; noise far below the background's takes several times as many."""

N_SYSTEMS = 14  # nine by which the variances are found, that of the increment, four of the expected errors
N_FILTERS = 2 * ITERATIONS + N_SYSTEMS + 11  # S and its preconditioner; B or S for what is made of the solutions
N_WHOLE = 10  # images that are put together on every rank: three for each step of the variances, and the increment
N_POWERS, N_MADE = 21, 4  # images whose coefficients are taken, each rank its wedges; filters that every rank makes
VECTORS = 9  # rows that are alive in an iteration, working places included
IMAGES = 6  # whole images: innovation, signs, two solutions and what they are made of


@dataclass(frozen=True)
class FullCost:
    """What an update of all observed pixels takes of each rank; arrays (n_ranks,).

    Parameters
    ----------
    case : Case
    n_ranks : int
    """

    case: Case
    n_ranks: int

    @cached_property
    def rows(self) -> IntArray:
        """Rows of the image that a rank has."""
        ny, nx = self.case.layout.image_shape
        return np.diff(blocks_of(ny, nx, self.n_ranks)[1])

    @cached_property
    def columns(self) -> IntArray:
        """Columns of its half spectrum that a rank has."""
        ny, nx = self.case.layout.image_shape
        return np.diff(blocks_of(nx // 2 + 1, ny, self.n_ranks)[1])

    @cached_property
    def wedges(self) -> IntArray:
        """Coefficients that a rank transforms."""
        return Rectangle(self.case.layout, 1, self.n_ranks).group_sizes

    @property
    def groups(self) -> str:
        """Ranks that have rows of the image."""
        return f"{np.count_nonzero(self.rows)}"

    @property
    def idle(self) -> int:
        """Ranks that have neither rows nor wedges."""
        return int(self.n_ranks - np.count_nonzero(self.rows + self.wedges))

    @property
    def remarks(self) -> list[str]:
        """Ranks that do nothing, in a sentence."""
        return [f"{self.idle} of them have neither rows nor wedges"] if self.idle else []

    @cached_property
    def sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes that a rank sends to others; those of single numbers are left out."""
        filters, whole = self.filter_sent, self.whole_sent
        return N_FILTERS * filters[0] + N_WHOLE * whole[0], N_FILTERS * filters[1] + N_WHOLE * whole[1]

    @property
    def filter_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one filtering: rows become columns, and columns rows."""
        volume = 16 * self.rows[:, None] * self.columns * ~np.eye(self.n_ranks, dtype=bool)
        pairs = volume > 0
        return pairs.sum(axis=1) + pairs.sum(axis=0), volume.sum(axis=1) + volume.sum(axis=0)

    @property
    def whole_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one image that is put together on every rank."""
        others = self.n_ranks - 1
        return others * (self.rows > 0), REAL * others * self.rows * self.case.layout.image_shape[1]

    @cached_property
    def flops(self) -> FloatArray:
        """Of the FFTs."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        of_wedges = sum(case.chunk_flops(chunk) for chunk in case.layout.chunks)
        powers = N_POWERS * (case.image_flops + of_wedges * self.wedges / case.layout.n_values)
        made = 2 * N_MADE * (case.image_flops + of_wedges)
        filters = 2 * N_FILTERS * (self.rows * real_flops(nx) + self.columns * complex_flops(ny))
        return np.asarray(powers + made + filters, np.float64)

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        iterations = REAL * (IMAGES * ny * nx + VECTORS * (self.rows * nx + self.columns * ny))
        # A filter is made from the coefficients of an impulse.
        solving = iterations + max(case.itemsize * case.layout.n_values, 2 * case.spectrum_bytes)
        return case.memory(self.n_ranks, solving)
