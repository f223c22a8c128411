from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.grid import Grid

GRID = Grid(np.array([30.0, 20.0]), np.array([100.0, 110.0, 120.0]))


def patch_map(cell, weight, patch_type):
    return PatchMap(GRID, np.array(cell, np.int64), np.array(weight, float), np.array(patch_type))


@pytest.fixture
def patches():
    # Cell 0: two soil patches and a lake; cell 1: wetland alone; cell 4: one soil patch; cell 5: soil without area.
    return patch_map([0, 0, 0, 1, 4, 5], [0.1, 0.3, 0.6, 1.0, 0.25, 0.0], [0, 0, 4, 2, 0, 0])


def test_image_is_the_area_mean_of_soil_patches(patches):
    image = patches.to_image(np.array([0.2, 0.4, 9.0, 9.0, 0.5, 9.0]))
    expected = [[0.35, np.nan, np.nan], [np.nan, 0.5, np.nan]]  # 0.25 * 0.2 + 0.75 * 0.4
    np.testing.assert_allclose(image, expected, rtol=1e-15)


def test_missing_values_on_other_patches_do_not_matter_but_on_soil_they_show(patches):
    image = patches.to_image(np.array([np.nan, 0.4, np.nan, np.nan, 0.5, 0.3]))
    assert np.isnan(image[0, 0])
    assert image[1, 1] == 0.5


def test_cells_without_soil_have_no_value(patches):
    assert np.isfinite(patches.to_image(np.ones(patches.n_patch))).sum() == 2


def test_soil_patches_get_the_value_of_their_cell(patches):
    image = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(patches.to_patches(image), [0.0, 0.0, np.nan, np.nan, 4.0, 5.0])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 5),
            st.floats(0.01, 1.0),
            st.sampled_from([0, 0, 0, 1, 2, 3, 4, 99]),
            st.floats(0.0, 0.6),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_mean_agrees_with_a_loop_and_a_uniform_change_survives_the_way_there_and_back(rows):
    cell, weight, patch_type, value = (np.array(column) for column in zip(*rows, strict=True))
    patches = patch_map(cell, weight, patch_type)
    image = patches.to_image(value)
    for index in range(6):
        chosen = (cell == index) & (patch_type == 0)
        mean = np.average(value[chosen], weights=weight[chosen]) if chosen.any() else np.nan
        assert image.flat[index] == pytest.approx(mean, rel=1e-13, nan_ok=True)
    increment = np.linspace(-0.1, 0.1, 6).reshape(2, 3)
    analysed = patches.to_image(value + patches.to_patches(increment))
    land = np.isfinite(patches.to_image(np.ones(patches.n_patch)))
    np.testing.assert_allclose((analysed - image)[land], increment[land], rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("cell", "weight", "patch_type", "words"),
    [
        ([0, 1], [1.0], [0, 0], "one length"),
        ([0, 1], [1.0, 1.0], [0], "one length"),
        ([0, 6], [1.0, 1.0], [0, 0], "2 x 3 grid"),
        ([-1, 1], [1.0, 1.0], [0, 0], "2 x 3 grid"),
        ([0, 1], [1.0, -0.1], [0, 0], "weights"),
        ([0, 1], [1.0, np.nan], [0, 0], "weights"),
    ],
)
def test_impossible_maps_are_refused(cell, weight, patch_type, words):
    with pytest.raises(ValueError, match=words):
        patch_map(cell, weight, patch_type)
