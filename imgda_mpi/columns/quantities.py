"""The quantities of weather in files: their names, units, and what they can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.units import powers


@dataclass(frozen=True)
class Quantity:
    """A quantity of `Weather`.

    Parameters
    ----------
    name : of the field
    standard_names : of CF
    unit : of the field
    units : accepted ones, each with the factor and the term that turn them into this unit
    low, high : what it can be
    below : how far below ``low`` a value is taken for it: packing rounds
    do : what to do about values that cannot be
    """

    name: str
    standard_names: tuple[str, ...]
    unit: str
    units: Mapping[str, tuple[float, float]]
    low: float
    high: float
    below: float = 0.0
    do: str = "correct its units attribute, or name another variable"

    def conversion(self, path: Path, variable: str, units: str) -> tuple[float, float]:
        """Factor and term that turn values in these units into ``unit``.

        Raises
        ------
        InputError
            Where the units are absent or unknown.
        """
        wanted = powers(units)
        for accepted, conversion in self.units.items():
            if wanted is not None and wanted == powers(accepted):
                return conversion
        raise fault(
            path,
            variable,
            found=f"units '{units}'" if units else "no units attribute",
            expected=f"one of {', '.join(self.units)}",
            do="correct the units attribute, or convert the file: a sum over a time has to be divided by that time",
        )

    def checked(self, values: FloatArray, path: Path, variable: str, when: str) -> tuple[FloatArray, int]:
        """Values of soil cells (n,) in ``unit``, those just below ``low`` raised to it, and the number of these.

        Raises
        ------
        InputError
            Where a value is missing, or cannot be.
        """
        missing = np.count_nonzero(np.isnan(values))
        if missing:
            raise fault(
                path,
                variable,
                found=f"no value in {missing} of {values.size} soil cells at {when}",
                expected="a value in every soil cell",
                do="fill the gaps first (for example with cdo setmisstonn)",
            )
        wrong = (values < self.low - self.below) | (values > self.high)
        if wrong.any():
            worst = values[wrong][np.argmax(np.abs(values[wrong]))]
            raise fault(
                path,
                variable,
                found=f"{worst:.6g} {self.unit} in one of {np.count_nonzero(wrong)} such soil cells at {when}",
                expected=f"{self.low:g} to {self.high:g} {self.unit}",
                do=self.do if worst > self.high else "correct the values, or their units attribute",
            )
        return np.maximum(values, self.low), int(np.count_nonzero(values < self.low))


HOUR, DAY = 3600.0, 86400.0

SAME = (1.0, 0.0)
RADIATION = {"W m-2": SAME}

QUANTITIES = (
    Quantity(
        "rain",
        ("precipitation_flux", "rainfall_flux"),
        "kg m-2 s-1",
        {
            "kg m-2 s-1": SAME,
            "kg m-2 h-1": (1.0 / HOUR, 0.0),
            "kg m-2 d-1": (1.0 / DAY, 0.0),
            "mm s-1": SAME,
            "mm h-1": (1.0 / HOUR, 0.0),
            "mm d-1": (1.0 / DAY, 0.0),
            "m s-1": (1000.0, 0.0),
        },
        0.0,
        0.05,
        1e-7,
        "correct its units attribute: this is more than 180 mm in an hour, as where mm h-1 are called mm s-1",
    ),
    Quantity("shortwave", ("surface_downwelling_shortwave_flux_in_air",), "W m-2", RADIATION, 0.0, 1500.0, 1.0),
    Quantity("longwave", ("surface_downwelling_longwave_flux_in_air",), "W m-2", RADIATION, 20.0, 700.0),
    Quantity("temperature", ("air_temperature",), "K", {"K": SAME, "degC": (1.0, 273.15)}, 180.0, 340.0),
    Quantity("humidity", ("specific_humidity",), "kg kg-1", {"kg kg-1": SAME, "g kg-1": (1e-3, 0.0)}, 0.0, 0.06, 1e-6),
    Quantity("wind", ("wind_speed",), "m s-1", {"m s-1": SAME}, 0.0, 100.0, 0.01),
    Quantity(
        "pressure",
        ("surface_air_pressure", "air_pressure"),
        "Pa",
        {"Pa": SAME, "hPa": (100.0, 0.0), "kPa": (1000.0, 0.0)},
        3e4,
        1.2e5,
    ),
)
"""In the order of the fields of `Weather`."""
