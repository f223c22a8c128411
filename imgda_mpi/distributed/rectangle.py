"""Ranks as a rectangle of member groups and wedge groups: arithmetic, no communicator."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from imgda_mpi.arrays import IntArray
from imgda_mpi.curvelet import Chunk, Layout, Piece, Wedge
from imgda_mpi.faults import ConfigError
from imgda_mpi.numerics.perturbations import ENSEMBLES
from imgda_mpi.numerics.sample_variance import MEMBERS_PER_BLOCK, member_blocks
from imgda_mpi.parallel.ownership import share_by_cost


@dataclass(frozen=True)
class Rectangle:
    """Ranks as a rectangle of member groups and wedge groups, and the coefficients that each rank owns.

    Ranks of one member group have the same members, each the chunks of wedges of its wedge group. Ranks of one wedge
    group have the same chunks, and share out the coefficients of each chunk among them. Ranks that do not fit into the
    rectangle have no part in this.
    """

    layout: Layout
    member_groups: int
    wedge_groups: int

    @property
    def size(self) -> int:
        """Ranks in the rectangle."""
        return self.member_groups * self.wedge_groups

    def place(self, rank: int) -> tuple[int, int] | None:
        """Member group and wedge group of a rank, None where it has no part."""
        return divmod(rank, self.wedge_groups) if rank < self.size else None

    @cached_property
    def wedge_offsets(self) -> IntArray:
        """Wedge group g has the chunks ``wedge_offsets[g]:wedge_offsets[g + 1]``, of about the same cost in all."""
        return share_by_cost([chunk.stop - chunk.start for chunk in self.layout.chunks], self.wedge_groups)

    @property
    def group_sizes(self) -> IntArray:
        """Coefficients of each wedge group, (wedge_groups,)."""
        ends = np.array([0, *(chunk.stop for chunk in self.layout.chunks)])
        return np.diff(ends[self.wedge_offsets])

    def chunks(self, wedge_group: int) -> tuple[Chunk, ...]:
        """Chunks of a wedge group."""
        first, last = self.wedge_offsets[wedge_group : wedge_group + 2]
        return self.layout.chunks[first:last]

    def wedge_group(self, chunk: Chunk) -> int:
        """The wedge group that has a chunk."""
        return int(np.searchsorted(self.wedge_offsets, chunk.number, side="right")) - 1

    def bounds(self, chunk: Chunk) -> IntArray:
        """Offsets (member_groups + 1,) in a chunk: member group m owns ``bounds[m]:bounds[m + 1]``, whole pieces."""
        owned = share_by_cost([piece.stop - piece.start for piece in chunk.pieces], self.member_groups)
        ends = np.array([chunk.start, *(piece.stop for piece in chunk.pieces)], dtype=np.int64)
        return np.asarray(ends[owned] - chunk.start)

    def pieces(self, chunk: Chunk, member_group: int) -> list[Piece]:
        """Pieces of a chunk that a member group owns."""
        first, last = (chunk.start + int(bound) for bound in self.bounds(chunk)[member_group : member_group + 2])
        return [piece for piece in chunk.pieces if first <= piece.start < last]


def share_wedges(layout: Layout, wedges: Collection[Wedge], n_ranks: int) -> list[dict[Chunk, list[Wedge]]]:
    """Which of some wedges each rank has where these alone are shared out, by chunks, which are transformed together.

    Of about the same cost on all ranks.
    """
    by_chunk = {chunk: [wedge for wedge in chunk.wedges if wedge in wedges] for chunk in layout.chunks}
    every = [(chunk, found) for chunk, found in by_chunk.items() if found]
    offsets = share_by_cost([sum(wedge.stop - wedge.start for wedge in found) for _, found in every], n_ranks)
    return [dict(every[first:last]) for first, last in pairwise(offsets.tolist())]


def choose_rectangle(layout: Layout, n_members: int, n_ranks: int, wedge_groups: int | None = None) -> Rectangle:
    """The rectangle of ``n_ranks`` ranks or fewer on which an analysis takes the fewest steps.

    There are ``n_members`` of each kind, worked on in blocks, which member groups do not divide. Unless given there are
    as many wedge groups as serve best; a `ConfigError` where there are fewer ranks, or a group would have no wedge.
    """
    n_blocks = len(ENSEMBLES) * len(member_blocks(n_members))
    most = range(1, min(n_ranks, len(layout.chunks)) + 1)
    rectangles = [Rectangle(layout, min(n_ranks // groups, n_blocks), groups) for groups in most]
    # A large chunk can be more than the share of one group, and leave another without any.
    rectangles = [ranks for ranks in rectangles if ranks.group_sizes.all()]
    if wedge_groups:
        possible = [ranks.wedge_groups for ranks in rectangles]
        rectangles = [ranks for ranks in rectangles if ranks.wedge_groups == wedge_groups]
        if not rectangles:
            raise ConfigError(
                f"wedge_groups = {wedge_groups}: {n_ranks} ranks and these wedges allow {possible}; choose another, or "
                "leave it out"
            )
    # Of equals the one with the fewest wedge groups: it passes on no spectra.
    return min(rectangles, key=lambda ranks: (steps(ranks, n_blocks), ranks.wedge_groups))


def whole_wedges(layout: Layout, n_ranks: int) -> Rectangle:
    """The most wedge groups for so many ranks, without member groups: every rank owns whole wedges."""
    rectangles = [Rectangle(layout, 1, groups) for groups in range(min(n_ranks, len(layout.chunks)), 0, -1)]
    return next(ranks for ranks in rectangles if ranks.group_sizes.all())


def holder_of_images(member: int, n_ranks: int) -> int:
    """Rank that holds the image of a member where images are added up: blocks of members go round the ranks."""
    return member // MEMBERS_PER_BLOCK % n_ranks


def holder_of_coefficients(member: int, ranks: Rectangle) -> int:
    """Rank that holds it where it is transformed by owners of whole wedges: the members of a block go round."""
    return member % MEMBERS_PER_BLOCK % ranks.wedge_groups


def steps(ranks: Rectangle, n_blocks: int) -> float:
    """Work of the busiest rank in units of the transform of one block of members.

    Random numbers and the FFT of the image are counted as one half of a transform, the wedges as the other.
    """
    members = -(-MEMBERS_PER_BLOCK // ranks.wedge_groups) / MEMBERS_PER_BLOCK
    values = int(ranks.group_sizes.max()) / ranks.layout.n_values
    return -(-n_blocks // ranks.member_groups) * 0.5 * (members + values)
