from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.columns.reference_evaporation import TO_2_M, reference_evaporation
from imgda_mpi.columns.weather import STEFAN_BOLTZMANN, Weather

MJ = 1e6 / 3600.0  # W m-2 of one MJ m-2 h-1


def n_diaye(celsius: float, relative: float, wind: float, shortwave: float, net_longwave: float) -> Weather:
    """The weather of example 19 of FAO-56, from what is given there: N'Diaye, Senegal, at 8 m, 1 October."""
    kelvin, pressure = celsius + 273.16, 101_200.0
    vapour = relative * 610.8 * np.exp(17.27 * celsius / (celsius + 237.3))
    values = (
        0.0,
        shortwave * MJ,
        STEFAN_BOLTZMANN * kelvin**4 - net_longwave * MJ,
        kelvin,
        0.622 * vapour / (pressure - 0.378 * vapour),
        wind / TO_2_M,
        pressure,
    )
    return Weather(*(np.array([value]) for value in values))


@pytest.mark.parametrize(
    ("weather", "evaporation"),
    [
        # From 14 to 15 h: net radiation 1.749 of shortwave 2.450; from 2 to 3 h net radiation -0.100 MJ m-2 h-1.
        pytest.param(n_diaye(38.0, 0.52, 3.3, 2.450, 0.77 * 2.450 - 1.749), 0.63, id="afternoon"),
        pytest.param(n_diaye(28.0, 0.90, 1.9, 0.0, 0.100), 0.00, id="night"),
    ],
)
def test_the_worked_example_of_the_source(weather: Weather, evaporation: float) -> None:
    assert 3600.0 * reference_evaporation(weather)[0] == pytest.approx(evaporation, abs=0.005)


def test_wind_at_10_m_is_taken_down_to_2_m_as_the_source_has_it() -> None:
    assert pytest.approx(0.748, abs=5e-4) == TO_2_M  # table 2.9 of its annex 2


def test_it_is_never_negative_and_dew_gives_nothing() -> None:
    night = n_diaye(5.0, 1.0, 1.0, 0.0, 0.3)
    assert reference_evaporation(night)[0] == 0.0


def test_sun_wind_and_dry_air_raise_it() -> None:
    def of(relative: float = 0.5, wind: float = 2.0, shortwave: float = 2.0) -> float:
        return float(reference_evaporation(n_diaye(25.0, relative, wind, shortwave, 0.2))[0])

    assert of(relative=0.3) > of() < of(shortwave=2.5)
    assert of(wind=4.0, relative=0.2) > of(relative=0.2)


def test_a_point_has_the_same_bits_alone(rng: np.random.Generator) -> None:
    low, high = (0, 0, 200, 250, 0, 0, 6e4), (0, 1000, 450, 315, 0.02, 15, 1.05e5)
    many = Weather(*(rng.uniform(a, b, 37) for a, b in zip(low, high, strict=True)))
    together = reference_evaporation(many)
    assert together.max() > 0
    for i in range(37):
        alone = reference_evaporation(Weather(*(values[i : i + 1] for values in many)))
        assert alone.tobytes() == together[i : i + 1].tobytes()
