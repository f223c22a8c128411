"""Richards' equation against what is known of its solutions: at rest, steady, and on the way.

Fluxes carry the conductivity of the side they come from, and steps are implicit: errors are of first order in the
thickness of layers and in the time step, and that is the order that is asked for here.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from soils import CLAY, CLOSED, LOAM, SILT, Column, Soil

from imgda_mpi.colm.soil_layers import thickness as COLM_THICKNESS
from imgda_mpi.columns.hydraulics import ENTRY, FULL
from imgda_mpi.columns.richards import EQUATION, ERROR, ROUNDING, Bottom

SOILS = pytest.mark.parametrize("soil", [LOAM, SILT, CLAY], ids=["loam", "silt", "clay"])

DAY, HOUR = 86400.0, 3600.0


def orders(errors: list[float]) -> np.ndarray:
    """Of convergence, where each error is for half of the step before."""
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


def table_at(column: Column, depth: float) -> Bottom:
    """A water table at a depth, mm, in soil like the lowest layer, that gives and takes what flows."""
    distance = depth - column.depth[-1]
    rest = np.full(column.n, column.layers[-1, ENTRY] - distance)
    there = Column(column.is_campbell, column.layers, column.thickness, column.water_at(rest) / column.thickness)
    return Bottom(distance, np.inf, there.conductivity[-1])


def layered(*soils: Soil) -> Column:
    """CoLM's ten layers, of these soils in turn, without water."""
    each = [soil.of(10, COLM_THICKNESS) for soil in soils]
    layers = np.array([each[i % len(each)].layers[0, i] for i in range(10)])
    return Column(soils[0].is_campbell, layers, 1e3 * COLM_THICKNESS, 0.3)


# ---------------------------------------------------------------------------------------------------------- at rest


@pytest.mark.parametrize("soils", [(LOAM,), (SILT,), (CLAY,), (LOAM, SILT)], ids=["loam", "silt", "clay", "layers"])
@pytest.mark.parametrize("table", [20_000.0, 3600.0, 1500.0, 5.0])
def test_water_at_rest_stays_so_for_a_year(soils, table):
    """Potentials that rise by 1 mm per mm down to the table, wherever that is; no more than rounding moves."""
    column = layered(*soils)
    at_rest = column.water_at(column.layers[-1, ENTRY] - (table - column.depth))
    column = Column(column.is_campbell, column.layers, column.thickness, at_rest / column.thickness)
    lowest = column.depth[-1] + 0.5 * column.thickness[-1]
    bottom = table_at(column, max(table, lowest))
    if table < lowest:  # it lies in the layers, and the aquifer is full
        bottom = bottom._replace(room=0.0)
    for _ in range(365):
        pond, drained, _ = column.step(DAY, bottom=bottom)
        assert pond <= ROUNDING
        assert abs(drained) * DAY <= ROUNDING
    np.testing.assert_allclose(column.water, at_rest, rtol=1e-10)


# ----------------------------------------------------------------------------------------------------------- steady


@SOILS
@pytest.mark.parametrize("part", [0.9, 0.3, 0.05])
def test_steady_rain_on_deep_soil_makes_it_conduct_just_that(soil, part):
    """Gradient 1, and in every layer the water content at which conductivity is the rain's."""
    rain = part * soil.conductivity
    expected = brentq(lambda theta: soil.conducts(theta) - rain, soil.residual + 1e-9, soil.porosity, xtol=1e-14)
    column = Column.of(soil, 12, 3000.0, 0.8 * soil.porosity)
    for _ in range(3000):
        pond, drained, _ = column.step(DAY, rain * DAY)
    assert pond == 0.0
    assert drained == pytest.approx(rain, rel=1e-9)
    np.testing.assert_allclose(column.theta, expected, rtol=1e-9)


@SOILS
@pytest.mark.parametrize(
    ("part", "depth"), [(0.9, 500.0), (0.3, 2000.0), (-0.0005, 600.0)], ids=["heavy rain", "rain", "capillary rise"]
)
def test_steady_flow_to_and_from_a_water_table(soil, part, depth):
    """The profile that dpsi/dz = 1 - q / K gives upward from the table, integrated apart.

    Mean error of water content below 0.0006 with 160 layers, and of first order.
    """
    flux = part * soil.conductivity

    def theta_of(potential: float) -> float:
        low, high = soil.residual + 1e-9, soil.porosity
        return high if potential >= soil.entry else brentq(lambda x: soil.potential(x) - potential, low, high)

    def upward(_: float, potential: np.ndarray) -> list[float]:
        return [flux / soil.conducts(theta_of(potential[0])) - 1.0]

    exact = solve_ivp(upward, (0.0, depth), [soil.entry], "LSODA", rtol=1e-9, atol=1e-7, dense_output=True).sol
    errors = []
    for n in (20, 40, 80, 160):
        column = Column.of(soil, n, depth, 0.0)
        at_rest = column.water_at(soil.entry - (depth - column.depth))
        column = Column.of(soil, n, depth, at_rest / column.thickness)
        bottom, sinks = table_at(column, depth), np.zeros(n)
        sinks[0] = max(-flux, 0.0)
        dt = HOUR
        for _ in range(300):
            _, drained, _ = column.step(dt, max(flux, 0.0) * dt, bottom, sinks)
            dt = min(1.1 * dt, 1e7)
        assert drained == pytest.approx(flux, rel=1e-6)
        expected = [theta_of(exact(depth - z)[0]) for z in column.depth]
        errors.append(np.abs(column.theta - expected).mean())
    assert errors[-1] < 6e-4
    assert (orders(errors)[1:] > 0.75).all()
    assert orders(errors)[-1] == pytest.approx(1.0, abs=0.15)


# ------------------------------------------------------------------------------------------------------- on the way


def test_gravity_drains_soil_without_capillarity_as_a_kinematic_wave():
    """What was uniform is drained from above so that dK/dtheta = z / t (Sisson et al. 1980, Charbeneau 1984).

    Mean error of water content over 20 m: 0.0008 with 400 layers and steps, of an order near 1.
    """
    soil, wet, depth, duration = Soil(True, 0.4, 0.0, 0.05, -1e-3, 4.0, 0, 0, 0), 0.36, 20_000.0, 20_000.0
    power = 2.0 * soil.b + 3.0

    def exact(z: np.ndarray) -> np.ndarray:
        # dK/dtheta = power K_s s^(power - 1) / porosity is the speed of what has come down to z.
        s = (z / duration * soil.porosity / (power * soil.conductivity)) ** (1.0 / (power - 1.0))
        return np.minimum(soil.porosity * s, wet)

    errors = []
    for n in (50, 100, 200, 400):
        column, out = Column.of(soil, n, depth, wet), 0.0
        for _ in range(n):
            out += column.step(duration / n)[1] * duration / n
        fine = (np.arange(100 * n) + 0.5) * depth / (100 * n)
        errors.append(np.abs(column.theta - exact(fine).reshape(n, 100).mean(axis=1)).mean())
        assert column.water.sum() + out == pytest.approx(wet * depth, abs=n * ROUNDING)
        # The wave has not come to the bottom yet.
        assert out == pytest.approx(duration * soil.conducts(np.array(wet)), rel=1e-4)
    assert errors[-1] < 1e-3
    assert (orders(errors) > 0.7).all()


def sorptivity(soil: Soil, dry: float, pond: float) -> float:
    """S of I = S sqrt(t), the water that dry soil takes in under standing water without gravity, mm s-1/2.

    Boltzmann's phi = z / sqrt(t) makes an ordinary differential equation of Richards'. With B the integral of phi over
    water contents from the dry one on: dB/dtheta = phi, dphi/dtheta = -2 D / B, B = 0 at the dry end and S at
    saturation, from which on phi is 2 K_s (pond - psi_s) / S: the zone that is saturated though its potential is
    below 0. S is what shooting from saturation to the dry end makes it.
    """

    def diffusivity(theta: float) -> float:
        return soil.conducts(theta) * soil.potential(theta + 1e-30j).imag / 1e-30

    def missed(guess: float) -> float:
        def downward(x: float, y: np.ndarray) -> list[float]:
            return [-y[1], 2.0 * diffusivity(soil.porosity - x) / y[0]]

        def dry_end(_: float, y: np.ndarray) -> float:
            return y[0] - 1e-9 * guess

        dry_end.terminal = True
        start = [guess, 2.0 * soil.conductivity * (pond - soil.entry) / guess]
        over = soil.porosity - dry
        path = solve_ivp(downward, (0.0, over), start, "LSODA", rtol=1e-9, atol=1e-13, events=dry_end)
        return path.t[-1] - over if path.status == 1 else path.y[0, -1]

    return brentq(missed, 0.05, 2.0, xtol=1e-8)


@pytest.mark.parametrize(("soil", "dry"), [(CLAY, 0.3), (SILT, 0.2)], ids=["clay", "silt"])
def test_dry_soil_takes_in_standing_water_by_its_sorptivity(soil, dry):
    """I = S sqrt(t) + A t with A between K_s / 3 and 2 K_s / 3 (Philip 1957), at a time when A t is 1 to 2 % of it.

    3 % too much with 200 layers, of an order of 0.7 to 1: the wetting front is steep, and its water comes from the
    wet side.
    """
    pond = 50.0
    exact = sorptivity(soil, dry, pond)
    duration = 1e-3 * (exact / soil.conductivity) ** 2
    least, most = (1.0 + part * soil.conductivity * np.sqrt(duration) / exact for part in (1 / 3, 2 / 3))
    depth = 4.0 * exact * np.sqrt(duration) / (soil.porosity - dry)
    ratios = []
    for n in (50, 100, 200):
        column = Column.of(soil, n, depth, dry)
        times = duration * (np.arange(8 * n + 1) / (8 * n)) ** 2
        for dt in np.diff(times):
            column.step(dt, pond + exact * np.sqrt(duration) / (8 * n), CLOSED)
        assert column.theta[-1] == pytest.approx(dry, abs=1e-4)  # the front has not come to the bottom
        ratios.append((column.water.sum() - dry * depth) / (exact * np.sqrt(duration)))
    errors = [ratio - 0.5 * (least + most) for ratio in ratios]
    assert 0.0 < errors[-1] < 0.04
    assert ((orders(errors) > 0.65) & (orders(errors) < 1.1)).all()
    # What the ratios tend to, if each error is the same part of the one before.
    first, second = np.diff(ratios)
    assert least - 0.01 < ratios[-1] - second**2 / (second - first) < most + 0.01


def flux(soil: Soil, potential: np.ndarray, conductivity: np.ndarray, distance: float) -> float:
    """Downward between two nodes: gravity and suction with the conductivity of the side that water comes from.

    Of suction beyond the reach of that side's pores (-1 / alpha, or air entry) only its part psi / psi_drier.
    """
    downward = potential[0] - potential[1] + distance > 0.0
    source, drier = potential if downward else potential[::-1]
    reach = -soil.entry if soil.is_campbell else max(1.0 / soil.alpha, -soil.entry)
    suction = source - drier + (0.0 if downward else -distance)  # mm over the distance
    in_full = min(suction, max(source + reach, 0.0))
    suction = in_full + (suction - in_full) * max(-source, reach) / max(-drier, reach)
    return conductivity[0] * (suction / distance + 1.0) if downward else -conductivity[1] * suction / distance


def rates(soil: Soil, column: Column, water: np.ndarray, rain: float, sinks: np.ndarray, distance: float) -> np.ndarray:
    """dw/dt of layers that no water fills and whose lowest drains, mm s-1: the equations written anew."""
    theta = water / column.thickness
    potential, conductivity = soil.potential(theta), soil.conducts(theta)
    between = np.array(
        [
            flux(soil, potential[i : i + 2], conductivity[i : i + 2], column.depth[i + 1] - column.depth[i])
            for i in range(column.n - 1)
        ]
    )
    out = conductivity[-1] * ((potential[-1] - soil.entry) / distance + 1.0)
    fluxes = np.concatenate([[rain], between, [out]])
    return fluxes[:-1] - fluxes[1:] - sinks


@SOILS
def test_steps_converge_to_the_exact_course_in_first_order(soil):
    """Of six hours of rain, drainage and uptake, which a stiff solver of high order has to 1e-9 mm.

    Largest error of a layer in steps of a minute below 0.0001 m3 m-3; half of that in steps of half a minute.
    """
    rain, distance, duration = min(0.5 * soil.conductivity, 5.0 / HOUR), 1e7, 6 * HOUR
    wet = np.linspace(0.5, 0.7, 10) if not soil.is_campbell else np.linspace(0.75, 0.9, 10)
    layers = layered(soil)
    start = soil.residual + (soil.porosity - soil.residual) * wet
    sinks = 1e-6 * layers.thickness / layers.thickness.sum()
    exact = solve_ivp(
        lambda _, water: rates(soil, layers, water, rain, sinks, distance),
        (0.0, duration),
        start * layers.thickness,
        "BDF",
        rtol=1e-10,
        atol=1e-9,
    ).y[:, -1]
    errors = []
    for steps in (45, 90, 180, 360, 720):
        column = Column(layers.is_campbell, layers.layers, layers.thickness, start)
        dt = duration / steps
        for _ in range(steps):
            column.step(dt, rain * dt, Bottom(distance, np.inf, 0.0), sinks)
        errors.append(np.abs(column.theta - exact / column.thickness).max())
    assert errors[-2] < 1e-4
    assert orders(errors) == pytest.approx(np.ones(4), abs=0.1)


@SOILS
def test_thinner_layers_converge_in_first_order(soil):
    """A day of rain and a day without it: mean error of water content beside the means of 2560 layers."""
    depth, rain = 1000.0, min(0.8 * soil.conductivity, 2.0 / HOUR)

    def after(n: int) -> np.ndarray:
        column = Column.of(soil, n, depth, soil.residual + 0.5 * (soil.porosity - soil.residual))
        for step in range(2 * 24 * 4):
            column.step(HOUR / 4, rain * HOUR / 4 if step < 24 * 4 else 0.0)
        return column.theta

    finest = after(2560)
    errors = [np.abs(after(n) - finest.reshape(n, -1).mean(axis=1)).mean() for n in (20, 40, 80, 160, 320)]
    assert errors[0] < 5e-3
    assert errors[-1] < 5e-4
    assert (orders(errors) > 0.3).all()
    assert orders(errors)[-1] == pytest.approx(1.0, abs=0.15)


# ------------------------------------------------------------------------------------------------- of a single step


@SOILS
def test_a_step_keeps_water_and_its_fluxes_are_those_of_its_end(soil, rng):
    """Whatever the iterations leave of a layer's equation, no water is made or lost; the flux out is that of Darcy."""
    for _ in range(200):
        column = layered(soil)
        start = soil.residual + (soil.porosity - soil.residual) * rng.uniform(0.05, 1.0, 10)
        column = Column(column.is_campbell, column.layers, column.thickness, start)
        before, dt, rain = column.water, 10.0 ** rng.uniform(0, 4), rng.uniform(0, 20) / HOUR
        sinks = rng.uniform(0, 0.1, 10) * (before - 1e3 * COLM_THICKNESS * soil.residual) / dt
        bottom = Bottom(1e9, np.inf, 0.0)
        pond, drained, _ = column.step(dt, rain * dt, bottom, sinks)
        gained = (column.water - before).sum() + dt * sinks.sum()
        assert rain * dt - pond - dt * drained - gained == pytest.approx(0.0, abs=1e-11)
        gradient = (column.potential[-1] - column.layers[-1, ENTRY]) / bottom.distance + 1.0
        left = EQUATION * column.thickness.sum()
        assert dt * drained == pytest.approx(dt * column.conductivity[-1] * gradient, abs=left)
        assert (column.water <= np.maximum(column.layers[:, FULL], before)).all()


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0, 1.8, 5.0, 100.0])
def test_the_estimate_of_a_steps_error_is_never_too_small_for_what_relaxes(rate):
    """An implicit step of dw/dt = -rate w against the exponential: 0.298 of its change at most, which is at 1.8."""
    exact, implicit = np.expm1(-rate), -rate / (1.0 + rate)
    assert abs(exact - implicit) <= 0.3 * abs(implicit)


@SOILS
def test_the_estimate_is_of_the_size_of_a_steps_error(soil, rng):
    """Beside the same time in 300 steps, the error is at most half as much again, in soil of any wetness."""
    base = layered(soil)
    for _ in range(40):
        wet = np.clip(rng.uniform(0.3, 0.95) + rng.normal(0.0, 0.05, 10), 0.02, 1.0)
        start = soil.residual + (soil.porosity - soil.residual) * wet
        one, many = (Column(base.is_campbell, base.layers, base.thickness, start) for _ in range(2))
        dt, rain = 10.0 ** rng.uniform(0.0, 3.5), rng.choice([0.0, 2.0, 20.0]) / HOUR
        _, _, error = one.step(dt, rain * dt)
        pond = 0.0
        for _ in range(300):
            pond = many.step(dt / 300, pond + rain * dt / 300)[0]
        assert error > 1.0 or np.abs(one.theta - many.theta).max() <= 1.5 * error * ERROR + 2.0 * EQUATION
