"""Soils, and what the sources say of them, written anew; columns of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

from imgda_mpi.columns.hydraulics import Hydraulics, campbell, van_genuchten

UNHURRIED = settings(deadline=None)  # functions are compiled when they are first called


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

    def of(self, count: int, metres: float = 1.0) -> Hydraulics:
        """A column of so many layers of it."""
        each = [np.full((1, count), value) for value in self[1:]]
        porosity, residual, conductivity, entry, b, alpha, n, tortuosity = each
        common = (porosity, residual, conductivity, entry)
        if self.is_campbell:
            return campbell(*common, b, np.full(count, metres))
        return van_genuchten(*common, alpha, n, tortuosity, np.full(count, metres))

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
CLAY = Soil(True, 0.45, 0.05, 0.0002, -300.0, 9.0, 0.0, 0.0, 0.0)
