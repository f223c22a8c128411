"""The embedded example: same format as the model's and NASA's own files, and physically sound."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from launch import load
from netCDF4 import Dataset, num2date

from imgda_mpi.example import geography
from imgda_mpi.example.case import SEED, write_example
from imgda_mpi.example.climate import make_climate
from imgda_mpi.example.fields import make_soil_map, true_moisture
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.example.soil import Soil
from imgda_mpi.example.state import write_state
from imgda_mpi.example.tiles import make_tiles
from imgda_mpi.faults import OutputError
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings

BLOCKS = [f"{west}_{south}" for south in ("s90", "n00") for west in ("w180", "w090", "e000", "e090")]
# Soil layers as in the model's documentation, m.
THICKNESS = np.array(
    [0.0175128, 0.0275790, 0.0454700, 0.0749674, 0.1236004, 0.2037826, 0.3359806, 0.5539384, 0.9132900]
)
# Depth of layers 1, 2, 3 within 10 cm, and what is left for layer 4.
TOP_10_CM = np.array([0.17512820, 0.27579023, 0.45470032, 0.09438125])
RHO_ICE = 917.0


@dataclass
class Blocks:
    """All blocks of a case, one after the other."""

    state: dict[str, np.ndarray] = field(default_factory=dict)
    const: dict[str, np.ndarray] = field(default_factory=dict)
    landpatch: dict[str, np.ndarray] = field(default_factory=dict)
    fraction: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def cell(self) -> np.ndarray:
        return self.landpatch["eindex"] - 1

    @property
    def is_soil(self) -> np.ndarray:
        return self.const["patchtype"] == 0

    def surface_image(self) -> np.ndarray:
        """0-10 cm mean over soil patches, from the definition, cell by cell."""
        liquid, ice = (self.state[name][:, 5:9] for name in ("wliq_soisno", "wice_soisno"))
        layers = liquid / (1000.0 * THICKNESS[:4]) + ice / (RHO_ICE * THICKNESS[:4])
        patch = layers @ TOP_10_CM
        water, area = np.zeros(128 * 256), np.zeros(128 * 256)
        for i in np.flatnonzero(self.is_soil):
            water[self.cell[i]] += self.fraction[i] * patch[i]
            area[self.cell[i]] += self.fraction[i]
        image = np.where(area > 0, water / np.where(area > 0, area, 1.0), np.nan)
        return image.reshape(128, 256)


def read_case(directory: Path, landdata: Path | None = None) -> Blocks:
    parts = []
    land = landdata or directory
    for block in BLOCKS:
        landpatch = land / "landdata/landpatch/2005"
        parts.append(
            (
                load(directory / f"restart/2022-153-21600/demo_restart_2022-153-21600_lc2005_{block}.nc"),
                load(land / f"restart/const/demo_restart_const_lc2005_{block}.nc"),
                load(landpatch / f"landpatch_{block}.nc"),
                load(landpatch / f"patchfrac_elm_{block}.nc"),
            )
        )
    state, const, patch, fraction = (
        {name: np.concatenate([part[i][name] for part in parts]) for name in parts[0][i]} for i in range(4)
    )
    return Blocks(state, const, patch, fraction["patchfrac_elm"])


@pytest.fixture(scope="session")
def blocks(example: Path) -> Blocks:
    return read_case(example / "model/demo")


@pytest.fixture(scope="session")
def background(blocks: Blocks) -> np.ndarray:
    return blocks.surface_image()


@pytest.fixture(scope="session")
def truth(example: Path) -> np.ndarray:
    return load(example / "truth.nc")["soil_moisture"]


@pytest.mark.parametrize("block", BLOCKS)
def test_patches_are_made_of_pixels(example: Path, block: str) -> None:
    landdata = example / "model/demo/landdata"
    pixel, mesh = load(landdata / "pixel.nc"), load(landdata / f"mesh/2005/mesh_{block}.nc")
    patch = load(landdata / f"landpatch/2005/landpatch_{block}.nc")
    fraction = load(landdata / f"landpatch/2005/patchfrac_elm_{block}.nc")["patchfrac_elm"]
    const = load(example / f"model/demo/restart/const/demo_restart_const_lc2005_{block}.nc")
    element = load(landdata / f"landelm/2005/landelm_{block}.nc")
    np.testing.assert_array_equal(element["eindex"], mesh["elmindex"])
    np.testing.assert_array_equal(element["ipxend"], mesh["elmnpxl"])

    area = np.sin(np.radians(pixel["lat_n"])) - np.sin(np.radians(pixel["lat_s"]))
    first_of_element = np.concatenate([[0], np.cumsum(mesh["elmnpxl"])])
    place = np.searchsorted(mesh["elmindex"], patch["eindex"])
    for i in range(0, fraction.size, 7):
        start = first_of_element[place[i]]
        mine = mesh["elmpixels"][start + patch["ipxstt"][i] - 1 : start + patch["ipxend"][i]] - 1
        whole = mesh["elmpixels"][start : first_of_element[place[i] + 1]] - 1
        assert fraction[i] == pytest.approx(area[mine[:, 1]].sum() / area[whole[:, 1]].sum(), abs=1e-12)
        south, west = pixel["lat_s"][mine[:, 1]], pixel["lon_w"][mine[:, 0]]
        row, column = divmod(int(patch["eindex"][i]) - 1, 256)
        assert (np.floor((90.0 - south - 1e-9) / 1.40625) == row).all()
        assert (np.floor((west + 180.0) / 1.40625) == column).all()
        centre = 0.5 * (south + pixel["lat_n"][mine[:, 1]])
        assert np.degrees(const["patchlatr"][i]) == pytest.approx(np.average(centre, weights=area[mine[:, 1]]))


def test_fractions_of_an_element_sum_to_one(blocks: Blocks) -> None:
    total = np.bincount(blocks.cell, weights=blocks.fraction)
    np.testing.assert_allclose(total[total > 0], 1.0, rtol=0, atol=1e-14)
    assert (blocks.fraction > 0).all()


def test_element_numbers_count_eastward_from_the_north_west(blocks: Blocks) -> None:
    # Half a cell away at most, as a centroid may be; up to rounding.
    row, column = blocks.cell // 256, blocks.cell % 256
    latitude, longitude = np.degrees(blocks.const["patchlatr"]), np.degrees(blocks.const["patchlonr"])
    assert np.abs(latitude - (90 - (row + 0.5) * 1.40625)).max() < 0.70313
    assert np.abs(longitude - (-180 + (column + 0.5) * 1.40625)).max() < 0.70313


def test_patches_are_in_the_order_of_the_model(example: Path) -> None:
    for block in BLOCKS:
        patch = load(example / f"model/demo/landdata/landpatch/2005/landpatch_{block}.nc")
        const = load(example / f"model/demo/restart/const/demo_restart_const_lc2005_{block}.nc")
        np.testing.assert_array_equal(patch["settyp"], const["patchclass"])
        rising = np.diff(patch["eindex"]) * 100 + np.diff(patch["settyp"])
        assert (rising > 0).all(), "by element, then by class"


def test_patch_types_follow_from_igbp_classes(blocks: Blocks) -> None:
    types = {11: 2, 13: 1, 15: 3, 17: 4}
    expected = [types.get(int(cover), 0) for cover in blocks.const["patchclass"]]
    np.testing.assert_array_equal(blocks.const["patchtype"], expected)
    assert set(np.unique(blocks.const["patchtype"])) == {0, 1, 2, 3, 4}
    assert 1.5 < blocks.is_soil.sum() / np.unique(blocks.cell[blocks.is_soil]).size < 4


def test_soil_water_is_within_the_models_bounds(blocks: Blocks) -> None:
    soil = np.isin(blocks.const["patchtype"], (0, 1))
    liquid, ice = (blocks.state[name][soil, 5:14] for name in ("wliq_soisno", "wice_soisno"))
    total = liquid / (1000 * THICKNESS) + ice / (RHO_ICE * THICKNESS)
    # The thicknesses here have six digits.
    assert (total > blocks.const["theta_r"][soil, :9] - 1e-5).all()
    assert (total < blocks.const["porsl"][soil, :9] + 1e-5).all()
    assert (liquid > 0).all()
    assert (ice >= 0).all()


def test_few_soils_are_frozen_and_only_below_freezing(blocks: Blocks) -> None:
    ice = blocks.state["wice_soisno"][:, 5:]
    temperature = blocks.state["t_soisno"][:, 5:]
    assert (temperature[ice > 0] < 273.16).all()
    assert 0.01 < (ice[blocks.is_soil, :4] > 0).any(axis=1).mean() < 0.05
    assert (temperature > 220).all()
    assert (temperature < 325).all()


def test_snow_fills_its_slots_from_the_soil_upward(blocks: Blocks) -> None:
    state = blocks.state
    thickness = state["dz_sno"]
    filled = thickness > 0
    assert (np.diff(filled.astype(int), axis=1) >= 0).all()
    n_layers = filled.sum(axis=1)
    assert set(n_layers) >= {0, 1, 2, 3, 4}
    for name in ("z_sno", "t_soisno", "wliq_soisno", "wice_soisno"):
        assert (state[name][:, :5][~filled] == 0).all(), name
    assert (state["wice_soisno"][:, :5][filled] > 0).all()
    np.testing.assert_allclose(state["wice_soisno"][:, :5].sum(axis=1), state["scv"], rtol=1e-12)
    np.testing.assert_allclose(thickness.sum(axis=1), state["snowdp"], rtol=1e-12)
    # The lowest node is half a layer above the soil, the others follow.
    snowy = n_layers >= 2
    np.testing.assert_allclose(state["z_sno"][snowy, 4], -0.5 * thickness[snowy, 4])
    np.testing.assert_allclose(state["z_sno"][snowy, 3], -thickness[snowy, 4] - 0.5 * thickness[snowy, 3])
    assert (state["t_soisno"][:, :5][filled] <= 273.16).all()


def test_ice_sheets_wetlands_and_lakes_are_filled_as_the_model_fills_them(blocks: Blocks) -> None:
    state, const = blocks.state, blocks.const
    ice, wetland, lake = (const["patchtype"] == kind for kind in (3, 2, 4))
    assert (state["wliq_soisno"][ice] == 0).all()
    np.testing.assert_allclose(state["wice_soisno"][ice][:, 5:14] / (RHO_ICE * THICKNESS), 1.0, rtol=1e-5)
    full = const["porsl"][:, :9] * THICKNESS * 1000
    np.testing.assert_allclose(state["wliq_soisno"][lake][:, 5:14], full[lake], rtol=1e-5)
    assert (state["wetwat"][wetland] > 0).all()
    assert (state["wetwat"][~wetland] == 0).all()
    np.testing.assert_allclose(state["wdsrf"][lake], 1000 * const["lakedepth"][lake])
    np.testing.assert_allclose(const["dz_lake"][lake].sum(axis=1), const["lakedepth"][lake])


def test_every_value_is_finite_or_the_models_missing_value(blocks: Blocks) -> None:
    for name, values in {**blocks.state, **blocks.const}.items():
        known = values[values != -1.0e36]
        assert np.isfinite(known).all(), name
        assert np.abs(known.astype(float)).max() < 1.0e9, name
        if name not in ("soil_s_v_alb", "soil_d_v_alb", "soil_s_n_alb", "soil_d_n_alb", "rss", "rst"):
            assert known.size == values.size, name


def test_soil_properties_follow_the_models(shared: Path) -> None:
    real = load(shared / "colm/colm202x/GL14/restart/const/GL14_restart_const_lc2005_e000_n00.nc")
    soil = Soil(real["wf_sand"][:, 0], real["wf_clay"][:, 0], real["wf_om"])
    ours = {
        "theta_r": soil.residual,
        "alpha_vgm": soil.alpha,
        "n_vgm": soil.n,
        "hksati": soil.saturated_conductivity,
        "sc_vgm": soil.air_entry()[0],
        "fc_vgm": soil.air_entry()[1],
    }
    for name, values in ours.items():
        # Straight lines through values that the model averages from finer soil data: 5 % off at the extremes.
        np.testing.assert_allclose(values[:, 0], real[name][:, 0], rtol=0.05, err_msg=name)
    # Porosity also depends on how densely the soil is packed, which texture tells only roughly.
    np.testing.assert_allclose(soil.porosity[:, 0], real["porsl"][:, 0], atol=0.06)


def test_suction_and_conductivity_follow_from_soil_water(blocks: Blocks) -> None:
    state, const = blocks.state, blocks.const
    soil = blocks.is_soil & (state["wice_soisno"][:, 5:].sum(axis=1) == 0)
    theta = state["wliq_soisno"][soil, 5:14] / (1000 * THICKNESS)
    residual, porosity, alpha, n = (const[k][soil, :9] for k in ("theta_r", "porsl", "alpha_vgm", "n_vgm"))
    m = 1 - 1 / n
    # Inverse of the model's closure: water content from suction.
    content = (1 + (alpha * -state["smp"][soil, :9]) ** n) ** -m / const["sc_vgm"][soil, :9]
    moist = theta > residual + 0.02 * (porosity - residual)
    np.testing.assert_allclose((residual + (porosity - residual) * content)[moist], theta[moist], atol=1e-5)
    assert (state["hk"][soil] <= const["hksati"][soil]).all()
    assert (state["hk"][soil] > 0).all()


def test_truth_is_the_truths_own_restart_aggregated(example: Path, truth: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    tiles = make_tiles(rng)
    soil = make_soil_map(rng, tiles)
    write_state(tmp_path, tiles, soil, make_climate(tiles), true_moisture(rng, tiles, soil))
    again = read_case(tmp_path, landdata=example / "model/demo").surface_image()
    np.testing.assert_allclose(truth, again, rtol=1e-6)  # thicknesses here have six digits


def test_truth_is_cf(example: Path) -> None:
    with Dataset(example / "truth.nc") as file:
        moisture = file["soil_moisture"]
        assert moisture.dimensions == ("lat", "lon")
        assert moisture.units == "m3 m-3"
        assert (file["lat"].units, file["lon"].units) == ("degrees_north", "degrees_east")
        assert file["lat"][0] > file["lat"][-1]


def test_background_is_as_wrong_as_a_model_is(truth: np.ndarray, background: np.ndarray) -> None:
    soil = np.isfinite(truth)
    np.testing.assert_array_equal(soil, np.isfinite(background))
    error = (background - truth)[soil]
    assert 0.4 < np.corrcoef(truth[soil], background[soil])[0, 1] < 0.6
    assert 0.09 < error.std() < 0.12
    assert -0.03 < error.mean() < 0.0
    # Coherent: the errors of neighbouring cells go together, those of cells 7 degrees apart still do.
    full = np.where(soil, background - truth - error.mean(), np.nan)
    near, middle = (np.nanmean(full[:, lag:] * full[:, :-lag]) / error.var() for lag in (1, 5))
    assert near > 0.8
    assert 0.2 < middle < 0.7


def gldas_file(example: Path) -> Path:
    return example / f"observation/{datetime(2022, 6, 2, 6):GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4}"


def test_observation_is_of_the_time_in_its_name(example: Path) -> None:
    with Dataset(gldas_file(example)) as file:
        time = num2date(file["time"][0], file["time"].units.strip())
        assert (time.year, time.month, time.day, time.hour, time.minute) == (2022, 6, 2, 6, 0)
        assert file["time_bnds"][0].tolist() == [file["time"][0] - 180, file["time"][0]]
        moisture = file["SoilMoi0_10cm_inst"]
        assert moisture[:].min() == moisture.vmin
        assert moisture[:].max() == moisture.vmax


def test_observation_says_that_it_is_synthetic(example: Path) -> None:
    with Dataset(gldas_file(example)) as file:
        assert "ynthetic" in file.title
        assert file.source == "synthetic"


def test_observation_shows_the_truth(example: Path, truth: np.ndarray) -> None:
    with Dataset(gldas_file(example)) as file:
        image = np.ma.filled(file["SoilMoi0_10cm_inst"][0].astype(float), np.nan) / 100.0
        latitude, longitude = file["lat"][:], file["lon"][:]
    row = ((90 - latitude) / 1.40625).astype(int)
    column = ((longitude + 180) / 1.40625).astype(int)
    cell = (row[:, None] * 256 + column)[np.isfinite(image)]
    count = np.bincount(cell, minlength=128 * 256)
    total = np.bincount(cell, weights=image[np.isfinite(image)], minlength=128 * 256)
    mean = (total / np.maximum(count, 1)).reshape(128, 256)
    both = np.isfinite(truth) & (count >= 12).reshape(128, 256)
    assert both.sum() > 0.85 * np.isfinite(truth).sum()
    difference = (mean - truth)[both]
    assert np.corrcoef(mean[both], truth[both])[0, 1] > 0.97
    assert difference.std() < 0.02
    assert abs(difference.mean()) < 0.005
    # What is finer than a cell is there too.
    assert 0.01 < (image - mean[row[:, None], column])[np.isfinite(image)].std() < 0.05


def test_nothing_is_observed_over_sea_ice_sheets_and_lakes(example: Path) -> None:
    with Dataset(gldas_file(example)) as file:
        missing = np.ma.getmaskarray(file["SoilMoi0_10cm_inst"][0])

    def is_missing(latitude: float, longitude: float) -> bool:
        return bool(missing[int((latitude + 60) * 4), int((longitude + 180) * 4)])

    assert all(is_missing(*place) for place in [(0, -140), (30, -40), (-40, 80), (72, -42), (42, 51), (-1, 33)])
    assert not any(is_missing(*place) for place in [(23, 10), (-5, -62), (50, 10), (-25, 133), (60, 100), (39, -95)])
    assert 0.25 < (~missing).mean() < 0.30


def test_land_is_where_land_is(blocks: Blocks) -> None:
    land = np.bincount(blocks.cell, minlength=128 * 256).reshape(128, 256) > 0
    area = np.cos(np.radians(90 - (np.arange(128) + 0.5) * 1.40625))
    assert 0.25 < (land.mean(axis=1) * area).sum() / area.sum() < 0.32

    def at(latitude: float, longitude: float) -> bool:
        return bool(land[int((90 - latitude) / 1.40625), int((longitude + 180) / 1.40625)])

    assert all(at(*place) for place in [(23, 10), (-5, -62), (-25, 133), (-80, 90), (75, -40), (40, -100), (56, 60)])
    assert not any(at(*place) for place in [(0, -140), (30, -40), (-40, 80), (88, 0), (15, 65), (-60, -140)])


def test_no_soil_in_antarctica_and_inner_greenland(blocks: Blocks, background: np.ndarray) -> None:
    assert np.isnan(background[107:]).all()
    assert np.isnan(background[int((90 - 73) / 1.40625), int((-42 + 180) / 1.40625)])
    antarctic = np.degrees(blocks.const["patchlatr"]) < -62
    assert (blocks.const["patchtype"][antarctic] == 3).all()
    assert antarctic.sum() > 1000


def test_deserts_are_dry_and_rain_forests_are_wet(truth: np.ndarray) -> None:
    def mean(south: float, north: float, west: float, east: float) -> float:
        rows = slice(int((90 - north) / 1.40625), int((90 - south) / 1.40625))
        return float(np.nanmean(truth[rows, int((west + 180) / 1.40625) : int((east + 180) / 1.40625)]))

    dry = [mean(18, 28, -5, 25), mean(18, 28, 42, 52), mean(-30, -22, 122, 138)]
    wet = [mean(-8, 2, -70, -55), mean(-4, 4, 15, 28), mean(-3, 3, 110, 117)]
    moderate = mean(45, 55, 5, 30)
    assert max(dry) < 0.15 < moderate < 0.35
    assert min(wet) > 0.28


def test_land_mask_agrees_with_that_of_gldas(shared: Path) -> None:
    theirs = load(shared / "data/gldas/GLDASp4_landmask_025d.nc4")["GLDAS_mask"][0] == 1
    latitude, longitude = -59.875 + np.arange(600) / 4, -179.875 + np.arange(1440) / 4
    ours = geography.is_land(latitude[:, None], longitude[None, :])
    # Two masks of different origin: they differ at coasts, and only GLDAS has lakes.
    assert (ours == theirs).mean() > 0.98
    assert (ours & theirs).sum() > 0.97 * theirs.sum()


@pytest.mark.parametrize("length", [3.0, 6.5])
def test_random_field_has_the_correlation_asked_for(rng: np.random.Generator, length: float) -> None:
    values = correlated_field(rng, (360, 720), length)
    assert values.mean() == pytest.approx(0.0, abs=1e-12)
    assert values.std() == pytest.approx(1.0)
    for lag in (2, 4, 8, 12):
        expected = np.exp(-((0.5 * lag) ** 2) / (2 * length**2))
        for axis in (0, 1):
            # About 400 independent patches of ground at the longer length: 0.05 is two standard errors and more.
            assert np.mean(values * np.roll(values, lag, axis)) == pytest.approx(expected, abs=0.05)


def test_settings_point_to_the_files(example: Path) -> None:
    settings = read_settings(example / "case.toml", Settings)
    assert settings.method.label == "paper"
    assert settings.model.directory == example / "model/demo"
    assert settings.model.time == datetime(2022, 6, 2, 6, tzinfo=UTC)
    assert Path(f"{settings.model.time:{settings.observation.file}}") == gldas_file(example)
    assert settings.output.directory == example / "analysis"
    assert not settings.output.directory.exists()


def test_example_is_small_and_the_same_every_time(example: Path, tmp_path: Path) -> None:
    def digests(root: Path) -> dict[str, str]:
        files = [path for path in sorted(root.rglob("*")) if path.is_file()]
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert sum(path.stat().st_size for path in example.rglob("*") if path.is_file()) < 40e6
    assert digests(write_example(tmp_path).parent) == digests(example)


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="not an empty folder"):
        write_example(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(OutputError, match=r"mine\.txt"):
        write_example(tmp_path / "mine.txt")
    with pytest.raises(OutputError, match=r"mine\.txt: found a file, expected a folder"):
        write_example(tmp_path / "mine.txt" / "below")
