from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import cftime
import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_grid, write_image
from point_lists import write_points

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.point_files import read_points


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


def test_times_of_each_pixel_are_not_read_and_said(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createVariable("time", "f8", ("lat", "lon")).units = SINCE
    assert read_cf(path, GRID, NOON, variable="sm").remarks == (
        "the file has times time(lat, lon) that are not read: the image's is the one that is stated",
    )
    with pytest.raises(InputError, match=r"found no time coordinate of the image \(but time\(lat, lon\)\), expected"):
        read_cf(path, GRID, NOON, variable="sm", max_time_offset=24)


@pytest.mark.parametrize("read", ["grid", "points"])
def test_other_days_that_a_file_without_time_covers_are_said(tmp_path: Path, read: str) -> None:
    path = tmp_path / "a.nc"

    def remarks() -> tuple[str, ...]:
        if read == "grid":
            return read_cf(path, GRID, NOON, variable="sm").remarks
        return read_points(path, GRID, NOON, variable="sm").remarks

    (write_image if read == "grid" else write_points)(path, units="m3 m-3")
    for start, end, is_said in (
        ("2022-06-03", "2022-06-03T23:59:59Z", False),
        ("20220601T000000Z", "", True),
        ("2021-06-03", "2021-06-04", True),
        ("unknown", "2021", False),
    ):
        with netCDF4.Dataset(path, "a") as file:
            file.setncatts({"time_coverage_start": start, "time_coverage_end": end})
        assert [f"covers {start} to {end or start}" in said for said in remarks()] == [True] * is_said


def test_missing_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"time: found 1 of 2 without a value, expected a date for each record"):
        read_cf(timed(tmp_path / "b.nc", 12, np.nan), GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ("months since 2022-01-01", "calendar 'standard': a unit not known, .* expected days, hours, .*settunits"),
        ("weeks since 2022-01-01", "a unit not known, or not of one length"),
        ("days since 0000-01-01", "a year 0, which that calendar has not, .*set calendar to proleptic_gregorian"),
    ],
)
def test_units_without_dates_are_said_to_be_that(tmp_path: Path, units: str, said: str) -> None:
    vector = {"time": (np.array([5.0]), {"units": units})}
    path = write_image(tmp_path / "a.nc", FIELD[None], ("time", "lat", "lon"), vector)
    with pytest.raises(InputError, match=f"a.nc: time: found units '{units}', .*{said}"):
        read_cf(path, GRID, NOON, variable="sm")


CALENDARS = ["noleap", "365_day", "julian", "all_leap", "366_day", "360_day", "standard", "proleptic_gregorian"]


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("day", ["2022-06-03", "2000-03-01", "1999-02-28"])
def test_a_date_of_any_calendar_is_ours_of_the_same_name(tmp_path: Path, calendar: str, day: str) -> None:
    year, month, number = map(int, day.split("-"))
    units = "days since 1980-05-12"
    days = cftime.date2num(cftime.datetime(year, month, number, 12, calendar=calendar), units, calendar)
    # A year before and after, in which one of the dates is not there in one calendar or the other.
    field = np.stack([FIELD, FIELD + 0.01, FIELD])
    vector = (days + np.array([-361.0, -1e-7, 361.0]), {"units": units, "calendar": calendar})
    path = write_image(tmp_path / "a.nc", field, ("time", "lat", "lon"), {"time": vector})
    noon = datetime(year, month, number, 12, tzinfo=UTC)
    image = read_cf(path, GRID, noon, variable="sm", max_time_offset=0)
    assert image.time == noon
    np.testing.assert_array_equal(image.values, FIELD + 0.01)


@pytest.mark.parametrize(
    ("calendar", "day"), [("360_day", (2022, 2, 30)), ("all_leap", (2022, 2, 29)), ("julian", (1900, 2, 29))]
)
def test_a_date_that_is_none_of_ours_is_passed_over_or_named(tmp_path: Path, calendar, day) -> None:
    hours = cftime.date2num(cftime.datetime(*day, calendar=calendar), SINCE, calendar)
    found = "{}-{:02d}-{}".format(*day)
    with pytest.raises(InputError, match=f"time: found {found} of calendar '{calendar}', no date of ours"):
        read_cf(timed(tmp_path / "a.nc", hours, calendar=calendar), GRID, NOON, variable="sm")
    image = read_cf(timed(tmp_path / "a.nc", hours, 12, calendar=calendar), GRID, NOON, variable="sm")
    np.testing.assert_array_equal(image.values, FIELD + 0.01)


def test_the_last_moment_before_a_day_is_rounded_in_the_calendar_of_the_file(tmp_path: Path) -> None:
    # 2020-02-28 23:59:59.99 is followed by 1 March where there is no leap day.
    vector = (np.array([59.0 - 1e-7]), {"units": "days since 2020-01-01", "calendar": "noleap"})
    path = write_image(tmp_path / "a.nc", FIELD[None], ("time", "lat", "lon"), {"time": vector})
    assert read_cf(path, GRID, NOON, variable="sm").time == datetime(2020, 3, 1, tzinfo=UTC)


def test_an_unknown_calendar_is_named(tmp_path: Path) -> None:
    path = write_image(
        tmp_path / "a.nc", FIELD[None], ("time", "lat", "lon"), {"time": time_vector(12, calendar="hebrew")}
    )
    with pytest.raises(InputError, match=r"time: found calendar 'hebrew', expected one of standard, .*noleap"):
        read_cf(path, GRID, NOON, variable="sm")


SINCE = "hours since 2022-06-03 00:00:00"


def with_times(path: Path, *, along: bool, **coordinates: tuple[float, dict[str, str]]) -> Path:
    """One image with several coordinates that are times, along a dimension or single."""
    with netCDF4.Dataset(path, "w") as dataset:
        dataset.createDimension("record", 1)
        dataset.createDimension("time", 1)
        write_grid(dataset, GRID)
        first = next(iter(coordinates)) if next(iter(coordinates)) == "time" else "record"
        for name, (value, attributes) in coordinates.items():
            dataset.createVariable(name, "f8", (first,) if along else ())[...] = value
            dataset[name].setncatts(attributes)
        variable = dataset.createVariable("sm", "f8", ((first,) if along else ()) + ("lat", "lon"))
        variable[...] = FIELD
        variable.setncatts({"units": "m3 m-3", "coordinates": " ".join(coordinates)})
    return path


FORECAST = {
    "time": (0.0, {"units": SINCE, "standard_name": "forecast_reference_time"}),
    "step": (12.0, {"units": "hours", "standard_name": "forecast_period"}),
}
VALID = {"valid_time": (12.0, {"units": SINCE, "standard_name": "time"})}


@pytest.mark.parametrize("along", [True, False])
def test_the_time_of_a_forecast_is_that_for_which_it_is_valid(tmp_path: Path, along: bool) -> None:
    path = with_times(tmp_path / "a.nc", along=along, **FORECAST, **VALID)
    assert read_cf(path, GRID, NOON, variable="sm", max_time_offset=0).time == NOON
    with pytest.raises(InputError, match=r"found 2022-06-03 12:00 UTC as the nearest"):
        read_cf(path, GRID, NOON - timedelta(hours=12), variable="sm", max_time_offset=3)


@pytest.mark.parametrize("long", ["time", "step"])
def test_a_valid_time_of_one_step_of_many_forecasts_is_a_vector(tmp_path: Path, long: str) -> None:
    # As cfgrib and the Climate Data Store have them: valid_time along both, one of one index.
    values = np.stack([FIELD + 0.1, FIELD])
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as dataset:
        write_grid(dataset, GRID)
        for name in ("time", "step"):
            dataset.createDimension(name, 2 if name == long else 1)
            (start, attributes), hours = FORECAST[name], [0.0, 24.0] if name == long else [0.0]
            dataset.createVariable(name, "f8", (name,))[:] = start + np.array(hours)
            dataset[name].setncatts(attributes)
        dataset.createVariable("valid_time", "f8", ("time", "step"))[:] = [12.0, 36.0]
        dataset["valid_time"].setncatts(VALID["valid_time"][1])
        dataset.createVariable("sm", "f8", ("time", "step", "lat", "lon"))[:] = values.reshape(
            *dataset["valid_time"].shape, *FIELD.shape
        )
        dataset["sm"].units = "m3 m-3"
    image = read_cf(tmp_path / "a.nc", GRID, NOON + timedelta(days=1), variable="sm", max_time_offset=0)
    np.testing.assert_array_equal(image.values, FIELD)


@pytest.mark.parametrize("along", [True, False])
@pytest.mark.parametrize("stated", [{"standard_name": "forecast_reference_time"}, {"long_name": "initial time"}])
def test_the_start_of_a_forecast_alone_is_no_time(tmp_path: Path, along: bool, stated: dict[str, str]) -> None:
    forecast = FORECAST | {"time": (0.0, {"units": SINCE, **stated})}
    path = with_times(tmp_path / "a.nc", along=along, **forecast)
    with pytest.raises(
        InputError, match="time: found the start of a forecast as the only time, expected also the time"
    ):
        read_cf(path, GRID, NOON, variable="sm")


@pytest.mark.parametrize("along", [True, False])
@pytest.mark.parametrize(
    "attributes",
    [
        {"units": "day as %Y%m%d.%f"},
        {"units": "days", "axis": "T"},
        {"units": "months", "standard_name": "time"},
        {"units": "Julian day"},
        {},
    ],
)
@pytest.mark.parametrize("max_time_offset", [3.0, np.inf])
def test_a_time_that_is_not_understood_is_an_error_with_any_limit(
    tmp_path: Path, along: bool, attributes: dict[str, str], max_time_offset: float
) -> None:
    written = {"creation_time": (12.0, {"units": SINCE, "long_name": "time of processing"})}
    path = with_times(tmp_path / "a.nc", along=along, time=(20220603.0, attributes), **written)
    with pytest.raises(InputError, match=f"time: found units '{attributes.get('units', '')}', expected units like"):
        read_cf(path, GRID, NOON, variable="sm", max_time_offset=max_time_offset)


def test_the_time_of_processing_is_not_that_of_the_image(tmp_path: Path) -> None:
    written = {"creation_time": (12.0, {"units": SINCE, "long_name": "time of processing"})}
    with pytest.raises(InputError, match="found no time coordinate"):
        read_cf(with_times(tmp_path / "a.nc", along=True, **written), GRID, NOON, variable="sm", max_time_offset=24)


def test_two_times_that_may_both_be_meant_are_refused(tmp_path: Path) -> None:
    both = {name: (12.0, {"units": SINCE}) for name in ("sensing", "overpass")}
    with pytest.raises(InputError, match="sensing: found times sensing, overpass, expected one that is the time"):
        read_cf(with_times(tmp_path / "a.nc", along=True, **both), GRID, NOON, variable="sm")


@pytest.mark.parametrize("filled", [0, 1])
def test_of_two_records_of_a_time_the_one_with_values_is_read_and_said(tmp_path: Path, filled: int) -> None:
    field = np.full((2, *FIELD.shape), np.nan)
    field[filled] = FIELD
    path = write_image(tmp_path / "a.nc", field, ("time", "lat", "lon"), {"time": time_vector(12, 12)})
    image = read_cf(path, GRID, NOON, variable="sm", max_time_offset=0)
    np.testing.assert_array_equal(image.values, FIELD)
    assert image.remarks == (f"2 records of this time: number {filled} is read, the others have no value",)


def test_two_records_of_a_time_that_both_have_values_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sm: found 2 records of 2022-06-03 12:00 UTC with values"):
        read_cf(timed(tmp_path / "a.nc", 12, 12), GRID, NOON, variable="sm")


@pytest.mark.parametrize(
    "name", ["init_time", "base_time", "issue_time", "model_run", "initial_time0_hours", "reftime"]
)
def test_the_start_of_a_run_by_its_name_is_not_the_time(tmp_path: Path, name: str) -> None:
    path = with_times(tmp_path / "a.nc", along=False, **{name: (12.0, {"units": SINCE})})
    with pytest.raises(InputError, match=f"{name}: found the start of a forecast as the only time"):
        read_cf(path, GRID, NOON, variable="sm")


def test_a_time_beside_a_lead_is_the_start_of_a_forecast_unless_the_lead_is_0(tmp_path: Path) -> None:
    for lead in (120.0, 0.0):
        times = {"time": (12.0, {"units": SINCE}), "step": (lead, {"units": "hours"})}
        path = with_times(tmp_path / f"{lead:g}.nc", along=False, **times)
        if lead:
            with pytest.raises(InputError, match="time: found the start of a forecast, and step from there"):
                read_cf(path, GRID, NOON, variable="sm")
        else:
            assert read_cf(path, GRID, NOON, variable="sm", max_time_offset=0).time == NOON


def test_a_time_in_words_is_no_file_without_time(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", FIELD[None], ("Time", "lat", "lon"))
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createDimension("length", 19)
        dataset.createVariable("Times", "S1", ("Time", "length"))[:] = netCDF4.stringtochar(
            np.array(["2022-06-03_12:00:00"], "S19")
        )
    with pytest.raises(InputError, match="Times: found a time in words or numbers"):
        read_cf(path, GRID, NOON, variable="sm")


def test_the_times_of_other_variables_are_not_those_of_a_field_without_time(tmp_path: Path) -> None:
    path = timed(tmp_path / "a.nc", 0, 6, 12)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createVariable("fixed", "f8", ("lat", "lon"))[:] = FIELD
        dataset["fixed"].units = "m3 m-3"
    assert read_cf(path, GRID, NOON, variable="fixed").source.endswith("(stated, the file has none)")


@pytest.mark.parametrize(
    ("units", "hours"),
    [
        ("+08:00", 20.0),
        ("-06:00", 6.0),
        ("-6:00", 6.0),
        ("+8", 20.0),
        ("UTC", 12.0),
        ("(UTC)", 12.0),
        ("Z", 12.0),
        ("0:00", 12.0),  # wgrib2
        ("+00:00", 12.0),
        ("00:00:0.0", 12.0),
        ("", 12.0),
    ],
)
def test_a_zone_in_the_units_is_believed(tmp_path: Path, units: str, hours: float) -> None:
    text = f"hours since 2022-06-03 {units if ':0.0' in units else f'00:00:00 {units}'}"
    path = with_times(tmp_path / "a.nc", along=True, time=(hours, {"units": text}))
    assert read_cf(path, GRID, NOON, variable="sm", max_time_offset=0).time == NOON


@pytest.mark.parametrize("units", ["2022-06-03 00:00 EST", "2022-06-03 00:00 Asia/Shanghai", "20220603", "2022/06/03"])
def test_units_that_the_library_would_read_in_part_are_refused(tmp_path: Path, units: str) -> None:
    path = with_times(tmp_path / "a.nc", along=True, time=(12.0, {"units": f"hours since {units}"}))
    with pytest.raises(InputError, match=f"time: found units 'hours since {units}', expected units like"):
        read_cf(path, GRID, NOON, variable="sm")


def test_what_is_no_lead_by_its_units_does_not_count(tmp_path: Path) -> None:
    times = {"time": (12.0, {"units": SINCE}), "tau": (0.11, {"units": "1", "long_name": "vegetation optical depth"})}
    path = with_times(tmp_path / "a.nc", along=False, **times)
    assert read_cf(path, GRID, NOON, variable="sm", max_time_offset=0).time == NOON


def test_a_file_without_a_record_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.nc", np.empty((0, *FIELD.shape)), ("rec", "lat", "lon"))
    with pytest.raises(InputError, match="sm: found no record along rec"):
        read_cf(path, GRID, NOON, variable="sm")
