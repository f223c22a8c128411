"""A small case of CoLM2014, written and read independently of the program."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from imgda_mpi.colm.soil_layers import N_SOIL, node_depth, thickness

TIME = datetime(2022, 6, 4, tzinfo=UTC)  # day 155
DATE = (2022, 155, 0)

# Variables of the state in their order in the file, with their reals per patch where these are more than one.
VARIABLES = """
z_sno:5 dz_sno:5 t_soisno:15 wliq_soisno:15 wice_soisno:15
t_grnd tlsun tlsha ldew sag scv snowdp fveg fsno sigf green lai sai coszen
albg:4 albv:4 alb:4 ssun:4 ssha:4 thermk extkb extkd zwt wa t_lake:10 lake_icefrac:10
trad tref qref rst emis z0ma zol rib ustar qstar tstar fm fh fq
"""
STATE = {name: int(width or 1) for name, _, width in (word.partition(":") for word in VARIABLES.split())}


def record(*parts) -> bytes:
    body = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
    return np.int32(len(body)).tobytes() + body + np.int32(len(body)).tobytes()


def in_parts(content: bytes, length: int) -> bytes:
    """The records of a file, written anew as compilers do where a part may have so many bytes."""
    written, position = b"", 0
    while position < len(content):
        size = int(np.frombuffer(content, "<i4", 1, position)[0])
        body = content[position + 4 : position + 4 + size]
        starts = range(0, size, length)
        for start in starts:
            part = body[start : start + length]
            before = -len(part) if start != starts[-1] else len(part)
            behind = -len(part) if start else len(part)
            written += np.int32(before).tobytes() + part + np.int32(behind).tobytes()
        position += size + 8
    return written


class SmallCase:
    """Two files on a grid of so many rows and columns: some cells without land, up to three patches in the others."""

    def __init__(self, n_lat: int, n_lon: int, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        self.lats = 50.0 - 2.0 * np.arange(n_lat)
        self.lons = 100.0 + 3.0 * np.arange(n_lon)
        per_cell = rng.integers(0, 4, n_lat * n_lon)
        per_cell[[0, -1]] = 1
        self.cell = np.repeat(np.arange(n_lat * n_lon), per_cell)
        n = self.n = self.cell.size
        last = np.cumsum(per_cell)
        self.first = np.where(per_cell > 0, last - per_cell + 1, -1).astype("<i4")
        self.last = np.where(per_cell > 0, last, -1).astype("<i4")
        self.weight = rng.uniform(0.1, 0.33, n)
        self.types = rng.choice([0, 0, 0, 1, 2, 3, 4], n).astype("<i4")
        self.classes = np.array([7, 1, 17, 24, 16])[self.types]  # USGS
        self.porosity = rng.uniform(0.35, 0.5, (n, N_SOIL))
        self.hydraulics = 8.0, 8.0, 8.0  # psi0, bsw, hksati
        self.row, self.column = np.divmod(self.cell, n_lon)
        self.dlat, self.dlon = np.radians(self.lats[self.row]), np.radians(self.lons[self.column])
        self.state = {name: rng.uniform(0.0, 1.0, (n, width)) for name, width in STATE.items()}
        self.state["t_soisno"] += 280.0
        self.state["wliq_soisno"][:, 5:] *= 400.0 * thickness
        self.state["wice_soisno"][:] = 0.0
        frozen = rng.random(n) < 0.2
        self.state["t_soisno"][frozen, 6] = 272.0
        self.state["wice_soisno"][frozen, 6] = 1.0
        self.state["wa"] += 4800.0

    def write_const(self, path: Path) -> Path:
        n = self.n
        integers = np.array([self.column + 1, self.row + 1, self.classes], "<i4")
        places = record(integers, self.first, self.last, self.weight, np.ones(n))
        layers = [np.tile(node_depth, (n, 1)), np.tile(thickness, (n, 1))]
        properties = record(
            self.dlat,
            self.dlon,
            self.lats,
            self.lons,
            self.types,
            *layers,
            np.full(n * 15, 7.0),  # lakedepth, dz_lake, four albedos
            self.porosity,
            *(np.full(n * N_SOIL, value) for value in self.hydraulics),
            np.full(n * (40 + 16 + 8), 8.0),
            np.full(14, 9.0),
        )
        path.write_bytes(places + properties)
        return path

    def write_state(self, path: Path, date=DATE) -> Path:
        path.write_bytes(record(np.array(date, "<i4"), *self.state.values()))
        return path

    def write(self, directory: Path) -> tuple[Path, Path]:
        return (
            self.write_state(directory / "S-rstTimeVar-2022-155-00000"),
            self.write_const(directory / "S-rstTimeConst"),
        )


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Independent reader of a state file: variable after variable from the list above."""
    values = np.frombuffer(path.read_bytes()[16:-4], "<f8").reshape(128, -1)
    ends = np.cumsum(list(STATE.values()))
    n = values.shape[1]
    return {
        name: values[end - width : end].reshape(n, width)
        for (name, width), end in zip(STATE.items(), ends, strict=True)
    }
