from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgda_mpi.colm.soil_layers import (
    DENSITY_ICE,
    DENSITY_LIQUID,
    FREEZING,
    N_SOIL,
    overlap_weights,
    thickness,
    volumetric_water,
)
from imgda_mpi.colm.soil_update import SoilColumns, check_bounds, compensate_aquifer, update_soil

SURFACE = overlap_weights(0.0, 0.1)
LAYER_MASS = DENSITY_LIQUID * thickness
WARM = FREEZING + 10.0
FIELDS = ("requested", "frozen", "clamped", "applied", "unmet", "is_frozen", "at_lower", "at_upper")


def columns_of(moisture, *, temperature=WARM, ice=0.0, porosity=0.45, residual=0.05, is_soil=True):
    """Columns from volumetric liquid water (n, 10); the rest may be numbers or arrays."""
    moisture = np.atleast_2d(np.asarray(moisture, float))

    def full(values):
        return np.broadcast_to(np.asarray(values, float), moisture.shape).copy()

    return SoilColumns(
        liquid=moisture * LAYER_MASS,
        ice=full(ice),
        temperature=full(temperature),
        porosity=full(porosity),
        residual=full(residual),
        is_soil=np.broadcast_to(np.asarray(is_soil), moisture.shape[:1]).copy(),
    )


def moisture_of(update, columns):
    return volumetric_water(update.liquid, np.zeros_like(columns.ice))


@st.composite
def backgrounds(draw):
    """64 columns in every state the model may leave them in, also at and outside its bounds, and an increment."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = 64

    def layered(low, high):
        values = rng.uniform(low, high, (n, N_SOIL))
        return np.where(rng.random((n, 1)) < 0.5, values, values.round(1))  # rounded: layers meet bounds together

    columns = columns_of(
        layered(0.0, 0.7),
        temperature=rng.choice([WARM, WARM, WARM, FREEZING, 273.0], (n, N_SOIL)),
        ice=rng.choice([0.0, 0.0, 0.0, 0.0, 0.5, 3.0], (n, N_SOIL)),
        porosity=layered(0.3, 0.55),
        residual=layered(0.0, 0.1),
        is_soil=rng.random(n) < 0.8,
    )
    return columns, rng.choice([0.0, -0.1, 0.1, *rng.uniform(-0.6, 0.6, 9)], n)


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_water_stays_within_bounds_or_where_the_background_was(case):
    columns, increment = case
    update = update_soil(columns, increment, SURFACE)
    porous = (columns.porosity - columns.ice / (DENSITY_ICE * thickness)) * LAYER_MASS
    assert (update.liquid >= np.minimum(columns.residual * LAYER_MASS, columns.liquid)).all()
    assert (update.liquid <= np.maximum(porous, columns.liquid)).all()


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_ledger_of_water_closes(case):
    columns, increment = case
    update = update_soil(columns, increment, SURFACE)
    before, after = columns.liquid.sum(axis=1), update.liquid.sum(axis=1)
    np.testing.assert_allclose(before + update.requested - update.frozen - update.clamped, after, rtol=0, atol=1e-9)
    np.testing.assert_allclose(before + update.applied, after, rtol=0, atol=1e-9)
    wanted = np.where(columns.is_soil, increment, 0.0)
    np.testing.assert_allclose(update.requested, wanted * LAYER_MASS[:4].sum(), rtol=1e-13, atol=0)
    frozen = (columns.temperature < FREEZING) | (columns.ice > 0)
    np.testing.assert_allclose(update.frozen, wanted * (frozen * LAYER_MASS)[:, :4].sum(axis=1), rtol=1e-13, atol=0)


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_surface_moisture_changes_by_the_increment_except_for_what_is_reported_unmet(case):
    columns, increment = case
    update = update_soil(columns, increment, SURFACE)
    after = dataclasses.replace(columns, liquid=update.liquid)
    change = after.surface_moisture(SURFACE) - columns.surface_moisture(SURFACE)
    wanted = np.where(columns.is_soil, increment, 0.0)
    np.testing.assert_allclose(change + update.unmet, wanted, rtol=0, atol=1e-14)
    lower, upper = columns.liquid_bounds()
    at_bound = (((update.liquid <= lower) | (update.liquid >= upper)) & (SURFACE > 0)).any(axis=1)
    free = ~(update.is_frozen | at_bound)
    was_at_bound = (((columns.liquid <= lower) | (columns.liquid >= upper)) & (SURFACE > 0)).any(axis=1)
    assert not ((update.at_lower | update.at_upper) & ~at_bound).any()
    assert ((update.at_lower | update.at_upper)[at_bound & ~was_at_bound & ~update.is_frozen]).all()
    np.testing.assert_allclose(update.unmet[free], 0.0, rtol=0, atol=1e-15)
    assert (np.abs(update.unmet) <= np.abs(wanted) + 1e-15).all()


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_what_may_not_change_keeps_every_bit(case):
    columns, increment = case
    update = update_soil(columns, increment, SURFACE)
    frozen = (columns.temperature < FREEZING) | (columns.ice > 0)
    kept = frozen | (SURFACE == 0) | ~columns.is_soil[:, None] | (increment == 0)[:, None]
    assert update.liquid[kept].tobytes() == columns.liquid[kept].tobytes()
    idle = ~columns.is_soil | (increment == 0)
    for name in FIELDS:
        assert not getattr(update, name)[idle].any(), name


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_shift_is_the_root_of_the_bounded_uniform_shift(case):
    """Independent: bisection, patch by patch, of sum w clip(theta + shift, low, high) = target."""
    columns, increment = case
    update = update_soil(columns, increment, SURFACE)
    theta = columns.liquid / LAYER_MASS
    result = update.liquid / LAYER_MASS
    for patch in np.flatnonzero(columns.is_soil):
        warm = (SURFACE > 0) & (columns.temperature[patch] >= FREEZING) & (columns.ice[patch] <= 0)
        share, start = SURFACE[warm], theta[patch, warm]
        low = np.minimum(columns.residual[patch, warm], start)
        high = np.maximum(columns.porosity[patch, warm], start)
        target = share @ start + increment[patch] * share.sum()
        bracket = [-2.0, 2.0]
        for _ in range(80):
            middle = 0.5 * sum(bracket)
            bracket[int(share @ np.clip(start + middle, low, high) > target)] = middle
        expected = np.clip(start + bracket[0], low, high)
        np.testing.assert_allclose(result[patch, warm], expected, rtol=0, atol=1e-13)


@settings(max_examples=25, deadline=None)
@given(backgrounds())
def test_patches_do_not_depend_on_their_company(case):
    columns, increment = case
    together = update_soil(columns, increment, SURFACE)
    for patch in range(increment.size):
        own = slice(patch, patch + 1)
        names = [field.name for field in dataclasses.fields(columns)]
        alone = update_soil(
            SoilColumns(**{name: getattr(columns, name)[own] for name in names}), increment[own], SURFACE
        )
        for name in ("liquid", *FIELDS):
            assert getattr(alone, name).tobytes() == getattr(together, name)[own].tobytes(), name


def test_all_surface_layers_get_the_same_volume():
    columns = columns_of(np.full(N_SOIL, 0.2))
    update = update_soil(columns, np.array([0.05]), SURFACE)
    np.testing.assert_allclose(moisture_of(update, columns)[0], [0.25] * 4 + [0.2] * 6, rtol=1e-15)
    # 0.05 of the 0.16552923 m down to the lower edge of the fourth layer
    assert update.applied[0] == pytest.approx(50 * 0.16552923, abs=1e-6)
    assert update.clamped[0] == pytest.approx(0.0, abs=1e-14)


def test_layer_at_its_bound_passes_its_share_to_the_others():
    moisture = np.full(N_SOIL, 0.2)
    moisture[0] = 0.44
    columns = columns_of(moisture, porosity=0.45)
    update = update_soil(columns, np.array([0.1]), SURFACE)
    # Layer 1 takes 0.01; the others share what is left of the increment.
    others = (0.1 - SURFACE[0] * 0.01) / (1.0 - SURFACE[0])
    np.testing.assert_allclose(moisture_of(update, columns)[0, :4], [0.45, *[0.2 + others] * 3], rtol=1e-14)
    assert update.unmet[0] == pytest.approx(0.0, abs=1e-16)
    assert update.at_upper[0]
    assert not update.at_lower[0]
    gained = 0.01 * LAYER_MASS[0] + others * LAYER_MASS[1:4].sum()
    assert update.clamped[0] == pytest.approx(0.1 * LAYER_MASS[:4].sum() - gained, abs=1e-12)


def test_layers_may_come_to_their_bounds_one_after_the_other():
    # Room for 0.05, 0.105 and 0.112 in layers 1-3: each bound is met only by what the layer before could not take.
    room = np.array([0.05, 0.105, 0.112])
    columns = columns_of(np.full(N_SOIL, 0.2), porosity=[*(0.2 + room), *[0.9] * 7])
    update = update_soil(columns, np.array([0.1]), SURFACE)
    rest = (0.1 - SURFACE[:3] @ room) / SURFACE[3]
    np.testing.assert_allclose(moisture_of(update, columns)[0, :4] - 0.2, [*room, rest], rtol=1e-13)
    assert update.unmet[0] == pytest.approx(0.0, abs=1e-16)


def test_bounds_are_residual_water_and_the_pores_that_ice_leaves_free():
    columns = columns_of(np.full(N_SOIL, 0.2), ice=0.15 * DENSITY_ICE * thickness, porosity=0.45, residual=0.05)
    lower, upper = columns.liquid_bounds()
    np.testing.assert_allclose(lower[0], 0.05 * LAYER_MASS, rtol=1e-15)
    np.testing.assert_allclose(upper[0], 0.30 * LAYER_MASS, rtol=1e-15)


@pytest.mark.parametrize(("increment", "bound"), [(0.5, 0.45), (-0.5, 0.05)])
def test_what_no_layer_can_take_is_lost_and_reported(increment, bound):
    columns = columns_of(np.full(N_SOIL, 0.2))
    update = update_soil(columns, np.array([increment]), SURFACE)
    np.testing.assert_array_equal(update.liquid[0, :4], bound * LAYER_MASS[:4])
    assert update.unmet[0] == pytest.approx(increment - (bound - 0.2), abs=1e-15)
    assert update.clamped[0] == pytest.approx((increment - (bound - 0.2)) * LAYER_MASS[:4].sum(), rel=1e-12)
    assert update.at_upper[0] == (increment > 0)
    assert update.at_lower[0] == (increment < 0)


@pytest.mark.parametrize("cause", ["cold", "ice"])
def test_share_of_a_frozen_layer_is_withheld_and_not_moved(cause):
    temperature, ice = np.full(N_SOIL, WARM), np.zeros(N_SOIL)
    if cause == "cold":
        temperature[1] = np.nextafter(FREEZING, 0.0)
    else:
        ice[1] = 1e-12
    columns = columns_of(np.full(N_SOIL, 0.2), temperature=temperature, ice=ice)
    update = update_soil(columns, np.array([0.05]), SURFACE)
    np.testing.assert_allclose(update.liquid[0] / LAYER_MASS, [0.25, 0.2, 0.25, 0.25, *[0.2] * 6], rtol=1e-15)
    assert update.frozen[0] == pytest.approx(0.05 * LAYER_MASS[1], rel=1e-14)
    assert update.unmet[0] == pytest.approx(0.05 * SURFACE[1], rel=1e-13)
    assert update.clamped[0] == pytest.approx(0.0, abs=1e-13)
    assert update.is_frozen[0]


def test_layer_at_the_freezing_point_is_not_frozen():
    update = update_soil(columns_of(np.full(N_SOIL, 0.2), temperature=FREEZING), np.array([0.05]), SURFACE)
    assert not update.is_frozen[0]


def test_background_outside_its_bounds_may_come_back_but_not_go_further():
    over = columns_of(np.full(N_SOIL, 0.6), porosity=0.45)
    wetter = update_soil(over, np.array([0.05]), SURFACE)
    np.testing.assert_array_equal(wetter.liquid, over.liquid)
    assert wetter.unmet[0] == 0.05
    assert not wetter.at_upper[0]  # it was there before
    drier = update_soil(over, np.array([-0.05]), SURFACE)
    np.testing.assert_allclose(drier.liquid[0, :4] / LAYER_MASS[:4], 0.55, rtol=1e-15)
    under = columns_of(np.full(N_SOIL, 0.02), residual=0.05)
    refused = update_soil(under, np.array([-0.01]), SURFACE)
    np.testing.assert_array_equal(refused.liquid, under.liquid)
    assert not refused.at_lower[0]
    np.testing.assert_allclose(
        update_soil(under, np.array([0.01]), SURFACE).liquid[0, :4] / LAYER_MASS[:4], 0.03, rtol=1e-14
    )


def test_missing_values_on_other_patches_are_left_alone():
    columns = columns_of(np.full((2, N_SOIL), 0.2), is_soil=[True, False])
    columns.liquid[1] = [np.nan, -1e36, *[-0.0] * 8]
    columns.ice[1] = columns.temperature[1] = columns.porosity[1] = np.nan
    update = update_soil(columns, np.array([0.05, np.nan]), SURFACE)
    assert update.liquid[1].tobytes() == columns.liquid[1].tobytes()
    for name in FIELDS:
        assert getattr(update, name)[1] == 0, name
    assert update.applied[0] > 0


def test_aquifer_gives_what_the_soil_takes():
    columns = columns_of(np.full((3, N_SOIL), 0.2), is_soil=[True, True, False])
    update = update_soil(columns, np.array([0.05, -0.4, 0.1]), SURFACE)
    aquifer = np.array([4800.0, 4900.0, -0.0])
    after, unbalanced = compensate_aquifer(aquifer, update, is_deficit=False)
    np.testing.assert_allclose(
        after + update.liquid.sum(axis=1), aquifer + columns.liquid.sum(axis=1), rtol=0, atol=2e-12
    )
    assert after[2:].tobytes() == aquifer[2:].tobytes()
    assert not unbalanced.any()


def test_a_deficit_of_the_aquifer_ends_at_zero_and_the_rest_is_counted():
    columns = columns_of(np.full((6, N_SOIL), 0.3), is_soil=[True] * 5 + [False])
    increment = np.array([-0.1, -0.1, -0.1, 0.1, -0.1, -0.1])
    update = update_soil(columns, increment, SURFACE)
    #                   full, nearly full, roomy, gives, older scheme, no soil
    aquifer = np.array([0.0, -1.0, -500.0, -0.5, 1.0, -0.0])
    after, unbalanced = compensate_aquifer(aquifer, update, is_deficit=False)
    assert (after[aquifer <= 0] <= 0).all()
    np.testing.assert_array_equal(after[:2], 0.0)
    np.testing.assert_array_equal(unbalanced != 0, [True, True, False, False, False, False])
    assert (unbalanced[:2] < -10).all()
    assert after[4] > 10
    total = after - aquifer + update.liquid.sum(axis=1) - columns.liquid.sum(axis=1)
    np.testing.assert_allclose(total, unbalanced, rtol=0, atol=2e-12)


def test_surface_moisture_counts_liquid_and_ice():
    columns = columns_of(np.full(N_SOIL, 0.2), ice=0.1 * DENSITY_ICE * thickness)
    assert columns.surface_moisture(SURFACE)[0] == pytest.approx(0.3, rel=1e-15)


@pytest.mark.parametrize(
    ("increment", "weights", "words"),
    [
        ([0.1, 0.1], SURFACE, "shape"),
        ([np.nan], SURFACE, "1 soil patches"),
        ([0.1], 2 * SURFACE, "sum to 1"),
        ([0.1], SURFACE[:5], "10 values"),
    ],
)
def test_wrong_arguments_are_refused(increment, weights, words):
    with pytest.raises(ValueError, match=words):
        update_soil(columns_of(np.full(N_SOIL, 0.2)), np.array(increment), weights)


def test_columns_of_different_lengths_are_refused():
    columns = columns_of(np.full((2, N_SOIL), 0.2))
    with pytest.raises(ValueError, match="ice has shape"):
        dataclasses.replace(columns, ice=columns.ice[:1])


@pytest.mark.parametrize("bad", [np.nan, 1e3, -1.0])
def test_water_out_of_bounds_does_not_reach_a_file(bad: float) -> None:
    soil = columns_of([0.2] * 10)
    check_bounds(soil, soil.liquid)
    liquid = soil.liquid.copy()
    liquid[0, 1] = bad
    with pytest.raises(ValueError, match="of 1 patches is not finite or out of bounds"):
        check_bounds(soil, liquid)


def test_a_surplus_of_the_variably_saturated_scheme_does_not_grow():
    columns = columns_of(np.full((3, N_SOIL), 0.3), is_soil=[True] * 3)
    update = update_soil(columns, np.array([-0.1, 0.1, -0.1]), SURFACE)
    aquifer = np.array([1e-6, 18.0, -500.0])
    after, unbalanced = compensate_aquifer(aquifer, update, is_deficit=True)
    assert after[0] == 1e-6
    assert after[1] < 18.0 - 5
    assert -500.0 < after[2] < 0.0
    np.testing.assert_array_equal(unbalanced != 0, [True, False, False])
    total = after - aquifer + update.liquid.sum(axis=1) - columns.liquid.sum(axis=1)
    np.testing.assert_allclose(total, unbalanced, rtol=0, atol=2e-12)
