"""Restarts of CoLM2014: two Fortran files of unnamed records, one for the state and one for what never changes.

Little-endian sequential records of 8-byte reals and 4-byte integers, each between two 4-byte markers with its length
in bytes. No sizes are stored. They follow from the lengths of the two records of the const file and from the depths
of the soil layers, which are the same for every patch and tell where the patches' values begin.
Records of 2 GiB and more (about 1.9 million patches), which compilers split, are not supported.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isqrt
from pathlib import Path
from typing import BinaryIO

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.land_cover import AREA_TOLERANCE, check_types
from imgda_mpi.colm.marks import Mark, read_sidecar, sidecar, write_sidecar
from imgda_mpi.colm.own_patches import own_patches
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import Implausible, check_soil
from imgda_mpi.colm.soil_layers import N_SNOW, N_SOIL, node_depth
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.faults import OutputError, fault, not_finite, reading, writing
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.parallel.rows import gather_rows, scatter_rows

MARKER = 4  # bytes before and after each record

# The state: three integers (year, day of year, second), then 128 reals for every patch, variable after variable.
DATE_BYTES = 12
STATE_REALS = 128
COLUMN = N_SNOW + N_SOIL
TEMPERATURE = 2 * N_SNOW  # reals per patch before t_soisno: z_sno, dz_sno
LIQUID = TEMPERATURE + COLUMN
ICE = LIQUID + COLUMN
AQUIFER = ICE + COLUMN + 14 + 5 * 4 + 3 + 1  # t_grnd..coszen, albg..ssha (2x2), thermk..extkd, zwt

# All of them in their order, with their reals per patch where these are several.
VARIABLES = """
z_sno:5 dz_sno:5 t_soisno:15 wliq_soisno:15 wice_soisno:15
t_grnd tlsun tlsha ldew sag scv snowdp fveg fsno sigf green lai sai coszen
albg:4 albv:4 alb:4 ssun:4 ssha:4 thermk extkb extkd zwt wa t_lake:10 lake_icefrac:10
trad tref qref rst emis z0ma zol rib ustar qstar tstar fm fh fq
"""
SOIL_VARIABLES = ("t_soisno", "wliq_soisno", "wice_soisno")

# Record 1 of the const file: 3 integers and 2 reals for every patch, 2 integers for every cell.
PLACE_BYTES = 28
# Record 2: dlat, dlon; lats(lat), lons(lon); itypwat; z_soi(10), dz_soi(10), lakedepth, dz_lake(10), 4 albedos,
# porsl(10) and 105 more reals for every patch; 14 scalars.
PROPERTY_BYTES = 1132
SCALAR_BYTES = 14 * 8
BYTES_FROM_DEPTHS = PROPERTY_BYTES - 20  # of a patch, from z_soi on
REALS_BEFORE_POROSITY = 2 * N_SOIL + 1 + 10 + 4  # of a patch, from z_soi on


@dataclass(frozen=True)
class _Layout:
    """Where things lie in a const file: bytes from its beginning."""

    n_patch: int
    n_lat: int
    n_lon: int
    places: int
    positions: int
    depths: int

    @property
    def porosity(self) -> int:
        return self.depths + 8 * REALS_BEFORE_POROSITY * self.n_patch


@dataclass
class Colm2014Restart:
    """A restart of CoLM2014, as `imgda_mpi.model.restart.Restart` describes it."""

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    all_patches: PatchMap | None
    offsets: IntArray
    comm: MPI.Intracomm
    porosity: FloatArray  # (n_own, 10)
    mark: Mark | None

    @property
    def state(self) -> Path:
        """File that changes from one instant to the next."""
        return self.inputs[0]

    def room(self) -> int:
        """Bytes that `write` needs. Not collective."""
        return self.state.stat().st_size

    def read_soil(self, implausible: Implausible = "stop") -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective.

        Raises
        ------
        InputError
            As of `check_soil`.
        """
        every: Sequence[FloatArray | None] = on_rank_0(self.comm, self._read_all) or [None] * 4
        liquid, ice, temperature, aquifer = (scatter_rows(self.comm, values, self.offsets) for values in every)
        first = int(self.offsets[self.comm.rank])
        soil = SoilColumns(
            liquid=liquid,
            ice=ice,
            temperature=temperature,
            porosity=self.porosity,
            residual=np.zeros_like(liquid),  # this version of the model has none
            is_soil=self.patches.is_soil,
        )
        state, const = self.inputs[:2]
        in_state, in_const = (lambda patch: (state, first + patch)), (lambda patch: (const, first + patch))
        return check_soil(soil, in_state, in_const, self.comm, implausible), aquifer

    def check_copied(self, implausible: Implausible = "stop") -> None:
        """Read the whole state file, which `write` copies. Collective; rank 0 does the file work.

        Raises
        ------
        InputError
            Where it cannot be read, or holds numbers that are not finite.
        """
        # What is left out of the analysis is passed on as it is.
        unless = SOIL_VARIABLES if implausible == "leave_out" else ()
        on_rank_0(self.comm, lambda: _check_values(self.state, int(self.offsets[-1]), unless))

    def write(
        self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None, mark: Mark | None = None
    ) -> list[Path]:
        """Copy the state file and put the soil water into the copy. Collective; rank 0 does the file work.

        The mark becomes a sidecar, which is the second file.

        Raises
        ------
        OutputError
            Where the file does not hold what was written to it.
        """
        target, mark = directory / self.state.name, mark or self.mark
        every_liquid = gather_rows(self.comm, liquid, self.offsets)
        every_aquifer = None if aquifer is None else gather_rows(self.comm, aquifer, self.offsets)
        with same_fate(self.comm):
            if every_liquid is not None:
                water = self._values(LIQUID, COLUMN)
                water[:, N_SNOW:] = every_liquid
                edits = {LIQUID: water}
                if every_aquifer is not None:
                    edits[AQUIFER] = every_aquifer[:, None]
                _edited_copy(self.state, target, edits)
                if mark is not None:
                    with writing(target.parent):
                        write_sidecar(target, mark)
        return [target] if mark is None else [target, sidecar(target)]

    def _values(self, variable: int, width: int) -> FloatArray:
        n = int(self.offsets[-1])
        return _reals(self.state, _state_byte(variable, n), n * width).reshape(n, width)

    def _read_all(self) -> list[FloatArray]:
        """Liquid, ice, temperature (n_patch, 10) and aquifer storage (n_patch,) of all patches."""
        columns = [self._values(variable, COLUMN)[:, N_SNOW:] for variable in (LIQUID, ICE, TEMPERATURE)]
        return [*columns, self._values(AQUIFER, 1)[:, 0]]


def open_restart(restart_file: Path, const_file: Path, time: datetime, comm: MPI.Intracomm) -> Colm2014Restart:
    """A restart whose two files have been checked against each other and shared among the ranks.

    Collective over ``comm``; only rank 0 opens files.

    Parameters
    ----------
    restart_file, const_file : the model's ``<site>-rstTimeVar-<yyyy-ddd-sssss>`` and ``<site>-rstTimeConst``
    time : instant that the restart must be of, UTC

    Raises
    ------
    InputError
        Where a file is missing, damaged, of another layout or instant, or does not match the other.
    """

    def read() -> tuple[PatchMap, FloatArray]:
        layout = _const_layout(const_file)
        _check_state(restart_file, layout.n_patch, time)
        patches = _place(const_file, layout)
        return patches, _reals(const_file, layout.porosity, layout.n_patch * N_SOIL).reshape(-1, N_SOIL)

    patches, porosity = on_rank_0(comm, read) or (None, None)
    mark = from_rank_0(comm, lambda: read_sidecar(restart_file))
    offsets = share(comm.bcast(patches.n_patch if patches else None), comm.size)
    return Colm2014Restart(
        name=f"CoLM2014 {restart_file.name}",
        time=time,
        inputs=[restart_file, const_file, *([] if mark is None else [sidecar(restart_file)])],
        patches=own_patches(comm, patches, offsets),
        all_patches=patches,
        offsets=offsets,
        comm=comm,
        porosity=scatter_rows(comm, porosity, offsets),
        mark=mark,
    )


def _state_byte(variable: int, n_patch: int) -> int:
    return MARKER + DATE_BYTES + 8 * variable * n_patch


def _reals(path: Path, start: int, count: int) -> FloatArray:
    with reading(path):
        return np.fromfile(path, "<f8", count, offset=start).astype(np.float64, copy=False)


def _integers(path: Path, start: int, count: int) -> IntArray:
    with reading(path):
        return np.fromfile(path, "<i4", count, offset=start).astype(np.int64)


def _record_lengths(path: Path) -> list[int]:
    """Lengths in bytes of the records of a Fortran sequential file."""
    with reading(path):
        size = path.stat().st_size if path.is_file() else None
    if size is None:
        raise fault(path, found="no such file", expected="a restart file of CoLM2014", do="correct its name")
    lengths: list[int] = []
    position = 0
    with reading(path):
        file = path.open("rb")
    with file:
        while position < size:
            marker = _marker(path, file, position)
            length = int.from_bytes(marker, "little", signed=True)
            if length < 0 or len(marker) < MARKER or _marker(path, file, position + MARKER + length) != marker:
                raise fault(
                    path,
                    f"record {len(lengths) + 1}",
                    found=f"a length of {length} bytes that its end does not repeat, in a file of {size} bytes",
                    expected="little-endian Fortran records",
                    do="the file is truncated or of another format: copy it again from the model run",
                )
            lengths.append(length)
            position += length + 2 * MARKER
    return lengths


def _marker(path: Path, file: BinaryIO, position: int) -> bytes:
    with reading(path):
        file.seek(position)
        return file.read(MARKER)


def _const_layout(path: Path) -> _Layout:
    lengths = _record_lengths(path)
    n_patch = _count_patches(path, lengths)
    # Two unknown sizes from their product and their sum.
    n_cells = (lengths[0] - PLACE_BYTES * n_patch) // 8
    total = (lengths[1] - SCALAR_BYTES - PROPERTY_BYTES * n_patch) // 8
    smaller = (total - isqrt(max(total**2 - 4 * n_cells, 0))) // 2
    positions = 3 * MARKER + lengths[0]
    for n_lat, n_lon in ((smaller, total - smaller), (total - smaller, smaller)):
        depths = positions + 20 * n_patch + 8 * total
        layout = _Layout(n_patch, n_lat, n_lon, MARKER, positions, depths)
        if n_lat * n_lon == n_cells and _coordinates_fit(path, layout):
            return layout
    raise fault(
        path,
        "ixy_patch, jxy_patch, dlat, dlon, lats, lons",
        found=f"records of {lengths[0]} and {lengths[1]} bytes with {n_patch} patches whose positions fit no grid",
        expected="the patches of a grid of lats and lons",
        do="the file is damaged or of another version of the model",
    )


def _count_patches(path: Path, lengths: Sequence[int]) -> int:
    """Number of patches: the one for which the layer depths lie where the layout wants them."""
    if len(lengths) == 2:
        end = 3 * MARKER + sum(lengths) - SCALAR_BYTES
        # A grid has more cells than rows plus columns less one, which limits the search.
        most = (lengths[1] - SCALAR_BYTES) // PROPERTY_BYTES
        least = max(1, (lengths[1] - SCALAR_BYTES - 8 - lengths[0]) // (PROPERTY_BYTES - PLACE_BYTES))
        for n_patch in range(most, least - 1, -1):
            depths = _reals(path, end - BYTES_FROM_DEPTHS * n_patch, N_SOIL)
            with np.errstate(invalid="ignore"):  # other numbers read as reals may be anything
                if (np.abs(depths - node_depth) < 1e-9).all():
                    return n_patch
    raise fault(
        path,
        found=f"records of {lengths} bytes without the depths of the soil layers",
        expected="the two records of a const file of CoLM2014",
        do="name the <site>-rstTimeConst file; other versions of the model cannot be read",
    )


def _places(path: Path, layout: _Layout) -> tuple[IntArray, IntArray]:
    """Row and column of every patch, from 0."""
    column, row = _integers(path, layout.places, 2 * layout.n_patch).reshape(2, -1) - 1
    return row, column


def _coordinates(path: Path, layout: _Layout) -> tuple[FloatArray, FloatArray]:
    start = layout.positions + 16 * layout.n_patch
    values = _reals(path, start, layout.n_lat + layout.n_lon)
    return values[: layout.n_lat], values[layout.n_lat :]


def _coordinates_fit(path: Path, layout: _Layout) -> bool:
    """Whether every patch lies at the coordinates of its cell."""
    row, column = _places(path, layout)
    inside = (row >= 0) & (row < layout.n_lat) & (column >= 0) & (column < layout.n_lon)
    if not inside.all():
        return False
    lats, lons = _coordinates(path, layout)
    dlat, dlon = np.degrees(_reals(path, layout.positions, 2 * layout.n_patch)).reshape(2, -1)
    return bool((np.abs(dlat - lats[row]) < 1e-6).all() and (np.abs(dlon - lons[column]) < 1e-6).all())


def _place(path: Path, layout: _Layout) -> PatchMap:
    n, n_cells = layout.n_patch, layout.n_lat * layout.n_lon
    row, column = _places(path, layout)
    cell = row * layout.n_lon + column
    after_places = layout.places + 12 * n
    first, last = _integers(path, after_places, 2 * n_cells).reshape(2, n_cells)
    number = np.arange(1, n + 1)
    counted = int((last - first + 1)[first > 0].sum())
    if counted != n or (number < first[cell]).any() or (number > last[cell]).any():
        raise fault(
            path,
            "spatch_xy, epatch_xy",
            found=f"{counted} patches in the cells' ranges, not those of ixy_patch and jxy_patch",
            expected=f"each of the {n} patches in the range of its cell",
            do="the file is damaged: copy it again from the model run",
        )
    weight = _reals(path, after_places + 8 * n_cells, n)
    patch_type = _integers(path, layout.depths - 4 * n, n)
    patch_class = _integers(path, layout.places + 8 * n, n)
    check_types(
        patch_class, patch_type, "itypwat", lambda patch: (path, f"row {row[patch] + 1}, column {column[patch] + 1}")
    )
    latitude, longitude = _coordinates(path, layout)
    # A region across the date line.
    longitude = np.where(longitude < longitude[0], longitude + 360.0, longitude)
    try:
        patches = PatchMap(Grid(latitude, longitude), cell, weight, patch_type)
    except ValueError as err:
        raise fault(
            path,
            "lats, lons, wtxy_patch",
            found=f"values that make no grid ({err})",
            expected="a latitude-longitude grid and the areas of its patches",
            do="the file is damaged: copy it again from the model run",
        ) from err
    _check_areas(path, row, column, weight)
    return patches


def _check_areas(path: Path, row: IntArray, column: IntArray, weight: FloatArray) -> None:
    """Refuse cells whose patches do not cover a part of the cell: the weights sum to its land fraction."""
    places, cell = np.unique(np.stack([row, column]), axis=1, return_inverse=True)
    land = np.bincount(cell.ravel(), weight)
    wrong = np.flatnonzero(~((land > 0) & (land <= 1 + AREA_TOLERANCE)))
    if wrong.size:
        at_row, at_column = places[:, wrong[0]] + 1
        raise fault(
            path,
            "wtxy_patch",
            found=f"weights of row {at_row}, column {at_column} that sum to {land[wrong[0]]:g}"
            f" ({wrong.size} such cells)",
            expected="the land fraction, above 0 and at most 1",
            do="the file is damaged: copy it again from the model run",
        )


def _check_state(path: Path, n_patch: int, time: datetime) -> None:
    lengths = _record_lengths(path)
    expected = DATE_BYTES + 8 * STATE_REALS * n_patch
    if lengths != [expected]:
        n_found, rest = divmod(lengths[0] - DATE_BYTES, 8 * STATE_REALS) if len(lengths) == 1 else (0, 1)
        raise fault(
            path,
            found=f"records of {lengths} bytes" if rest else f"{n_found} patches",
            expected=f"one record of {expected} bytes" if rest else f"the const file's {n_patch}",
            do="it is not the state file, or of a version of the model with other variables"
            if rest
            else "use the const file of the same case",
        )
    year, day, second = (int(value) for value in _integers(path, MARKER, 3))
    plausible = 1 <= year <= 9999 and 1 <= day <= 366 and 0 <= second <= 86400
    if not plausible or datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1, seconds=second) != time:
        raise fault(
            path,
            "year, day, second",
            found=f"{year}, {day}, {second}",
            expected=f"the instant of the analysis, {time:%Y-%m-%d %H:%M:%S} (day {time:%j} of the year)",
            do="use the restart of that instant, or correct the time",
        )


def _check_values(path: Path, n_patch: int, unless: Sequence[str]) -> None:
    position = 0
    for name, _, several in (word.partition(":") for word in VARIABLES.split()):
        width = int(several or 1)
        values = _reals(path, _state_byte(position, n_patch), n_patch * width)
        position += width
        bad = int(np.count_nonzero(~np.isfinite(values)))
        if bad and name not in unless:
            raise not_finite(path, name, bad, values.size)


def _edited_copy(source: Path, target: Path, edits: dict[int, FloatArray]) -> None:
    """Copy a state file and replace whole variables (n_patch, width) in the copy."""
    with writing(target.parent):
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)
        with target.open("r+b") as file:
            for variable, values in edits.items():
                file.seek(_state_byte(variable, values.shape[0]))
                file.write(values.astype("<f8", copy=False).tobytes())
            file.flush()
            os.fsync(file.fileno())
    for variable, values in edits.items():
        written = _reals(target, _state_byte(variable, values.shape[0]), values.size)
        if written.tobytes() != values.tobytes():
            raise OutputError(f"{target}: the file does not hold the soil water that was written to it")
