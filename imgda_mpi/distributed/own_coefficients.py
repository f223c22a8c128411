"""What one rank does for the update of the coefficients: its members, its chunks of wedges, its part of each chunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.console import progress
from imgda_mpi.curvelet import Chunk, CurveletTransform, Piece, Wedge
from imgda_mpi.distributed.exchange import CoefficientExchange
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.distributed.wedge_powers import WedgePowers
from imgda_mpi.distributed.wedge_statistics import PieceStatistics, piece_statistics
from imgda_mpi.fourier import ComplexValues, empty, length_of
from imgda_mpi.numerics.kalman import coefficient_increment
from imgda_mpi.numerics.sample_variance import SampleVariance, add_member, member_blocks


class Perturbations(Protocol):
    """An ensemble as far as its variances need it."""

    @property
    def n_members(self) -> int:
        """Of each kind."""

    def deviation(self, kind: str, member: int, shape: tuple[int, int], dtype: npt.DTypeLike) -> Values:
        """What distinguishes a member, (ny, nx) m3 m-3."""


class OwnCoefficients:
    """The part of the coefficients that this rank owns, whole wedges or not: from members to variances and increments.

    Members go in rounds of one block for each member group. Of a block's members only the spectra are held; chunk after
    chunk of their coefficients is computed, reduced to its moments over the block while it is in the cache, and passed
    on to the owners. So memory grows neither with the members nor with the coefficients of a member. ``place`` is the
    member group and the wedge group of this rank.
    """

    def __init__(
        self, transform: CurveletTransform, ranks: Rectangle, exchange: CoefficientExchange, place: tuple[int, int]
    ) -> None:
        self.transform, self._ranks, self._exchange = transform, ranks, exchange
        self._member_group, self._wedge_group = place
        self._chunks = ranks.chunks(self._wedge_group)
        # The own parts of the chunks follow each other in the own arrays.
        sizes = [length_of(self._range(chunk)) for chunk in self._chunks]
        places = (slice(stop - size, stop) for size, stop in zip(sizes, accumulate(sizes), strict=True))
        self._parts, self._n_own = dict(zip(self._chunks, places, strict=True)), sum(sizes)
        # For one chunk at a time; new arrays would have to be cleared by the system for each of them.
        largest = max(chunk.stop - chunk.start for chunk in self._chunks)
        self._values, self._moments_of_chunk = (empty((n * largest,), transform.dtype) for n in (1, 2))

    def sample_variances(self, members: Perturbations, kinds: Sequence[str]) -> list[Values]:
        """Variances over members of the own coefficients (eqs. 7 and 8), of each kind (n_own,), (m3 m-3)2.

        Collective over the rectangle.
        """
        n_members, n_groups = members.n_members, self._ranks.member_groups
        blocks = [(kind, block) for kind in kinds for block in member_blocks(n_members)]
        sums = {kind: SampleVariance(self._n_own, self.transform.dtype) for kind in kinds}
        spectra = [self.transform.empty_spectrum() for _ in range(max(len(block) for _, block in blocks))]
        rounds = [blocks[first : first + n_groups] for first in range(0, len(blocks), n_groups)]
        for held in progress(rounds, "members", speaks=(self._member_group, self._wedge_group) == (0, 0)):
            self._add_round(held, members, spectra, sums)
        del spectra  # before the variances, which take more room
        variances = [sums.pop(kind).result(n_members) for kind in kinds]
        # The variance of a complex coefficient, that of both its parts together, in both slots.
        for chunk, part in self._parts.items():
            start = self._range(chunk).start
            for variance in variances:
                self.transform.layout.join_parts(variance[part], start)
        return variances

    def clear_scales_but(self, scales: Sequence[int], variances: Values) -> None:
        """Set the own variances (n_own,) of all other scales to 0, in place."""
        for chunk in self._chunks:
            for piece, place in self._pieces(chunk):
                if piece.wedge.scale not in scales:
                    variances[place] = 0

    def update(
        self, innovation: FloatArray, background: Values, observation: Values
    ) -> tuple[Values, list[PieceStatistics]]:
        """Increments of the own coefficients (n_own,), m3 m-3, and statistics of the own pieces.

        From the innovation (ny, nx), m3 m-3, and B and R of the own coefficients, (n_own,) (m3 m-3)2. Collective over
        the rectangle.
        """
        n_groups = self._ranks.member_groups
        spectrum = self.transform.empty_spectrum()
        self.transform.to_spectrum(innovation, spectrum)
        # Ranks that have the same chunks transform them in turn.
        transformed = {
            chunk: self.transform.to_coefficients(spectrum, chunk)
            for turn, chunk in enumerate(self._chunks)
            if turn % n_groups == self._member_group
        }
        increments, statistics = np.empty(self._n_own, self.transform.dtype), []
        for turn, (chunk, part) in enumerate(self._parts.items()):
            own = self._exchange.scatter(transformed.pop(chunk, None), chunk, turn % n_groups)
            increments[part] = coefficient_increment(own, background[part], observation[part])
            for piece, place in self._pieces(chunk):
                of_chunk = slice(place.start - part.start, place.stop - part.start)
                values = background[place], observation[place], own[of_chunk], increments[place]
                statistics.append(piece_statistics(self.transform.layout, piece, *values))
        return increments, statistics

    def of_chunk(self, own: Values, chunk: Chunk) -> Values | None:
        """A chunk's part (n,) of own values (n_own,), None where this rank's wedge group has not the chunk."""
        return own[self._parts[chunk]] if chunk in self._parts else None

    def _range(self, chunk: Chunk) -> slice:
        """The own part of a chunk, in the flat array of all coefficients."""
        first, last = self._ranks.bounds(chunk)[self._member_group : self._member_group + 2].tolist()
        return slice(chunk.start + first, chunk.start + last)

    def _pieces(self, chunk: Chunk) -> Iterator[tuple[Piece, slice]]:
        """The own pieces of a chunk, and their places in the own arrays."""
        shift = self._parts[chunk].start - self._range(chunk).start
        for piece in self._ranks.pieces(chunk, self._member_group):
            yield piece, slice(shift + piece.start, shift + piece.stop)

    def _add_round(
        self,
        held: list[tuple[str, range]],
        members: Perturbations,
        spectra: list[ComplexValues],
        sums: dict[str, SampleVariance],
    ) -> None:
        """Take one block of members of each of the first member groups into the sums of the own coefficients."""
        own_block = held[self._member_group] if self._member_group < len(held) else None
        perturbed = self._perturbed(*own_block, members, spectra) if own_block else None
        for chunk, part in self._parts.items():
            moments = self._moments(perturbed, chunk) if perturbed else None
            received = self._exchange.to_owners(moments, chunk, len(held))
            for (kind, of_block), block in zip(held, received, strict=True):
                sums[kind].add(part, block, of_block.start, len(of_block))

    def _perturbed(
        self, kind: str, block: range, members: Perturbations, spectra: list[ComplexValues]
    ) -> list[ComplexValues]:
        """Spectra of the perturbations of a block's members; ranks with the same members share the work."""
        shape, dtype, n_groups = self.transform.layout.image_shape, self.transform.dtype, self._ranks.wedge_groups
        for turn, (member, spectrum) in enumerate(zip(block, spectra, strict=False)):
            if turn % n_groups == self._wedge_group:
                self.transform.to_spectrum(members.deviation(kind, member, shape, dtype), spectrum)
        for turn, spectrum in enumerate(spectra[: len(block)]):
            self._exchange.share_spectrum(spectrum, turn % n_groups)
        return spectra[: len(block)]

    def _moments(self, spectra: list[ComplexValues], chunk: Chunk) -> Values:
        """Moments of a chunk over a block of members, those of one owner after those of another: (2 n,)."""
        n = chunk.stop - chunk.start
        values: Values = self._values[:n]
        moments: Values = self._moments_of_chunk[: 2 * n]
        owners = list(pairwise(self._ranks.bounds(chunk)))
        for n_before, spectrum in enumerate(spectra):
            self.transform.to_coefficients(spectrum, chunk, values)
            for first, last in owners:
                add_member(moments[2 * first : 2 * last].reshape(2, -1), values[first:last], n_before)
        return moments


class OwnWedges(OwnCoefficients):
    """Own coefficients of ranks without member groups, which divide wedges: a ValueError where there are some."""

    def __init__(
        self, transform: CurveletTransform, ranks: Rectangle, exchange: CoefficientExchange, place: tuple[int, int]
    ) -> None:
        if ranks.member_groups != 1:
            raise ValueError(f"{ranks.member_groups} member groups divide wedges: needs a rectangle with one")
        super().__init__(transform, ranks, exchange, place)

    def powers(self) -> WedgePowers:
        """Powers of wedges by all ranks that own some. Collective over the rectangle."""
        return WedgePowers(self.transform, self._exchange.same_members)

    def wedges(self) -> Iterator[tuple[int, Wedge, slice]]:
        """Number in the layout, and place in the own arrays, of each own wedge."""
        first, last = self._chunks[0].start, self._chunks[-1].stop
        for number, wedge in enumerate(self.transform.layout.wedges):
            if first <= wedge.start < last:
                yield number, wedge, slice(wedge.start - first, wedge.stop - first)

    def spread_out(self, by_wedge: FloatArray) -> Values:
        """One number for each wedge, (n_wedges,), at all its own coefficients, (n_own,)."""
        own = np.empty(self._n_own, self.transform.dtype)
        for number, _, place in self.wedges():
            own[place] = by_wedge[number]
        return own
