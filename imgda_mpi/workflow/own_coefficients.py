"""What one rank does for the update of the coefficients: its members, its chunks of wedges, its part of each chunk."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from imgda_mpi.analysis import coefficient_increment
from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.curvelet import Chunk, CurveletTransform
from imgda_mpi.curvelet.fourier import ComplexValues, empty
from imgda_mpi.ensemble import KINDS, PaperErrors
from imgda_mpi.parallel.exchange import CoefficientExchange
from imgda_mpi.parallel.rank_grid import RankGrid
from imgda_mpi.spectral_errors import SampleVariance, add_member, member_blocks
from imgda_mpi.workflow.console import progress
from imgda_mpi.workflow.wedge_statistics import PieceStatistics, piece_statistics


class OwnCoefficients:
    """The part of the coefficients that this rank owns, from their error variances to their increments.

    Members go in rounds of one block for each member group. Of a block's members only the spectra are held; chunk after
    chunk of their coefficients is computed, reduced to its moments over the block while it is in the cache, and passed
    on to the owners. So memory grows neither with the members nor with the coefficients of a member.

    Parameters
    ----------
    transform : CurveletTransform
    grid : RankGrid
    exchange : CoefficientExchange
    place : (member group, wedge group)
        Of this rank.
    """

    def __init__(
        self, transform: CurveletTransform, grid: RankGrid, exchange: CoefficientExchange, place: tuple[int, int]
    ) -> None:
        self._transform, self._grid, self._exchange = transform, grid, exchange
        self._member_group, self._wedge_group = place
        self._chunks = grid.chunks(self._wedge_group)
        # The own parts of the chunks follow each other in the own arrays.
        counts = [int(np.diff(grid.bounds(chunk))[self._member_group]) for chunk in self._chunks]
        ends = np.cumsum([0, *counts])
        self._parts = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self._n_own = int(ends[-1])
        # For one chunk at a time; new arrays would have to be cleared by the system for each of them.
        largest = max(chunk.stop - chunk.start for chunk in self._chunks)
        self._values, self._moments_of_chunk = (empty((n * largest,), transform.dtype) for n in (1, 2))
        self.statistics: list[PieceStatistics] = []

    def variances(self, errors: PaperErrors, *, speaks: bool) -> tuple[Values, Values]:
        """B and R of the own coefficients (eqs. 7 and 8), (n_own,) (m3 m-3)2. Collective over the rectangle."""
        transform, n_groups = self._transform, self._grid.member_groups
        blocks = [(kind, members) for kind in KINDS for members in member_blocks(errors.n_members)]
        sums = {kind: SampleVariance(self._n_own, transform.dtype) for kind in KINDS}
        spectra = [transform.empty_spectrum() for _ in range(max(len(members) for _, members in blocks))]
        rounds = [blocks[first : first + n_groups] for first in range(0, len(blocks), n_groups)]
        for held in progress(rounds, "members", speaks=speaks):
            self._add_round(held, errors, spectra, sums)
        del spectra  # before the variances, which take more room
        background, observation = (self._joined(sums.pop(kind).result(errors.n_members)) for kind in KINDS)
        return background, observation

    def update(self, innovation: FloatArray, background: Values, observation: Values) -> None:
        """Increments of the own coefficients, and statistics of the own pieces. Collective over the rectangle.

        Parameters
        ----------
        innovation : (ny, nx) array, m3 m-3
        background, observation : (n_own,) arrays
            B and R of the own coefficients, (m3 m-3)2.
        """
        n_groups = self._grid.member_groups
        spectrum = self._transform.empty_spectrum()
        self._transform.to_spectrum(innovation, spectrum)
        # Ranks that have the same chunks transform them in turn.
        transformed = {
            chunk.number: self._coefficients(spectrum, chunk)
            for turn, chunk in enumerate(self._chunks)
            if turn % n_groups == self._member_group
        }
        self._increments = np.empty(self._n_own, self._transform.dtype)
        for turn, (chunk, part) in enumerate(zip(self._chunks, self._parts, strict=True)):
            own = self._exchange.scatter(transformed.pop(chunk.number, None), chunk, turn % n_groups)
            self._increments[part] = coefficient_increment(own, background[part], observation[part])
            first = part.start - (chunk.start + int(self._grid.bounds(chunk)[self._member_group]))
            for piece in self._grid.pieces(chunk, self._member_group):
                place = slice(first + piece.start, first + piece.stop)
                values = (
                    background[place],
                    observation[place],
                    own[place.start - part.start : place.stop - part.start],
                )
                self.statistics.append(
                    piece_statistics(self._transform.layout, piece, *values, self._increments[place])
                )

    def increment(self, chunk: Chunk) -> Values | None:
        """Own part of a chunk's increments, (n,) m3 m-3, None where this rank's wedge group has not the chunk."""
        if self._grid.wedge_group(chunk) != self._wedge_group:
            return None
        part: Values = self._increments[self._parts[chunk.number - self._chunks[0].number]]
        return part

    def _add_round(
        self,
        held: list[tuple[str, range]],
        errors: PaperErrors,
        spectra: list[ComplexValues],
        sums: dict[str, SampleVariance],
    ) -> None:
        """Take one block of members of each of the first member groups into the sums of the own coefficients."""
        own_block = held[self._member_group] if self._member_group < len(held) else None
        perturbed = self._perturbed(*own_block, errors, spectra) if own_block else None
        for chunk, part in zip(self._chunks, self._parts, strict=True):
            moments = self._moments(perturbed, chunk) if perturbed else None
            received = self._exchange.to_owners(moments, chunk, len(held))
            for (kind, members), block in zip(held, received, strict=True):
                sums[kind].add(part, block, members.start, len(members))

    def _perturbed(
        self, kind: str, members: range, errors: PaperErrors, spectra: list[ComplexValues]
    ) -> list[ComplexValues]:
        """Spectra of the perturbations of a block's members; ranks with the same members share the work."""
        shape, dtype, n_groups = self._transform.layout.image_shape, self._transform.dtype, self._grid.wedge_groups
        for turn, (member, spectrum) in enumerate(zip(members, spectra, strict=False)):
            if turn % n_groups == self._wedge_group:
                self._transform.to_spectrum(errors.deviation(kind, member, shape, dtype), spectrum)
        for turn, spectrum in enumerate(spectra[: len(members)]):
            self._exchange.share_spectrum(spectrum, turn % n_groups)
        return spectra[: len(members)]

    def _moments(self, spectra: list[ComplexValues], chunk: Chunk) -> Values:
        """Moments of a chunk over a block of members, those of one owner after those of another: (2 n,)."""
        n = chunk.stop - chunk.start
        values: Values = self._values[:n]
        moments: Values = self._moments_of_chunk[: 2 * n]
        owners = list(pairwise(self._grid.bounds(chunk)))
        for n_before, spectrum in enumerate(spectra):
            self._transform.to_coefficients(spectrum, chunk, values)
            for first, last in owners:
                add_member(moments[2 * first : 2 * last].reshape(2, -1), values[first:last], n_before)
        return moments

    def _coefficients(self, spectrum: ComplexValues, chunk: Chunk) -> Values:
        values: Values = empty((chunk.stop - chunk.start,), self._transform.dtype)
        self._transform.to_coefficients(spectrum, chunk, values)
        return values

    def _joined(self, variance: Values) -> Values:
        """The same with the variance of a complex coefficient, that of both its parts together, in both slots."""
        for chunk, part in zip(self._chunks, self._parts, strict=True):
            start = chunk.start + int(self._grid.bounds(chunk)[self._member_group])
            self._transform.layout.join_parts(variance[part], start)
        return variance
