"""What an analysis takes of each rank: memory, messages, bytes, FFTs. Arithmetic, no communicator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.curvelet import Chunk, Layout
from imgda_mpi.curvelet.fourier import padded_spectrum
from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rank_grid import RankGrid
from imgda_mpi.perturbations import ENSEMBLES
from imgda_mpi.spectral_errors import MEMBERS_PER_BLOCK, member_blocks

REAL = 8  # bytes of a number outside of the transform

# Bytes of a patch, counted from the arrays that are alive together.
PATCH_READ = 430  # on its owner: five arrays of 10 layers, the aquifer, cell, weight, type
PATCH_UPDATE = 530  # on its owner, during the update of the soil
PATCH_LEDGER = 100  # on rank 0, from the update on: its place, and its row of the ledger


@dataclass(frozen=True)
class Problem:
    """An analysis as far as its cost depends on it.

    Parameters
    ----------
    layout : Layout
        Of the transform.
    itemsize : int
        Bytes of a coefficient.
    n_members : int
        Of each kind.
    n_pixels, n_patch : int
        Of the image on the model grid, and of the restart.
    n_fields : int
        Standard deviations that are fields.
    """

    layout: Layout
    itemsize: int
    n_members: int
    n_pixels: int
    n_patch: int
    n_fields: int

    @property
    def spectrum_bytes(self) -> int:
        """Of the half spectrum of an image."""
        return 2 * self.itemsize * math.prod(padded_spectrum(self.layout.image_shape))

    @property
    def image_flops(self) -> float:
        """Of the FFT of an image."""
        return real_flops(math.prod(self.layout.image_shape))

    def chunk_flops(self, chunk: Chunk) -> float:
        """Of the FFTs of a chunk's wedges."""
        return sum((real_flops if wedge.is_real else complex_flops)(math.prod(wedge.shape)) for wedge in chunk.wedges)

    @property
    def places_bytes(self) -> int:
        """Of the map of all patches, which rank 0 holds: cell, weight, type."""
        return 20 * self.n_patch

    def inputs_bytes(self, n_patch: int) -> int:
        """Of all that a rank with so many patches holds from the inputs to the end."""
        embedded = math.prod(self.layout.image_shape)
        return PATCH_READ * n_patch + REAL * (3 * self.n_pixels + self.n_fields * embedded)


def real_flops(n: int) -> float:
    """Floating point operations of a real FFT of n numbers, as usually counted."""
    return 2.5 * n * math.log2(n)


def complex_flops(n: int) -> float:
    """Floating point operations of a complex FFT of n numbers, as usually counted."""
    return 5.0 * n * math.log2(n)


@dataclass(frozen=True)
class RankCost:
    """What an analysis takes of each rank of a rectangle; arrays (member_groups, wedge_groups), rank 0 first.

    Parameters
    ----------
    problem : Problem
    grid : RankGrid
    n_ranks : int
        Ranks of the job, which share the patches; the rectangle may have fewer.
    """

    problem: Problem
    grid: RankGrid
    n_ranks: int

    @cached_property
    def blocks(self) -> list[list[range]]:
        """Blocks of members, of both kinds, that each member group transforms."""
        every = [block for _ in ENSEMBLES for block in member_blocks(self.problem.n_members)]
        return [every[group :: self.grid.member_groups] for group in range(self.grid.member_groups)]

    @property
    def n_rounds(self) -> int:
        """Rounds in which the blocks are worked off."""
        return len(self.blocks[0])

    @property
    def idle_in_last_round(self) -> int:
        """Member groups that have no block in the last round."""
        return sum(len(blocks) < self.n_rounds for blocks in self.blocks)

    @cached_property
    def members(self) -> IntArray:
        """Members that a member group transforms, (member_groups, 1)."""
        return np.array([[sum(map(len, blocks))] for blocks in self.blocks])

    @cached_property
    def perturbed(self) -> IntArray:
        """Members whose perturbation and spectrum a rank computes."""
        return np.array(
            [
                sum(
                    (np.diff(share(len(block), self.grid.wedge_groups)) for block in blocks),
                    np.zeros(self.grid.wedge_groups, np.int64),
                )
                for blocks in self.blocks
            ]
        )

    @cached_property
    def counts(self) -> list[IntArray]:
        """Values that each member group owns of each chunk, (member_groups,)."""
        return [np.diff(self.grid.bounds(chunk)) for chunk in self.problem.layout.chunks]

    @cached_property
    def own(self) -> IntArray:
        """Coefficients that a rank owns."""
        return self._by_wedge_group([self.counts[chunk.number] for chunk in self.problem.layout.chunks])

    @cached_property
    def transformed_share(self) -> FloatArray:
        """Share of a member's coefficients that a wedge group computes, (wedge_groups,)."""
        return np.asarray(self.own.sum(axis=0) / self.problem.layout.n_values)

    @cached_property
    def flops(self) -> FloatArray:
        """Of the FFTs, those of the innovation and on rank 0 of the inverse included."""
        problem, chunks = self.problem, self.problem.layout.chunks
        of_chunks = self._by_wedge_group([np.full(1, problem.chunk_flops(chunk)) for chunk in chunks])
        innovation = problem.image_flops + of_chunks / self.grid.member_groups
        flops = self.perturbed * problem.image_flops + self.members * of_chunks + innovation
        flops[0, 0] += problem.image_flops + of_chunks[0].sum()
        return np.asarray(flops, np.float64)

    @cached_property
    def sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes that a rank sends to others in the exchange of coefficients."""
        grid, problem = self.grid, self.problem
        rounds = np.array([len(blocks) for blocks in self.blocks])
        messages, values = np.zeros((2, grid.member_groups, grid.wedge_groups), np.int64)
        for group in range(grid.wedge_groups):
            for turn, chunk in enumerate(grid.chunks(group)):
                counts = self.counts[chunk.number]
                others, n_others = counts.sum() - counts, np.count_nonzero(counts) - (counts > 0)
                holder = turn % grid.member_groups
                # Moments, mean and squares, to the owners; the innovation's coefficients; increments to rank 0.
                values[:, group] += 2 * rounds * others + counts
                messages[:, group] += rounds * n_others + (counts > 0)
                values[holder, group] += others[holder]
                messages[holder, group] += n_others[holder]
        values[0, 0] -= self.own[0, 0]
        messages[0, 0] -= sum(int(self.counts[chunk.number][0] > 0) for chunk in grid.chunks(0))
        spectra = self.perturbed * (grid.wedge_groups - 1)
        return messages + spectra, problem.itemsize * values + spectra * problem.spectrum_bytes

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are: the transform and the program itself come on top."""
        problem = self.problem
        n_own = -(-problem.n_patch // self.n_ranks)
        held = np.full(self.own.shape, problem.inputs_bytes(n_own))
        held[0, 0] += problem.places_bytes
        update = np.full(self.own.shape, PATCH_UPDATE * n_own + 2 * REAL * problem.n_pixels)
        update[0, 0] += PATCH_LEDGER * problem.n_patch + 3 * REAL * problem.n_pixels
        return np.asarray(held + np.maximum(self._variances_bytes(), update))

    def _variances_bytes(self) -> IntArray:
        """Of the innovation, the spectra of a block, the sums over members, and the largest chunk under way."""
        problem, chunks = self.problem, self.problem.layout.chunks
        most = min(MEMBERS_PER_BLOCK, problem.n_members)
        innovation = REAL * (problem.n_pixels + math.prod(problem.layout.image_shape))
        # Of a chunk: moments, values of one member, and what the owner receives from each member group.
        under_way = self._by_wedge_group(
            [3 * (chunk.stop - chunk.start) + 2 * len(self.blocks) * self.counts[chunk.number] for chunk in chunks],
            np.maximum,
        )
        noise = math.prod(problem.layout.image_shape)
        # Two kinds of members, mean and squares; at the end the variance of one kind beside them.
        sums = 4 * self.own + np.maximum(np.maximum(under_way, noise) + most * self._spectrum_values, self.own)
        return np.asarray(innovation + problem.itemsize * sums)

    @property
    def _spectrum_values(self) -> int:
        return self.problem.spectrum_bytes // self.problem.itemsize

    def _by_wedge_group(self, of_chunks: list[IntArray] | list[FloatArray], join: np.ufunc = np.add) -> IntArray:
        """Sum, or else, over the chunks of each wedge group of (member_groups,) or (1,) arrays."""
        offsets = self.grid.wedge_offsets
        parts = [
            join.reduce(of_chunks[first:last]) if last > first else np.zeros(1, np.int64)
            for first, last in pairwise(offsets)
        ]
        rows = [np.broadcast_to(part, (self.grid.member_groups,)) for part in parts]
        return np.stack(rows, axis=1)
