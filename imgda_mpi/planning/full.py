"""What the full solver takes of each rank, with one variance for each wedge and features of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.covariances.features import N_IMAGES
from imgda_mpi.distributed.continuation import SHARED_LEVELS
from imgda_mpi.distributed.image_rows import ALIGNED, blocks_of
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.planning.case import REAL, Case, complex_flops, real_flops

ITERATIONS = 50
"""Of conjugate gradients in all systems, as usual, whatever the size of the image; signals that fall off steeply under
little noise take several times as many."""

N_SYSTEMS = 4  # of different matrices: three steps of the variances, and the update
N_FILTERS = 14  # beside S in each iteration: B or S for what solutions start from and make
N_SPECTRA, N_PRODUCTS = 26, 12  # images whose powers and energies are taken; their spectra put together on every rank
N_WHOLE = 1  # images that are put together on every rank: the increment
N_TRANSFORMED = 4  # images whose coefficients are taken for the observation errors, each rank its wedges, there and back
VECTORS = 11  # rows that are alive in an iteration, working places in both precisions included
IMAGES = 6  # whole images: innovation, signs, filters, and the product of two spectra

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
        return np.diff(blocks_of(ny, nx, self.n_ranks, ALIGNED)[1])

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
        kinds = (
            (self.n_filters, self.filter_sent, 1.0),
            (self.n_inverted, self.filter_sent, 0.5),  # in single precision
            (N_SPECTRA, self.filter_sent, 0.5),  # there alone
            (self.n_whole, self.whole_sent, 1.0),
            (self.n_products, self.product_sent, 1.0),
            (2 * self.n_inverted + N_SYSTEMS, self.continuation_sent, 1.0),
        )
        messages, volume = (
            sum(number * of_one[n] * (part if n else 1) for number, of_one, part in kinds) for n in range(2)
        )
        return np.asarray(messages), np.asarray(volume, np.int64)

    @property
    def iterations(self) -> int:
        """Of conjugate gradients in all systems."""
        return ITERATIONS

    @property
    def n_filters(self) -> int:
        """Images that are filtered in double precision."""
        return ITERATIONS + N_FILTERS + (N_PROBED if self.case.features.n_features else 0)

    @property
    def n_inverted(self) -> int:
        """Images that the preconditioner is applied to."""
        with_features = N_PRECONDITIONERS * self.case.features.n_features
        return ITERATIONS + with_features + (N_PROBED if with_features else 0)

    @property
    def n_products(self) -> int:
        """Products of spectra that are put together on every rank."""
        return N_PRODUCTS + (N_IMAGES if self.case.features.n_groups else 0)

    @property
    def n_whole(self) -> int:
        """Images that are put together on every rank: with features also parts of the increment."""
        return N_WHOLE + self.case.features.n_groups

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
