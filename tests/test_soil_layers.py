from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgda_mpi.colm.soil_layers import (
    DENSITY_ICE,
    DENSITY_LIQUID,
    N_SOIL,
    interface_depth,
    node_depth,
    overlap_weights,
    thickness,
    volumetric_water,
)

# As in the model's own const files (z_soi, dz_soi), rounded to 1e-7 m.
NODES = "0.0071006 0.0279250 0.0622586 0.1188651 0.2121934 0.3660658 0.6197585 1.0380271 1.7276353 2.8646071"
THICKNESSES = "0.0175128 0.0275790 0.0454700 0.0749674 0.1236004 0.2037826 0.3359806 0.5539384 0.9132900 1.1369718"


@pytest.mark.parametrize(("values", "published"), [(node_depth, NODES), (thickness, THICKNESSES)])
def test_layers_are_those_of_the_model(values, published):
    expected = [float(text) for text in published.split()]
    np.testing.assert_allclose(values, expected, rtol=0, atol=0.5001e-7)


def test_edges_lie_half_way_between_nodes():
    np.testing.assert_allclose(interface_depth[1:-1], 0.5 * (node_depth[1:] + node_depth[:-1]), rtol=1e-14)
    assert interface_depth[0] == 0.0
    assert interface_depth[-1] == pytest.approx(3.4330930, abs=1e-7)


def test_constants_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        thickness[0] = 1.0


@given(st.floats(0.0, 3.3), st.floats(1e-3, 3.4))
def test_weights_are_the_exact_mean_of_a_piecewise_constant_profile(top, length):
    bottom = min(top + length, float(interface_depth[-1]))
    weights = overlap_weights(top, bottom)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0).all()
    # Independent: the primitive of the profile (linear between edges), evaluated at both ends of the range.
    profile = np.arange(1.0, N_SOIL + 1) ** 2
    primitive = np.concatenate([[0.0], np.cumsum(profile * np.diff(interface_depth))])
    mean = np.diff(np.interp([top, bottom], interface_depth, primitive))[0] / (bottom - top)
    assert weights @ profile == pytest.approx(mean, rel=1e-9)


def test_whole_layer_gets_all_weight():
    weights = overlap_weights(interface_depth[2], interface_depth[3])
    np.testing.assert_array_equal(weights, np.eye(N_SOIL)[2])


@pytest.mark.parametrize(("top", "bottom"), [(0.1, 0.1), (0.2, 0.1), (-0.1, 0.1), (0.0, 3.5), (0.0, np.nan)])
def test_range_outside_the_column_is_refused(top, bottom):
    with pytest.raises(ValueError, match="depth range"):
        overlap_weights(top, bottom)


def test_layer_full_of_water_or_of_ice_has_volume_one():
    full = np.ones((3, N_SOIL)) * thickness
    none = np.zeros((3, N_SOIL))
    np.testing.assert_allclose(volumetric_water(DENSITY_LIQUID * full, none), 1.0, rtol=1e-15)
    np.testing.assert_allclose(volumetric_water(none, DENSITY_ICE * full), 1.0, rtol=1e-15)
