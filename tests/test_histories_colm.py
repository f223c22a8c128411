"""CoLM's own output as series: layers and depths, intervals, what is refused; files of the real models."""

from __future__ import annotations

import pickle
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import unpacked
from mpi4py import MPI
from numpy.testing import assert_allclose, assert_array_equal
from series_files import GRID, THREE, hours, profile, rain, write_fluxes2014, write_history202x

from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.soil_layers import node_depth, overlap_weights, thickness, volumetric_water
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories import colm202x
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.histories.read import open_series

DAY = datetime(2022, 6, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
HISTORY, FLUXES = "run_hist_*.nc", "site_2D_Fluxes_*"
OTHER = Grid(GRID.latitude, GRID.longitude + 0.5)


def history(folder: Path, files: str = HISTORY) -> ImageSeries:
    series = open_series("colm202x", layers=THREE, times=[], files=folder / files)
    passed_on: ImageSeries = pickle.loads(pickle.dumps(series))
    return passed_on


def fluxes(folder: Path, files: str = FLUXES) -> ImageSeries:
    series = open_series("colm2014", layers=THREE, times=[], files=folder / files)
    passed_on: ImageSeries = pickle.loads(pickle.dumps(series))
    return passed_on


def layer_of(water: np.ndarray, top: float, bottom: float) -> np.ndarray:
    """Mean of a layer, by a sum over a thousand thin ones."""
    depth = top + (np.arange(10_000) + 0.5) * (bottom - top) / 10_000
    number = np.searchsorted(np.cumsum(thickness), depth)
    mean: np.ndarray = np.tensordot(np.bincount(number, minlength=10) / 10_000, water, axes=1)
    return mean


def test_a_history_of_hours_has_any_layer_and_any_depth(tmp_path: Path) -> None:
    write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY))
    write_history202x(tmp_path / "run_hist_2022-06-03.nc", hours(DAY + 24 * HOUR))
    series = history(tmp_path)
    assert series.grid.has_cells_of(GRID)
    assert series.times == hours(DAY) + hours(DAY + 24 * HOUR)
    assert series.interval == HOUR
    assert series.has_nodes
    assert series.remarks == ("means of 1 h (time in the middle), patches of types up to 2 (wetlands and urban too)",)
    (frame,) = series.at(DAY + 30 * HOUR + timedelta(minutes=40))
    assert (frame.time, frame.side) == (DAY + 30.5 * HOUR, "")
    for top, bottom in (*THREE, (0.0, 3.4), (0.05, 0.06)):
        assert_allclose(frame.layer((top, bottom)), layer_of(profile(frame.time), top, bottom), atol=2e-6)
    water = profile(frame.time)
    assert_array_equal(frame.depth(node_depth[3]), water[3])
    assert_array_equal(frame.depth(0.001), water[0])
    assert_allclose(frame.depth(0.5 * (node_depth[3] + node_depth[4])), 0.5 * (water[3] + water[4]))
    assert_array_equal(frame.rain(), rain(frame.time))
    assert np.isnan(frame.layer(THREE[0])[0, 0])


def test_of_two_intervals_that_meet_the_earlier_one_holds_a_moment(tmp_path: Path) -> None:
    write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY))
    series = history(tmp_path)
    assert [frame.time for frame in series.at(DAY + 6 * HOUR)] == [DAY + 5.5 * HOUR]
    assert [frame.time for frame in series.at(DAY)] == [DAY + 0.5 * HOUR]
    assert series.at(DAY - HOUR) == series.at(DAY + 25 * HOUR) == []
    within = series.within(DAY + 6 * HOUR, DAY + 9 * HOUR)
    assert [frame.time.hour for frame in within] == [6, 7, 8]


def test_layers_are_those_within_the_column(tmp_path: Path) -> None:
    write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY))
    series = open_series("colm202x", layers=[(0.0, 0.1), (1.0, 4.0)], times=[], files=tmp_path / HISTORY)
    assert series.layers(series.at(DAY)[-1]) == [(0.0, 0.1)]
    (frame,) = series.at(DAY)
    with pytest.raises(InputError, match=r"column of 3.4331 m, expected depth range 1.0 to 4.0 m must be within"):
        frame.layer((1.0, 4.0))
    with pytest.raises(InputError, match=r"nodes down to 2\.8646 m"):
        frame.depth(3.0)


@pytest.mark.parametrize(
    ("name", "times", "interval", "said"),
    [
        ("2022-06", [DAY + 12 * HOUR, DAY + 36 * HOUR], 24 * HOUR, "means of 1 day"),
        ("2022-06", [DAY + 12 * HOUR, DAY + 132 * HOUR], 24 * HOUR, "means of 1 day"),
        ("2022-06-02", [DAY + 12 * HOUR], 24 * HOUR, "means of 1 day"),
        ("2022-06", [datetime(2022, 6, 16, tzinfo=UTC)], 30 * 24 * HOUR, "means of 30 days"),
        ("2022", [DAY + 24 * HOUR * days for days in (14, 44.5)], 31 * 24 * HOUR, "means of 30 days to 31 days"),
        ("2022-06-02", [DAY + HOUR * part for part in (0.5, 1.0, 1.5)], None, "values at the ends of steps"),
        ("2022-06-02", [DAY + HOUR, DAY + 2 * HOUR], None, "values at the ends of steps"),
        ("2022-06-02", [DAY + 5.5 * HOUR], None, "means of an interval that one record alone does not say"),
    ],
)
def test_the_interval_is_that_of_the_records(
    tmp_path: Path, name: str, times: list[datetime], interval: timedelta | None, said: str
) -> None:
    write_history202x(tmp_path / f"run_hist_{name}.nc", times)
    series = history(tmp_path)
    assert series.interval == interval
    assert series.remarks[0].startswith(said)
    assert [frame.time for frame in series.at(times[0])] == [times[0]]


def test_histories_that_are_not_of_one_run_are_refused(tmp_path: Path) -> None:
    first = write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY))
    write_history202x(tmp_path / "run_hist_2022-06-02_again.nc", hours(DAY, 23))
    with pytest.raises(
        InputError, match=r"time: found 2022-06-02 23:30 UTC as in .*expected records of each time once"
    ):
        history(tmp_path)
    write_history202x(tmp_path / "run_hist_2022-06-02_again.nc", hours(DAY + 24 * HOUR), grid=OTHER)
    with pytest.raises(
        InputError, match=r"lat, lon: found 6 x 8 cells from .*, expected 6 x 8 cells from .* as in the other files"
    ):
        history(tmp_path)
    for noon in (12, 36):
        write_history202x(tmp_path / "run_hist_2022-06-02_again.nc", [DAY + noon * HOUR])
        with pytest.raises(InputError, match="as in other files; give files of one interval alone"):
            history(tmp_path)
    first.write_bytes(first.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"run_hist_2022-06-02.nc.*cannot be read"):
        history(tmp_path)
    with pytest.raises(InputError, match=r"none_\*: found no such file, expected history files of CoLM202X"):
        history(tmp_path, "none_*")


def test_what_is_no_history_on_a_grid_is_refused(tmp_path: Path) -> None:
    path = write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY), without=["f_h2osoi"])
    with pytest.raises(InputError, match="found no f_h2osoi, expected water in the soil layers by volume"):
        history(tmp_path)
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("element", 5)
    with pytest.raises(InputError, match=r"without a grid, expected history on a grid; .*DEF_HISTORY_IN_VECTOR"):
        history(tmp_path)


def test_percent_is_refused_and_a_history_without_rain_has_none(tmp_path: Path) -> None:
    write_history202x(tmp_path / "run_hist_2022-06-02.nc", hours(DAY), units="%", without=["f_xy_rain"])
    (frame,) = history(tmp_path).at(DAY)
    assert frame.rain() is None
    with pytest.raises(InputError, match=r"f_h2osoi: found units '%'"):
        frame.layer(THREE[0])


def test_a_flux_file_is_stamped_by_the_end_of_its_day(tmp_path: Path) -> None:
    for day in (153, 154, 157):
        time = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(days=day - 1)
        write_fluxes2014(tmp_path / f"site_2D_Fluxes_2022-{day}-86400", time)
    series = fluxes(tmp_path)
    assert series.grid.has_cells_of(GRID)
    assert series.times == [DAY + 12 * HOUR, DAY + 36 * HOUR, DAY + 108 * HOUR]
    assert series.interval == 24 * HOUR
    assert series.remarks == ("means of 1 day (time in the middle), patches of types up to 2 (wetlands and urban too)",)
    (frame,) = series.at(DAY + 27 * HOUR)
    for top, bottom in THREE:
        assert_allclose(frame.layer((top, bottom)), layer_of(profile(DAY), top, bottom), atol=2e-6)
    assert_array_equal(frame.depth(0.001), profile(DAY)[0])
    assert_array_equal(frame.rain(), rain(DAY))
    assert series.at(DAY + 80 * HOUR) == []


@pytest.mark.parametrize(
    ("stamps", "middles", "interval", "said"),
    [
        (["2022-153-21600", "2022-153-43200"], [DAY + 3 * HOUR, DAY + 9 * HOUR], 6 * HOUR, "means of 6 h"),
        (["2022-06"], [datetime(2022, 6, 16, tzinfo=UTC)], 720 * HOUR, "means of 30 days (time in the middle)"),
        (["2022-153-86400"], [DAY + 12 * HOUR], 24 * HOUR, "means of 1 day (time in the middle; one file alone does"),
        (["2022-153-21600"], [DAY + 6 * HOUR], None, "means of an interval that one file alone does not say"),
    ],
)
def test_stamps_say_the_interval(
    tmp_path: Path, stamps: list[str], middles: list[datetime], interval: timedelta | None, said: str
) -> None:
    for stamp in stamps:
        write_fluxes2014(tmp_path / f"site_2D_Fluxes_{stamp}", DAY)
    series = fluxes(tmp_path)
    assert (series.times, series.interval) == (middles, interval)
    assert series.remarks[0].startswith(said)


def test_fluxes_that_are_not_of_one_run_are_refused(tmp_path: Path) -> None:
    path = write_fluxes2014(tmp_path / "site_2D_Fluxes_2022-153-86400", DAY)
    other = write_fluxes2014(tmp_path / "site_2D_Fluxes_2022-154-00000", DAY)
    with pytest.raises(InputError, match="expected records of each time once"):
        fluxes(tmp_path)
    other.unlink()
    other = write_fluxes2014(tmp_path / "site_2D_Fluxes_2022-154-86400", DAY, grid=OTHER)
    with pytest.raises(InputError, match=r"expected 6 x 8 cells from .* as in the other files"):
        fluxes(tmp_path)
    write_fluxes2014(other, DAY, n_records=98)
    with pytest.raises(InputError, match="found 98 records, expected 99 records of a flux file of CoLM2014"):
        fluxes(tmp_path)
    other.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"2022-154-86400: record 99.*truncated"):
        fluxes(tmp_path)
    other.rename(tmp_path / "site_2D_Fluxes_2022-07")
    with pytest.raises(InputError, match="found a day in its name, expected a month as in"):
        fluxes(tmp_path)
    for name in ("last", "2022-400-00000", "2022-13"):
        write_fluxes2014(tmp_path / f"site_2D_Fluxes_{name}", DAY)
        with pytest.raises(InputError, match=rf"{name}: found .* in its name, expected <site>_2D_Fluxes_yyyy"):
            fluxes(tmp_path, f"*_{name}")


def test_a_file_stays_open_from_frame_to_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(2):
        write_history202x(tmp_path / f"run_hist_2022-06-{2 + day:02d}.nc", hours(DAY + day * 24 * HOUR))
    series = history(tmp_path)
    opened: list[Path] = []
    opens = colm202x.opened

    def counted(path: Path, do: str) -> AbstractContextManager[netCDF4.Dataset]:
        opened.append(path)
        return opens(path, do)

    monkeypatch.setattr(colm202x, "opened", counted)
    for frame in series.within(DAY, DAY + 48 * HOUR):
        for layer in THREE:
            frame.layer(layer)
    assert [path.name for path in opened] == ["run_hist_2022-06-02.nc", "run_hist_2022-06-03.nc"]


def test_the_real_history_is_the_mean_of_the_hour_before_the_real_restart(shared: Path) -> None:
    directory, midnight = shared / "colm/colm202x/EA14", datetime(2022, 6, 4, tzinfo=UTC)
    series = history(directory / "history", "EA14_hist_2022-06-03.nc")
    assert (series.interval, len(series.times or ())) == (HOUR, 24)
    restart = open_restart(directory, "EA14", midnight, 2005, MPI.COMM_SELF)
    soil, _ = restart.read_soil()
    patches, water = restart.patches, volumetric_water(soil.liquid, soil.ice)
    taken = patches.patch_type <= 2
    cell, weight, n = patches.cell[taken], patches.weight[taken], patches.grid.shape[0] * patches.grid.shape[1]
    (last,) = series.at(midnight)
    assert last.time == midnight - 0.5 * HOUR
    with netCDF4.Dataset(directory / "history/EA14_hist_2022-06-03.nc") as file:
        liquid, ice = (np.moveaxis(file[f"f_{of}_soisno"][-1, 5:].filled(np.nan), 0, -1) for of in ("wliq", "wice"))
    # Half an hour apart, in which the surface dries.
    for layer, apart in zip(THREE, (2e-3, 1.2e-4, 3e-5), strict=True):
        weights = overlap_weights(*layer)
        mean = np.bincount(cell, weight * (water[taken] @ weights), n) / np.bincount(cell, weight, n)
        image = last.layer(layer)
        # The same interval: the model's own masses of water, to its printed definition.
        assert_allclose(image, volumetric_water(liquid, ice) @ weights, atol=1e-6)
        assert np.isfinite(image).all()
        assert np.abs(image - mean.reshape(image.shape)).max() < apart
    # At 40-100 cm hardly anything happens in half an hour.
    assert (np.abs(image - mean.reshape(image.shape)) < 1e-6).sum() > 100


def test_real_daily_history_is_that_of_its_day(shared: Path) -> None:
    series = history(shared / "colm/colm202x/EA14/history", "EA14_hist_2022-01-15.nc")
    assert (series.times, series.interval) == ([datetime(2022, 1, 15, 12, tzinfo=UTC)], 24 * HOUR)
    with pytest.raises(InputError, match="give files of one interval alone"):
        history(shared / "colm/colm202x/EA14/history", "EA14_hist_*.nc")


def test_real_fluxes_are_what_a_direct_read_gives(shared: Path, tmp_path: Path) -> None:
    path = unpacked(shared / "colm/colm2014/EAS/EAS_2D_Fluxes_2022-154-86400.xz", tmp_path)
    series = fluxes(tmp_path, "EAS_2D_Fluxes_*")
    (frame,) = series.at(datetime(2022, 6, 3, 7, tzinfo=UTC))
    assert (frame.time, series.interval) == (datetime(2022, 6, 3, 12, tzinfo=UTC), 24 * HOUR)
    records, rest = [], path.read_bytes()
    while rest:
        size = int(np.frombuffer(rest[:4], "<i4")[0])
        records.append(rest[4 : 4 + size])
        rest = rest[8 + size :]
    ny, nx = series.grid.shape
    assert (ny, nx) == (32, 48)
    assert_array_equal(series.grid.longitude, np.frombuffer(records[0], "<f8"))
    assert_array_equal(series.grid.latitude, np.frombuffer(records[1], "<f8"))
    water = np.frombuffer(records[55], "<f8").reshape(ny, nx, 10)
    for layer in THREE:
        expected = np.where(water[..., 0] > -1e35, water @ overlap_weights(*layer), np.nan)
        assert_allclose(frame.layer(layer), expected, rtol=1e-13)
    assert np.isfinite(frame.layer(THREE[0])).sum() == 1025
    # By the liquid water and ice of the same file, which other cells have too: over types up to 3.
    liquid, ice = (np.frombuffer(records[number], "<f8").reshape(ny, nx, 15)[..., 5:] for number in (53, 54))
    both = np.isfinite(frame.layer(THREE[0]))
    expected = volumetric_water(liquid, ice)[both] @ overlap_weights(*THREE[0])
    assert np.median(np.abs(frame.layer(THREE[0])[both] - expected)) < 1e-12
    fell = frame.rain()
    assert fell is not None
    assert np.isfinite(fell).sum() == 1026
    # Rain and snow are what comes as convective and large-scale precipitation.
    snow, convective, large = (np.frombuffer(records[number], "<f8").reshape(ny, nx) for number in (51, 77, 78))
    assert_allclose((fell + snow)[both], (convective + large)[both], rtol=1e-6, atol=1e-12)
