"""Real products on the model grid."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from grids import MODEL
from image_files import GRID, NOON, assert_accounted, write_image
from scipy.interpolate import RegularGridInterpolator

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import resolve
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.gldas import read_gldas

GLDAS = "data/gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"
NEW_YEAR = datetime(2016, 1, 1, 6, tzinfo=UTC)


def gldas_source(shared: Path) -> tuple[Grid, np.ma.MaskedArray]:
    """The file's own grid, and its mass in kg m-2 as the library reads it."""
    with netCDF4.Dataset(resolve(shared / GLDAS, NEW_YEAR)) as dataset:
        mass = dataset["SoilMoi0_10cm_inst"][0]
    return Grid(-59.875 + 0.25 * np.arange(600), -179.875 + 0.25 * np.arange(1440)), mass


def test_gldas_on_the_model_grid_agrees_with_another_interpolator(shared: Path) -> None:
    image = read_gldas(shared / GLDAS, MODEL, NEW_YEAR, max_time_offset=0)
    own, mass = gldas_source(shared)
    valid = (~np.ma.getmaskarray(mass)).astype(float)
    places = np.stack(np.meshgrid(MODEL.latitude, MODEL.longitude, indexing="ij"), axis=-1)

    def interpolated(field: np.ndarray) -> np.ndarray:
        axes = (own.latitude, own.longitude)
        return RegularGridInterpolator(axes, field, bounds_error=False, fill_value=0.0)(places)

    weight, total = interpolated(valid), interpolated(mass.filled(0.0) / 100.0)
    np.testing.assert_array_equal(image.observed, weight >= 0.5)
    np.testing.assert_allclose(
        image.values[image.observed], (total / np.maximum(weight, 0.5))[image.observed], rtol=1e-6
    )
    assert_accounted(image)
    assert image.time == NEW_YEAR
    assert image.counts["missing"] == (valid == 0).sum()
    assert image.counts["cells not covered"] == 21 * 256  # south of 60 S


def test_another_product_of_gldas_is_taken_with_the_kind_that_can_name_its_variable(tmp_path: Path) -> None:
    path = write_image(tmp_path / "GLDAS_CLSM025.nc4")
    with pytest.raises(InputError, match=r'SoilMoi0_10cm_inst: found no such .*one of sm; take .* with kind = "cf"'):
        read_gldas(path, GRID, NOON)


def test_the_area_mean_of_gldas_uses_every_valid_pixel(shared: Path) -> None:
    image = read_gldas(shared / GLDAS, MODEL, NEW_YEAR, max_time_offset=0, regridding="conservative")
    own, mass = gldas_source(shared)
    assert_accounted(image)
    assert image.counts["not used"] == 0
    assert image.counts["used"] == mass.count()
    # Not exact: a coastal cell below half loses its pixels, one above half counts for its whole area.
    after = np.average(image.values[image.observed], weights=MODEL.cell_area[image.observed])
    before = np.average(mass.compressed() / 100.0, weights=own.cell_area[~np.ma.getmaskarray(mass)])
    assert after == pytest.approx(before, rel=0.01)


def test_gldas_volumes_are_a_hundredth_of_the_mass_in_the_file(shared: Path) -> None:
    own, mass = gldas_source(shared)
    image = read_gldas(shared / GLDAS, own, NEW_YEAR, max_time_offset=0)
    np.testing.assert_array_equal(image.observed, ~np.ma.getmaskarray(mass))
    np.testing.assert_allclose(image.values[image.observed], mass.compressed() / 100.0, rtol=1e-6)


def test_two_products_on_the_model_grid_agree_as_measured_independently(shared: Path) -> None:
    # 7066 points, correlation 0.459 and standard deviation 0.113 on another grid of the same spacing; sea and ice of
    # this grid's own land mask would take some more coastal cells away.
    gldas = read_gldas(shared / GLDAS, MODEL, NEW_YEAR, max_time_offset=0)
    gfs = read_cf(
        shared / "data/background/gfs_noah_20111011T00.nc",
        MODEL,
        datetime(2011, 10, 11, tzinfo=UTC),
        variable="soil_moisture",
        layer=(0.0, 0.1),
        max_time_offset=0,
    )
    assert gfs.counts["above range"] == 10  # beside land ice
    assert_accounted(gfs)
    both = gldas.observed & gfs.observed
    difference = gldas.values[both] - gfs.values[both]
    assert both.sum() == pytest.approx(7066, rel=0.02)
    assert np.corrcoef(gldas.values[both], gfs.values[both])[0, 1] == pytest.approx(0.459, abs=0.01)
    assert difference.std() == pytest.approx(0.113, abs=0.01)


@pytest.mark.parametrize(
    ("name", "variable", "layer", "time", "n_above"),
    [
        ("background/cfs_noah_20060401T00.nc", "soil_moisture", (0.0, 0.1), datetime(2006, 4, 1, tzinfo=UTC), 21),
        ("speedy_climatology/soil_moisture.nc", "swl1", None, datetime(1981, 1, 1, tzinfo=UTC), 0),
    ],
)
def test_gaussian_grids_reach_the_poles_and_keep_their_mean(shared: Path, name, variable, layer, time, n_above) -> None:
    path = shared / "data" / name
    image = read_cf(path, MODEL, time, variable=variable, layer=layer, max_time_offset=0, regridding="conservative")
    assert_accounted(image)
    assert image.counts["cells not covered"] == 0
    assert image.counts["above range"] == n_above
    with netCDF4.Dataset(path) as dataset:
        field = dataset[variable][0]
        values = np.ma.masked_greater(field[0] if field.ndim == 3 else field, 0.6)
        weights = np.cos(np.radians(dataset["lat"][:]))[:, np.newaxis] * np.ones(values.shape)
    before = np.ma.average(values, weights=weights)
    after = np.average(image.values[image.observed], weights=MODEL.cell_area[image.observed])
    assert after == pytest.approx(before, rel=0.01)


def test_cmip6_mass_is_converted_by_the_files_own_scalar_depth(shared: Path) -> None:
    (path,) = (shared / "data/ecearth3veg_land_hist").glob("mrsos_day_*.nc")
    image = read_cf(path, MODEL, datetime(1970, 1, 3, 9, tzinfo=UTC), variable="mrsos", max_time_offset=12)
    assert image.time == datetime(1970, 1, 3, 12, tzinfo=UTC)
    assert_accounted(image)
    assert image.counts["below range"] == 0  # but for values like -4e-22
    assert 0.1 < np.nanmean(image.values) < 0.3
    with pytest.raises(InputError, match=r"found layers 0-0.1 m, expected 0-0.07 m"):
        read_cf(path, MODEL, datetime(1970, 1, 3, 9, tzinfo=UTC), variable="mrsos", layer=(0.0, 0.07))


def test_era5_takes_the_time_of_the_variable_and_not_the_files_other_one(shared: Path) -> None:
    path = shared / "data/western_australia_202001/era5_swvl1_0p1deg_20200101_20200131.nc"
    own = Grid(-27.0 - 0.1 * np.arange(51), 116.0 + 0.1 * np.arange(61))
    wanted = datetime(2020, 1, 10, 3, tzinfo=UTC)
    image = read_cf(path, own, wanted, variable="swvl1", max_time_offset=0)
    assert image.time == wanted
    with netCDF4.Dataset(path) as dataset:
        np.testing.assert_allclose(image.values, dataset["swvl1"][9 * 24 + 3], atol=1e-9)


def test_smos_without_time_needs_a_stated_one(shared: Path) -> None:
    path = sorted((shared / "data/smos_l3").glob("*.nc"))[0]
    image = read_cf(
        path, MODEL, datetime(2015, 5, 6, 12, tzinfo=UTC), variable="Soil_Moisture", regridding="conservative"
    )
    assert_accounted(image)
    assert image.counts["above range"] == 8
    assert image.source.endswith("2015-05-06 12:00 UTC (stated, the file has none)")


@pytest.mark.parametrize(
    ("pattern", "variable", "found"),
    [
        ("lis_noahmp/LIS_HIST_201703300000.d01.nc", "SoilMoist_inst", r"further dimensions SoilMoist_profiles \(4\)"),
        (
            "western_australia_202001/smap_2020-01-01.nc",
            "soil_moisture",
            "a list of points along index.*only rectilinear grids are read",
        ),
    ],
)
def test_layers_without_depths_and_point_lists_are_refused(
    shared: Path, pattern: str, variable: str, found: str
) -> None:
    with pytest.raises(InputError, match=found):
        read_cf(shared / "data" / pattern, MODEL, NEW_YEAR, variable=variable)
