from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from transforms import fast_layout

from imgda_mpi.curvelet import CurveletTransform, Layout


def test_layout_is_coarse_then_complex_wedges_then_finest() -> None:
    transform = CurveletTransform((128, 256))
    layout = transform.layout
    assert layout.wedges[0].start == 0
    for before, after in pairwise(layout.wedges):
        assert before.stop == after.start
        assert (before.scale, before.number) < (after.scale, after.number)
    for wedge in layout.wedges:
        assert wedge.stop - wedge.start == math.prod(wedge.shape) * (1 if wedge.is_real else 2)
        assert wedge.is_real == (wedge.scale in (1, 4))
    assert [sum(wedge.scale == scale for wedge in layout.wedges) for scale in (1, 2, 3, 4)] == [1, 8, 16, 1]
    assert layout.wedges[-1].shape == layout.image_shape == (128, 256)
    assert layout.n_values == layout.wedges[-1].stop
    assert 3.0 < layout.n_values / math.prod(layout.image_shape) < 3.3


def test_fast_sizes_are_multiples_of_4_without_large_primes_and_reference_sizes_are_odd() -> None:
    fast = CurveletTransform((101, 217), finest="curvelets", sampling="fast").layout
    reference = CurveletTransform((101, 217), finest="curvelets", sampling="reference").layout
    smooth = sorted(
        2**a * 3**b * 5**c * 7**d for a in range(2, 9) for b in range(6) for c in range(4) for d in range(3)
    )
    for ours, theirs in zip(fast.wedges, reference.wedges, strict=True):
        for size, least in zip(ours.shape, theirs.shape, strict=True):
            assert least % 2 == 1
            assert size == next(number for number in smooth if number >= least)


def test_joined_squares_are_the_squared_modulus_in_both_slots_of_every_part(rng: np.random.Generator) -> None:
    transform = CurveletTransform((33, 47))
    layout = transform.layout
    values = rng.standard_normal((2, layout.n_values))
    power = layout.join_parts(values * values)
    for wedge in layout.wedges:
        expected = np.square(np.abs(transform.wedge(values, wedge.scale, wedge.number))).reshape(2, -1)
        slots = power[:, wedge.start : wedge.stop]
        for part in [slots] if wedge.is_real else [slots[:, 0::2], slots[:, 1::2]]:
            np.testing.assert_allclose(part, expected, rtol=1e-15)
    ends = [wedge.stop for wedge in layout.wedges]
    for start, stop in [(0, 0), (0, ends[0]), (ends[0], ends[4]), (ends[2], ends[-1]), (ends[-2], ends[-1])]:
        np.testing.assert_array_equal(layout.join_parts(values[:, start:stop] ** 2, start), power[:, start:stop])


@pytest.mark.parametrize("shape", [(33, 47), (128, 256), (720, 1440)])
@pytest.mark.parametrize("finest", ["wavelets", "curvelets"])
def test_chunks_and_pieces_hold_every_value_once_in_order(shape: tuple[int, int], finest: str) -> None:
    layout = CurveletTransform(shape, finest=finest).layout if shape[0] < 500 else fast_layout(shape, finest)
    assert [wedge for chunk in layout.chunks for wedge in chunk.wedges] == list(layout.wedges)
    assert [chunk.number for chunk in layout.chunks] == list(range(len(layout.chunks)))
    pieces = [piece for chunk in layout.chunks for piece in chunk.pieces]
    assert pieces[0].start == 0
    assert pieces[-1].stop == layout.n_values
    assert all(before.stop == after.start for before, after in pairwise(pieces))
    assert all(0 < piece.stop - piece.start <= 2**14 for piece in pieces)
    assert all(len(chunk.wedges) == 1 or chunk.stop - chunk.start <= 2**16 for chunk in layout.chunks)


def test_wedge_is_a_view() -> None:
    transform = CurveletTransform((33, 47))
    coefficients = np.zeros((2, transform.layout.n_values))
    record = transform.layout.wedge(2, 3)
    transform.wedge(coefficients, 2, 3)[1, 0, 1] = 4 + 5j
    assert np.flatnonzero(coefficients[0]).size == 0
    assert coefficients[1, record.start + 2 : record.start + 4].tolist() == [4.0, 5.0]


def test_layout_cannot_be_changed() -> None:
    layout = CurveletTransform((32, 32)).layout
    with pytest.raises(AttributeError):
        layout.wedges[0].start = 1  # type: ignore[misc]
    assert isinstance(layout, Layout)
