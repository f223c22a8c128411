"""How soil holds and conducts water, against the formulas of the sources and against CoLM's own numbers."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from soils import CLAY, LOAM, SOILS, UNHURRIED, Soil

from imgda_mpi.colm.soil_layers import thickness
from imgda_mpi.columns.hydraulics import (
    ENTRY,
    FULL,
    HYDRAULIC,
    LOWEST_POTENTIAL,
    N_OF_COLUMN,
    RESIDUAL,
    RISE,
    SLOPE,
    SUCTION,
    WATER,
    relations,
    van_genuchten,
    water_at,
)


def related(soil: Soil, water: np.ndarray) -> np.ndarray:
    """Rows of a column of layers of 1 m with this water, mm."""
    column = np.zeros((N_OF_COLUMN, water.size))
    column[WATER] = water
    hydraulics = soil.of(water.size)
    relations(hydraulics.is_campbell, hydraulics.layers[0], column)
    return column


def driest(soil: Soil) -> float:
    """Water content from which the formulas hold: at the lowest potential, or where sand has next to none."""
    if soil.is_campbell:
        return max(soil.porosity * (LOWEST_POTENTIAL / soil.entry) ** (-1.0 / soil.b), soil.residual)
    m = 1.0 - 1.0 / soil.n
    ratio = (1.0 + (soil.alpha * -LOWEST_POTENTIAL) ** soil.n) / (1.0 + (soil.alpha * -soil.entry) ** soil.n)
    return soil.residual + (soil.porosity - soil.residual) * max(ratio**-m, 1e-6)


def wet(soil: Soil, count: int = 40) -> np.ndarray:
    """Water contents for which the formulas hold, without the ends; where rounding of a difference does not matter."""
    low = driest(soil)
    low = max(low, soil.residual + 1e-4 * (soil.porosity - soil.residual))
    return low + (soil.porosity - low) * np.linspace(0.001, 0.999, count)


@UNHURRIED
@given(SOILS)
def test_potential_and_conductivity_are_those_of_the_formulas(soil):
    theta = wet(soil)
    column = related(soil, 1e3 * theta)
    np.testing.assert_allclose(column[SUCTION], soil.potential(theta), rtol=1e-8)
    np.testing.assert_allclose(column[HYDRAULIC], soil.conducts(theta), rtol=1e-8, atol=1e-14 * soil.conductivity)


@UNHURRIED
@given(SOILS)
def test_derivatives_are_those_of_the_formulas(soil):
    """By complex steps of the formulas: no difference of nearly equal numbers."""
    theta = wet(soil)
    if not soil.is_campbell:  # 1 - (1 - x)^m of a complex x keeps few digits where x is small
        theta = theta[(-soil.alpha * soil.potential(theta)) ** soil.n < 1e7]
    column = related(soil, 1e3 * theta)
    for row, formula in ((SLOPE, soil.potential), (RISE, soil.conducts)):
        by_theta = formula(theta + 1e-30j).imag / 1e-30
        np.testing.assert_allclose(column[row], 1e-3 * by_theta, rtol=1e-7, atol=1e-13 * soil.conductivity)


@UNHURRIED
@given(SOILS)
def test_wetter_soil_has_a_higher_potential_and_conducts_no_less(soil):
    """From far below residual water to more than the pores hold, without a jump at any bend."""
    edges = (0.0, soil.residual, driest(soil), soil.porosity)
    theta = np.sort(np.concatenate([np.linspace(-0.05, 1.4, 500), *(x + np.linspace(-1e-6, 1e-6, 21) for x in edges)]))
    column = related(soil, 1e3 * theta)
    assert np.isfinite(column[: RISE + 1]).all()
    assert (np.diff(column[SUCTION]) >= -1e-9 * np.abs(column[SUCTION][1:])).all()
    assert (np.diff(column[HYDRAULIC]) >= -1e-9 * column[HYDRAULIC][1:]).all()
    assert (column[[SLOPE, RISE, HYDRAULIC]] >= 0.0).all()


@UNHURRIED
@given(SOILS)
def test_bends_are_no_jumps(soil):
    """On both sides of a bend the values differ by no more than a straight line between them would."""
    little = 1e-12
    for theta in (driest(soil), soil.porosity):
        below, above = related(soil, 1e3 * (theta + little * np.array([-1.0, 1.0]))).T
        for values, slopes in ((SUCTION, SLOPE), (HYDRAULIC, RISE)):
            line = 2e3 * little * max(below[slopes], above[slopes])
            assert abs(above[values] - below[values]) <= 1.01 * line + 1e-9 * abs(below[values])


@UNHURRIED
@given(SOILS)
def test_nothing_drains_at_residual_water_or_below(soil):
    theta = soil.residual - np.array([0.0, 1e-12, 1e-3, soil.residual, soil.residual + 0.1])
    column = related(soil, soil.of(theta.size).layers[0, :, RESIDUAL] - 1e3 * (soil.residual - theta))
    assert (column[HYDRAULIC] == 0.0).all()
    assert (column[RISE] == 0.0).all()
    assert (column[SUCTION] < soil.entry).all()
    if not soil.is_campbell:  # whose residual water is no bend
        assert (column[SUCTION] == column[SUCTION, 0]).all()


@UNHURRIED
@given(SOILS)
def test_from_saturation_on_all_is_as_at_air_entry(soil):
    full = soil.of(3).layers[0, :, FULL]
    column = related(soil, full * np.array([1.0, 1.0 + 1e-9, 1.4]))
    # What rounding of 1 + (alpha psi)^n leaves of the potential.
    rounding = 1.0 if soil.is_campbell else max(1.0, (-soil.alpha * soil.entry) ** -soil.n)
    np.testing.assert_allclose(column[SUCTION], soil.entry, rtol=1e-14 * rounding)
    at_residual = soil.conductivity - soil.conducts(np.array(soil.porosity))
    np.testing.assert_allclose(column[HYDRAULIC], soil.conductivity - at_residual, rtol=max(1e-12, 1e-15 * rounding))
    assert column[SLOPE, 0] > 0.0
    assert column[RISE, 0] > 0.0
    assert (column[[SLOPE, RISE]][:, 1:] == 0.0).all()


@UNHURRIED
@given(SOILS)
def test_water_at_a_potential_is_the_inverse(soil):
    theta = wet(soil)
    hydraulics = soil.of(theta.size)
    column = related(soil, 1e3 * theta)
    for i, potential in enumerate(column[SUCTION]):
        water, rise = water_at(hydraulics.is_campbell, hydraulics.layers[0], i, potential)
        assert water == pytest.approx(column[WATER, i], rel=1e-9)
        assert rise * column[SLOPE, i] == pytest.approx(1.0, rel=1e-6)
    entry = hydraulics.layers[0, 0, ENTRY]
    for potential in (entry, 0.5 * entry, 0.0, 1e4):
        assert water_at(hydraulics.is_campbell, hydraulics.layers[0], 0, potential) == (1e3 * soil.porosity, 0.0)


@pytest.mark.parametrize("entry", [-10.0, -1.0, -1e-300])
@pytest.mark.parametrize("n", [1.05, 4.0, 20.0])
def test_an_air_entry_next_to_none_leaves_all_finite(entry, n):
    soil = LOAM._replace(entry=entry, n=n)
    column = related(soil, np.linspace(-50.0, 600.0, 500))
    assert np.isfinite(column[: RISE + 1]).all()
    layers = soil.of(1).layers[0]
    assert water_at(False, layers, 0, layers[0, ENTRY]) == (layers[0, FULL], 0.0)
    assert column[SUCTION, -1] == pytest.approx(layers[0, ENTRY], rel=1e-3)


@pytest.mark.parametrize("soil", [LOAM, CLAY], ids=["van Genuchten", "Campbell"])
def test_layers_of_a_column_keep_to_themselves(soil, rng):
    """What a layer has does not hang on its neighbours or its place, to the last bit."""
    water = 1e3 * rng.uniform(-0.05, 0.6, 30)
    together = related(soil, water)[: RISE + 1]
    alone = np.concatenate([related(soil, water[i : i + 1])[: RISE + 1] for i in range(water.size)], axis=1)
    np.testing.assert_array_equal(together, alone)


def test_a_tortuosity_of_one_half_is_no_other_than_its_neighbour():
    """It has a shorter way of its own."""
    neighbour = LOAM._replace(tortuosity=np.nextafter(0.5, 1.0))
    water = 1e3 * wet(LOAM)
    np.testing.assert_allclose(related(LOAM, water), related(neighbour, water), rtol=1e-13)


@pytest.mark.parametrize(
    ("case", "time", "n_least"),
    [("EA14", "2022-155-00000", 3000), ("EA14", "2022-016-00000", 2000), ("GL14", "2022-155-00000", 100_000)],
)
def test_potential_and_conductivity_are_the_models_own(shared: Path, case: str, time: str, n_least: int):
    """`smp` and `hk` as the model left them in its restarts, of unfrozen soil between residual water and saturation.

    What it keeps for saturated or frozen layers is of its solver; it ends potentials at the lowest; and it goes on to
    change the water of the uppermost layer after they are made.
    """
    root = shared / "colm/colm202x" / case / "restart"
    n_compared = 0
    for path in sorted((root / time).glob("*.nc")):
        const = root / "const" / path.name.replace(f"_{time}_", "_const_")
        with h5py.File(path) as state, h5py.File(const) as constants:
            of = {
                name: constants[name][:, :10]
                for name in ("porsl", "theta_r", "hksati", "psi0", "alpha_vgm", "n_vgm", "L_vgm")
            }
            is_soil = constants["patchtype"][:] == 0
            water, ice, kelvin = (state[name][:, 5:] for name in ("wliq_soisno", "wice_soisno", "t_soisno"))
            smp, hk = state["smp"][:], state["hk"][:]
        theta = water / (1e3 * thickness)
        chosen = is_soil[:, None] & (ice == 0.0) & (kelvin > 273.16)
        chosen &= (theta > of["theta_r"] + 1e-3) & (theta < of["porsl"] - 1e-6) & (smp > LOWEST_POTENTIAL)
        chosen[:, 0] = False
        of = {name: np.where(is_soil[:, None], values, values[is_soil][:1]) for name, values in of.items()}
        hydraulics = van_genuchten(*of.values(), thickness)
        columns = np.zeros((water.shape[0], N_OF_COLUMN, water.shape[1]))
        columns[:, WATER] = water
        for layers, column in zip(hydraulics.layers, columns, strict=True):
            relations(False, layers, column)
        np.testing.assert_allclose(columns[:, SUCTION][chosen], smp[chosen], rtol=1e-12)
        np.testing.assert_allclose(columns[:, HYDRAULIC][chosen], hk[chosen], rtol=1e-11)
        n_compared += int(chosen.sum())
    assert n_compared >= n_least
