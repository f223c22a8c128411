"""Soils, and what the sources say of them, written anew; columns of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from imgda_mpi.colm.soil_layers import thickness as THICKNESS
from imgda_mpi.columns.hydraulics import (
    FULL,
    HYDRAULIC,
    RESIDUAL,
    SUCTION,
    WATER,
    Hydraulics,
    campbell,
    relations,
    van_genuchten,
    water_at,
)
from imgda_mpi.columns.richards import Bottom, substep, workspace

DEEP = Bottom(1e12, np.inf, 0.0)
"""An aquifer that is far away: water leaves at the conductivity of the lowest layer."""

CLOSED = Bottom(1.0, 0.0, 0.0)
"""None at all, as far as it has water to go down."""

# Functions are compiled when they are first called; the same soils every time.
UNHURRIED = settings(deadline=None, derandomize=True)


class Soil(NamedTuple):
    """A soil of either kind; of Campbell's only the exponent b counts, of van Genuchten's the rest."""

    is_campbell: bool
    porosity: float
    residual: float
    conductivity: float
    entry: float
    b: float
    alpha: float
    n: float
    tortuosity: float

    def of(self, count: int, metres: float | np.ndarray = 1.0) -> Hydraulics:
        """A column of so many layers of it, as thick as given."""
        each = [np.full((1, count), value) for value in self[1:]]
        porosity, residual, conductivity, entry, b, alpha, n, tortuosity = each
        common = (porosity, residual, conductivity, entry)
        if self.is_campbell:
            return campbell(*common, b, np.broadcast_to(metres, count))
        return van_genuchten(*common, alpha, n, tortuosity, np.broadcast_to(metres, count))

    def potential(self, theta):
        """Of water contents, real or complex, as the sources write it."""
        if self.is_campbell:
            return self.entry * (theta / self.porosity) ** -self.b
        m = 1.0 - 1.0 / self.n
        at_entry = (1.0 + (self.alpha * abs(self.entry)) ** self.n) ** -m
        s = (theta - self.residual) / (self.porosity - self.residual) * at_entry
        return -((s ** (-1.0 / m) - 1.0) ** (1.0 / self.n)) / self.alpha

    def conducts(self, theta):
        """Conductivity of water contents, mm s-1; for Campbell less what conducts at residual water."""
        if self.is_campbell:
            power = 2.0 * self.b + 3.0
            return self.conductivity * ((theta / self.porosity) ** power - (self.residual / self.porosity) ** power)
        m = 1.0 - 1.0 / self.n
        at_entry = (1.0 + (self.alpha * abs(self.entry)) ** self.n) ** -m

        def mualem(s):
            return -np.expm1(m * np.log1p(-(s ** (1.0 / m))))  # 1 - (1 - s^(1/m))^m without its rounding

        s = (theta - self.residual) / (self.porosity - self.residual)
        return self.conductivity * s**self.tortuosity * (mualem(s * at_entry) / mualem(at_entry)) ** 2


def between(least: float, most: float) -> st.SearchStrategy[float]:
    return st.floats(least, most, allow_nan=False)


SOILS = st.builds(
    Soil,
    st.booleans(),
    porosity=between(0.25, 0.9),
    residual=between(0.0, 0.2),
    conductivity=between(1e-5, 0.1),
    entry=between(-500.0, -1.0),
    b=between(1.0, 20.0),
    alpha=between(1e-4, 0.05),
    n=between(1.05, 6.0),
    tortuosity=between(-1.5, 8.0),
).filter(lambda soil: soil.is_campbell or (-soil.alpha * soil.entry) ** soil.n > 1e-8)
"""An air entry nearer to 0 is lost in the rounding of 1 + (alpha psi)^n."""

LOAM = Soil(False, 0.43, 0.05, 0.003, -10.0, 0.0, 0.016, 1.4, 0.5)
SILT = Soil(False, 0.45, 0.06, 0.001, -20.0, 0.0, 0.002, 1.6, 0.5)
CLAY = Soil(True, 0.45, 0.05, 0.0002, -300.0, 9.0, 0.0, 0.0, 0.0)


def any_soils(rng: np.random.Generator, n: int, is_campbell: bool) -> Hydraulics:
    """CoLM's layers of n columns: sand to clay; one soil, ten, or two in turn."""
    kind = rng.integers(0, 3, n)[:, None]

    def spread(low: float, high: float, logarithmic: bool = False) -> np.ndarray:
        a, b = (np.log(low), np.log(high)) if logarithmic else (low, high)
        every, odd, even = rng.uniform(a, b, (n, 10)), rng.uniform(a, b, (n, 1)), rng.uniform(a, b, (n, 1))
        values = np.where(kind == 0, odd, np.where(kind == 1, every, np.where(np.arange(10) % 2 == 0, odd, even)))
        return np.exp(values) if logarithmic else values

    porosity, residual, conductivity = spread(0.3, 0.6), spread(0.0, 0.12), spread(1e-5, 0.05, True)
    if is_campbell:
        return campbell(porosity, 0.4 * residual, conductivity, -spread(10, 500, True), spread(2, 15), THICKNESS)
    n_less_1, alpha, tortuosity = spread(0.05, 3.0, True), spread(2e-4, 0.015, True), spread(-1.0, 6.0)
    entry = -spread(1, 100, True)
    return van_genuchten(porosity, residual, conductivity, entry, alpha, 1.0 + n_less_1, tortuosity, THICKNESS)


def any_water(rng: np.random.Generator, hydraulics: Hydraulics) -> np.ndarray:
    """Water of their layers, (n, 10) mm: some, full, residual, either or half, below residual, beyond the pores."""
    full, residual = hydraulics.layers[..., FULL], hydraulics.layers[..., RESIDUAL]
    n = full.shape[0]
    kind = np.arange(n)[:, None] % 7
    part = rng.uniform(0.0, 1.0, full.shape)
    part = np.where(kind == 1, 1.0, np.where(kind == 2, 0.0, part))
    part = np.where(kind == 3, rng.choice([0.0, 0.5, 1.0], full.shape), part)
    part = np.where(kind == 6, np.where(np.arange(10) < rng.integers(0, 10, (n, 1)), 0.9, 0.05), part)
    water = residual + part * (full - residual)
    water = np.where(kind == 4, water * rng.uniform(0.3, 1.0, full.shape), water)
    beyond = (kind == 5) & (rng.uniform(size=full.shape) < 0.5)
    return np.where(beyond, full * rng.uniform(1.0, 1.4, full.shape), water)


class Column:
    """One column whose steps are taken by hand.

    Parameters
    ----------
    layers : properties of its layers, (n, 16)
    thickness : of them, (n,) mm
    theta : water of them to begin with, (n,)
    """

    def __init__(self, is_campbell: bool, layers: np.ndarray, thickness: np.ndarray, theta: np.ndarray | float) -> None:
        self.is_campbell, self.layers, self.thickness = is_campbell, layers, thickness
        lower = np.cumsum(thickness)
        self.depth = lower - 0.5 * thickness
        self.n = thickness.size
        self.work = workspace(self.n)
        self.work[WATER, : self.n] = theta * thickness
        relations(is_campbell, layers, self.work)

    @classmethod
    def of(cls, soil: Soil, n: int, depth: float, theta: np.ndarray | float) -> Column:
        """Of one soil, in n equal layers down to a depth, mm."""
        hydraulics = soil.of(n, 1e-3 * depth / n)
        return cls(hydraulics.is_campbell, hydraulics.layers[0], np.full(n, depth / n), theta)

    def hold(self, water: np.ndarray) -> Column:
        """The same with this water, mm, to the last bit."""
        self.work[WATER, : self.n] = water
        relations(self.is_campbell, self.layers, self.work)
        return self

    def fill(self) -> None:
        """Make every layer full, to the last bit."""
        self.hold(self.layers[:, FULL])

    @property
    def water(self) -> np.ndarray:
        """(n,) mm."""
        return self.work[WATER, : self.n].copy()

    @property
    def theta(self) -> np.ndarray:
        return self.water / self.thickness

    @property
    def potential(self) -> np.ndarray:
        return self.work[SUCTION, : self.n].copy()

    @property
    def conductivity(self) -> np.ndarray:
        return self.work[HYDRAULIC, : self.n].copy()

    def water_at(self, potential: np.ndarray) -> np.ndarray:
        """Of each layer at its potential, mm."""
        return np.array([water_at(self.is_campbell, self.layers, i, each)[0] for i, each in enumerate(potential)])

    def step(
        self,
        dt: float,
        supply: float = 0.0,
        bottom: Bottom = DEEP,
        sinks: np.ndarray | None = None,
    ) -> tuple[float, float, float]:
        """One implicit step that has to succeed: water left standing, mm; flux to the aquifer; its estimated error."""
        pond, drained, error = self.attempt(dt, supply, bottom, sinks)
        assert np.isfinite(error)
        return pond, drained, error

    def attempt(
        self, dt: float, supply: float, bottom: Bottom, sinks: np.ndarray | None = None
    ) -> tuple[float, float, float]:
        """A step that need not succeed: its error is infinite then."""
        taken = np.zeros(self.n) if sinks is None else sinks
        return substep(self.is_campbell, self.layers, self.depth, self.thickness, supply, taken, bottom, dt, self.work)
