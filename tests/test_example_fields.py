"""The embedded case's truth, and the background that differs from it as a model does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from example_blocks import read_case
from netCDF4 import Dataset

from imgda_mpi.example.case import SEED
from imgda_mpi.example.climate import make_climate
from imgda_mpi.example.fields import make_soil_map, true_moisture
from imgda_mpi.example.files import TIME
from imgda_mpi.example.random_field import correlated_field
from imgda_mpi.example.state import write_state
from imgda_mpi.example.tiles import make_tiles
from imgda_mpi.grid import global_grid


def test_truth_is_the_truths_own_restart_aggregated(example: Path, truth: np.ndarray, tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    tiles = make_tiles(rng, global_grid((128, 256)))
    soil = make_soil_map(rng, tiles)
    write_state(tmp_path, tiles, soil, make_climate(tiles, TIME), true_moisture(rng, tiles, soil))
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


def test_deserts_are_dry_and_rain_forests_are_wet(truth: np.ndarray) -> None:
    def mean(south: float, north: float, west: float, east: float) -> float:
        rows = slice(int((90 - north) / 1.40625), int((90 - south) / 1.40625))
        return float(np.nanmean(truth[rows, int((west + 180) / 1.40625) : int((east + 180) / 1.40625)]))

    dry = [mean(18, 28, -5, 25), mean(18, 28, 42, 52), mean(-30, -22, 122, 138)]
    wet = [mean(-8, 2, -70, -55), mean(-4, 4, 15, 28), mean(-3, 3, 110, 117)]
    moderate = mean(45, 55, 5, 30)
    assert max(dry) < 0.15 < moderate < 0.35
    assert min(wet) > 0.28


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
