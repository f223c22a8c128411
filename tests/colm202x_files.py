"""The files of the stand-in for CoLM202X, and the soil columns in them."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from colm202x_namelist import Stopped, frequency, is_end_of, stamp, text
from colm_faults import Fault, kill
from mpi4py import MPI

MISSING = -1.0e36
SNOW, SOIL = 5, 10
# Section 2 of the model's description: nodes and thicknesses, m.
NODE = 0.025 * np.expm1(0.5 * (np.arange(1, SOIL + 1) - 0.5))
THICKNESS = np.array(
    [(NODE[0] + NODE[1]) / 2, *((NODE[2:] - NODE[:-2]) / 2), NODE[-1] - NODE[-2]],
)
ORIGIN = datetime(1900, 1, 1, tzinfo=UTC)


def now() -> str:
    """When a file is made, as the model puts it into the file."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    at = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    return f"{at:%Y%m%d-%H:%M:%S} UTC+00:00"


def load(path: Path) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Dimensions and values of all variables of a file."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return {name: (variable.dimensions, variable[...]) for name, variable in file.variables.items()}


class Case:
    """The output folder of a case, and its state from one start on.

    All blocks' patches are one after the other, in the order of the blocks' names.
    """

    def __init__(self, directory: Path, name: str, year: int, start: datetime) -> None:
        self.directory, self.name, self.year, self.start = directory, name, year, start
        self.states = directory / "restart" / stamp(start)
        self.landpatch = directory / "landdata" / "landpatch" / str(year)
        self.mesh = directory / "landdata" / "mesh" / str(year) / "mesh.nc"
        self.blocks = sorted(path.stem.removeprefix("landpatch_") for path in self.landpatch.glob("landpatch_*.nc"))

    def missing(self) -> Path | None:
        """The first file that is not there."""
        const = f"{self.name}_restart_const_lc{self.year}"
        wanted = [self.directory / "landdata/block.nc", self.mesh]
        for block in self.blocks:
            wanted += [self.directory / "restart/const" / f"{const}_{block}.nc", self.states / self._state(block)]
        if not self.blocks:
            wanted.append(self.landpatch)
        return next((path for path in wanted if not path.is_file()), None)

    def _state(self, block: str, at: str = "") -> str:
        return f"{self.name}_restart_{at or stamp(self.start)}_lc{self.year}_{block}.nc"

    def open(self, seed: int) -> None:
        """Read the restart of the start, and get the columns ready."""
        with warnings.catch_warnings():  # h5py and netCDF4 have an HDF5 each and say so
            warnings.simplefilter("ignore")
            from imgda_mpi.colm.colm202x import open_restart
            from imgda_mpi.columns.generator import GeneratedWeather
            from imgda_mpi.columns.hydraulics import WATER
            from imgda_mpi.columns.model import ColumnModel, places_of
            from imgda_mpi.columns.restart import read_columns
        self.own = read_columns(open_restart(self.directory, self.name, self.start, self.year, MPI.COMM_SELF))
        self.model = ColumnModel(self.own, GeneratedWeather(*places_of(self.own), seed), self.start)
        self._water = WATER
        self.read = [load(self.states / self._state(block)) for block in self.blocks]
        self._copied = sorted({path.name for path in self.states.iterdir()} - {*map(self._state, self.blocks)})
        self.first = np.cumsum([0, *(variables["wa"][1].size for variables in self.read)])

    def state(self) -> dict[str, np.ndarray]:
        """What moves, of all patches."""
        names = ("wliq_soisno", "wice_soisno", "t_soisno", "wa", "zwt", "wdsrf")
        found = {name: np.concatenate([variables[name][1] for variables in self.read]) for name in names}
        moves, state = self.own.columns.moves, self.own.state
        found["wliq_soisno"][moves, SNOW:] = state.kept[moves, self._water]
        for name, values in (("wa", state.aquifer), ("zwt", state.table), ("wdsrf", state.pond)):
            found[name][moves] = values[moves]
        return found

    def hour(self) -> dict[str, np.ndarray]:
        """Go on by an hour; mean fluxes of all patches, kg m-2 s-1."""
        self.model.hour()
        fluxes = self.model.mean_fluxes()
        return {"f_xy_rain": fluxes["rain"], "f_rnof": fluxes["runoff"], "f_fevpa": fluxes["evaporation"]}

    def write(self, at: datetime, compression: int, fault: Fault | None = None) -> None:
        """The restart of now, named by a time: all sets that were there, file after file."""
        fault = fault or Fault()
        moving, folder = self.state(), self.directory / "restart" / stamp(at)
        if fault.kind == "nan":
            moving["wliq_soisno"][int(np.flatnonzero(self.own.columns.moves)[0]), SNOW] = np.nan
        folder.mkdir(exist_ok=True)
        blocks = zip(self.blocks, self.read, self.first, self.first[1:], strict=False)
        for number, (block, variables, first, last) in enumerate(blocks, 1):
            changed = {name: moving[name][first:last] for name in ("wliq_soisno", "wa", "zwt", "wdsrf")}
            half_way = fault.half_way(number)
            _write_block(folder / self._state(block, stamp(at)), variables, changed, compression, half_way)
        for number, name in enumerate(self._copied, len(self.blocks) + 1):
            source = self.states / name
            target = folder / stamp(at).join(name.rsplit(stamp(self.start), 1))
            if fault.kind == "half_restart" and number == fault.number:
                target.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
                kill()
            shutil.copyfile(source, target)


def _write_block(
    path: Path,
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]],
    changed: dict[str, np.ndarray],
    compression: int,
    half_way: Callable[[], None] | None,
) -> None:
    with netCDF4.Dataset(path, "w") as file:
        file.create_time = now()
        for dimensions, values in variables.values():
            for name, size in zip(dimensions, values.shape, strict=True):
                if name not in file.dimensions:
                    file.createDimension(name, size)
        for number, (name, (dimensions, values)) in enumerate(variables.items()):
            if half_way is not None and number == len(variables) // 2:
                file.sync()
                half_way()
            storage = {"zlib": compression > 0, "complevel": compression, "shuffle": False, "chunksizes": values.shape}
            file.createVariable(name, values.dtype, dimensions, fill_value=False, **storage)[...] = changed.get(
                name, values
            )


# Of a history: dimensions between time and lat, largest type of patch, unit, long name.
VARIABLES: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "f_xy_rain": ((), 99, "mm/s", "rain"),
    "f_fevpa": ((), 99, "mm/s", "evapotranspiration from canopy height to atmosphere"),
    "f_rnof": ((), 99, "mm/s", "total runoff"),
    "f_t_soisno": (("soilsnow",), 3, "K", "soil temperature"),
    "f_wliq_soisno": (("soilsnow",), 3, "kg/m2", "liquid water in soil layers"),
    "f_wice_soisno": (("soilsnow",), 3, "kg/m2", "ice lens in soil layers"),
    "f_h2osoi": (("soil",), 2, "m3/m3", "volumetric water in soil layers"),
    "f_zwt": ((), 2, "m", "the depth to water table"),
    "f_wa": ((), 2, "mm", "water storage in aquifer"),
    "f_wdsrf": ((), 99, "mm", "depth of surface water"),
}


class History:
    """Means of hours or days on the model's grid within the domain."""

    def __init__(self, case: Case, settings: dict[str, Any], domain: dict[str, float]) -> None:
        self.case, self.often = case, frequency(settings, "def_hist_freq")
        formats = {"DAY": "%Y-%m-%d", "MONTH": "%Y-%m", "YEAR": "%Y"}
        group = text(settings, "def_hist_groupby")
        if group not in formats:
            raise Stopped("Please USE one of DAY/MONTH/YEAR for history group.")
        self.dated, self.compression = formats[group], settings["def_hist_compresslevel"]
        mesh = load(case.mesh)
        latitude, longitude = mesh["latitude"][1], mesh["longitude"][1]
        self.size = abs(latitude[1] - latitude[0]), abs(longitude[1] - longitude[0])
        wanted = settings["def_hist_lat_res"], settings["def_hist_lon_res"]
        if not settings["def_hist_grid_as_forcing"] and wanted != self.size:
            raise Stopped(f"this stand-in has histories on the model's grid of {self.size} alone, not {wanted}.")
        rows = np.flatnonzero((latitude > domain["edges"]) & (latitude < domain["edgen"]))
        columns = np.flatnonzero((longitude > domain["edgew"]) & (longitude < domain["edgee"]))
        rows = rows[np.argsort(-latitude[rows])]
        self.latitude, self.longitude = latitude[rows], longitude[columns]
        cell = np.full((latitude.size, longitude.size), -1)
        cell[np.ix_(rows, columns)] = np.arange(rows.size * columns.size).reshape(rows.size, columns.size)
        landpatch = [load(case.landpatch / f"landpatch_{block}.nc") for block in case.blocks]
        fractions = [load(case.landpatch / f"patchfrac_elm_{block}.nc") for block in case.blocks]
        consts = [
            load(case.directory / "restart/const" / f"{case.name}_restart_const_lc{case.year}_{block}.nc")
            for block in case.blocks
        ]
        element = np.concatenate([variables["eindex"][1] for variables in landpatch])
        self.cell = cell.ravel()[element - 1]
        self.weight = np.concatenate([variables["patchfrac_elm"][1] for variables in fractions])
        self.type = np.concatenate([variables["patchtype"][1] for variables in consts])
        self.last: Path | None = None
        self._begin_interval()

    def _begin_interval(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.n = 0

    def add(
        self,
        at: datetime,
        before: dict[str, np.ndarray],
        after: dict[str, np.ndarray],
        fluxes: dict[str, np.ndarray],
        *,
        at_end: bool,
    ) -> None:
        """An hour that ends at a time, with the states at its two ends."""
        means = {f"f_{name}": 0.5 * (before[name] + after[name]) for name in before}
        means["f_h2osoi"] = (
            means["f_wliq_soisno"][:, SNOW:] / 1000.0 + means["f_wice_soisno"][:, SNOW:] / 917.0
        ) / THICKNESS
        for name, values in (means | fluxes).items():
            self.sums[name] = self.sums.get(name, 0.0) + values
        self.n += 1
        if is_end_of(self.often, at) or at_end:
            self._write(at - timedelta(hours=self.n) / 2)
            self._begin_interval()

    def _write(self, middle: datetime) -> None:
        """A record in its file, which is made where this run has not written into it last."""
        path = self.case.directory / "history" / f"{self.case.name}_hist_{middle.strftime(self.dated)}.nc"
        with netCDF4.Dataset(path, "a" if path == self.last else "w") as file:
            if path != self.last:
                self._define(file)
            record = file.dimensions["time"].size
            file["time"][record] = int((middle - ORIGIN) / timedelta(minutes=1))
            for name, (_, largest, *_) in VARIABLES.items():
                file[name][record] = self._image(self.sums[name] / self.n, self.type <= largest)
        self.last = path

    def _image(self, values: np.ndarray, taken: np.ndarray) -> np.ndarray:
        shape = self.latitude.size, self.longitude.size
        taken = taken & (self.cell >= 0)
        cell, n = self.cell[taken], shape[0] * shape[1]
        area = np.bincount(cell, self.weight[taken], n)
        layers = values[taken].reshape(cell.size, -1).T
        with np.errstate(invalid="ignore"):
            means = [np.bincount(cell, self.weight[taken] * layer, n) / area for layer in layers]
        image = np.where(area > 0.0, means, MISSING)
        return image.reshape(*values.shape[1:], *shape)

    def _define(self, file: netCDF4.Dataset) -> None:
        file.create_time = now()
        file.createDimension("time", None)
        half = self.size[0] / 2, self.size[1] / 2
        for name, values, bounds, words in (
            ("lat", self.latitude, {"lat_s": -half[0], "lat_n": half[0]}, ("latitude", "degrees_north")),
            ("lon", self.longitude, {"lon_w": -half[1], "lon_e": half[1]}, ("longitude", "degrees_east")),
        ):
            file.createDimension(name, values.size)
            file.createVariable(name, "f4", (name,), fill_value=False)[:] = values
            file[name].setncatts(dict(zip(("long_name", "units"), words, strict=True)))
            for bound, shift in bounds.items():
                file.createVariable(bound, "f8", (name,), fill_value=False)[:] = values + shift
        for name, first, size in (("soil", 1, SOIL), ("soilsnow", 1 - SNOW, SNOW + SOIL)):
            file.createDimension(name, size)
            file.createVariable(name, "i4", (name,), fill_value=False)[:] = np.arange(first, first + size)
        file.createVariable("time", "i4", ("time",), fill_value=False)
        file["time"].setncatts({"long_name": "time", "units": "minutes since 1900-1-1 0:0:0"})
        storage = {"zlib": self.compression > 0, "complevel": self.compression, "shuffle": False}
        for name, (between, _, units, long_name) in VARIABLES.items():
            variable = file.createVariable(name, "f8", ("time", *between, "lat", "lon"), fill_value=False, **storage)
            variable.setncatts({"long_name": long_name, "units": units, "missing_value": MISSING})
