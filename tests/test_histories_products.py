"""GLDAS and CF products as series: layers, nodes, times, counts, what is refused; real files."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import pytest
from image_files import write_grid
from numpy.testing import assert_allclose, assert_array_equal

from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.histories.rain import open_rain
from imgda_mpi.histories.read import open_series
from imgda_mpi.netcdf import resolve

GRID = Grid(15.0 - np.arange(6.0), 100.0 + np.arange(8.0))
THREE = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))
START = datetime(2022, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
CELLS = 0.001 * np.arange(48.0).reshape(6, 8)


def image(number: float) -> np.ndarray:
    """An image that tells its number, the first cell missing."""
    values = 0.2 + 0.01 * number + CELLS
    values[0, 0] = np.nan
    return values


def write_product(
    path: Path,
    times: list[datetime],
    variables: dict[str, tuple[np.ndarray, tuple[str, ...], dict[str, str]]],
    *,
    grid: Grid = GRID,
    coordinates: dict[str, tuple[np.ndarray, dict[str, str]]] | None = None,
) -> Path:
    """Variables by their values, dimensions and attributes; ``coordinates`` are vectors, or bounds, by their name."""
    with netCDF4.Dataset(path, "w") as file:
        write_grid(file, grid)
        if times:
            file.createDimension("time", len(times))
            time = file.createVariable("time", "f8", ("time",))
            time.setncatts({"units": "hours since 2022-06-02 00:00:00", "standard_name": "time"})
            time[:] = [(one - START) / HOUR for one in times]
        for name, (values, attributes) in (coordinates or {}).items():
            of = name.removesuffix("_bnds")
            for dimension, size in ((of, len(values)), ("two", 2)):
                if dimension not in file.dimensions and (dimension == of or values.ndim == 2):
                    file.createDimension(dimension, size)
            kind = str if values.dtype.kind == "U" else values.dtype
            file.createVariable(name, kind, (of, "two")[: values.ndim])[:] = (
                values.astype(object) if kind is str else values
            )
            file[name].setncatts(attributes)
        for name, (values, dimensions, attributes) in variables.items():
            file.createVariable(name, "f8", dimensions, fill_value=-9999.0)[:] = np.where(
                np.isfinite(values), values, -9999.0
            )
            file[name].setncatts({"units": "m3 m-3"} | attributes)
    return path


PLAIN = ("time", "lat", "lon")


def surface(path: Path, times: list[datetime], grid: Grid = GRID, **attributes: str) -> Path:
    """A file of the surface alone, whose images are numbered by their hours."""
    values = np.stack([image((time - START) / HOUR) for time in times])
    return write_product(path, times, {"sm": (values, PLAIN, attributes)}, grid=grid)


def gldas(folder: Path, times: list[datetime], n_layers: int = 3) -> str:
    """GLDAS files, masses of 100, 300 and 600 times the image of the layer."""
    names = ("SoilMoi0_10cm_inst", "SoilMoi10_40cm_inst", "SoilMoi40_100cm_inst")[:n_layers]
    for time in times:
        variables = {
            name: (divisor * image(number)[None], PLAIN, {"units": "kg m-2"})
            for number, (name, divisor) in enumerate(zip(names, (100, 300, 600)[:n_layers], strict=True))
        }
        write_product(folder / f"GLDAS.A{time:%Y%m%d.%H%M}.nc4", [time], variables)
    return str(folder / "GLDAS.A%Y%m%d.%H%M.nc4")


def series_of(kind: str, file: Path | str, times: list[datetime] | None = None, **how: Any) -> ImageSeries:
    series = open_series(kind, layers=THREE, times=times or [START], file=file, **how)
    passed_on: ImageSeries = pickle.loads(pickle.dumps(series))
    return passed_on


def cf(file: Path | str, *variables: str, times: list[datetime] | None = None, **how: Any) -> ImageSeries:
    return series_of("cf", file, times, variable=variables or ("sm",), **how)


def test_gldas_has_the_layers_that_its_files_have(tmp_path: Path) -> None:
    pattern = gldas(tmp_path, [START + 3 * HOUR])
    gldas(tmp_path, [START + 6 * HOUR], n_layers=1)
    series = series_of("gldas", pattern, [START, START + 3 * HOUR])
    assert (series.times, series.interval, series.has_nodes, series.remarks) == (None, None, False, ())
    assert series.layers(series.at(START + 3 * HOUR)[-1]) == list(THREE)
    assert series.layers(series.at(START + 6 * HOUR)[-1]) == [THREE[0]]
    assert series.at(START) == []
    (frame,) = series.at(START + 3 * HOUR)
    for number, layer in enumerate(THREE):
        assert_allclose(frame.layer(layer), image(number), rtol=1e-12)
    assert frame.counts == {"source pixels": 144, "missing": 3, "masked": 0, "below range": 0, "above range": 0}
    assert frame.rain() is None
    (later,) = series.at(START + 6 * HOUR)
    with pytest.raises(InputError, match=r"A20220602\.0600\.nc4: found no such layer, expected soil moisture of 0\.1"):
        later.layer(THREE[1])


def test_units_that_are_stated_win_over_those_of_the_files(tmp_path: Path) -> None:
    path = write_product(tmp_path / "a.nc", [START], {"sm": (100 * image(0)[None], PLAIN, {"units": "unknown"})})
    series = cf(path, units="percent")
    assert_allclose(series.at(START)[0].layer(THREE[0]), image(0), rtol=1e-12)
    assert series.remarks[0] == "the file says units 'unknown': taken for percent as stated"


def test_a_window_is_over_the_files_in_it(tmp_path: Path) -> None:
    pattern = gldas(tmp_path, [START + hour * HOUR for hour in (0, 3, 6, 21, 24)], n_layers=1)
    frames = series_of("gldas", pattern).within(START + 3 * HOUR, START + 24 * HOUR)
    assert [frame.time.hour for frame in frames] == [3, 6, 21]


def test_layers_are_found_by_their_bounds(tmp_path: Path) -> None:
    depth = {"units": "m", "positive": "down", "bounds": "depth_bnds"}
    bounds = np.array([[0.4, 1.0], [0.0, 0.1], [1.0, 2.0]])
    values = np.stack([image(number) for number in range(3)])[None]
    path = write_product(
        tmp_path / "a.nc",
        [START],
        {"sm": (values, ("time", "depth", "lat", "lon"), {})},
        coordinates={"depth": (bounds.mean(axis=1), depth), "depth_bnds": (bounds, {})},
    )
    series = cf(path)
    assert series.times == [START]
    assert series.layers(series.at(START)[-1]) == [THREE[0], THREE[2]]
    (frame,) = series.at(START)
    assert_array_equal(frame.layer(THREE[0]), image(1))
    assert_array_equal(frame.layer(THREE[2]), image(0))
    assert (own := cf(path, layer=(0.4, 1.0))).layers(own.at(START)[-1]) == [THREE[2]]


def test_layers_are_found_by_the_names_of_several_variables(tmp_path: Path) -> None:
    values = {f"swvl{number}": (image(number)[None], PLAIN, {}) for number in (1, 2, 3)}
    path = write_product(tmp_path / "era5.nc", [START], values)
    series = cf(path, "swvl3", "swvl2", "swvl1")
    assert series.remarks == ("the layer 0-0.07 m of swvl1 stands for 0-0.1 m",)
    assert series.layers(series.at(START)[-1]) == [THREE[0]]
    assert_array_equal(series.at(START)[0].layer(THREE[0]), image(1))
    deep = write_product(
        tmp_path / "deep.nc", [START], {"a": (image(1)[None], PLAIN, {"long_name": "soil moisture, 10-40 cm"})}
    )
    assert (own := cf(deep, "a")).layers(own.at(START)[-1]) == [THREE[1]]


def test_what_nothing_is_said_of_is_the_surface_and_said_so(tmp_path: Path) -> None:
    series = cf(surface(tmp_path / "a.nc", [START]))
    assert series.remarks == ("nothing says which layer sm is of: it is taken for 0-0.1 m",)
    stated = cf(surface(tmp_path / "b.nc", [START]), layer=(0.1, 0.4))
    assert (stated.layers(stated.at(START)[-1]), stated.remarks) == ([THREE[1]], ())
    both = {name: (image(1)[None], PLAIN, {}) for name in ("a", "b")}
    with pytest.raises(InputError, match=r"a, b: found 2 layers that stand for 0-0\.1 m, expected one"):
        cf(write_product(tmp_path / "c.nc", [START], both), "a", "b")
    with pytest.raises(InputError, match="layer beside 2 variables"):
        cf(tmp_path / "c.nc", "a", "b", layer=(0.0, 0.1))


def test_depths_without_bounds_are_nodes(tmp_path: Path) -> None:
    depths = np.array([80.0, 5.0, 20.0, 50.0])
    values = np.stack([image(number) for number in (4, 1, 2, 3)])[None]
    path = write_product(
        tmp_path / "a.nc",
        [START],
        {"sm": (values, ("time", "depth", "lat", "lon"), {})},
        coordinates={"depth": (depths, {"units": "cm", "positive": "down"})},
    )
    series = cf(path)
    assert series.has_nodes
    assert series.layers(series.at(START)[-1]) == [THREE[0], THREE[1]]
    (frame,) = series.at(START)
    assert_allclose(frame.depth(0.02), image(1))
    assert_allclose(frame.depth(0.125), image(1.5))
    assert_allclose(frame.depth(0.8), image(4))
    # Above 5 cm constant: half of the layer, and up to a third of the way to 20 cm.
    assert_allclose(frame.layer(THREE[0]), 0.5 * image(1) + 0.5 * image(1 + 1 / 6))
    with pytest.raises(InputError, match=r"depth: found nodes down to 0\.8 m, expected depth 0\.9 m must be within"):
        frame.depth(0.9)


def test_a_series_of_layers_has_no_depths(tmp_path: Path) -> None:
    series = cf(surface(tmp_path / "a.nc", [START]))
    assert not series.has_nodes
    with pytest.raises(ValueError, match="without nodes"):
        series.at(START)[0].depth(0.05)


def test_further_dimensions_are_chosen_by_name_or_number(tmp_path: Path) -> None:
    values = np.stack([image(number) for number in range(6)]).reshape(3, 2, 1, 6, 8)
    path = write_product(
        tmp_path / "a.nc",
        [START],
        {"sm": (values, ("run", "level", "time", "lat", "lon"), {})},
        coordinates={"run": (np.array(["nature", "none", "paper"]), {}), "level": (np.arange(2.0), {})},
    )
    for select, number in (({"run": "none", "level": 1}, 3), ({"run": 2, "level": 0}, 4)):
        assert_array_equal(cf(path, select=select).at(START)[0].layer(THREE[0]), image(number))
    for select, said in (
        ({"run": "full", "level": 0}, "run: found names nature, none, paper, expected one named full"),
        ({"run": 3, "level": 0}, "found 3 along run, expected one of number 3; choose from 0 to 2"),
        ({"run": "none", "level": "a"}, "level: found no names, expected one named a; choose a number"),
        ({"member": 0}, "found dimensions run, level beside place and time, expected a dimension member"),
        ({"run": "none"}, r"found further dimensions level \(2\)"),
    ):
        with pytest.raises(InputError, match=said):
            cf(path, select=select)


def test_the_nearest_time_within_the_offset_is_taken(tmp_path: Path) -> None:
    path = surface(tmp_path / "a.nc", [START + hour * HOUR for hour in (0, 3, 6)])
    series = cf(path, max_time_offset=1.5)
    assert series.times == [START + hour * HOUR for hour in (0, 3, 6)]
    for hour, taken in ((-1.5, 0), (1.5, 0), (1.6, 3), (7.5, 6)):
        assert [frame.time for frame in series.at(START + hour * HOUR)] == [START + taken * HOUR]
    assert series.at(START + 7.6 * HOUR) == []
    assert [f.time for f in cf(path, max_time_offset=math.inf).at(START + 99 * HOUR)] == [START + 6 * HOUR]
    assert [f.time.hour for f in series.within(START + HOUR, START + 6 * HOUR)] == [3]


def test_a_window_takes_the_records_of_the_file_that_its_start_finds(tmp_path: Path) -> None:
    for day in (0, 7):
        begin = START + 24 * day * HOUR
        surface(tmp_path / f"x_{begin:%Y%m%d}_to.nc", [begin + hour * HOUR for hour in range(72)])
    series = cf(f"{tmp_path}/x_%Y%m%d_*.nc")
    assert series.times is None
    frames = series.within(START, START + 72 * HOUR)
    assert [frame.time for frame in frames] == [START + hour * HOUR for hour in range(72)]
    assert_allclose(frames[5].layer(THREE[0]), image(5))
    assert series.within(START + 100 * HOUR, START + 120 * HOUR) == []


def test_means_hold_every_moment_of_their_interval(tmp_path: Path) -> None:
    times = [START, START + 24 * HOUR]
    values = np.stack([image(1), image(2)])
    path = write_product(
        tmp_path / "a.nc",
        times,
        {"sm": (values, PLAIN, {"cell_methods": "time: mean"})},
        coordinates={"time_bnds": (np.array([[0.0, 24.0], [24.0, 48.0]]), {})},
    )
    with netCDF4.Dataset(path, "a") as file:
        file["time"].bounds = "time_bnds"
    series = cf(path)
    assert series.interval == 24 * HOUR
    assert series.times == [START + 12 * HOUR, START + 36 * HOUR]
    assert series.remarks[-1] == "means of 24 h (time in the middle)"
    for hour, middle in ((0, 12), (20, 12), (24, 12), (25, 36)):
        assert [frame.time for frame in series.at(START + hour * HOUR)] == [START + middle * HOUR]
    assert series.at(START + 50 * HOUR) == []
    assert_array_equal(series.at(START + 25 * HOUR)[0].layer(THREE[0]), image(2))


def test_pixels_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    values = image(1)
    values[1, :3] = -0.1, 1.2, 1.3
    land = np.ones((6, 8))
    land[2] = 0.2
    path = write_product(
        tmp_path / "a.nc", [START], {"sm": (values[None], PLAIN, {}), "lsm": (land, ("lat", "lon"), {"units": "1"})}
    )
    (frame,) = cf(path, mask=SimpleNamespace(variable="lsm", min=0.5, file=None)).at(START)
    found = frame.layer(THREE[0])
    assert frame.counts == {"source pixels": 48, "missing": 1, "masked": 8, "below range": 1, "above range": 2}
    assert np.isfinite(found).sum() == 48 - 12
    (narrow,) = cf(path, valid_range=(0.0, 0.2565)).at(START)
    narrow.layer(THREE[0])
    assert narrow.counts["above range"] == 3


def test_values_that_cannot_be_volumes_are_refused(tmp_path: Path) -> None:
    percent = write_product(tmp_path / "a.nc", [START], {"sm": (100.0 * image(1)[None], PLAIN, {})})
    (frame,) = cf(percent).at(START)
    with pytest.raises(InputError, match="looks like percent or kg m-2"):
        frame.layer(THREE[0])
    said = write_product(tmp_path / "b.nc", [START], {"sm": (image(1)[None], PLAIN, {"units": "%"})})
    (frame,) = cf(said).at(START)
    with pytest.raises(InputError, match=r"sm: found units '%' and no name that says volume fraction"):
        frame.layer(THREE[0])


def test_files_that_are_missing_damaged_or_of_another_grid_are_refused(tmp_path: Path) -> None:
    pattern = f"{tmp_path}/a%H.nc"
    with pytest.raises(InputError, match=r"a%H\.nc: found no file for any of 2 times, as .*a00\.nc"):
        cf(pattern, times=[START, START + HOUR])
    with pytest.raises(InputError, match="found no times, expected times by which its files are found"):
        open_series("cf", layers=THREE, times=[], file=pattern, variable=["sm"])
    with pytest.raises(InputError, match=r"b\.nc: found no such file"):
        cf(tmp_path / "b.nc")
    surface(tmp_path / "a00.nc", [START])
    surface(tmp_path / "a01.nc", [START + HOUR], Grid(GRID.latitude, GRID.longitude + 0.5))
    (tmp_path / "a02.nc").write_bytes(b"no NetCDF")
    series = cf(pattern)
    (frame,) = series.at(START + HOUR)
    with pytest.raises(InputError, match=r"a01\.nc: lat, lon: found 6 x 8 cells.*as in the other files"):
        frame.layer(THREE[0])
    with pytest.raises(InputError, match=r"a02\.nc: found a text, 'no NetCDF'"):
        series.at(START + 2 * HOUR)
    with pytest.raises(InputError, match="moisture: found no such variable, expected one of sm"):
        cf(tmp_path / "a00.nc", "moisture")


def test_records_of_one_time_are_refused_where_both_have_values(tmp_path: Path) -> None:
    (frame,) = cf(surface(tmp_path / "a.nc", [START, START])).at(START)
    with pytest.raises(InputError, match="found 2 records of 2022-06-02 00:00 UTC with values"):
        frame.layer(THREE[0])


def test_a_file_without_time_is_taken_where_any_time_is(tmp_path: Path) -> None:
    path = write_product(tmp_path / "a.nc", [], {"sm": (image(1), ("lat", "lon"), {})})
    with pytest.raises(InputError, match="found no time coordinate"):
        cf(path).at(START)
    series = cf(path, max_time_offset=math.inf)
    assert series.times is None
    (frame,) = series.at(START)
    assert frame.time == START
    assert_array_equal(frame.layer(THREE[0]), image(1))


def test_rain_is_a_rate(tmp_path: Path) -> None:
    rain = np.stack([image(1), image(2)]) * 1e-4
    times = [START, START + 3 * HOUR]
    for name, units in (("c", "kg m-2 s-1"), ("d", "mm/s")):
        path = write_product(tmp_path / f"{name}.nc", times, {"pr": (rain, PLAIN, {"units": units})})
        series = pickle.loads(pickle.dumps(open_rain(path, times=times, variable="pr")))
        assert series.grid.has_cells_of(GRID)
        assert_array_equal(series.at(START + 3.2 * HOUR), rain[1])
        assert series.at(START + HOUR) is None
    path = write_product(tmp_path / "b.nc", times, {"tp": (rain, PLAIN, {"units": "m"})})
    with pytest.raises(InputError, match=r"tp: found units 'm', expected a rate, kg m-2 s-1 or mm/s"):
        open_rain(path, times=times, variable="tp")
    with pytest.raises(InputError, match="found no file for any of 1 times"):
        open_rain(tmp_path / "%Y.nc", times=[START], variable="pr")


def test_real_gldas_is_its_mass_over_the_thickness_of_its_layers(shared: Path) -> None:
    time = datetime(2016, 1, 1, 3, tzinfo=UTC)
    pattern = shared / "data/gldas/GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"
    series = series_of("gldas", pattern, [time])
    assert (series.grid.shape, series.layers(series.at(time)[-1])) == ((600, 1440), list(THREE[:2]))
    (frame,) = series.at(time)
    with netCDF4.Dataset(resolve(pattern, time)) as file:
        for layer, name, divisor in zip(THREE, ("0_10cm", "10_40cm"), (100.0, 300.0), strict=False):
            mass = file[f"SoilMoi{name}_inst"][0].astype("f8").filled(np.nan)
            assert_allclose(frame.layer(layer), mass / divisor, rtol=1e-12)
    assert [frame.time.hour for frame in series.within(time, time + 9 * HOUR)] == [3, 6, 9]


def test_real_images_of_five_runs_are_told_apart_by_name(shared: Path) -> None:
    path = shared / "colm/colm2014/global/twin_images_2022-156_164.nc"
    with netCDF4.Dataset(path) as file:
        names, every = list(file["run"][:]), file["soil_moisture"]
        for number, name in enumerate(names):
            series = cf(path, "soil_moisture", select={"run": name})
            assert series.times == [datetime(2022, 6, 5, tzinfo=UTC) + day * 24 * HOUR for day in range(9)]
            for day in (0, 8):
                (frame,) = series.at(series.times[day])
                assert series.layers(frame) == list(THREE)
                for depth, layer in enumerate(THREE):
                    assert_array_equal(frame.layer(layer), every[number, day, depth].astype("f8").filled(np.nan))


def test_real_windows_of_era5_are_their_72_hours(shared: Path) -> None:
    folder = shared / "data/ghana_2019_2021/era5"
    begin = datetime(2019, 1, 1, tzinfo=UTC)
    mask = SimpleNamespace(variable="lsm", min=0.5, file=None)
    series = cf(f"{folder}/ERA5_%Y%m%d_*.nc", "swvl1", times=[begin], mask=mask)
    frames = series.within(begin, begin + 72 * HOUR)
    assert len(frames) == 72
    with netCDF4.Dataset(folder / "ERA5_20190101_20190103.nc") as file:
        land = file["lsm"][0] >= 0.5
        assert_allclose(
            frames[30].layer(THREE[0]), np.where(land, file["swvl1"][30].astype("f8").filled(np.nan), np.nan), rtol=1e-7
        )
    assert frames[30].counts["masked"] == (~land).sum()
