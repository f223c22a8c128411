"""What the full solver takes of each rank, for covariances of wedges, of members, or both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.parallel.image_rows import blocks_of
from imgda_mpi.parallel.ownership import share_by_cost
from imgda_mpi.planning.case import PATCH_LEDGER, PATCH_UPDATE, REAL, Case, complex_flops, real_flops
from imgda_mpi.spectral_errors import MEMBERS_PER_BLOCK, member_blocks

STEP_ITERATIONS = 25
"""Of conjugate gradients, in all six systems by which the variances of wedges are found, as usual."""

ITERATIONS = 75
"""The same in the system of the increment and the four of the expected errors; noise far below the background's or
few observed pixels among many take several times as many."""

N_STEP_SYSTEMS, N_SYSTEMS = 6, 5
N_PRODUCTS = 9  # with B, beside those of the iterations: the increment, and two for each of four expected errors
VECTORS = 9  # rows that are alive in an iteration, working places included
IMAGES = 6  # whole images: innovation, signs, two solutions and what they are made of


@dataclass(frozen=True)
class FullCost:
    """What an update of all observed pixels takes of each rank; arrays (n_ranks,).

    Parameters
    ----------
    case : Case
    n_ranks : int
    has_wedges : bool
        Whether B has a part with variances of wedges.
    members_shape : (ny, n_columns) or None
        Rows, and columns of the closed array, on which members are localised; None where B has no members.
    """

    case: Case
    n_ranks: int
    has_wedges: bool
    members_shape: tuple[int, int] | None

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

    @property
    def groups(self) -> str:
        """Ranks that have rows of the image."""
        return f"{np.count_nonzero(self.rows)}"

    @property
    def idle(self) -> int:
        """Ranks without rows, wedges and members."""
        return int(self.n_ranks - np.count_nonzero(self.rows + self.wedges + self.members))

    @property
    def remarks(self) -> list[str]:
        """Ranks that do nothing, in a sentence."""
        return [f"{self.idle} of them have no rows, no wedges and no members"] if self.idle else []

    @cached_property
    def wedges(self) -> IntArray:
        """Coefficients that a rank transforms."""
        sizes = [chunk.stop - chunk.start for chunk in self.case.layout.chunks]
        offsets = share_by_cost(sizes, self.n_ranks)
        return np.diff(np.concatenate([[0], np.cumsum(sizes)])[offsets])

    @cached_property
    def members(self) -> IntArray:
        """Members that a rank has."""
        held = np.zeros(self.n_ranks, np.int64)
        if self.members_shape is not None:
            for number, block in enumerate(member_blocks(self.case.n_members)):
                held[number % self.n_ranks] += len(block)
        return held

    @property
    def n_filters(self) -> int:
        """Images that are filtered: products with the part of B that has wedges, and the exact preconditioner."""
        if not self.has_wedges:
            return 0
        steps = 2 * STEP_ITERATIONS + N_STEP_SYSTEMS
        # Beside members the preconditioner is a diagonal.
        last = ITERATIONS if self.members_shape else 2 * ITERATIONS + N_SYSTEMS
        return steps + last + N_PRODUCTS

    @property
    def n_sums(self) -> int:
        """Sums over members: products with the part of B that has them, and its diagonal."""
        return ITERATIONS + N_PRODUCTS + 1 if self.members_shape else 0

    @property
    def n_whole(self) -> int:
        """Images that are put together on every rank."""
        return 1 + (N_STEP_SYSTEMS if self.has_wedges else 0) + (ITERATIONS + N_PRODUCTS if self.members_shape else 0)

    @cached_property
    def sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes that a rank sends to others; those of single numbers are left out."""
        messages, n_bytes = np.zeros((2, self.n_ranks), np.int64)
        for count, (per_call, bytes_per_call) in (
            (self.n_filters, self.filter_sent),
            (self.n_whole, self.whole_sent),
            (self.n_sums, self.sum_sent),
        ):
            messages += count * per_call
            n_bytes += count * bytes_per_call
        return messages, n_bytes

    @property
    def filter_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one filtering: rows become columns, and columns rows."""
        pairs = (self.rows[:, None] > 0) & (self.columns > 0) & ~np.eye(self.n_ranks, dtype=bool)
        volume = 16 * self.rows[:, None] * self.columns * ~np.eye(self.n_ranks, dtype=bool)
        return pairs.sum(axis=1) + pairs.sum(axis=0), volume.sum(axis=1) + volume.sum(axis=0)

    @property
    def whole_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one image that is put together on every rank."""
        others = self.n_ranks - 1
        return others * (self.rows > 0), REAL * others * self.rows * self.case.layout.image_shape[1]

    @property
    def sum_sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes of one sum over members: each block's image goes to the ranks that have its rows."""
        messages, n_bytes = np.zeros((2, self.n_ranks), np.int64)
        ny, nx = self.case.layout.image_shape
        for number in range(len(member_blocks(self.case.n_members))):
            root = number % self.n_ranks
            messages[root] += np.count_nonzero(self.rows) - (self.rows[root] > 0)
            n_bytes[root] += REAL * nx * (ny - self.rows[root])
        return messages, n_bytes

    @cached_property
    def flops(self) -> FloatArray:
        """Of the FFTs, and of the products with the matrices of the localisation."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        transform = case.image_flops + sum(case.chunk_flops(chunk) for chunk in case.layout.chunks)
        shares = self.wedges / case.layout.n_values
        of_wedges = transform - case.image_flops
        # Powers of norms, innovation, increment and steps, of which each rank has its wedges; the filters of the steps
        # are made by every rank.
        n_powers, n_made = (13, 4) if self.has_wedges else (3, 0)
        flops = n_powers * (case.image_flops + of_wedges * shares) + 2 * n_made * transform
        flops += self.n_filters * 2 * (self.rows * real_flops(nx) + self.columns * complex_flops(ny))
        if self.members_shape is not None:
            n_rows, n_columns = self.members_shape
            waves = 2 * n_rows * real_flops(n_columns) + 4 * n_rows**2 * (n_columns // 2 + 1)
            flops += self.n_sums * self.members * waves
        return np.asarray(flops, np.float64)

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are."""
        case, (ny, nx) = self.case, self.case.layout.image_shape
        n_own, image = -(-case.n_patch // self.n_ranks), REAL * ny * nx
        held = np.full(self.n_ranks, case.inputs_bytes(n_own))
        held[0] += case.places_bytes
        update = np.full(self.n_ranks, PATCH_UPDATE * n_own + 2 * REAL * case.n_pixels)
        update[0] += PATCH_LEDGER * case.n_patch + 3 * REAL * case.n_pixels
        iterations = IMAGES * image + VECTORS * REAL * (self.rows * nx + self.columns * ny)
        # A filter is made from the coefficients of an impulse.
        made = case.itemsize * case.layout.n_values if self.has_wedges else 0
        solving = iterations + max(made, 2 * case.spectrum_bytes)
        if self.members_shape is not None:
            n_rows, n_columns = self.members_shape
            matrices = REAL * n_rows**2 * (n_columns // 2 + 1)
            of_members = REAL * n_rows * n_columns * (self.members + 4 * MEMBERS_PER_BLOCK)
            solving = solving + np.where(self.members > 0, matrices + of_members, 0)
        return np.asarray(held + np.maximum(solving, update))
