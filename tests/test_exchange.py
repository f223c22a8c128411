"""Coefficients on their way between ranks, on every ranks of however many ranks the tests run."""

from __future__ import annotations

import numpy as np
import pytest
from mpi4py import MPI
from problems import COMMS, agree, problem_of
from transforms import fast_layout

from imgda_mpi.covariances.paper import PaperErrors
from imgda_mpi.curvelet import Chunk, CurveletTransform
from imgda_mpi.distributed.exchange import CoefficientExchange
from imgda_mpi.distributed.own_coefficients import OwnWedges
from imgda_mpi.distributed.rectangle import Rectangle
from imgda_mpi.faults import InputError
from imgda_mpi.methods.diagonal import diagonal_increment
from imgda_mpi.parallel.failure import same_fate

LAYOUT = fast_layout((96, 130))


def rectangles(comm: MPI.Intracomm) -> list[Rectangle]:
    """Every rectangle of these ranks, also those that leave some out."""
    return [
        Rectangle(LAYOUT, comm.size // n_wedge_groups, n_wedge_groups)
        for n_wedge_groups in range(1, min(comm.size, len(LAYOUT.chunks)) + 1)
    ]


def own_part(ranks: Rectangle, chunk: Chunk, member_group: int) -> slice:
    first, last = ranks.bounds(chunk)[member_group : member_group + 2]
    return slice(int(first), int(last))


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_owners_receive_the_moments_of_every_block_of_a_round_in_order(comm: MPI.Intracomm, dtype: type) -> None:
    for ranks in rectangles(comm):
        exchange, place, right = CoefficientExchange(comm, ranks, dtype), ranks.place(comm.rank), True
        for chunk in ranks.chunks(place[1]) if place else ():
            # The last round of a run has fewer blocks than there are member groups.
            for n_holders in {ranks.member_groups, max(ranks.member_groups - 1, 1)}:
                moments = np.arange(2 * (chunk.stop - chunk.start), dtype=dtype) + 1000 * place[0]
                received = exchange.to_owners(moments if place[0] < n_holders else None, chunk, n_holders)
                own = own_part(ranks, chunk, place[0])
                expected = np.arange(2 * own.start, 2 * own.stop, dtype=dtype).reshape(2, -1)
                right &= np.array_equal(received, expected + 1000 * np.arange(n_holders)[:, None, None])
        exchange.free()
        assert agree(comm, right)


@pytest.mark.parametrize("comm", COMMS)
def test_own_parts_of_a_chunk_come_from_one_rank_and_come_together_on_rank_0(comm: MPI.Intracomm) -> None:
    for ranks in rectangles(comm):
        exchange, place, right = CoefficientExchange(comm, ranks, np.float64), ranks.place(comm.rank), True
        for chunk in LAYOUT.chunks:
            whole, own = np.arange(chunk.start, chunk.stop, dtype=float), None
            if place and place[1] == ranks.wedge_group(chunk):
                holder = chunk.number % ranks.member_groups
                own = exchange.scatter(whole if place[0] == holder else None, chunk, holder)
                right &= np.array_equal(own, whole[own_part(ranks, chunk, place[0])])
            together = exchange.to_root(own, chunk)
            right &= np.array_equal(together, whole) if comm.rank == 0 else together is None
        exchange.free()
        assert agree(comm, right)


@pytest.mark.parametrize("comm", COMMS)
def test_a_spectrum_is_the_same_on_all_ranks_with_the_same_members(comm: MPI.Intracomm) -> None:
    for ranks in rectangles(comm):
        exchange, place, right = CoefficientExchange(comm, ranks, np.float64), ranks.place(comm.rank), True
        for wedge_group in range(ranks.wedge_groups) if place else ():
            spectrum = np.full((3, 4), complex(*place))
            exchange.share_spectrum(spectrum, wedge_group)
            right &= bool((spectrum == complex(place[0], wedge_group)).all())
        exchange.free()
        assert agree(comm, right)


@pytest.mark.parametrize("comm", COMMS)
@pytest.mark.parametrize("n_members", [3, 7])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_increment_has_the_same_bits_on_every_grid_of_ranks(comm: MPI.Intracomm, n_members: int, dtype: type) -> None:
    transform = CurveletTransform((96, 130), dtype=dtype)
    problem, errors = problem_of(np.random.default_rng(1).standard_normal((96, 130))), PaperErrors(0.15, n_members)
    alone, of_wedges, _ = diagonal_increment(problem, errors, transform, Rectangle(LAYOUT, 1, 1), MPI.COMM_SELF)
    for ranks in rectangles(comm):
        image, statistics, _ = diagonal_increment(problem, errors, transform, ranks, comm)
        right = comm.rank > 0 or (
            np.array_equal(image, alone)
            and all(np.array_equal(statistics.values[name], values) for name, values in of_wedges.values.items())
        )
        assert agree(comm, right)


def test_wedges_are_not_divided_by_member_groups() -> None:
    transform, ranks = CurveletTransform((96, 130)), Rectangle(LAYOUT, 2, 1)
    exchange = CoefficientExchange(MPI.COMM_SELF, Rectangle(LAYOUT, 1, 1), np.float64)
    with pytest.raises(ValueError, match="2 member groups divide wedges"):
        OwnWedges(transform, ranks, exchange, (0, 0))


@pytest.mark.parametrize("comm", COMMS)
def test_communicators_are_given_back_where_all_ranks_fail(comm: MPI.Intracomm) -> None:
    ranks = Rectangle(LAYOUT, 1, comm.size)

    def fail() -> None:
        with CoefficientExchange(comm, ranks, np.float64) as exchange:
            kept.append(exchange)
            with same_fate(comm):
                raise InputError("on every rank")

    kept: list[CoefficientExchange] = []
    with pytest.raises(InputError, match="on every rank"):
        fail()
    assert agree(comm, kept[0].same_members == MPI.COMM_NULL)
