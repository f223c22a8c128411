from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_grid, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf


def time_vector(*hours: float, calendar: str = "standard") -> tuple[np.ndarray, dict[str, str]]:
    return np.array(hours), {"units": "hours since 2022-06-03 00:00:00", "calendar": calendar}


def timed(path: Path, *hours: float, calendar: str = "standard") -> Path:
    field = np.stack([FIELD + 0.01 * step for step in range(len(hours))])
    return write_image(path, field, ("time", "lat", "lon"), {"time": time_vector(*hours, calendar=calendar)})


@pytest.mark.parametrize(
    ("wanted", "step"), [(NOON, 2), (NOON + timedelta(hours=2.9), 2), (NOON + timedelta(hours=3.1), 3)]
)
def test_the_nearest_time_is_read_and_reported(tmp_path: Path, wanted: datetime, step: int) -> None:
    image = read_cf(
        timed(tmp_path / "a.nc", 0, 6, 12, 18), GRID, wanted, variable="sm", max_time_offset=3, valid_range=(0.0, 0.7)
    )
    assert image.time == datetime(2022, 6, 3, 6 * step, tzinfo=UTC)
    np.testing.assert_allclose(image.values, FIELD + 0.01 * step, rtol=1e-14)


def test_a_wanted_time_in_another_zone_is_the_same_instant(tmp_path: Path) -> None:
    beijing = datetime(2022, 6, 3, 20, tzinfo=timezone(timedelta(hours=8)))
    image = read_cf(timed(tmp_path / "a.nc", 11.5, 12.0, 12.5), GRID, beijing, variable="sm", max_time_offset=0)
    assert image.time == NOON
    assert image.time.tzinfo is UTC


def test_times_are_rounded_to_the_second(tmp_path: Path) -> None:
    image = read_cf(timed(tmp_path / "a.nc", 11.9999999), GRID, NOON, variable="sm", max_time_offset=0)
    assert image.time == NOON


def test_a_reference_time_along_the_same_dimension_is_not_the_time(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        dataset.createDimension("time", 2)
        for name, hours in (("reference", [0.0, 0.0]), ("time", [6.0, 12.0])):
            dataset.createVariable(name, "f8", ("time",))[:] = hours
            dataset[name].units = "hours since 2022-06-03 00:00:00"
        write_grid(dataset, GRID)
        dataset.createVariable("sm", "f8", ("time", "lat", "lon"))[:] = np.stack([FIELD, FIELD])
        dataset["sm"].units = "m3 m-3"
    assert read_cf(tmp_path / "a.nc", GRID, NOON, variable="sm", max_time_offset=0).time == NOON


def test_a_time_too_far_away_is_refused_unless_no_limit_is_set(tmp_path: Path) -> None:
    path = timed(tmp_path / "a.nc", 0, 6)
    message = (
        r"found 2022-06-03 06:00 UTC as the nearest of 2 .*expected 2022-06-03 12:00 UTC ± 1.5 h.*raise max_time_offset"
    )
    with pytest.raises(InputError, match=message):
        read_cf(path, GRID, NOON, variable="sm", max_time_offset=1.5)
    assert read_cf(path, GRID, NOON, variable="sm").time == datetime(2022, 6, 3, 6, tzinfo=UTC)


def test_a_file_without_time_is_refused_where_a_limit_is_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no time coordinate, expected 2022-06-03 12:00 UTC ± 24 h"):
        read_cf(write_image(tmp_path / "a.nc"), GRID, NOON, variable="sm", max_time_offset=24)


def test_model_calendars_and_missing_times_are_refused(tmp_path: Path) -> None:
    for path in (timed(tmp_path / "a.nc", 12, calendar="noleap"), timed(tmp_path / "b.nc", 12, np.nan)):
        with pytest.raises(InputError, match="time: found times that give no dates"):
            read_cf(path, GRID, NOON, variable="sm")
