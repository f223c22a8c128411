"""The files of the stand-in for CoLM2014, and the soil columns in them."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from colm_faults import Fault

from imgda_mpi.colm.soil_layers import interface_depth, node_depth, thickness
from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.hydraulics import WATER, campbell
from imgda_mpi.columns.reference_evaporation import reference_evaporation
from imgda_mpi.columns.vegetation import IGBP_OF_USGS, classes, cover_and_roots
from imgda_mpi.columns.water import N_FLUXES, Processes, advance, make_columns, make_state

MISSING = -1.0e36
FULL_AQUIFER = 4800.0  # mm in wa
FREEZING = 273.16  # K
DAY = timedelta(days=1)
SNOW, LAYERS = 5, 15

# Of the state: where variables begin, in reals per patch; all have (patch, size).
PLACES = {"t_soisno": (10, 15), "wliq_soisno": (25, 15), "wice_soisno": (40, 15), "zwt": (92, 1), "wa": (93, 1)}
STATE_REALS = 128

# Of record 2 of the const file, after the integers: reals per patch up to each of the 10-layer properties.
PROPERTIES = {"porsl": 35, "psi0": 45, "bsw": 55, "hksati": 65}
PROPERTY_REALS = 139

# Of a flux file: how many values records have in a cell, where it is not one.
WIDTHS = {45: 4, 53: 15, 54: 15, 55: 15, 56: 10, 61: 10, 62: 10}
N_RECORDS = 99


def fail(path: str, what: str) -> NoReturn:
    sys.stderr.write(f"Fortran runtime error: {what}: '{path}'\n")
    sys.exit(2)


def record(*parts: np.ndarray) -> bytes:
    """A record of a sequential file."""
    body = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    size = np.int32(len(body)).tobytes()
    return size + body + size


def read_records(path: str, sizes: list[int]) -> list[bytes]:
    """Records of a file, which have these sizes."""
    try:
        content, found, at = Path(path).read_bytes(), [], 0
    except OSError:
        fail(path, "Cannot open file")
    for size in sizes:
        length = int.from_bytes(content[at : at + 4], "little")
        if not content[at:]:
            fail(path, "End of file")
        # The model reads what it wants from a longer record, and goes on with anything.
        if length != size or len(content) < at + 8 + size:
            fail(path, "I/O past end of record on unformatted file")
        found.append(content[at + 4 : at + 4 + size])
        at += size + 8
    return found


class Site:
    """What the model has in memory."""

    def __init__(self, settings: dict[str, Any], begin: tuple[int, ...]) -> None:
        self.restarts, self.output = (
            settings[name].rstrip() + settings["site"].rstrip() for name in ("dir_restart_hist", "dir_output")
        )
        self.n, self.shape = settings["numpatch"], (settings["lat_points"], settings["lon_points"])
        self._read_const()
        self._read_state(begin)
        # Of the sun and the weather alone: dates stay as they are.
        self.clock = timedelta(hours=0 if settings["greenwich"] else -round(self.lons[0] / 15.0))
        self._begin_interval()

    def _read_const(self) -> None:
        n, cells = self.n, self.shape[0] * self.shape[1]
        coordinates = sum(self.shape)
        sizes = [28 * n + 8 * cells, 20 * n + 8 * coordinates + 8 * PROPERTY_REALS * n + 8 * 14]
        places, properties = read_records(f"{self.restarts}-rstTimeConst"[:256], sizes)
        column, row, self.patch_class = np.frombuffer(places, "<i4", 3 * n).reshape(3, n)
        self.cell = (row - 1) * self.shape[1] + column - 1
        self.weight = np.frombuffer(places, "<f8", n, 12 * n + 8 * cells)
        self.latitude, self.longitude = np.degrees(np.frombuffer(properties, "<f8", 2 * n).reshape(2, n))
        degrees = np.frombuffer(properties, "<f8", coordinates, 16 * n)
        self.lats, self.lons = degrees[: self.shape[0]], degrees[self.shape[0] :]
        self.type = np.frombuffer(properties, "<i4", n, 16 * n + 8 * coordinates)
        reals = np.frombuffer(properties, "<f8", PROPERTY_REALS * n, 20 * n + 8 * coordinates)
        self.soil = {name: reals[at * n : (at + 10) * n].reshape(n, 10) for name, at in PROPERTIES.items()}

    def _read_state(self, begin: tuple[int, ...]) -> None:
        path = f"{self.restarts}-rstTimeVar-{begin[0]:04d}-{begin[1]:03d}-{begin[2]:05d}"[:256]
        say = sys.stdout.write
        say(f"{path}\n")
        (content,) = read_records(path, [12 + 8 * STATE_REALS * self.n])
        date = tuple(np.frombuffer(content, "<i4", 3).tolist())
        if date != begin:
            say(f" id = {date} idate = {begin}\n The date of initial data is NOT IDENTICAL TO initial set-up\n")
            sys.stdout.flush()
            os.abort()
        self.values = np.frombuffer(content, "<f8", offset=12).copy()

    def __getitem__(self, name: str) -> np.ndarray:
        """A variable of the state, (n, size): a view."""
        at, size = PLACES[name]
        return self.values[at * self.n : (at + size) * self.n].reshape(self.n, size)

    def prepare(self, seed: int) -> None:
        """Get the columns ready. Those with ice, frost or NaN stay as they are."""
        water, soil = self["wliq_soisno"][:, SNOW:], self.soil
        is_warm = (self["t_soisno"][:, SNOW:] >= FREEZING).all(axis=1) & ~self["wice_soisno"].any(axis=1)
        moves = (self.type == 0) & is_warm & np.isfinite(water).all(axis=1)
        hydraulics = campbell(soil["porsl"], 0.0 * soil["porsl"], soil["hksati"], soil["psi0"], soil["bsw"], thickness)
        cover, roots = cover_and_roots(classes(self.patch_class, IGBP_OF_USGS), interface_depth)
        self.columns = make_columns(
            hydraulics.is_campbell,
            hydraulics.layers,
            1.0e3 * node_depth,
            1.0e3 * thickness,
            cover,
            roots,
            0.0,  # no water stands on the surface: the restart has no place for it
            moves,
        )
        aquifer, table = self["wa"][:, 0] - FULL_AQUIFER, self["zwt"][:, 0]
        self.state = make_state(self.columns, water, np.zeros(self.n), aquifer, table)
        self.weather = GeneratedWeather(self.latitude, self.longitude, np.zeros(self.n), seed)

    def advance(self, at: datetime, step: timedelta) -> None:
        """Go on by a step, and add what is there at its end to the means."""
        weather = self.weather.hour((at + self.clock).replace(minute=0, second=0))
        state, seconds = self.state, step.total_seconds()
        demand, fluxes = reference_evaporation(weather), np.zeros((self.n, N_FLUXES))
        error, *_ = advance(self.columns, state, weather.rain, demand, seconds, Processes(), fluxes)
        if not error < 1.0e-9:
            raise ArithmeticError(f"water balance is {error} mm off")
        moves = self.columns.moves
        # The restart keeps wa: what it cannot keep of the deficit must not go on here either.
        self["wa"][moves, 0] = state.aquifer[moves] + FULL_AQUIFER
        state.aquifer[moves] = self["wa"][moves, 0] - FULL_AQUIFER
        self["zwt"][moves, 0] = state.table[moves]
        self["wliq_soisno"][moves, SNOW:] = state.kept[moves, WATER]
        for name, values in self._present().items():
            self.sums[name] = self.sums.get(name, 0.0) + values
        self.n_steps += 1

    def _present(self) -> dict[str, np.ndarray]:
        found = {name: self[name].copy() for name in PLACES}
        water = found["wliq_soisno"][:, SNOW:] / 1000.0 + found["wice_soisno"][:, SNOW:] / 917.0
        found["h2osoi"] = water / thickness
        found["rstfac"] = np.minimum(found["h2osoi"] / self.soil["porsl"], 1.0).mean(axis=1, keepdims=True)
        found["wat"] = found["wliq_soisno"].sum(axis=1, keepdims=True) + found["wa"]
        return found

    def _begin_interval(self) -> None:
        self.sums: dict[str, np.ndarray] = {}
        self.n_steps = 0

    def write_restart(self, at: datetime, fault: Fault | None = None) -> None:
        """The restart of a time: one record, in place."""
        fault, values = fault or Fault(), self.values
        if fault.kind == "other_date":
            at += DAY
        if fault.kind == "nan":
            values = values.copy()
            first = int(np.flatnonzero(self.columns.moves)[0])
            values[PLACES["wliq_soisno"][0] * self.n + first * LAYERS + SNOW] = np.nan
        second = at.hour * 3600 + at.minute * 60 + at.second
        path = Path(f"{self.restarts}-rstTimeVar-{at:%Y-%j}-{second:05d}"[:256])
        content = record(np.array([at.year, at.timetuple().tm_yday, second], "<i4"), values)
        half_way, middle = fault.half_way(1), len(content) // 2
        with path.open("wb") as file:
            file.write(content[:middle])
            if half_way is not None:
                file.flush()
                half_way()
            file.write(content[middle:])

    def write_fluxes(self, at: datetime, *, written: bool) -> None:
        """Means since the last time, named by their end; then the next begin."""
        if written:
            second = at.hour * 3600 + at.minute * 60 + at.second
            day = f"{at:%Y-%j}-{second:05d}" if second else f"{at - DAY:%Y-%j}-86400"
            Path(f"{self.output}_2D_Fluxes_{day}"[:256]).write_bytes(self._fluxes())
        self._begin_interval()

    def _fluxes(self) -> bytes:
        land = np.bincount(self.cell, self.weight, self.shape[0] * self.shape[1])
        real: dict[int, np.ndarray] = {
            1: self.lons,
            2: self.lats,
            3: (land > 0.0).astype("<i4"),
            4: land,
            5: np.where(land > 0.0, self._areas(), MISSING),
        }
        every, ground, wet = self.type <= 99, self.type <= 3, self.type <= 2
        for number, name, taken in (
            (53, "t_soisno", ground),
            (54, "wliq_soisno", ground),
            (55, "wice_soisno", ground),
            (56, "h2osoi", wet),
            (57, "rstfac", wet),
            (58, "zwt", wet),
            (59, "wa", wet),
            (60, "wat", every),
        ):
            real[number] = self._image(self.sums[name] / self.n_steps, taken)
        missing = np.full(land.size, MISSING)
        return b"".join(
            record(real.get(number, np.repeat(missing, WIDTHS.get(number, 1)))) for number in range(1, N_RECORDS + 1)
        )

    def _areas(self) -> np.ndarray:
        """Of the cells, km2."""
        height, width = (abs(degrees[1] - degrees[0]) for degrees in (self.lats, self.lons))
        bands = np.sin(np.radians(self.lats + height / 2)) - np.sin(np.radians(self.lats - height / 2))
        return np.repeat(6371.0**2 * np.radians(width) * bands, self.shape[1])

    def _image(self, values: np.ndarray, taken: np.ndarray) -> np.ndarray:
        """Means over the patches of cells, (cell, size): layers go fastest."""
        cell, weight, n = self.cell[taken], self.weight[taken], self.shape[0] * self.shape[1]
        area = np.bincount(cell, weight, n)
        with np.errstate(invalid="ignore"):
            means = [np.bincount(cell, weight * layer, n) / area for layer in values[taken].T]
        return np.where(area[:, None] > 0.0, np.stack(means, axis=1), MISSING)
