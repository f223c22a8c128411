"""Richards' equation where it is hard: saturated layers, any soil, any state; and more rain that never dries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soils import CLAY, CLOSED, DEEP, LOAM, SILT, Column, any_soils, any_water

from imgda_mpi.colm.soil_layers import node_depth, thickness
from imgda_mpi.columns.hydraulics import ENTRY, FULL, RESIDUAL, WATER, van_genuchten
from imgda_mpi.columns.model import BALANCE
from imgda_mpi.columns.richards import EQUATION, ERROR, ROUNDING, Bottom
from imgda_mpi.columns.water import Columns, Processes, State, advance, make_columns, make_state

NOTHING_ELSE = Processes(0.0, 0.0, 0.0, 0.0)

DEPTH, THICKNESS = 1e3 * node_depth, 1e3 * thickness

DAY, HOUR = 86400.0, 3600.0

EITHER = pytest.mark.parametrize("is_campbell", [False, True], ids=["van Genuchten", "Campbell"])


# -------------------------------------------------------------------------------------------------- saturated layers


def on_a_tight_layer(theta: float) -> Column:
    """Loam whose sixth layer is a hundred thousand times tighter."""
    conductivity = np.full((1, 10), LOAM.conductivity)
    conductivity[0, 5] = 1e-5 * LOAM.conductivity
    every = [np.full((1, 10), value) for value in (LOAM.porosity, LOAM.residual)]
    rest = [np.full((1, 10), value) for value in (LOAM.entry, LOAM.alpha, LOAM.n, LOAM.tortuosity)]
    hydraulics = van_genuchten(*every, conductivity, *rest, thickness)
    return Column(False, hydraulics.layers[0], THICKNESS, theta)


def test_water_is_perched_on_a_tight_layer_and_goes_again():
    """The layers above fill from below, then water stands; below no more comes than the tight layer lets through."""
    column = on_a_tight_layer(0.25)
    full, below = column.layers[:, FULL], column.water[6:].sum()
    pond, filled, out = 0.0, [], 0.0
    for _ in range(10 * 24):
        pond, drained, _ = column.step(HOUR, pond + 2.0)
        out += drained * HOUR
        filled.append(column.water[:5] == full[:5])
    filled = np.array(filled)
    assert filled[-1].all()
    assert pond > 100.0
    first = filled.argmax(axis=0)
    assert (np.diff(first) <= 0).all()  # the lowest of them first
    assert first[-1] < first[0]
    # Darcy's flux through the tight layer: conductivity of the side the water comes from, under all that stands above.
    most = column.layers[5, 2] * ((pond + DEPTH[6] + 1e3) / (DEPTH[6] - DEPTH[5]))
    assert column.water[6:].sum() - below + out <= most * 10 * DAY
    # It rains no more, and air draws from the uppermost layer: one after the other is not full any more.
    sinks = np.zeros(10)
    for _ in range(400):
        sinks[0] = 0.3 / HOUR if pond == 0.0 and column.theta[0] > 0.2 else 0.0
        pond, _, _ = column.step(HOUR, max(pond - 2.0, 0.0), sinks=sinks)
    assert pond == 0.0
    assert (column.water[:4] < full[:4]).all()


@pytest.mark.parametrize("soil", [LOAM, SILT, CLAY], ids=["loam", "silt", "clay"])
@pytest.mark.parametrize("pond", [0.5, 100.0])
def test_a_column_that_is_full_conducts_as_darcy_says(soil, pond):
    """Layers in series from the surface to the table: what falls off in head, by the sum of distance / conductivity."""
    column = Column(soil.is_campbell, soil.of(10, thickness).layers[0], THICKNESS, soil.porosity)
    column.fill()
    distance = 4e3
    for dt in (1.0, HOUR, DAY):
        left, drained, _ = column.step(dt, pond + dt * soil.conductivity, Bottom(distance, np.inf, 0.0))
        to_table = left + DEPTH[-1] + distance - soil.entry
        most = soil.conductivity * to_table / (DEPTH[-1] + distance)
        if left == 0.0:  # suction of the table takes all that stands on it, and would take more
            most = min(most, pond / dt + soil.conductivity)
        assert drained == pytest.approx(most, rel=1e-9)
        np.testing.assert_array_equal(column.theta, column.layers[:, FULL] / THICKNESS)


def test_rain_on_a_full_column_without_a_way_out_stays_on_it():
    column = Column(False, SILT.of(10, thickness).layers[0], THICKNESS, SILT.porosity)
    column.fill()
    before = column.water
    for dt in (1e-3, 1.0, HOUR, 30 * DAY):
        pond, drained, _ = column.step(dt, 7.0, CLOSED)
        assert (pond, drained) == (pytest.approx(7.0, abs=ROUNDING), pytest.approx(0.0, abs=ROUNDING / dt))
    np.testing.assert_array_equal(column.water, before)


def test_no_more_flows_than_the_aquifer_has_room_for_and_the_table_rises_into_the_layers():
    """Layers fill from the lowest upward, and each to the last bit."""
    column, room = Column(False, SILT.of(10, thickness).layers[0], THICKNESS, 0.3), 0.01 / HOUR
    full = column.layers[:, FULL]
    pond, seen = 0.0, []
    for _ in range(4000):
        pond, drained, _ = column.step(HOUR, pond + 0.5, Bottom(500.0, room, 0.0))
        assert drained <= room * (1.0 + 1e-9) + ROUNDING / HOUR
        is_full = column.water == full
        assert (np.diff(is_full.astype(int)) >= 0).all()  # no layer is full above one that is not
        seen.append(int(is_full.sum()))
        if seen[-1] == 10:
            break
    assert seen[-1] == 10
    assert (np.diff(seen) >= 0).all()
    # No rain any more: it drains as fast as there is room, from the top, and all is accounted for.
    before = column.water.sum() + pond
    out = 0.0
    for _ in range(2000):
        pond, drained, _ = column.step(HOUR, pond, Bottom(500.0, room, 0.0))
        out += drained * HOUR
    assert out == pytest.approx(2000 * HOUR * room, rel=1e-6)
    assert column.water.sum() + pond + out == pytest.approx(before, abs=2000 * ROUNDING)
    assert column.water[0] < full[0]
    assert column.water[-1] == full[-1]


def test_what_a_layer_holds_beyond_its_pores_goes_and_never_grows():
    """An analysis may have left it there: it leaves by Darcy's law, and no other layer gets more than pores hold."""
    column = Column(False, SILT.of(10, thickness).layers[0], THICKNESS, 0.3)
    column.hold(column.layers[:, FULL] * np.array([1.0, 1.4, 1.0, 0.8, 1.1, 1.2, 0.9, 1.0, 1.3, 1.0]))
    full, pond = column.layers[:, FULL], 0.0
    before = column.water
    for _ in range(20 * 24):
        pond, _, _ = column.step(HOUR, pond, DEEP)
        assert (column.water <= np.maximum(full, before)).all()
        before = column.water
    assert (column.water < full).all()
    assert pond == 0.0


# -------------------------------------------------------------------------------------------- more rain never dries


@EITHER
@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    dt=st.sampled_from([1.0, 60.0, 900.0, HOUR, DAY]),
    rain=st.sampled_from([0.0, 0.1, 2.0, 30.0, 200.0]),
    more_rain=st.sampled_from([0.0, 1e-3, 1.0, 50.0]),
    bottom=st.sampled_from([DEEP, CLOSED, Bottom(2e3, 1e-3, 1e-8), Bottom(1e4, np.inf, 1e-6)]),
)
def test_a_step_with_more_rain_or_more_water_leaves_no_layer_drier(is_campbell, seed, dt, rain, more_rain, bottom):
    """Nor less water on the surface, nor less that flows to the aquifer.

    The implicit equations are monotone: a flux grows with what is wetter on the side it comes from and falls with what
    is wetter on the other. So the map from the water before (and the rain) to that after a step takes more to more,
    and keeps sums: it moves no two columns apart, in the sum over layers (Crandall and Tartar 1980). What iterations
    leave of the equation of a layer, at most `EQUATION` times its thickness, is like so much other water before the
    step. Two solutions are then out of order by no more than the sum of both leftovers: 2 `EQUATION` times the depth of
    the column, 0.07 mm, and by far less in fact.
    """
    rng = np.random.default_rng(seed)
    hydraulics = any_soils(rng, 14, is_campbell)
    water = any_water(rng, hydraulics)
    more_of_it = rng.uniform(0, 0.3, water.shape) * hydraulics.layers[..., FULL]
    wetter = np.where(rng.uniform(size=water.shape) < 0.3, water + more_of_it, water)
    allowed = 2.0 * EQUATION * THICKNESS.sum()
    for layers, less, more in zip(hydraulics.layers, water, wetter, strict=True):
        length = dt
        while True:
            one, other = (Column(is_campbell, layers, THICKNESS, 0.0).hold(each) for each in (less, more))
            pond, drained, error = one.attempt(length, rain * length / HOUR, bottom)
            more_pond, more_drained, more_error = other.attempt(length, (rain + more_rain) * length / HOUR, bottom)
            if max(error, more_error) < np.inf:
                break
            length *= 0.1  # as columns do
            assert length > 1e-9
        short = np.maximum(one.water - other.water, 0.0).sum() + max(pond - more_pond, 0.0)
        assert short + length * max(drained - more_drained, 0.0) <= allowed + 2.0 * ROUNDING


def columns_of(rng: np.random.Generator, is_campbell: bool, n: int, most_pond: float = 10.0) -> tuple[Columns, State]:
    """Any soils in any state."""
    hydraulics = any_soils(rng, n, is_campbell)
    columns = make_columns(
        is_campbell,
        hydraulics.layers,
        DEPTH,
        THICKNESS,
        rng.uniform(0.0, 1.0, n),
        rng.dirichlet(np.ones(10), n),
        most_pond,
        np.ones(n, bool),
    )
    aquifer = np.where(rng.uniform(size=n) < 0.5, 0.0, -np.exp(rng.uniform(-5.0, 7.0, n)))
    aquifer = np.where(rng.uniform(size=n) < 0.1, 10.0, aquifer)
    table = np.where(aquifer < 0.0, rng.uniform(3.5, 13.0, n), rng.uniform(0.0, 3.4, n))
    return columns, make_state(
        columns, any_water(rng, hydraulics), rng.choice([0.0, 5.0, 10.0, 50.0], n), aquifer, table
    )


@EITHER
def test_hours_with_more_rain_leave_no_layer_drier(is_campbell, rng):
    """Runoff and evaporation off. Both runs choose their own steps, whose errors are `ERROR` in either."""
    n = 100
    columns, dry = columns_of(rng, is_campbell, n, most_pond=1e9)
    wet = State(*(each.copy() for each in dry))
    for _ in range(24):
        rain = rng.choice([0.0, 0.0, 1.0, 20.0], n) * rng.uniform(0.0, 1.0, n) / HOUR
        more = rain + rng.choice([0.0, 0.0, 1.0, 20.0], n) / HOUR
        for state, falls in ((dry, rain), (wet, more)):
            error, _, _ = advance(columns, state, falls, np.zeros(n), HOUR, NOTHING_ELSE, np.zeros((n, 5)))
            assert error <= BALANCE
        drier = (dry.kept[:, WATER] - wet.kept[:, WATER]) / THICKNESS
        assert drier.max() <= 2.0 * ERROR
        assert (wet.pond.sum() + wet.aquifer.sum()) >= (dry.pond.sum() + dry.aquifer.sum())


# ------------------------------------------------------------------------------------------------------- any state


@EITHER
def test_any_soil_in_any_state_has_a_solution_that_keeps_water_and_bounds(is_campbell, rng):
    """5000 column-hours each: storms of 100 mm/h, drought, residual water and less, 1.4 times what pores hold.

    The balance closes within 1e-9 mm, and no layer leaves the range from residual water to full pores, nor, where it
    was out of it, goes further out: to the last bit.
    """
    n, n_hours = 500, 10
    columns, state = columns_of(rng, is_campbell, n)
    full, residual = columns.layers[..., FULL], columns.layers[..., RESIDUAL]
    n_substeps = 0
    for hour in range(n_hours):
        rain = rng.choice([0.0, 0.0, 0.0, 1.0, 10.0, 100.0, 100.0], n) * rng.uniform(0.0, 1.0, n) / HOUR
        demand = rng.choice([0.0, 1.0], n) * rng.uniform(0.0, 1.0, n) / HOUR
        before = state.kept[:, WATER].copy()
        processes = Processes() if hour % 2 else NOTHING_ELSE
        error, n_taken, _ = advance(columns, state, rain, demand, HOUR, processes, np.zeros((n, 5)))
        n_substeps += n_taken
        water = state.kept[:, WATER]
        assert error <= BALANCE
        assert (water <= np.maximum(full, before)).all()
        assert (water >= np.minimum(residual, before)).all()
        assert (state.pond >= 0.0).all()
        assert (state.pond <= columns.pond).all()
        assert np.isfinite(state.kept).all()
        assert np.isfinite(state.table).all()
    assert n_substeps < 20 * n * n_hours


@EITHER
def test_standing_water_wets_the_driest_soil(is_campbell):
    """Its potential is a hundred thousand times lower than that of the water: Newton's method alone goes in circles."""
    soil = CLAY if is_campbell else LOAM
    column = Column(soil.is_campbell, soil.of(10, thickness).layers[0], THICKNESS, soil.residual)
    assert column.potential.max() < -1e6
    pond, _, _ = column.step(HOUR, 50.0, CLOSED)
    assert column.water.sum() + pond == pytest.approx(1e3 * thickness.sum() * soil.residual + 50.0, abs=1e-9)
    assert pond < 50.0
    assert column.theta[0] > soil.residual + 0.1
    assert (column.layers[:, ENTRY] >= column.potential).all()
