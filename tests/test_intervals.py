"""Images of instants, of means, and what is neither."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from image_files import FIELD, GRID, NOON, write_image

from imgda_mpi.faults import InputError
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.observations.image import ObservedImage


def bounded(
    path: Path,
    start: float,
    end: float,
    stamp: float = 12.0,
    *,
    named: bool = True,
    calendar: str = "standard",
    own: dict[str, str] | None = None,
    **attributes: str,
) -> Path:
    """An image whose time has bounds, hours of the day of `NOON`."""
    time = {"units": "hours since 2022-06-03 00:00:00", "calendar": calendar} | (
        {"bounds": "time_bnds"} if named else {}
    )
    write_image(path, FIELD[None], ("time", "lat", "lon"), {"time": (np.array([stamp]), time)}, **attributes)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.createDimension("bnds", 2)
        dataset.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = [[start, end]]
        dataset["time_bnds"].setncatts(own or {})
    return path


def stated(path: Path, attributes: dict[str, str], of_file: dict[str, str], of_time: dict[str, str]) -> Path:
    """An image that says in words what it is of."""
    time = {"units": "hours since 2022-06-03 00:00:00", **of_time}
    write_image(path, FIELD[None], ("time", "lat", "lon"), {"time": (np.array([12.0]), time)}, **attributes)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset.setncatts(of_file)
    return path


def read(path: Path) -> ObservedImage:
    return read_cf(path, GRID, NOON, variable="sm", max_time_offset=3)


def test_the_interval_is_in_the_line_for_logs(tmp_path: Path) -> None:
    image = read(bounded(tmp_path / "a.nc", 9, 12, cell_methods="area: mean time: mean"))
    assert image.source.endswith("at 2022-06-03 12:00 UTC (mean of 2022-06-03 09:00 to 2022-06-03 12:00)")
    assert image.remarks == ()
    # Files of instants may give the interval of their output as bounds.
    image = read(bounded(tmp_path / "b.nc", -12, 12, cell_methods="time: point"))
    assert image.source.endswith("at 2022-06-03 12:00 UTC (instant)")
    assert image.remarks == ()


@pytest.mark.parametrize("cell_methods", ["time: mean", "time: mean (interval: 1 hour)", "area: time: mean", ""])
def test_the_mean_of_more_than_six_hours_is_said(tmp_path: Path, cell_methods: str) -> None:
    image = read(bounded(tmp_path / "a.nc", 0, 24, cell_methods=cell_methods))
    what = "mean" if cell_methods else "values"
    assert image.remarks == (f"{what} of 2022-06-03 00:00 to 2022-06-04 00:00 is taken for an instant",)


@pytest.mark.parametrize(("start", "end"), [(-708, 12), (12, 732), (-100, 12)])
def test_the_mean_of_many_days_is_refused_wherever_its_stamp_is(tmp_path: Path, start: float, end: float) -> None:
    for number, cell_methods in enumerate(("time: mean", "time: point", "")):
        path = bounded(tmp_path / f"{number}.nc", start, end, cell_methods=cell_methods)
        days = (end - start) / 24
        message = (
            rf"{number}.nc: sm: found .* of 2022-.* to .*\({days:.1f} days\), expected soil moisture of an instant"
        )
        with pytest.raises(InputError, match=message):
            read(path)


@pytest.mark.parametrize("method", ["sum", "maximum", "minimum", "standard_deviation", "variance"])
def test_what_is_no_mean_is_refused(tmp_path: Path, method: str) -> None:
    with pytest.raises(InputError, match=f"found cell_methods 'time: {method}', expected soil moisture of an instant"):
        read(bounded(tmp_path / "a.nc", 9, 12, cell_methods=f"time: {method}"))


@pytest.mark.parametrize(
    ("attributes", "of_time"),
    [
        ({"cell_methods": "time: mean within years time: mean over years"}, {}),
        ({}, {"climatology": "climatology_bounds"}),
    ],
)
def test_a_climatology_is_refused(tmp_path: Path, attributes: dict[str, str], of_time: dict[str, str]) -> None:
    with pytest.raises(InputError, match="sm: found a climatology"):
        read(stated(tmp_path / "a.nc", attributes, {}, of_time))


@pytest.mark.parametrize(
    ("attributes", "of_file", "of_time"),
    [
        ({}, {"frequency": "mon"}, {}),
        ({}, {"time_coverage_resolution": "P1M"}, {}),
        ({}, {"frequency": "monC"}, {}),
        ({}, {}, {"time_increment": "1 month"}),
        ({}, {"title": "land surface model output monthly mean"}, {}),
        ({"long_name": "monthly averaged soil moisture"}, {}, {}),
        ({"GRIB_stepType": "avgua"}, {}, {}),
    ],
)
def test_monthly_means_are_refused_by_what_the_file_says(tmp_path: Path, attributes, of_file, of_time) -> None:
    with pytest.raises(InputError, match=r"sm: found (values|mean) of about 720 h \(30.0 days\)"):
        read(stated(tmp_path / "a.nc", attributes, of_file, of_time))


@pytest.mark.parametrize(
    ("words", "days"),
    [("8-day", 8), ("10 days", 10), ("P8D", 8), ("P1Y", 365), ("16 day composite", 16), ("weekly", 7)],
)
def test_composites_of_many_days_are_refused(tmp_path: Path, words: str, days: int) -> None:
    with pytest.raises(InputError, match=rf"\({days}.0 days\)"):
        read(stated(tmp_path / "a.nc", {}, {"time_coverage_resolution": words}, {}))


@pytest.mark.parametrize("words", ["PT3H", "3hr", "3hrPt", "6 hourly", "PT30M", "fx", "180"])
def test_short_intervals_pass_without_a_word(tmp_path: Path, words: str) -> None:
    assert read(stated(tmp_path / "a.nc", {}, {"frequency": words}, {})).remarks == ()


def test_a_mean_of_an_interval_that_is_not_given_is_said(tmp_path: Path) -> None:
    image = read(stated(tmp_path / "a.nc", {"cell_methods": "time: mean"}, {}, {}))
    assert image.remarks == ("a mean of an interval that the file does not give is taken for an instant",)


def test_a_daily_product_is_said_and_an_output_of_instants_is_not(tmp_path: Path) -> None:
    daily = read(stated(tmp_path / "a.nc", {}, {"frequency": "day"}, {}))
    assert daily.remarks == ("values of about 24 h is taken for an instant",)
    assert read(stated(tmp_path / "b.nc", {"cell_methods": "time: point"}, {"frequency": "day"}, {})).remarks == ()
    # Minutes of GLDAS, seconds of others: a number alone says nothing.
    assert read(stated(tmp_path / "c.nc", {}, {"frequency": "3hr"}, {"time_increment": "180"})).remarks == ()


def test_a_time_outside_its_bounds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"time_bnds: found 2022-06-03 00:00 to 2022-06-03 06:00, expected an interval"
    ):
        read(bounded(tmp_path / "a.nc", 0, 6))


def test_bounds_of_the_usual_name_need_no_attribute(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(30.0 days\)"):
        read(bounded(tmp_path / "a.nc", 0, 720, named=False))


def test_times_that_are_days_apart_are_said_where_nothing_says_of_what_they_are(tmp_path: Path) -> None:
    def monthly(name: str, **attributes: str) -> ObservedImage:
        time = (np.array([12.0, 732.0]), {"units": "hours since 2022-06-03 00:00:00"})
        field = np.stack([FIELD, FIELD])
        return read(write_image(tmp_path / name, field, ("time", "lat", "lon"), {"time": time}, **attributes))

    said = "times are 30 days apart, and nothing says that the image is of an instant"
    assert monthly("a.nc").remarks == (said,)
    assert monthly("b.nc", cell_methods="time: point").remarks == ()


def test_bounds_without_a_calendar_have_that_of_the_time(tmp_path: Path) -> None:
    units = {"units": "hours since 2022-06-03 00:00:00"}
    image = read(bounded(tmp_path / "a.nc", 9, 12, calendar="noleap", own=units, cell_methods="time: mean"))
    assert "(mean of 2022-06-03 09:00 to 2022-06-03 12:00)" in image.source


def test_a_stamp_in_single_precision_may_be_minutes_past_its_interval(tmp_path: Path) -> None:
    assert "(values of 2022-06-03 11:00 to 2022-06-03 12:00)" in read(bounded(tmp_path / "a.nc", 11, 12, 12.05)).source


@pytest.mark.parametrize(
    ("attributes", "of_file", "of_time"),
    [
        ({}, {"Title": "MERRA2 tavgM_2d_lnd_Nx: 2d,Monthly mean,Time-Averaged"}, {}),
        ({"statistic": "Long Term Mean"}, {}, {}),
        ({"long_name": "8-day composite of soil moisture"}, {}, {}),
        ({"GRIB_stream": "moda"}, {}, {}),
        ({"cell_methods": "time: mean (interval: 1 month)"}, {}, {}),
        ({}, {}, {"avg_period": "0000-01-00 00:00:00"}),
        ({}, {"time_coverage_resolution": "P0Y1M0D"}, {}),
        ({}, {"frequency": "dekadal"}, {}),
    ],
)
def test_means_of_many_days_are_refused_in_whatever_words(tmp_path: Path, attributes, of_file, of_time) -> None:
    with pytest.raises(InputError, match=r"sm: found (values|mean) of about \d+ h \(\d+.0 days\)"):
        read(stated(tmp_path / "a.nc", attributes, of_file, of_time))


@pytest.mark.parametrize(
    ("attributes", "of_file", "said"),
    [
        ({"long_name": "monthly soil moisture"}, {}, "'monthly' in long_name"),
        ({}, {"summary": "weekly fields"}, "'weekly' in summary"),
        ({}, {"time_coverage_duration": "P1M"}, "time_coverage_duration is P1M"),
    ],
)
def test_what_may_be_a_long_mean_is_said(tmp_path: Path, attributes, of_file, said: str) -> None:
    (remark,) = read(stated(tmp_path / "a.nc", attributes, of_file, {})).remarks
    assert remark.startswith(said)


@pytest.mark.parametrize("kind", ["accum", "max", "min"])
def test_sums_and_extremes_of_grib_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InputError, match=f"found GRIB_stepType '{kind}'"):
        read(stated(tmp_path / "a.nc", {"GRIB_stepType": kind}, {}, {}))
    assert "(instant)" in read(stated(tmp_path / "b.nc", {"GRIB_stepType": "instant"}, {}, {})).source


@pytest.mark.parametrize("attributes", [{}, {"calendar": "standard"}, {"units": "hours since 2022-06-03 00:00:00"}])
@pytest.mark.parametrize(("start", "refused"), [(9.0, False), (-708.0, True)])
def test_a_single_time_has_bounds_too(tmp_path: Path, attributes: dict[str, str], start: float, refused: bool) -> None:
    path = write_image(tmp_path / "a.nc", coordinates=None)
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["sm"].coordinates = "time"
        dataset.createVariable("time", "f8", ())[...] = 12.0
        since = "hours since 2022-06-03 00:00:00"
        dataset["time"].setncatts({"units": since, "standard_name": "time", "bounds": "time_bnds"})
        dataset.createDimension("bnds", 2)
        dataset.createVariable("time_bnds", "f8", ("bnds",))[:] = [start, 12.0]
        dataset["time_bnds"].setncatts(attributes)
    if refused:
        with pytest.raises(InputError, match=r"\(30.0 days\)"):
            read(path)
    else:
        assert "(values of 2022-06-03 09:00 to 2022-06-03 12:00)" in read(path).source


@pytest.mark.parametrize(
    "title",
    [
        "International Satellite Land Surface Climatology Project (ISLSCP II)",
        "3-hourly soil moisture, forced by the Global Precipitation Climatology Centre",
        "Hourly reanalysis, not the monthly mean",
    ],
)
def test_longer_words_for_something_else_do_not_refuse_a_file(tmp_path: Path, title: str) -> None:
    assert read(stated(tmp_path / "a.nc", {}, {"title": title}, {})).observed.all()
