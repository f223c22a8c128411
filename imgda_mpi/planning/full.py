"""What the full solver takes of each rank, with one variance for each wedge and features of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.covariances.features import N_IMAGES
from imgda_mpi.distributed.image_rows import blocks_of
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.planning.case import REAL, Case, complex_flops, real_flops

ITERATIONS_OF_SCALE = 65
"""Of conjugate gradients in all systems, as usual, for each scale of the transform; noise far below the background's
takes several times as many."""

N_SYSTEMS = 14  # nine by which the variances are found, that of the increment, four of the expected errors
N_FILTERS = N_SYSTEMS + 11  # beside S and its preconditioner in each iteration: B or S for what solutions make
N_WHOLE = 10  # images that are put together on every rank: three for each step of the variances, and the increment
N_POWERS, N_MADE = 21, 4  # images whose coefficients are taken, each rank its wedges; filters that every rank makes
VECTORS = 9  # rows that are alive in an iteration, working places included
IMAGES = 6  # whole images: innovation, signs, two solutions and what they are made of

N_PRECONDITIONERS, N_PROBED = 2, 6  # each made with a filter for each feature; images that traces are corrected with
ENTRY, PRECONDITIONER = 12, 4  # bytes of an entry of a sparse matrix, and of an observed cell and feature


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
        """Messages and bytes that a rank sends to others; those of inner products and features are left out."""
        filters, whole = self.filter_sent, self.whole_sent
        messages, volume = (self.n_filters * filters[n] + self.n_whole * whole[n] for n in range(2))
        return messages, volume

    @property
    def iterations(self) -> int:
        """Of conjugate gradients in all systems."""
        return ITERATIONS_OF_SCALE * max(wedge.scale for wedge in self.case.layout.wedges)

    @property
    def n_filters(self) -> int:
        """Images that are filtered."""
        of_features = N_PRECONDITIONERS * self.case.features.n_features
        return 2 * self.iterations + N_FILTERS + (of_features + N_PROBED if of_features else 0)

    @property
    def n_whole(self) -> int:
        """Images that are put together on every rank: with features also parts of the increment, and for powers."""
        n_groups = self.case.features.n_groups
        return N_WHOLE + (n_groups + N_IMAGES if n_groups else 0)

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
        n_powers = N_POWERS + (N_IMAGES if case.features.n_features else 0)
        powers = n_powers * (case.image_flops + of_wedges * self.wedges / case.layout.n_values)
        made = 2 * N_MADE * (case.image_flops + of_wedges)
        filters = 2 * self.n_filters * (self.rows * real_flops(nx) + self.columns * complex_flops(ny))
        return np.asarray(powers + made + filters, np.float64)

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        iterations = REAL * (IMAGES * ny * nx + VECTORS * (self.rows * nx + self.columns * ny))
        # A filter is made from the coefficients of an impulse.
        solving = iterations + max(case.itemsize * case.layout.n_values, 2 * case.spectrum_bytes)
        return case.memory(self.n_ranks, solving + self.features_memory)

    @property
    def features_memory(self) -> IntArray:
        """Bytes of the features: given, in the array of the transform, own ones; of a preconditioner the own cells."""
        features, of_rows = self.case.features, self.rows / self.case.layout.image_shape[0]
        matrices = ENTRY * features.n_entries * (2 + of_rows)
        return np.asarray(matrices + PRECONDITIONER * features.n_features * features.n_observed * of_rows, np.int64)
