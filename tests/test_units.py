from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.units import to_volumetric


@pytest.mark.parametrize(
    "units",
    [
        *("m3 m-3", "m3/m3", "m**3 m**-3", "m^3/m^3", "m3.m-3", "m^3 m-3", "mm3/mm3", "cm3 cm-3", " m3  m-3 "),
        *("[m3 m-3]", "(m3/m3)", "m-3 m-3", "m³/m³", "m³ m⁻³", "m³·m⁻³", "cm**3/cm**3", "M3 M-3", "m^{3} m^{-3}"),
        *("m^(3) m^(-3)", "m ** 3 m ** -3", "m3m-3", "m3 per m3", "v/v", "vol/vol", "volume fraction"),
        *("meter3 meter-3", "m3 m-3 (volumetric)", "m\N{MINUS SIGN}3 m3"),
    ],
)
def test_spellings_of_volumetric_moisture_are_one(units: str) -> None:
    assert to_volumetric(FIELD, units, "", None, path=Path("a.nc"), variable="sm") is FIELD


@pytest.mark.parametrize(
    ("units", "kilograms"),
    [
        *(("kg m-2", 1), ("kg/m2", 1), ("kg m**-2", 1), ("kg/m^2", 1), ("kg.m-2", 1), ("[kg/m²]", 1), ("kg m⁻²", 1)),
        *(("mm", 1), ("millimeters", 1), ("cm", 10), ("m", 1000), ("m3 m-2", 1000)),
    ],
)
def test_water_mass_is_divided_by_density_and_thickness(units: str, kilograms: int) -> None:
    converted = to_volumetric(np.array([60.0]) / kilograms, units, "", (0.1, 0.4), path=Path("a.nc"), variable="sm")
    np.testing.assert_allclose(converted, 0.2, rtol=1e-14)


def test_water_mass_of_an_unknown_layer_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", 100 * FIELD, units="kg m-2")
    with pytest.raises(InputError, match=r"units 'kg m-2' and no bounds of the soil layer.*give the layer"):
        read_cf(path, GRID, NOON, variable="sm")
    image = read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1))
    np.testing.assert_allclose(image.values, FIELD, rtol=1e-14)


@pytest.mark.parametrize(("units", "factor"), [("1", 1.0), ("%", 0.01), ("percent", 0.01), ("fraction", 1.0)])
def test_pure_numbers_are_read_where_the_name_says_volume_and_refused_elsewhere(units: str, factor: float) -> None:
    where = {"path": Path("a.nc"), "variable": "sm"}
    converted = to_volumetric(np.array([0.5]), units, "Volumetric soil moisture", None, **where)
    np.testing.assert_allclose(converted, 0.5 * factor, rtol=1e-14)
    for meaning in (
        "",
        "surface soil wetness",
        "volume_fraction_of_condensed_water_in_soil_pores",
        "relative volumetric moisture",
    ):
        with pytest.raises(InputError, match="degree of saturation must be converted first"):
            to_volumetric(np.array([0.5]), units, meaning, None, **where)


@pytest.mark.parametrize(
    "units", ["vol.%", "Vol. %", "% vol", "%vol", "% v/v", "volume %", "percent by volume", "[vol%]"]
)
def test_percent_by_volume_need_no_name_that_says_so(units: str) -> None:
    converted = to_volumetric(np.array([50.0]), units, "", None, path=Path("a.nc"), variable="sm")
    np.testing.assert_allclose(converted, 0.5, rtol=1e-14)


@pytest.mark.parametrize(
    ("of_file", "stated", "factor", "is_said"),
    [
        (None, "m3 m-3", 1.0, False),
        ("m³/m³", "m3 m-3", 1.0, False),
        ("1", "m3 m-3", 1.0, False),
        ("unknown", "m3 m-3", 1.0, True),
        ("kg m-2", "m3 m-3", 1.0, True),
        ("m3 m-3", "percent", 100.0, True),
        ("%", "vol.%", 100.0, False),
        ("K", "mm", 100.0, True),
    ],
)
def test_stated_units_win_and_a_file_that_means_others_is_said(
    tmp_path: Path, of_file, stated, factor, is_said
) -> None:
    path = write_image(tmp_path / "a.nc", factor * FIELD, units=of_file or "")
    image = read_cf(path, GRID, NOON, variable="sm", layer=(0.0, 0.1), units=stated)
    np.testing.assert_allclose(image.values, FIELD, rtol=1e-13)
    said = (f"the file says units '{of_file}': taken for {stated} as stated",) if is_said else ()
    assert image.remarks == said


def test_stated_units_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sm: found units = 'K', expected m3 m-3.*correct the key units"):
        read_cf(write_image(tmp_path / "a.nc"), GRID, NOON, variable="sm", units="K")


@pytest.mark.parametrize("units", ["", "K", "kg m-3", "m3", "unknown", "cm3 m-3", "kg kg-1", "mm s-1"])
def test_absent_and_unknown_units_are_refused(tmp_path: Path, units: str) -> None:
    found = f"units '{units}'" if units else "no units attribute"
    with pytest.raises(InputError, match=f"a.nc: sm: found {found}.*set its units attribute, or the key units"):
        read_cf(write_image(tmp_path / "a.nc", units=units), GRID, NOON, variable="sm")
