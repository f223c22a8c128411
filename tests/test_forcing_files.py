"""Weather from files: what is read, when, and what is refused."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from image_files import GRID, write_grid
from mpi4py import MPI

from imgda_mpi.columns import forcing_records
from imgda_mpi.columns.forcing_files import ForcingFiles, open_forcing
from imgda_mpi.columns.quantities import QUANTITIES
from imgda_mpi.columns.weather import Weather
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid

DAY = datetime(2022, 6, 2, tzinfo=UTC)
UNITS = "hours since 2022-06-02 00:00:00"
NAMES = dict(zip(Weather._fields, ("pr", "rsds", "rlds", "tas", "huss", "sfcWind", "ps"), strict=True))
USUAL = dict(zip(Weather._fields, (1e-4, 300.0, 350.0, 290.0, 0.01, 3.0, 1e5), strict=True))
CELL = np.array([3, 17, 17, 40])  # soil patches; two share a cell


def write_weather(
    path: Path,
    hours: Iterable[float],
    *,
    quantities: Iterable[str] = Weather._fields,
    grid: Grid = GRID,
    bounds: float | None = None,
    units: dict[str, str] | None = None,
    values: dict[str, Any] | None = None,
    standard_names: bool = True,
    dimensions: tuple[str, ...] = ("time", "lat", "lon"),
    dtype: str = "f8",
    time_units: str = UNITS,
) -> Path:
    """A file of the usual values, a thousandth more every hour; ``values`` are (time, lat, lon) or broadcast.

    With ``bounds`` records are of so many hours, and their time is the end.
    """
    times = np.array(list(hours), float)
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, grid)
        file.createDimension("time", times.size)
        file.createVariable("time", "f8", ("time",))[:] = times
        file["time"].setncatts({"units": time_units, "standard_name": "time"})
        if bounds is not None:
            file["time"].bounds = "time_bounds"
            file.createDimension("two", 2)
            file.createVariable("time_bounds", "f8", ("time", "two"))[:] = np.stack([times - bounds, times], axis=1)
        for quantity in (q for q in QUANTITIES if q.name in quantities):
            variable = file.createVariable(NAMES[quantity.name], dtype, dimensions, fill_value=-9999.0)
            variable.units = (units or {}).get(quantity.name, quantity.unit)
            if standard_names:
                variable.standard_name = quantity.standard_names[0]
            usual = USUAL[quantity.name] * (1 + 0.001 * times[:, None, None])
            field = np.broadcast_to((values or {}).get(quantity.name, usual), (times.size, *grid.shape))
            variable[:] = field.transpose([("time", "lat", "lon").index(d) for d in dimensions])
    return path


def opened(*files: Path | str, hours: float = 24, start: datetime = DAY, **more: Any) -> ForcingFiles:
    arguments = {"comm": MPI.COMM_SELF, "grid": GRID, "cell": CELL} | more
    return open_forcing(files=files, start=start, end=start + timedelta(hours=hours), **arguments)


def temperatures(weather: ForcingFiles, *hours: float) -> list[float]:
    return [float(weather.hour(DAY + timedelta(hours=hour)).temperature[0]) for hour in hours]


def expected(*hours: float) -> Any:
    return pytest.approx([290.0 * (1 + 0.001 * hour) for hour in hours], rel=1e-12)


def test_values_are_those_of_the_own_cells(tmp_path: Path, rng: np.random.Generator) -> None:
    fields = {name: value * rng.uniform(0.9, 1.1, (24, *GRID.shape)) for name, value in USUAL.items()}
    weather = opened(write_weather(tmp_path / "a.nc", range(24), values=fields)).hour(DAY + timedelta(hours=5))
    for name, values in weather._asdict().items():
        np.testing.assert_array_equal(values, fields[name][5].ravel()[CELL], err_msg=name)


def test_columns_before_rows_are_turned(tmp_path: Path, rng: np.random.Generator) -> None:
    field = rng.uniform(280, 300, (24, *GRID.shape))
    path = write_weather(tmp_path / "a.nc", range(24), values={"temperature": field}, dimensions=("lon", "time", "lat"))
    np.testing.assert_array_equal(opened(path).hour(DAY).temperature, field[0].ravel()[CELL])


def test_records_hold_to_the_next(tmp_path: Path) -> None:
    weather = opened(write_weather(tmp_path / "a.nc", range(0, 24, 6)))
    assert temperatures(weather, 0, 5, 6, 23) == expected(0, 0, 6, 18)
    assert "records of 6 h" in weather.summary


def test_bounds_say_what_time_a_record_is_of(tmp_path: Path) -> None:
    weather = opened(write_weather(tmp_path / "a.nc", range(3, 25, 3), bounds=3))
    assert temperatures(weather, 0, 2, 3, 23) == expected(3, 3, 6, 24)


def test_hours_are_means_by_overlap(tmp_path: Path) -> None:
    halves = opened(write_weather(tmp_path / "a.nc", np.arange(0, 24, 0.5)))
    assert temperatures(halves, 0, 7) == expected(0.25, 7.25)
    # From 23:40 on the day before: 40 minutes of one record and 20 of the next.
    shifted = opened(write_weather(tmp_path / "b.nc", np.arange(-1, 25) + 2 / 3))
    assert temperatures(shifted, 0, 7) == expected(0, 7)


def test_a_pattern_gives_the_files_of_all_hours(tmp_path: Path) -> None:
    for day in range(3):
        write_weather(tmp_path / f"a2022060{2 + day}.nc", np.arange(24 * day, 24 * day + 24, 3))
    weather = opened(tmp_path / "a%Y%m%d.nc", hours=60)
    assert temperatures(weather, 22, 23, 24, 59) == expected(21, 21, 24, 57)


def test_files_that_share_midnight_and_reach_into_their_neighbours_fit_together(tmp_path: Path) -> None:
    for day in range(3):
        write_weather(tmp_path / f"a2022060{2 + day}.nc", np.arange(24 * day, 24 * day + 25, 1))
        write_weather(tmp_path / f"b2022060{2 + day}.nc", np.arange(24 * day, 24 * day + 24, 1), bounds=1)
    assert temperatures(opened(tmp_path / "a%Y%m%d.nc", hours=48), 23, 24) == expected(23, 24)
    # The record of the last hour is in the file of the next day.
    assert temperatures(opened(tmp_path / "b%Y%m%d.nc", hours=48), 23, 47) == expected(24, 48)


def test_quantities_may_be_in_several_files_under_other_names(tmp_path: Path) -> None:
    names = {"rain": "pr", "wind": "sfcWind"}
    one = write_weather(tmp_path / "a.nc", range(24), quantities=names, standard_names=False)
    two = write_weather(tmp_path / "b.nc", range(0, 24, 6), quantities=set(Weather._fields) - names.keys())
    weather = opened(one, two, variables=names).hour(DAY + timedelta(hours=7))
    assert weather.wind[0] == pytest.approx(3.0 * 1.007)
    assert weather.temperature[0] == pytest.approx(290.0 * 1.006)
    with pytest.raises(InputError, match=r"a\.nc: rain: found no such variable, expected one with standard_name prec"):
        opened(one, two)
    with pytest.raises(ValueError, match="no quantities"):
        opened(one, two, variables={"rainfall": "pr"})


@pytest.mark.parametrize(
    ("name", "units", "factor", "term"),
    [
        ("rain", "mm/hr", 3600.0, 0.0),
        ("rain", "mm day-1", 86400.0, 0.0),
        ("rain", "kg/m^2/s", 1.0, 0.0),
        ("rain", "kg m**-2 h**-1", 3600.0, 0.0),
        ("rain", "mm s-1", 1.0, 0.0),
        ("temperature", "degC", 1.0, -273.15),
        ("pressure", "hPa", 0.01, 0.0),
        ("humidity", "g/kg", 1000.0, 0.0),
        ("humidity", "1", 1.0, 0.0),
        ("humidity", "kg/kg", 1.0, 0.0),
        ("shortwave", "W/m2", 1.0, 0.0),
        ("wind", "m/s", 1.0, 0.0),
    ],
)
def test_units_are_converted(tmp_path: Path, name: str, units: str, factor: float, term: float) -> None:
    values = {name: factor * USUAL[name] + term}
    path = write_weather(tmp_path / "a.nc", range(24), units={name: units}, values=values)
    np.testing.assert_allclose(getattr(opened(path).hour(DAY), name), USUAL[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "units"), [("rain", "m"), ("rain", "mm 3h-1"), ("shortwave", "J m-2"), ("humidity", ""), ("wind", "knots")]
)
def test_unknown_units_are_refused(tmp_path: Path, name: str, units: str) -> None:
    path = write_weather(tmp_path / "a.nc", range(24), units={name: units})
    found = f"units '{units}'" if units else "no units attribute"
    with pytest.raises(InputError, match=f"{NAMES[name]}: found {found}, expected one of "):
        opened(path)


@pytest.mark.parametrize(
    ("hours", "bounds", "missing"),
    [
        pytest.param([*range(8), *range(10, 24)], None, "02 08:00", id="within a file"),
        pytest.param(range(1, 24), None, "02 00:00", id="at the start"),
        pytest.param(range(20), None, "02 20:00", id="at the end"),
        pytest.param([*range(1, 7), *range(8, 25)], 1.0, "02 06:00", id="between bounds"),
        pytest.param(range(24, 48), None, "02 00:00", id="another day"),
    ],
)
def test_the_first_hour_missing_is_named(
    tmp_path: Path, hours: Iterable[float], bounds: float | None, missing: str
) -> None:
    path = write_weather(tmp_path / "a.nc", hours, bounds=bounds)
    with pytest.raises(InputError, match=f"pr: found no record of rain for the hour from 2022-06-{missing} UTC"):
        opened(path)


def test_a_file_missing_among_many_is_named(tmp_path: Path) -> None:
    for day in (0, 2):
        write_weather(tmp_path / f"a2022060{2 + day}.nc", np.arange(24 * day, 24 * day + 24, 3))
    with pytest.raises(InputError, match=r"a20220603\.nc: found no such file"):
        opened(tmp_path / "a%Y%m%d.nc", hours=72)


def test_records_twice_or_without_a_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two records of rain at 2022-06-02 05:00"):
        opened(write_weather(tmp_path / "a.nc", [*range(6), *range(5, 24)]))
    with pytest.raises(InputError, match="two records of rain"):
        opened(write_weather(tmp_path / "b.nc", range(1, 25), bounds=2))
    with pytest.raises(InputError, match="one record without bounds"):
        opened(write_weather(tmp_path / "c.nc", [0]), hours=1)
    with pytest.raises(InputError, match="no intervals of time"):
        opened(write_weather(tmp_path / "d.nc", range(1, 25), bounds=0))


def test_another_grid_is_refused(tmp_path: Path) -> None:
    path = write_weather(tmp_path / "a.nc", range(24), grid=Grid(GRID.latitude + 0.1, GRID.longitude))
    with pytest.raises(
        InputError, match=r"found 6 x 8 cells, latitude 10.1 to 15.1, .* expected .* latitude 10 to 15, .*remap"
    ):
        opened(path)


def test_the_cells_of_the_model_are_taken_from_a_file_that_has_them_in_another_order(tmp_path: Path) -> None:
    """From south to north, longitudes of another range and start, and more rows and columns than the model's."""
    rain = np.linspace(1e-5, 2e-5, GRID.shape[0] * GRID.shape[1]).reshape(GRID.shape)
    usual = opened(write_weather(tmp_path / "a.nc", range(24), values={"rain": rain})).hour(DAY).rain
    around = np.roll(np.arange(GRID.longitude.size), 3)
    longitude = GRID.longitude[around] - 360.0 * (around > around[0] - 1)
    turned = Grid(GRID.latitude[::-1].copy(), np.sort(longitude))
    order = np.argsort(longitude)
    fields = {"rain": rain[::-1][:, around[order]]}
    path = write_weather(tmp_path / "b.nc", range(24), grid=turned, values=fields)
    np.testing.assert_array_equal(opened(path).hour(DAY).rain, usual)
    north, east = np.diff(GRID.latitude)[-1], np.diff(GRID.longitude)[-1]
    larger = Grid(
        np.append(GRID.latitude, GRID.latitude[-1] + north), np.append(GRID.longitude, GRID.longitude[-1] + east)
    )
    fields = {"rain": np.pad(rain, ((0, 1), (0, 1)), constant_values=9.0)}
    path = write_weather(tmp_path / "c.nc", range(24), grid=larger, values=fields)
    np.testing.assert_array_equal(opened(path).hour(DAY).rain, usual)


def test_times_that_single_precision_rounds_leave_no_gap(tmp_path: Path) -> None:
    path = write_weather(tmp_path / "a.nc", range(24))
    with netCDF4.Dataset(path, "a") as file:
        # Days since 1900 in single precision are off by up to five minutes.
        exact = (DAY - datetime(1900, 1, 1, tzinfo=UTC)).total_seconds() / 86400 + np.arange(24) / 24
        file["time"].units = "days since 1900-01-01"
        file["time"][:] = np.round(exact * 86400 / 150) * 150 / 86400 + np.tile([0.0, 60 / 86400, 20 / 86400], 8)
    temperature = opened(path, hours=23).hour(DAY + timedelta(hours=22)).temperature
    np.testing.assert_allclose(temperature, 290.0 * 1.022, rtol=1e-4)


def test_two_variables_of_one_quantity_are_refused(tmp_path: Path) -> None:
    path = write_weather(tmp_path / "a.nc", range(24))
    with netCDF4.Dataset(path, "a") as file:
        file["huss"].standard_name = "air_temperature"
    with pytest.raises(InputError, match="tas, huss: found 2 variables with the standard_name of temperature"):
        opened(path, variables={"humidity": "huss"})


def test_a_file_without_time_or_with_levels_is_refused(tmp_path: Path) -> None:
    path = write_weather(tmp_path / "a.nc", range(24), time_units="hours")
    with pytest.raises(InputError, match="pr: found no time along time"):
        opened(path)
    path = write_weather(tmp_path / "b.nc", range(24))
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("height", 2)
        file.createVariable("ta", "f8", ("time", "height", "lat", "lon"))[:] = 290.0
        file["ta"].units = "K"
    with pytest.raises(InputError, match=r"ta: found further dimensions height \(2\)"):
        opened(path, variables={"temperature": "ta"})


def test_rain_in_mm_an_hour_called_mm_a_second_is_refused_before_the_run(tmp_path: Path) -> None:
    rain = np.zeros((24, *GRID.shape))
    rain.reshape(24, -1)[:, [3, 17, 20]] = np.array([2.5, 0.5, 7.0])
    path = write_weather(tmp_path / "a.nc", range(24), units={"rain": "mm/s"}, values={"rain": rain})
    match = (
        r"pr: found 2\.5 kg m-2 s-1 in one of 2 such soil cells at 2022-06-02 00:00 UTC, expected 0 to 0\.05 .*mm h-1"
    )
    with pytest.raises(InputError, match=match):
        opened(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rain", -1e-3),
        ("shortwave", -5.0),
        ("shortwave", 2000.0),
        ("longwave", 0.0),
        ("temperature", 20.0),
        ("humidity", 12.0),
        ("wind", -3.0),
        ("pressure", 1013.0),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_read(tmp_path: Path, name: str, value: float) -> None:
    values = np.full((24, *GRID.shape), USUAL[name])
    values[9].flat[17] = value
    weather = opened(write_weather(tmp_path / "a.nc", range(24), values={name: values}))
    weather.hour(DAY + timedelta(hours=8))
    with pytest.raises(InputError, match=f"{NAMES[name]}: found .* one of 1 such soil cells at 2022-06-02 09:00 UTC"):
        weather.hour(DAY + timedelta(hours=9))


@pytest.mark.parametrize("missing", [np.nan, -9999.0])
def test_missing_values_count_at_soil_alone(tmp_path: Path, missing: float) -> None:
    values = np.full((24, *GRID.shape), 290.0)
    values[:, 0, 0] = values[5].flat[17] = missing
    weather = opened(write_weather(tmp_path / "a.nc", range(24), values={"temperature": values}))
    assert temperatures(weather, 4) == [290.0]
    with pytest.raises(InputError, match="tas: found no value in 1 of 3 soil cells at 2022-06-02 05:00 UTC"):
        weather.hour(DAY + timedelta(hours=5))


def test_what_packing_leaves_below_zero_is_zero_and_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_weather(tmp_path / "a.nc", range(24), values={"shortwave": -0.3, "rain": -1e-9})
    with caplog.at_level(logging.WARNING):
        weather = opened(path)
        hours = [weather.hour(DAY + timedelta(hours=hour)) for hour in range(3)]
    assert all((hour.shortwave == 0).all() and (hour.rain == 0).all() for hour in hours)
    assert len(caplog.messages) == 2
    assert "rsds: 3 of 3 values just below 0 are taken for 0" in caplog.messages[1]


def test_one_record_is_read_at_a_time_and_each_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, int]] = []
    original = forcing_records.read_slice

    def counted(path: Path, variable: Any, index: Any) -> np.ndarray:
        values = original(path, variable, index)
        reads.append((variable.name, values.size))
        return values

    monkeypatch.setattr(forcing_records, "read_slice", counted)
    weather = opened(write_weather(tmp_path / "a.nc", range(0, 72, 6)), hours=72)
    assert len(reads) == 7
    for hour in range(72):
        weather.hour(DAY + timedelta(hours=hour))
    assert len(reads) == 7 * 12
    assert {size for _, size in reads} == {48}


def test_an_hour_beyond_those_asked_for_is_a_fault_of_the_caller(tmp_path: Path) -> None:
    weather = opened(write_weather(tmp_path / "a.nc", range(24)))
    with pytest.raises(ValueError, match="not within"):
        weather.hour(DAY + timedelta(hours=24))
    with pytest.raises(ValueError, match="not after"):
        opened(tmp_path / "a.nc", hours=0)


@pytest.mark.mpi
def test_ranks_get_the_values_of_their_own_cells_and_the_same_errors(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    comm = MPI.COMM_WORLD
    folder = comm.bcast(tmp_path_factory.mktemp("forcing"))
    values = np.random.default_rng(1).uniform(280, 300, (24, *GRID.shape))
    late = np.full((24, *GRID.shape), 1e-4)
    late[3].flat[29] = 3.0
    if comm.rank == 0:
        write_weather(folder / "a.nc", range(24), values={"temperature": values, "rain": late})
    comm.barrier()
    own = np.arange(30)[comm.rank :: comm.size]
    weather = opened(folder / "a.nc", comm=comm, cell=own)
    np.testing.assert_array_equal(weather.hour(DAY).temperature, values[0].ravel()[own])
    with pytest.raises(InputError, match="found 3 kg m-2 s-1 in one of 1 such soil cells") as caught:
        weather.hour(DAY + timedelta(hours=3))
    assert caught.value.everywhere
    assert len({*comm.allgather(str(caught.value))}) == 1
    with pytest.raises(InputError, match="no such file") as caught:
        opened(folder / "b.nc", comm=comm, cell=own[: 0 if comm.rank else None])
    assert len({*comm.allgather(str(caught.value))}) == 1


def test_a_quantity_in_a_group_is_found_by_its_standard_name_too(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    whole = write_weather(tmp_path / "whole.nc", range(24))
    with netCDF4.Dataset(whole) as of, netCDF4.Dataset(path, "w") as to:
        group = to.createGroup("near_surface")
        for name, dimension in of.dimensions.items():
            to.createDimension(name, dimension.size)
        for name, variable in of.variables.items():
            home = group if variable.ndim == 3 else to
            copy = home.createVariable(name, "f8", variable.dimensions, fill_value=-9999.0)
            copy.setncatts({key: value for key, value in variable.__dict__.items() if key != "_FillValue"})
            copy[:] = variable[:]
    assert temperatures(opened(path), 5, 23) == expected(5, 23)
    with netCDF4.Dataset(path, "a") as file:
        other = file.createGroup("aloft").createVariable("ta", "f8", ("time", "lat", "lon"))
        other.standard_name = "air_temperature"
    with pytest.raises(InputError, match=r"near_surface/tas, aloft/ta: found 2 variables with the standard_name"):
        opened(path)
