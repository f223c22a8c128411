"""The observed image of the embedded case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cases import GLDAS
from netCDF4 import Dataset, num2date


def test_observation_is_of_the_time_in_its_name(example: Path) -> None:
    with Dataset(example / GLDAS) as file:
        time = num2date(file["time"][0], file["time"].units.strip())
        assert (time.year, time.month, time.day, time.hour, time.minute) == (2022, 6, 2, 6, 0)
        assert file["time_bnds"][0].tolist() == [file["time"][0] - 180, file["time"][0]]
        moisture = file["SoilMoi0_10cm_inst"]
        assert moisture[:].min() == moisture.vmin
        assert moisture[:].max() == moisture.vmax


def test_observation_says_that_it_is_synthetic(example: Path) -> None:
    with Dataset(example / GLDAS) as file:
        assert "ynthetic" in file.title
        assert file.source == "synthetic"


def test_observation_shows_the_truth(example: Path, truth: np.ndarray) -> None:
    with Dataset(example / GLDAS) as file:
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
    with Dataset(example / GLDAS) as file:
        missing = np.ma.getmaskarray(file["SoilMoi0_10cm_inst"][0])

    def is_missing(latitude: float, longitude: float) -> bool:
        return bool(missing[int((latitude + 60) * 4), int((longitude + 180) * 4)])

    assert all(is_missing(*place) for place in [(0, -140), (30, -40), (-40, 80), (72, -42), (42, 51), (-1, 33)])
    assert not any(is_missing(*place) for place in [(23, 10), (-5, -62), (50, 10), (-25, 133), (60, 100), (39, -95)])
    assert 0.25 < (~missing).mean() < 0.30
