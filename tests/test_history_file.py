"""Histories of soil columns: what is written is read back, by us, by xarray, and as an observation."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray
from histories import GRID, flux, moisture, write_history

from imgda_mpi.colm.soil_layers import LAYERS, interface_depth, node_depth
from imgda_mpi.faults import InputError, OutputError
from imgda_mpi.grid import Grid
from imgda_mpi.observations.cf import read_cf
from imgda_mpi.results.history_file import FLUXES, HistoryWriter, Moment, open_history

START = datetime(2022, 6, 2, 6, tzinfo=UTC)
TIMES = [START + timedelta(hours=3 * n) for n in range(3)]
POINTS = [(11.0, 101.5), (13.0, 105.0)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_history(tmp_path / "history.nc", TIMES, points=POINTS)


def test_all_that_is_written_is_read_back(path: Path) -> None:
    with open_history(path) as history:
        assert history.times == TIMES
        assert history.grid.has_cells_of(GRID)
        assert history.layers == list(LAYERS)
        assert history.points.tolist() == [list(point) for point in POINTS]
        assert (history.n_columns, history.n_left_alone) == (40, 3)
        for index, time in enumerate(TIMES):
            for number, layer in enumerate(LAYERS):
                np.testing.assert_allclose(history.image(layer, index), moisture(time)[number], rtol=1e-7)
            profiles = history.profiles(index)
            np.testing.assert_allclose(profiles, np.full((2, 10), 0.1 + 0.01 * time.hour), rtol=1e-7)
        for index, name in ((1, "rain"), (2, "evaporation")):
            np.testing.assert_allclose(history.image(name, index), flux(name, TIMES[index]), rtol=1e-7)
        assert np.isnan(history.image("runoff", 0)).all()
        assert np.isnan(history.image(LAYERS[0], 0)[0, 0])


def test_xarray_sees_instants_means_and_their_intervals(path: Path) -> None:
    with xarray.open_dataset(path) as data:
        assert data.attrs["Conventions"] == "CF-1.8"
        assert data.attrs["title"] == "soil columns of imgda_mpi: no snow, ice, energy balance, lateral flow"
        assert (data.attrs["columns_in_all"], data.attrs["columns_left_alone"]) == (40, 3)
        assert data.soil_moisture.dims == ("time", "depth", "lat", "lon")
        assert data.soil_moisture.attrs["cell_methods"].startswith("time: point")
        assert data.soil_moisture.dtype == np.float32
        assert data.depth.attrs["positive"] == "down"
        np.testing.assert_array_equal(data.depth_bnds, LAYERS)
        hours = (data.time_bnds.values - np.datetime64("2022-06-02T06")) / np.timedelta64(1, "h")
        assert hours.tolist() == [[0.0, 0.0], [0.0, 3.0], [3.0, 6.0]]
        for name in FLUXES:
            assert data[name].dims == ("time", "lat", "lon")
            assert data[name].attrs["cell_methods"] == "time: mean"
            assert data[name].attrs["units"] == "kg m-2 s-1"
        assert data.water_content.dims == ("time", "point", "layer")
        assert data.water_content.coords["point_lon"].values.tolist() == [101.5, 105.0]
        np.testing.assert_array_equal(data.layer, node_depth)
        np.testing.assert_array_equal(data.layer_bnds[:, 1], interface_depth[1:])


def test_it_is_read_as_an_observation_of_an_instant(path: Path) -> None:
    for time in TIMES:
        image = read_cf(path, GRID, time, variable="soil_moisture", layer=(0.0, 0.1), max_time_offset=0.0)
        np.testing.assert_allclose(image.values, moisture(time)[0], rtol=1e-6)
        assert image.time == time
        assert "(instant)" in image.what
        assert image.remarks == ()


def test_without_points_there_are_no_profiles(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.nc", TIMES)
    with open_history(path) as history:
        assert history.points.shape == (0, 2)
        with pytest.raises(InputError, match="found no points"):
            history.profiles(0)
    with netCDF4.Dataset(path) as file:
        assert "layer" not in file.dimensions


def test_the_same_history_is_the_same_bytes(tmp_path: Path) -> None:
    a, b = (write_history(tmp_path / name, TIMES, points=POINTS) for name in ("a.nc", "b.nc"))
    assert a.read_bytes() == b.read_bytes()


def test_an_image_is_a_chunk_of_its_own(path: Path) -> None:
    with netCDF4.Dataset(path) as file:
        assert file["soil_moisture"].chunking() == [1, 1, *GRID.shape]
        assert file["rain"].chunking() == [1, *GRID.shape]


def test_the_library_keeps_no_images_of_an_open_history(path: Path) -> None:
    with open_history(path) as history:
        assert {history._file[name].get_var_chunk_cache()[0] for name in ("soil_moisture", *FLUXES)} == {2**16}


def test_what_is_not_there_is_said_with_what_is(path: Path) -> None:
    with open_history(path) as history:
        with pytest.raises(InputError, match=r"found no 0-0\.3 m, expected one of 0-0\.1 m, 0\.1-0\.4 m, 0\.4-1 m"):
            history.image((0.0, 0.3), 0)
        with pytest.raises(InputError, match="found no snow, expected one of rain, runoff, evaporation"):
            history.image("snow", 0)
        with pytest.raises(IndexError):
            history.image("rain", 3)


def test_moments_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    image, rest = moisture(START), {name: flux(name, START) for name in FLUXES}
    later = START + timedelta(hours=3)
    with HistoryWriter(tmp_path / "h.nc", GRID, n_columns=1, n_left_alone=0) as writer:
        with pytest.raises(ValueError, match="fluxes belong to every moment but the first"):
            writer.add(Moment(START, image, rest))
        with pytest.raises(ValueError, match="time zone"):
            writer.add(Moment(START.replace(tzinfo=None), image))
        writer.add(Moment(START, image))
        for moment, message in (
            (Moment(START, image, rest), "later than those before"),
            (Moment(later, image), "fluxes belong to every moment but the first"),
            (Moment(later, image, rest, np.zeros((1, 10))), "profiles to all where there are points"),
            (Moment(later, image[:2], rest), "moisture has shape"),
            (Moment(later, image, rest | {"rain": image[0, :2]}), "rain has shape"),
        ):
            with pytest.raises(ValueError, match=message):
                writer.add(moment)
        writer.add(Moment(later, image, rest))
    with open_history(tmp_path / "h.nc") as history:
        assert history.times == [START, later]


def test_a_folder_that_is_not_there_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="expected to write the result"):
        HistoryWriter(tmp_path / "none" / "h.nc", GRID, n_columns=1, n_left_alone=0)


def rename(name: str) -> Callable[[netCDF4.Dataset], None]:
    return lambda file: file.renameVariable(name, "other")


def put_time(value: float) -> Callable[[netCDF4.Dataset], None]:
    def put(file: netCDF4.Dataset) -> None:
        file["time"][1] = value

    return put


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (rename("soil_moisture"), "soil_moisture: found no such variable"),
        (rename("rain"), "rain: found no such variable"),
        (rename("point_lat"), "point_lat: found no such variable"),
        (lambda file: file.renameDimension("depth", "z"), "depth_bnds: found dimensions"),
        (put_time(0.0), "found times that do not ascend"),
        (put_time(np.nan), r"found \d+ of \d+ without a value"),
        (lambda file: file.delncattr("columns_in_all"), "found no number columns_in_all"),
    ],
)
def test_what_is_no_history_is_refused(path: Path, edit: Callable[[netCDF4.Dataset], None], found: str) -> None:
    with netCDF4.Dataset(path, "a") as file:
        edit(file)
    with pytest.raises(InputError, match=found) as caught, open_history(path):
        pass
    assert str(path) in str(caught.value)


def test_damage_is_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    cut, text = tmp_path / "cut.nc", tmp_path / "text.nc"
    cut.write_bytes(content[: len(content) // 2])
    text.write_text("no NetCDF")
    for bad in (cut, text, tmp_path / "none.nc"):
        with pytest.raises(InputError), open_history(bad):
            pass


def test_a_damaged_image_is_refused_where_it_is_read(path: Path) -> None:
    with h5py.File(path) as file:
        chunk = file["soil_moisture"].id.get_chunk_info_by_coord((1, 0, 0, 0))
    with path.open("r+b") as opened:
        opened.seek(chunk.byte_offset + chunk.size // 2)
        opened.write(b"damaged")
    with open_history(path) as history:
        history.image(LAYERS[0], 0)
        with pytest.raises(InputError, match="found a file that cannot be read"):
            history.image(LAYERS[0], 1)


def test_a_region_whose_rows_ascend_keeps_its_order(tmp_path: Path) -> None:
    grid = Grid(GRID.latitude[::-1].copy(), GRID.longitude)
    path = write_history(tmp_path / "history.nc", TIMES, grid=grid)
    with open_history(path) as history:
        np.testing.assert_array_equal(history.grid.latitude, grid.latitude)
        np.testing.assert_allclose(history.image(LAYERS[2], 1), moisture(TIMES[1])[2], rtol=1e-7)
