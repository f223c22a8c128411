"""What soil columns do beside the flow in the soil: evaporation, roots, ponds, runoff, aquifer, water table."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from soils import CLAY, LOAM, SILT, Soil

from imgda_mpi.colm.soil_layers import N_SNOW, node_depth, thickness
from imgda_mpi.columns.aquifer import table_below
from imgda_mpi.columns.hydraulics import FULL, RESIDUAL, SUCTION, WATER, van_genuchten
from imgda_mpi.columns.richards import ERROR
from imgda_mpi.columns.water import (
    DRAINAGE,
    EVAPORATION,
    N_FLUXES,
    RAIN,
    SURFACE_RUNOFF,
    TRANSPIRATION,
    WILTING,
    Columns,
    Processes,
    State,
    advance,
    make_columns,
    make_state,
)

HOUR, DAY = 3600.0, 24
EVERYTHING, NOTHING_ELSE = Processes(), Processes(0.0, 0.0, 0.0, 0.0)
BOTTOM = float(thickness.sum())
SOILS = pytest.mark.parametrize("soil", [LOAM, SILT, CLAY], ids=["loam", "silt", "clay"])


def columns_of(soil: Soil, part: float | np.ndarray, n: int = 1, **more: object) -> tuple[Columns, State]:
    """Columns of a soil of which a part of the pores above residual water is filled, half covered by plants."""
    hydraulics = soil.of(10, thickness)
    layers = np.repeat(hydraulics.layers, n, axis=0)
    roots = np.tile(np.exp(-node_depth / 0.3) * thickness, (n, 1))
    given = {"cover": np.full(n, 0.5), "pond": 10.0, "moves": np.ones(n, bool)} | more
    columns = make_columns(
        hydraulics.is_campbell,
        layers,
        1e3 * node_depth,
        1e3 * thickness,
        given["cover"],
        roots / roots.sum(axis=1, keepdims=True),
        given["pond"],
        given["moves"],
    )
    water = layers[..., RESIDUAL] + np.broadcast_to(part, (n, 10)) * (layers[..., FULL] - layers[..., RESIDUAL])
    return columns, make_state(columns, water, np.zeros(n), np.full(n, -1.0), np.full(n, 3.45))


def run(
    columns: Columns,
    state: State,
    hours: int,
    rain: float = 0.0,
    demand: float = 0.0,
    processes: Processes = EVERYTHING,
) -> np.ndarray:
    """Sums of the fluxes of so many hours, (n, 5) mm; rain and demand in mm of an hour."""
    n, fluxes = columns.moves.size, np.zeros((columns.moves.size, N_FLUXES))
    for _ in range(hours):
        error, _, _ = advance(
            columns, state, np.full(n, rain / HOUR), np.full(n, demand / HOUR), HOUR, processes, fluxes
        )
        assert error <= 1e-9
    return fluxes


def stored(state: State) -> np.ndarray:
    return state.kept[:, WATER].sum(axis=1) + state.pond + state.aquifer


@SOILS
@pytest.mark.parametrize(("rain", "demand"), [(0.0, 0.0), (0.0, 0.6), (2.0, 0.3), (60.0, 0.0)])
def test_what_a_column_gains_is_what_comes_less_what_goes(soil: Soil, rain: float, demand: float) -> None:
    columns, state = columns_of(soil, np.linspace(0.1, 0.95, 40)[:, None], 40)
    before = stored(state)
    fluxes = run(columns, state, DAY, rain, demand)
    assert (fluxes >= 0.0).all()
    np.testing.assert_allclose(fluxes[:, RAIN], DAY * rain)
    np.testing.assert_allclose(stored(state) - before, fluxes[:, RAIN] - fluxes[:, 1:].sum(axis=1), atol=1e-9)


@SOILS
def test_no_more_evaporates_than_the_air_asks_for_and_dry_soil_gives_little(soil: Soil) -> None:
    columns, state = columns_of(soil, np.array([[0.02], [0.9]]), 2)
    fluxes = run(columns, state, DAY, demand=0.4)
    drawn = fluxes[:, EVAPORATION] + fluxes[:, TRANSPIRATION]
    assert (drawn <= 0.4 * DAY * (1 + 1e-12)).all()
    assert drawn[1] > 0.6 * 0.4 * DAY
    assert drawn[0] < 0.2 * drawn[1]


@SOILS
def test_a_drought_ends_at_residual_water_and_roots_stop_at_the_wilting_point(soil: Soil) -> None:
    columns, state = columns_of(soil, 0.5, 1, cover=np.ones(1))
    run(columns, state, 400 * DAY, demand=1.0, processes=NOTHING_ELSE)
    assert (state.kept[0, WATER] >= columns.layers[0, :, RESIDUAL]).all()
    before = run(columns, state, DAY, demand=1.0, processes=NOTHING_ELSE)
    # Under a full cover nothing is drawn from layers beyond wilting, and hardly anything where all are near it.
    assert state.kept[0, SUCTION, :6].max() < 0.5 * WILTING
    assert before[0, TRANSPIRATION] < 0.05 * DAY


def test_water_that_stands_is_the_first_to_evaporate() -> None:
    columns, state = columns_of(CLAY, 1.0)
    state.pond[0] = 5.0
    fluxes = run(columns, state, 1, demand=0.5, processes=NOTHING_ELSE)
    assert fluxes[0, EVAPORATION] == pytest.approx(0.5)
    assert fluxes[0, TRANSPIRATION] == 0.0


@pytest.mark.parametrize(("table", "part"), [(0.5, 0.38 * np.exp(-0.125)), (3.0, 0.38 * np.exp(-0.75))])
def test_of_rain_the_part_on_saturated_ground_runs_off(table: float, part: float) -> None:
    """Niu et al. (2005), with the table as it is at the start."""
    columns, state = columns_of(LOAM, 0.3)
    state = state._replace(aquifer=np.zeros(1), table=np.full(1, table))
    fluxes = np.zeros((1, N_FLUXES))
    advance(columns, state, np.full(1, 1.0), np.zeros(1), 1e-3, Processes(), fluxes)
    assert fluxes[0, SURFACE_RUNOFF] / fluxes[0, RAIN] == pytest.approx(part, rel=1e-9)


def test_what_soil_does_not_take_in_stands_up_to_the_limit_and_runs_off_beyond() -> None:
    columns, state = columns_of(CLAY, 0.8)
    fluxes = run(columns, state, 10, rain=20.0, processes=NOTHING_ELSE)
    assert state.pond[0] == columns.pond
    taken = 200.0 - fluxes[0, SURFACE_RUNOFF] - 10.0
    # Once the column is full at the top, little more than conductivity: 0.72 mm in an hour.
    assert 0.0 < taken < 30.0
    later = run(columns, state, 10, rain=20.0, processes=NOTHING_ELSE)
    assert 200.0 - later[0, SURFACE_RUNOFF] <= taken


def test_the_aquifer_drains_by_the_depth_of_its_table() -> None:
    """Niu et al. (2007)."""
    columns, state = columns_of(CLAY, 0.2)
    state = state._replace(aquifer=np.zeros(1), table=np.full(1, 2.0))
    fluxes = np.zeros((1, N_FLUXES))
    advance(columns, state, np.zeros(1), np.zeros(1), 1e-2, Processes(), fluxes)
    assert fluxes[0, DRAINAGE] == pytest.approx(1e-2 * 5.5e-3 * np.exp(-5.0), rel=1e-6)


def test_the_water_table_rises_into_the_layers_and_falls_again() -> None:
    columns, state = columns_of(SILT, 0.6)
    state.aquifer[:], state.table[:] = 0.0, BOTTOM
    run(columns, state, 40 * DAY, rain=1.0, processes=NOTHING_ELSE)
    wet = float(state.table[0])
    assert state.aquifer[0] == 0.0
    assert 0.0 <= wet < 2.9
    full = state.kept[0, WATER] == columns.layers[0, :, FULL]
    upper = np.concatenate([[0.0], np.cumsum(thickness)])[:-1]
    assert full[upper > wet].all()
    run(columns, state, 200 * DAY)
    assert state.table[0] > wet + 0.3
    assert state.aquifer[0] <= 0.0


def test_rounding_does_not_decide_where_the_table_is() -> None:
    """A billionth more water at the start stays a billionth, also where the aquifer is full and drains what comes."""
    part = np.linspace(0.3, 0.99, 60)[:, None]
    pairs = [columns_of(LOAM, part, 60), columns_of(LOAM, part * (1.0 + 1e-12), 60)]
    for columns, state in pairs:
        state.aquifer[:], state.table[:] = 0.0, BOTTOM
        run(columns, state, 20 * DAY, rain=0.3)
    (_, one), (_, other) = pairs
    assert (one.aquifer == 0.0).any()
    np.testing.assert_allclose(one.table, other.table, atol=1e-6)
    np.testing.assert_allclose(one.kept[:, WATER], other.kept[:, WATER], atol=1e-6)


def test_columns_that_do_not_move_keep_every_bit() -> None:
    moves = np.array([True, False, True])
    columns, state = columns_of(LOAM, np.array([[0.4], [0.4], [0.7]]), 3, moves=moves)
    before = [each.copy() for each in state]
    fluxes = run(columns, state, DAY, rain=1.0, demand=0.2)
    for now, then in zip(state, before, strict=True):
        np.testing.assert_array_equal(now[1], then[1])
    assert (state.kept[[0, 2], WATER] != before[0][[0, 2], WATER]).all()
    assert not fluxes[1].any()


@SOILS
def test_the_same_water_goes_on_with_the_same_bits(soil: Soil, rng: np.random.Generator) -> None:
    """Nothing is carried on but water, pond, aquifer and table; also where layers were full on the way."""
    columns, state = columns_of(soil, rng.uniform(0.2, 1.0, (50, 10)), 50)
    run(columns, state, 30, rain=8.0)
    again = make_state(columns, state.kept[:, WATER].copy(), state.pond, state.aquifer, state.table)
    for each in (state, again):
        run(columns, each, 30, demand=0.3)
        run(columns, each, 5, rain=30.0)
    for one, other in zip(state, again, strict=True):
        np.testing.assert_array_equal(one, other)


@SOILS
@pytest.mark.parametrize(("rain", "demand"), [(3.0, 0.0), (0.0, 0.4)], ids=["rain", "drought"])
def test_two_hours_at_once_are_close_to_one_after_the_other(soil: Soil, rain: float, demand: float) -> None:
    """Closer than the error that is allowed to the layers, and to 2 % of each flux."""
    ways = []
    for hours in (1, 2):
        columns, state = columns_of(soil, np.linspace(0.5, 0.8, 10))
        fluxes = np.zeros((1, N_FLUXES))
        for _ in range(hours):
            length = 2.0 * HOUR / hours
            advance(columns, state, np.array([rain / HOUR]), np.array([demand / HOUR]), length, EVERYTHING, fluxes)
        ways.append((state.kept[0, WATER] / (1e3 * thickness), fluxes[0]))
    assert np.abs(ways[0][0] - ways[1][0]).max() < ERROR
    np.testing.assert_allclose(ways[0][1], ways[1][1], rtol=0.02, atol=0.01)


@pytest.mark.parametrize("case", ["EA14", "GL14"])
def test_the_table_below_the_layers_is_the_models_own(shared: Path, case: str) -> None:
    """CoLM202X's own ``zwt`` of its own ``wa``, where that is a deficit."""
    root = shared / "colm" / "colm202x" / case / "restart"
    n_compared = 0
    for path in sorted((root / "2022-155-00000").glob(f"{case}_restart_*.nc")):
        block = path.stem.split("_lc2005_")[1]
        const = root / "const" / f"{case}_restart_const_lc2005_{block}.nc"
        with h5py.File(path) as file:
            wa, zwt, water = file["wa"][:], file["zwt"][:], file["wliq_soisno"][:, N_SNOW:]
        with h5py.File(const) as file:
            names = ("porsl", "theta_r", "hksati", "psi0", "alpha_vgm", "n_vgm", "L_vgm")
            values, kind = [file[name][:] for name in names], file["patchtype"][:]
        chosen = np.flatnonzero((kind == 0) & (wa < -1e-6) & (zwt > 3.4331))
        layers = van_genuchten(*(each[chosen] for each in values), thickness).layers
        assert water[chosen].shape == layers.shape[:2]
        for of_column, deficit, depth in zip(layers, -wa[chosen], zwt[chosen], strict=True):
            below = table_below(False, of_column, 1e3 * thickness[-1], deficit, 0.0)
            assert 1e-3 * below + BOTTOM == pytest.approx(depth, abs=2e-6)
        n_compared += chosen.size
    assert n_compared > 100
