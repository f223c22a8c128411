"""What the full solver takes of each rank, with one variance for each wedge and features of the cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.covariances.features import N_IMAGES
from imgda_mpi.covariances.noise import wedges_of_directions
from imgda_mpi.curvelet import Chunk, Wedge
from imgda_mpi.distributed.continuation import SHARED_LEVELS, n_levels_of, n_steps_of
from imgda_mpi.distributed.image_rows import ALIGNED, blocks_of
from imgda_mpi.distributed.rectangle import Rectangle, share_wedges
from imgda_mpi.methods.full import N_SIGNS
from imgda_mpi.numerics.wave_kriging import most_waves
from imgda_mpi.planning.case import REAL, Case, complex_flops, real_flops

# Counts that the solver's own constants do not tell; `tools/benchmark_full.py` prints what real updates take.
ITERATIONS = 14
"""Of conjugate gradients in all systems, as usual for images with gaps, whatever their size; signals that fall off
steeply under little noise take two to three times as many."""

N_SOLVED_BEFORE = 3  # systems that are solved for the variances, before that of the update
N_NEAR = 3  # for which the preconditioner stands: those of the first step of the variances
N_SYSTEMS = 3  # of different matrices: two steps of the variances, and the update
N_FILTERS = 10  # beside S in each iteration: B or S for what solutions make, for signs and the mean, and what is drawn
N_SPECTRA = 10  # images whose powers are taken, beside two energies for each preconditioner
N_PRODUCTS = 10  # of spectra, put together on every rank
N_WHOLE = 1  # images that are put together on every rank: the increment
N_INNER = 3  # inner products in an iteration
N_OF_WAVES = 4  # sums of amplitudes of long waves, and broadcasts of others, in a continuation and its adjoint
N_PRECONDITIONERS, N_CORRECTED = 2, 3  # with features: of wedges alone, and one that is made with a filter for each
# feature; images that the latter is applied to beside iterations, for the features' variances
N_SPREAD = 36  # products with all features beside those of iterations
ESTIMATED_SCALES = 1  # the finest, whose coefficients the prescribed observation errors are compared with

# Work beside FFTs in double precision, by the time it takes, in operations of these: `tools/benchmark_full.py
# --constants` on an AMD EPYC of the third generation, about the means of 128 x 256, 360 x 720 and 720 x 1440 pixels.
SINGLE_WORK = 0.8  # of an operation of an FFT in single precision
ITERATION_WORK = 300.0  # of an own pixel in an iteration: vectors, the continuation and its adjoint
OWN_WORK, WHOLE_WORK = 2200.0, 1200.0  # of an own pixel and of any pixel, for what is done once
TURNED_WORK = 40.0  # of an own pixel in a filter, where ranks exchange columns: to pack and unpack them
KRIGED_WORK = 0.3  # of three long waves, on rank 0, in each continuation
SQUARED_WORK = 1.5  # of an operation of an FFT of what is seen: variances of white errors
FINE_WORK = 1000.0  # of a coefficient of these wedges
FEATURE_WORK = 310.0  # of an own pixel, for each image that a preconditioner with features is made with, or corrects
SPARSE_WORK = 9.0  # of an entry of the features in a product
DENSE_WORK = 28.0  # of an observed cell and feature in an iteration

# Of memory, as real runs have it.
VECTORS = 11  # rows that are alive in an iteration, working places in both precisions included
IMAGES = 6  # whole images: innovation, signs, filters, and the product of two spectra
ENTRY, PRECONDITIONER = 12, 4  # bytes of an entry of a sparse matrix, and of an observed cell and feature
SINGLE = 4  # bytes of a number in single precision


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
        """Coefficients of the wedges whose powers a rank takes."""
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
            (self.n_filters, self.turns(2 * REAL, there_and_back=True)),
            (self.n_inverted, self.turns(REAL, there_and_back=True)),  # in single precision
            (self.n_spectra, self.turns(2 * REAL, there_and_back=False)),
            (self.n_whole, self.together(self.rows * self.case.layout.image_shape[1])),
            (self.n_products, self.together(self.columns * self.case.layout.image_shape[0])),
            (self.n_inverted, self.continuation_sent),
        )
        messages, volume = (sum(number * of_one[n] for number, of_one in kinds) for n in range(2))
        return np.asarray(messages), np.asarray(volume)

    @property
    def iterations(self) -> int:
        """Of conjugate gradients in all systems: one of each, where there are neither gaps nor features."""
        is_simple = not (self.case.has_gaps or self.case.features.n_features)
        return N_SOLVED_BEFORE + 1 + N_SIGNS if is_simple else ITERATIONS

    @property
    def n_pairs(self) -> float:
        """FFTs of an image and back: filters in either precision, and powers for half a one."""
        return self.n_filters + self.n_inverted + self.n_spectra / 2

    @property
    def n_filters(self) -> int:
        """Images that are filtered in double precision."""
        return self.iterations + N_FILTERS

    @property
    def n_inverted(self) -> int:
        """Images that the preconditioner is applied to."""
        n_features = self.case.features.n_features
        return self.iterations + N_NEAR + n_features + (N_CORRECTED if n_features else 0)

    @property
    def n_preconditioners(self) -> int:
        """That are made: with features one serves all steps but the first."""
        return N_PRECONDITIONERS if self.case.features.n_features else N_SYSTEMS

    @property
    def n_spectra(self) -> int:
        """FFTs of images alone; with features also of what features have in wedges."""
        return N_SPECTRA + 2 * self.n_preconditioners + (N_IMAGES if self.case.features.n_groups else 0)

    @property
    def n_products(self) -> int:
        """Products of spectra that are put together on every rank."""
        return N_PRODUCTS + (N_IMAGES if self.case.features.n_groups else 0)

    @property
    def n_whole(self) -> int:
        """Images that are put together on every rank: with features also parts of the increment, and what they fit."""
        n_groups = self.case.features.n_groups
        return N_WHOLE + n_groups + (1 if n_groups else 0)

    def turns(self, n_bytes: int, *, there_and_back: bool) -> tuple[IntArray, IntArray]:
        """Messages and bytes when the rows of an image become columns, of so many bytes a number, and rows again."""
        volume = n_bytes * self.rows[:, None] * self.columns * ~np.eye(self.n_ranks, dtype=bool)
        there, back = ((np.count_nonzero(volume, axis=axis), volume.sum(axis=axis)) for axis in (1, 0))
        return (there[0] + back[0], there[1] + back[1]) if there_and_back else there

    def together(self, n_own: IntArray) -> tuple[IntArray, IntArray]:
        """Messages and bytes when an image is put together on every rank."""
        others = self.n_ranks - 1
        return others * (n_own > 0), REAL * others * n_own

    @property
    def continuation_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one continuation and its adjoint: rows for the neighbours, coarse ones for rank 0."""
        (ny, nx), holders = self.case.layout.image_shape, self.rows > 0
        n_shared = min(SHARED_LEVELS, n_levels_of((ny, nx)))
        is_shared = holders & (np.count_nonzero(holders) > 1)
        messages, volume = 0 * self.rows, 0 * self.rows
        for number in range(n_shared):
            # Two rows both ways in each step, there and back, and one for the interpolation and its adjoint.
            n_steps = n_steps_of(number)
            messages += (4 * n_steps + 4) * is_shared
            volume += SINGLE * (8 * n_steps + 3) * (nx // 2**number) * is_shared
        coarse = SINGLE * self.rows * nx // 4**n_shared
        volume += 2 * coarse
        messages[1:] += 2 * holders[1:]
        messages[0] += 2 * np.count_nonzero(holders[1:])
        volume[0] += 2 * (coarse[1:].sum() - coarse[0])
        return messages, volume

    @cached_property
    def flops(self) -> FloatArray:
        """Of the FFTs."""
        return self._passes(2 * (self.n_filters + self.n_inverted) + self.n_spectra) + self._transformed

    @cached_property
    def work(self) -> FloatArray:
        """All that a rank computes, in operations of FFTs in double precision that take as long."""
        (ny, nx), n_features = self.case.layout.image_shape, self.case.features.n_features
        of_ffts = self._passes(2 * self.n_filters + self.n_spectra) + SINGLE_WORK * self._passes(2 * self.n_inverted)
        of_vectors = ITERATION_WORK * self.iterations + OWN_WORK
        of_vectors += FEATURE_WORK * (self.n_inverted - self.iterations - N_NEAR)
        if self.n_ranks > 1:
            # Single precision, and the way to spectra alone, count half.
            of_vectors += TURNED_WORK * (self.n_filters + (self.n_inverted + self.n_spectra) / 2)
        of_errors = SQUARED_WORK * (self.fine > 0) * complex_flops(ny * nx) + FINE_WORK * self.fine
        of_waves = (1 + self.n_preconditioners) * KRIGED_WORK * self.n_waves**3 * (np.arange(self.n_ranks) == 0)
        of_rows = of_vectors * nx + (self.matrices_work / ny if n_features else 0.0)
        of_all = self._transformed + of_errors + of_waves + WHOLE_WORK * ny * nx
        return np.asarray(of_ffts + of_rows * self.rows + of_all, np.float64)

    @property
    def matrices_work(self) -> float:
        """Of all ranks, for products with features."""
        features = self.case.features
        n_products = 2 * self.iterations + N_SPREAD
        in_iterations = self.iterations * DENSE_WORK * features.n_features * features.n_observed
        return n_products * SPARSE_WORK * features.n_entries + in_iterations

    @property
    def n_waves(self) -> int:
        """Long waves that are kriged."""
        return most_waves(self.case.layout.image_shape)

    @cached_property
    def fine(self) -> IntArray:
        """Coefficients of the finest scales that noise is looked for in."""
        wedges_of = ([wedge for wedges in of_rank.values() for wedge in wedges] for of_rank in self._fine)
        return np.array([sum(wedge.stop - wedge.start for wedge in wedges) for wedges in wedges_of])

    @cached_property
    def _fine(self) -> list[dict[Chunk, list[Wedge]]]:
        """Those wedges of each rank, by chunks."""
        looked_at = wedges_of_directions(self.case.layout, ESTIMATED_SCALES)
        return share_wedges(self.case.layout, looked_at, self.n_ranks)

    @property
    def rounds(self) -> int:
        """Sums over all ranks, of few numbers each, that all of them wait for."""
        return self.iterations * (N_INNER + 2 * (self.case.features.n_groups > 0)) + N_OF_WAVES * self.n_inverted

    @cached_property
    def _transformed(self) -> FloatArray:
        """Operations of FFTs for an image's coefficients of the chunks in which noise is looked for."""
        case = self.case
        return np.array([sum(map(case.chunk_flops, own)) + case.image_flops * bool(own) for own in self._fine])

    def _passes(self, number: int) -> FloatArray:
        """Operations of so many FFTs of images that are shared out by rows."""
        ny, nx = self.case.layout.image_shape
        return np.asarray(number * (self.rows * real_flops(nx) + self.columns * complex_flops(ny)), np.float64)

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        iterations = REAL * (IMAGES * ny * nx + VECTORS * (self.rows * nx + self.columns * ny))
        iterations += 2 * case.spectrum_bytes + self.features_memory
        return case.memory(self.n_ranks, iterations)

    @property
    def features_memory(self) -> IntArray:
        """Bytes of the features: given, in the array of the transform, own ones; of a preconditioner the own cells."""
        features, of_rows = self.case.features, self.rows / self.case.layout.image_shape[0]
        matrices = ENTRY * features.n_entries * (2 + of_rows)
        return np.asarray(matrices + PRECONDITIONER * features.n_features * features.n_observed * of_rows, np.int64)
