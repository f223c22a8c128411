"""History of soil columns as a CF NetCDF file: images of layers and fluxes, profiles at points; written and read back.

Both go a moment at a time: a file never is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi import PROGRAM
from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS, N_SOIL, interface_depth, node_depth
from imgda_mpi.faults import ImgdaError, fault, writing
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import (
    horizontal_grid,
    in_library,
    opened,
    read_values,
    text_attribute,
    write_coordinate,
    write_variable,
)
from imgda_mpi.netcdf.dates import SINCE_1970, decoded
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.layers import same_layer
from imgda_mpi.observations.units import MOISTURE

TITLE = "soil columns of imgda_mpi: no snow, ice, energy balance, lateral flow"

FLUXES = {
    "rain": ("rainfall_flux", "rain"),
    "runoff": ("runoff_flux", "runoff of the surface and drainage from the soil"),
    "evaporation": ("water_evapotranspiration_flux", "evaporation of the soil and transpiration"),
}
"""Standard name and meaning of the fluxes of water, kg m-2 s-1."""

WATER_IN_SOIL = "volume_fraction_of_condensed_water_in_soil"

IMAGE = ("time", "lat", "lon")
DIMENSIONS = {
    "time": ("time",),
    "time_bnds": ("time", "bnds"),
    "depth_bnds": ("depth", "bnds"),
    "soil_moisture": ("time", "depth", "lat", "lon"),
    **dict.fromkeys(FLUXES, IMAGE),
}
"""Of the variables that every history has."""

DIMENSIONS_OF_POINTS = {
    "point_lat": ("point",),
    "point_lon": ("point",),
    "water_content": ("time", "point", "layer"),
}


@dataclass(frozen=True, eq=False)
class Moment:
    """What is kept of one moment.

    Parameters
    ----------
    time : aware
    moisture : of the layers `LAYERS`, (3, ny, nx) m3 m-3, NaN in cells without a column that moves
    fluxes : means from the moment before, by the names of `FLUXES`, each (ny, nx) kg m-2 s-1; None at the first moment
    profiles : water of the ten soil layers at the points, (n_points, 10) m3 m-3; None where there are no points
    """

    time: datetime
    moisture: FloatArray
    fluxes: dict[str, FloatArray] | None = None
    profiles: FloatArray | None = None


class HistoryWriter:
    """A history that is written a moment at a time; a context manager. Not collective.

    Parameters
    ----------
    path : a new file in a folder that is there
    grid : (ny, nx)
    restart : what the columns come from, in words
    points : latitude and longitude of the points with profiles, degrees
    n_columns, n_left_alone : soil columns in all, and those that ice or frost keeps as they are

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        grid: Grid,
        *,
        n_columns: int,
        n_left_alone: int,
        restart: str = "",
        points: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._path, self._shape, self._n_points = path, grid.shape, len(points)
        self._times: list[datetime] = []
        with writing(path):
            self._file = netCDF4.Dataset(path, "w", format="NETCDF4")
            self._file.Conventions = "CF-1.8"
            self._file.title = TITLE
            self._file.source = PROGRAM
            self._file.restart = restart
            self._file.columns_in_all = n_columns
            self._file.columns_left_alone = n_left_alone
            self._file.comment = "columns with ice or frost are left alone and are no part of any value"
            self._write_coordinates(grid)
            self._make_images()
            if points:
                self._make_profiles(np.array(points, np.float64))

    def add(self, moment: Moment) -> None:
        """Append a moment, later than the one before; the fluxes are those since then.

        Raises
        ------
        OutputError
            Where the file cannot be written.
        ValueError
            Where a moment is not later than the one before, has other parts than it should, or of other shapes.
        """
        self._check(moment)
        n, file = len(self._times), self._file
        start = self._times[-1] if n else moment.time
        self._times.append(moment.time)
        with writing(self._path):
            file["time"][n] = moment.time.timestamp()
            file["time_bnds"][n] = [start.timestamp(), moment.time.timestamp()]
            file["soil_moisture"][n] = moment.moisture
            for name in FLUXES:
                file[name][n] = np.full(self._shape, np.nan) if moment.fluxes is None else moment.fluxes[name]
            if moment.profiles is not None:
                file["water_content"][n] = moment.profiles

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the file.

        Raises
        ------
        OutputError
            Where what is left of it cannot be written.
        """
        with writing(self._path):
            self._file.close()

    def _check(self, moment: Moment) -> None:
        is_first = not self._times
        if moment.time.tzinfo is None or not (is_first or moment.time > self._times[-1]):
            raise ValueError(f"time {moment.time} must have a time zone and be later than those before")
        if (moment.fluxes is None) != is_first or (moment.profiles is None) != (self._n_points == 0):
            raise ValueError("fluxes belong to every moment but the first, profiles to all where there are points")
        parts: dict[str, tuple[FloatArray, tuple[int, ...]]] = {}
        parts["moisture"] = (moment.moisture, (len(LAYERS), *self._shape))
        parts |= {name: (flux, self._shape) for name, flux in (moment.fluxes or {}).items()}
        if moment.profiles is not None:
            parts["profiles"] = (moment.profiles, (self._n_points, N_SOIL))
        for name, (values, shape) in parts.items():
            if values.shape != shape:
                raise ValueError(f"{name} has shape {values.shape}, not {shape}")

    def _write_coordinates(self, grid: Grid) -> None:
        file = self._file
        sizes = {"time": None, "bnds": 2, "depth": len(LAYERS), "lat": grid.shape[0], "lon": grid.shape[1]}
        for name, size in sizes.items():
            file.createDimension(name, size)
        time = file.createVariable("time", "f8", ("time",), chunksizes=(64,))
        time.setncatts({"standard_name": "time", "long_name": "time", "axis": "T", "bounds": "time_bnds"})
        time.setncatts({"units": SINCE_1970, "calendar": "standard"})
        file.createVariable("time_bnds", "f8", ("time", "bnds"), chunksizes=(64, 2))
        write_coordinate(file, "lat", grid.latitude, "latitude", "degrees_north")
        write_coordinate(file, "lon", grid.longitude, "longitude", "degrees_east")
        self._write_depths("depth", np.mean(LAYERS, axis=1), np.array(LAYERS))

    def _write_depths(self, name: str, depths: FloatArray, bounds: FloatArray) -> None:
        write_coordinate(self._file, name, depths, "depth", "m")
        self._file[name].setncatts({"positive": "down", "bounds": f"{name}_bnds"})
        self._file.createVariable(f"{name}_bnds", "f8", (name, "bnds"))[:] = bounds

    def _make_images(self) -> None:
        moisture = self._make("soil_moisture", DIMENSIONS["soil_moisture"], WATER_IN_SOIL, MOISTURE)
        moisture.setncatts({"long_name": "water in the soil by volume", "cell_methods": "time: point depth: mean"})
        for name, (standard_name, meaning) in FLUXES.items():
            flux = self._make(name, IMAGE, standard_name, "kg m-2 s-1")
            flux.setncatts({"long_name": meaning, "cell_methods": "time: mean"})

    def _make_profiles(self, points: FloatArray) -> None:
        file = self._file
        file.createDimension("point", len(points))
        file.createDimension("layer", N_SOIL)
        for number, (axis, name, units) in enumerate(
            (("lat", "latitude", "degrees_north"), ("lon", "longitude", "degrees_east"))
        ):
            write_variable(file, f"point_{axis}", ("point",), points[:, number], f"{name} of the point", units)
            file[f"point_{axis}"].standard_name = name
        self._write_depths("layer", node_depth, np.stack([interface_depth[:-1], interface_depth[1:]], axis=1))
        content = self._make("water_content", DIMENSIONS_OF_POINTS["water_content"], WATER_IN_SOIL, MOISTURE)
        content.setncatts({"long_name": "water of the soil layers by volume", "coordinates": "point_lat point_lon"})
        content.cell_methods = "time: point layer: mean"

    def _make(self, name: str, dimensions: tuple[str, ...], standard_name: str, units: str) -> netCDF4.Variable[Any]:
        """A variable of single precision with a chunk for each image, or for each moment's profiles."""
        n_whole = 2
        sizes = [self._file.dimensions[dimension].size for dimension in dimensions[-n_whole:]]
        variable = self._file.createVariable(
            name,
            "f4",
            dimensions,
            zlib=True,
            complevel=1,
            chunksizes=(*(1 for _ in dimensions[:-n_whole]), *sizes),
            fill_value=np.nan,
        )
        variable.setncatts({"standard_name": standard_name, "units": units})
        _keep_no_images(variable)
        return variable


class History:
    """A history that is open; `open_history` makes it.

    Parameters
    ----------
    path : of the file
    times : ascending, UTC; the first one is the start of the window, without fluxes
    layers : top and bottom, m
    points : latitude and longitude of those with profiles, (n_points, 2) degrees
    n_columns, n_left_alone : soil columns in all, and those that ice or frost keeps as they are
    """

    def __init__(self, path: Path, file: netCDF4.Dataset) -> None:
        _check_variables(path, file, DIMENSIONS)
        for name in ("soil_moisture", *FLUXES):
            _keep_no_images(file[name])
        self._file, self.path = file, path
        self.times = decoded(path, file["time"], read_values(path, file["time"]))
        if any(later <= earlier for earlier, later in zip(self.times[:-1], self.times[1:], strict=True)):
            raise _no_history(path, "time", "times that do not ascend")
        self._horizontal = horizontal_grid(path, file["soil_moisture"])
        bounds = read_values(path, file["depth_bnds"])
        if not np.isfinite(bounds).all():
            raise _no_history(path, "depth_bnds", "layers without a depth")
        self.layers: list[Layer] = [(float(top), float(bottom)) for top, bottom in bounds]
        self.points = np.empty((0, 2))
        if "water_content" in file.variables:
            _check_variables(path, file, DIMENSIONS_OF_POINTS)
            place = [read_values(path, file[name]) for name in ("point_lat", "point_lon")]
            self.points = np.stack(place, axis=1)
        self.n_columns, self.n_left_alone = (_count(path, file, f"columns_{of}") for of in ("in_all", "left_alone"))

    @property
    def grid(self) -> Grid:
        """Of its images."""
        return self._horizontal.grid

    def image(self, what: Layer | str, index: int) -> FloatArray:
        """One image, (ny, nx), NaN where missing: of a layer, m3 m-3, or of a flux of `FLUXES` by its name, kg m-2 s-1.

        Raises
        ------
        InputError
            Where the file has no such layer or flux, or is damaged.
        IndexError
            Where there is no such moment.
        """
        moment = range(len(self.times))[index]
        if isinstance(what, str):
            if what not in FLUXES:
                raise self._not_there(what, ", ".join(FLUXES))
            return self._images(what, moment)
        matches = [n for n, own in enumerate(self.layers) if same_layer(own, what)]
        if not matches:
            raise self._not_there(f"{what[0]:g}-{what[1]:g} m", ", ".join(f"{a:g}-{b:g} m" for a, b in self.layers))
        return self._images("soil_moisture", (moment, matches[0]))

    def moisture(self, index: int) -> FloatArray:
        """The images of all layers at one moment, (n_layers, ny, nx) m3 m-3, NaN where missing.

        Raises
        ------
        InputError
            Where the file is damaged.
        IndexError
            Where there is no such moment.
        """
        return self._images("soil_moisture", range(len(self.times))[index])

    def profiles(self, index: int) -> FloatArray:
        """Water of the ten soil layers at the points at one moment, (n_points, 10) m3 m-3; NaN if missing.

        Raises
        ------
        InputError
            Where the file has no points, or is damaged.
        IndexError
            Where there is no such moment.
        """
        moment = range(len(self.times))[index]
        if not len(self.points):
            raise fault(
                self.path,
                "water_content",
                found="no points",
                expected="profiles at points",
                do="name points when the columns are run",
            )
        return read_values(self.path, self._file["water_content"], moment)

    def _images(self, name: str, index: Any) -> FloatArray:
        return self._horizontal.ordered(read_values(self.path, self._file[name], index))

    def _not_there(self, wanted: str, known: str) -> ImgdaError:
        return fault(self.path, found=f"no {wanted}", expected=f"one of {known}", do="ask for one of these")


@contextmanager
def open_history(path: Path) -> Iterator[History]:
    """The history in a file, which stays open in the block. Not collective.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is no history of soil columns.
    """
    with opened(path, "run it again") as file:
        yield History(path, file)


def _check_variables(path: Path, file: netCDF4.Dataset, dimensions: dict[str, tuple[str, ...]]) -> None:
    for name, wanted in dimensions.items():
        if name not in file.variables:
            raise _no_history(path, name, "no such variable")
        if file[name].dimensions != wanted:
            raise _no_history(path, name, f"dimensions ({', '.join(file[name].dimensions)})")


def _keep_no_images(variable: netCDF4.Variable[Any]) -> None:
    """Images are written and read whole and once: the library would keep tens of megabytes of them per variable."""
    with in_library(Path(variable.group().filepath())):
        variable.set_var_chunk_cache(size=2**16)


def _count(path: Path, file: netCDF4.Dataset, name: str) -> int:
    text = text_attribute(file, name)
    if not text.isdecimal():
        raise _no_history(path, None, f"no number {name}")
    return int(text)


def _no_history(path: Path, variable: str | None, found: str) -> ImgdaError:
    expected, do = "a history of soil columns", "give a history that this program wrote"
    return fault(path, variable, found=found, expected=expected, do=do)
