from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transforms import fast_layout

from imgda_mpi.distributed.rectangle import Rectangle, choose_rectangle, share_wedges, steps
from imgda_mpi.faults import ConfigError
from imgda_mpi.numerics.sample_variance import member_blocks

SMALL, LARGE = fast_layout((128, 256)), fast_layout((720, 1440), "curvelets")


@settings(deadline=None, max_examples=30)
@given(chosen=st.sampled_from([SMALL, LARGE]), member_groups=st.integers(1, 40), wedge_groups=st.integers(1, 12))
def test_every_value_has_one_owner(chosen, member_groups: int, wedge_groups: int) -> None:
    ranks = Rectangle(chosen, member_groups, wedge_groups)
    owned = np.zeros(chosen.n_values, dtype=int)
    for rank in range(ranks.size):
        member_group, wedge_group = ranks.place(rank)
        for chunk in ranks.chunks(wedge_group):
            assert ranks.wedge_group(chunk) == wedge_group
            first, last = ranks.bounds(chunk)[member_group : member_group + 2]
            owned[chunk.start + first : chunk.start + last] += 1
            pieces = ranks.pieces(chunk, member_group)
            assert sum(piece.stop - piece.start for piece in pieces) == last - first
            assert not pieces or pieces[0].start == chunk.start + first
    assert (owned == 1).all()
    assert ranks.place(ranks.size) is None


@settings(deadline=None, max_examples=30)
@given(chosen=st.sampled_from([SMALL, LARGE]), step=st.integers(1, 30), n_ranks=st.integers(1, 40))
def test_some_wedges_are_shared_out_among_all_ranks(chosen, step: int, n_ranks: int) -> None:
    some = chosen.wedges[step // 2 :: step]
    shares = share_wedges(chosen, some, n_ranks)
    assert len(shares) == n_ranks
    assert [wedge for own in shares for wedges in own.values() for wedge in wedges] == list(some)
    assert all(wedge in chunk.wedges for own in shares for chunk, wedges in own.items() for wedge in wedges)
    sizes = [sum(wedge.stop - wedge.start for wedges in own.values() for wedge in wedges) for own in shares]
    together = max(sum(w.stop - w.start for w in chunk.wedges if w in some) for chunk in chosen.chunks)
    assert max(sizes) < sum(sizes) / n_ranks + together


def test_owners_of_a_large_chunk_have_nearly_the_same() -> None:
    chunk = max(LARGE.chunks, key=lambda chunk: chunk.stop - chunk.start)
    counts = np.diff(Rectangle(LARGE, 2, 1).bounds(chunk))
    assert np.ptp(counts) <= 2**14


@pytest.mark.parametrize(
    ("n_ranks", "n_members", "member_groups", "wedge_groups"),
    [
        (1, 50, 1, 1),
        (2, 50, 2, 1),
        (4, 50, 4, 1),
        (20, 50, 20, 1),  # one block of members each
        (100, 50, 20, 5),  # and then their wedges are divided
        (4, 3, 2, 2),  # more ranks than blocks
    ],
)
def test_members_are_divided_first_and_then_wedges(
    n_ranks: int, n_members: int, member_groups: int, wedge_groups: int
) -> None:
    ranks = choose_rectangle(LARGE, n_members, n_ranks)
    assert (ranks.member_groups, ranks.wedge_groups) == (member_groups, wedge_groups)


@settings(deadline=None, max_examples=20)
@given(n_ranks=st.integers(1, 300), n_members=st.integers(2, 60))
def test_the_chosen_grid_fits_and_no_other_takes_fewer_steps(n_ranks: int, n_members: int) -> None:
    ranks = choose_rectangle(LARGE, n_members, n_ranks)
    assert 1 <= ranks.size <= n_ranks
    n_blocks = 2 * len(member_blocks(n_members))
    for member_groups in range(1, min(n_ranks, n_blocks) + 1):
        for wedge_groups in range(1, min(n_ranks // member_groups, 8) + 1):
            other = Rectangle(LARGE, member_groups, wedge_groups)
            assert steps(ranks, n_blocks) <= steps(other, n_blocks)


@pytest.mark.parametrize("chosen", [SMALL, LARGE, fast_layout((360, 720)), fast_layout((720, 1440))])
def test_every_wedge_group_has_wedges(chosen) -> None:
    for n_ranks in range(1, 40):
        assert (np.diff(choose_rectangle(chosen, 2, n_ranks).wedge_offsets) > 0).all()


def test_the_user_may_choose_the_wedge_groups() -> None:
    ranks = choose_rectangle(LARGE, 50, 8, wedge_groups=4)
    assert (ranks.member_groups, ranks.wedge_groups) == (2, 4)


@pytest.mark.parametrize("wedge_groups", [5, len(SMALL.chunks) + 1])
def test_more_wedge_groups_than_ranks_or_chunks_are_refused(wedge_groups: int) -> None:
    with pytest.raises(ConfigError, match=rf"wedge_groups = {wedge_groups}: 4 ranks and these wedges allow \[1, "):
        choose_rectangle(SMALL, 50, 4, wedge_groups)
