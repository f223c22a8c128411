"""What the diagonal solver with perturbed members takes of each rank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.numerics.perturbations import ENSEMBLES
from imgda_mpi.numerics.sample_variance import MEMBERS_PER_BLOCK, member_blocks
from imgda_mpi.parallel.ownership import share
from imgda_mpi.planning.case import REAL, Case

FFT_WORK = 1.5
"""Work of all that is done for an operation of the FFTs of members, random numbers and moments included, by its time in
operations of FFTs as a `Machine` has them; measured by `tools/benchmark_full.py --constants` on an Intel Xeon."""


@dataclass(frozen=True)
class MembersCost:
    """What an analysis takes of each rank of a rectangle; arrays (member_groups, wedge_groups), rank 0 first.

    Parameters
    ----------
    case : Case
    ranks : Rectangle
    n_ranks : int
        Ranks of the job, which share the patches; the rectangle may have fewer.
    """

    case: Case
    ranks: Rectangle
    n_ranks: int

    @cached_property
    def blocks(self) -> list[list[range]]:
        """Blocks of members, of both kinds, that each member group transforms."""
        every = [block for _ in ENSEMBLES for block in member_blocks(self.case.n_members)]
        return [every[group :: self.ranks.member_groups] for group in range(self.ranks.member_groups)]

    @property
    def groups(self) -> str:
        """Member groups x wedge groups."""
        return f"{self.ranks.member_groups} x {self.ranks.wedge_groups}"

    @property
    def idle(self) -> int:
        """Ranks that have no part in the coefficients."""
        return self.n_ranks - self.ranks.size

    @property
    def remarks(self) -> list[str]:
        """Ranks that do nothing, or nothing in the last round, in sentences."""
        said, n_rounds = [], len(self.blocks[0])
        if self.idle:
            said.append(f"{self.idle} of them have no part in the coefficients; {self.ranks.size} ranks do as well")
        without = sum(len(blocks) < n_rounds for blocks in self.blocks)
        if without:
            groups = f"{without} of {self.ranks.member_groups} member groups"
            said.append(f"in the last of {n_rounds} rounds {groups} have no members")
        return said

    @cached_property
    def members(self) -> IntArray:
        """Members that a member group transforms, (member_groups, 1)."""
        return np.array([[sum(map(len, blocks))] for blocks in self.blocks])

    @cached_property
    def perturbed(self) -> IntArray:
        """Members whose perturbation and spectrum a rank computes."""
        n_groups = self.ranks.wedge_groups
        return np.array([sum(np.diff(share(len(block), n_groups)) for block in blocks) for blocks in self.blocks])

    @cached_property
    def counts(self) -> IntArray:
        """Values that each member group owns of each chunk, (n_chunks, member_groups)."""
        return np.array([np.diff(self.ranks.bounds(chunk)) for chunk in self.case.layout.chunks])

    @cached_property
    def own(self) -> IntArray:
        """Coefficients that a rank owns."""
        return self._by_wedge_group(np.add, self.counts)

    @cached_property
    def flops(self) -> FloatArray:
        """Of the FFTs, those of the innovation and on rank 0 of the inverse included."""
        case = self.case
        of_chunks = self._by_wedge_group(np.add, np.array([[case.chunk_flops(chunk)] for chunk in case.layout.chunks]))
        innovation = case.image_flops + of_chunks / self.ranks.member_groups
        flops = self.perturbed * case.image_flops + self.members * of_chunks + innovation
        flops[0, 0] += case.image_flops + of_chunks[0].sum()
        return np.asarray(flops, np.float64)

    @property
    def work(self) -> FloatArray:
        """All that a rank computes, in operations of FFTs that take as long."""
        return FFT_WORK * self.flops

    @property
    def rounds(self) -> int:
        """Sums over all ranks that all of them wait for."""
        return 0

    @cached_property
    def sent(self) -> tuple[IntArray, IntArray]:
        """Messages and bytes that a rank sends to others in the exchange of coefficients."""
        ranks, case = self.ranks, self.case
        rounds = np.array([len(blocks) for blocks in self.blocks])
        messages, values = np.zeros((2, ranks.member_groups, ranks.wedge_groups), np.int64)
        for group in range(ranks.wedge_groups):
            for turn, chunk in enumerate(ranks.chunks(group)):
                counts = self.counts[chunk.number]
                others, n_others = counts.sum() - counts, np.count_nonzero(counts) - (counts > 0)
                holder = turn % ranks.member_groups
                # Moments, mean and squares, to the owners; the innovation's coefficients; increments to rank 0.
                values[:, group] += 2 * rounds * others + counts
                messages[:, group] += rounds * n_others + (counts > 0)
                values[holder, group] += others[holder]
                messages[holder, group] += n_others[holder]
        values[0, 0] -= self.own[0, 0]
        messages[0, 0] -= sum(int(self.counts[chunk.number, 0] > 0) for chunk in ranks.chunks(0))
        spectra = self.perturbed * (ranks.wedge_groups - 1)
        return messages + spectra, case.itemsize * values + spectra * case.spectrum_bytes

    @cached_property
    def memory(self) -> IntArray:
        """Bytes of the arrays that are alive when most are: the transform and the program itself come on top."""
        case, chunks = self.case, self.case.layout.chunks
        n_pixels = math.prod(case.layout.image_shape)
        # Of a chunk: moments, values of one member, and what the owner receives from each member group.
        sizes = np.array([[chunk.stop - chunk.start] for chunk in chunks])
        under_way = self._by_wedge_group(np.maximum, 3 * sizes + 2 * len(self.blocks) * self.counts)
        spectra = min(MEMBERS_PER_BLOCK, case.n_members) * (case.spectrum_bytes // case.itemsize)
        # Two kinds of members, mean and squares; at the end the variance of one kind beside them.
        sums = 4 * self.own + np.maximum(np.maximum(under_way, n_pixels) + spectra, self.own)
        innovation = REAL * (case.n_pixels + n_pixels)
        return case.memory(self.n_ranks, innovation + case.itemsize * sums)

    def _by_wedge_group(self, join: np.ufunc, of_chunks: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Sum, or else, over the chunks of each wedge group: from (n_chunks, n) to (n, wedge_groups)."""
        groups = pairwise(self.ranks.wedge_offsets)
        return np.stack([join.reduce(of_chunks[first:last]) for first, last in groups], axis=1)
