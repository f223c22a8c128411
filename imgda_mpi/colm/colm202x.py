"""Restarts of CoLM202X: NetCDF-4 files, one per block of the globe, and the landdata that place their patches."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.colm.block_files import BlockFile, Columns, edit_rows, has_parallel_hdf5, read_rows
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.restart import check_soil
from imgda_mpi.colm.soil_layers import N_SNOW, N_SOIL
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.errors import InputError, fault, writing
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.ownership import share

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

# In the state file the snow layers come first; soil layer 1 is column 5.
LIQUID = Columns("wliq_soisno", N_SNOW, N_SNOW + N_SOIL)
ICE = Columns("wice_soisno", N_SNOW, N_SNOW + N_SOIL)
TEMPERATURE = Columns("t_soisno", N_SNOW, N_SNOW + N_SOIL)
AQUIFER = Columns("wa")
POROSITY = Columns("porsl", 0, N_SOIL)
RESIDUAL = Columns("theta_r", 0, N_SOIL)


def stamp(time: datetime) -> str:
    """CoLM's name of an instant: year, day of the year, second of the day.

    >>> from datetime import datetime, timezone
    >>> stamp(datetime(2022, 6, 2, 6, tzinfo=timezone.utc))
    '2022-153-21600'
    """
    return f"{time:%Y-%j}-{time.hour * 3600 + time.minute * 60 + time.second:05d}"


@dataclass(frozen=True)
class CaseFiles:
    """Where CoLM202X keeps the files of a case (its ``DEF_dir_output``/``DEF_CASE_NAME``)."""

    directory: Path
    case: str
    time: datetime
    land_cover_year: int

    @property
    def states(self) -> Path:
        """Folder of the restart of this instant."""
        return self.directory / "restart" / stamp(self.time)

    def state(self, block: str) -> Path:
        """State of one block."""
        return self.states / f"{self.case}_restart_{stamp(self.time)}_lc{self.land_cover_year}_{block}.nc"

    def const(self, block: str) -> Path:
        """Time-invariant properties of one block's patches."""
        return self.directory / "restart" / "const" / f"{self.case}_restart_const_lc{self.land_cover_year}_{block}.nc"

    @property
    def mesh(self) -> Path:
        """Latitudes and longitudes of the whole grid, also of a regional run."""
        return self.directory / "landdata" / "mesh" / str(self.land_cover_year) / "mesh.nc"

    @property
    def landpatch(self) -> Path:
        """Folder with the cell and class of every patch."""
        return self.directory / "landdata" / "landpatch" / str(self.land_cover_year)


@dataclass
class Colm202xRestart:
    """A restart of CoLM202X, as `imgda_mpi.colm.restart.Restart` describes it."""

    name: str
    time: datetime
    inputs: list[Path]
    patches: PatchMap
    offsets: IntArray
    comm: MPI.Intracomm
    files: CaseFiles
    states: list[BlockFile]
    consts: list[BlockFile]

    @property
    def n_bytes(self) -> int:
        """Room that `write` needs: the files, and the edited variables once more in case they deflate less well."""
        return (
            sum(path.stat().st_size for path in self.files.states.iterdir()) + 8 * (N_SOIL + 1) * self.patches.n_patch
        )

    def read_soil(self) -> tuple[SoilColumns, FloatArray]:
        """Soil columns and aquifer storage (n_own,) mm of the own patches. Collective."""
        state = read_rows(self.comm, self.states, self.offsets, [LIQUID, ICE, TEMPERATURE, AQUIFER])
        const = read_rows(self.comm, self.consts, self.offsets, [POROSITY, RESIDUAL])
        first, last = self.offsets[self.comm.rank : self.comm.rank + 2]
        soil = SoilColumns(
            liquid=state[LIQUID.name],
            ice=state[ICE.name],
            temperature=state[TEMPERATURE.name],
            porosity=const[POROSITY.name],
            residual=const[RESIDUAL.name],
            is_soil=self.patches.is_soil[first:last],
        )
        self._liquid_before = soil.liquid
        with same_fate(self.comm):
            check_soil(soil, lambda patch: self._place(int(first) + patch))
        return soil, state[AQUIFER.name]

    def _place(self, patch: int) -> tuple[Path, int]:
        state = next(state for state in self.states if patch < state.stop)
        return state.path, patch - state.start

    def write(self, directory: Path, liquid: FloatArray, aquifer: FloatArray | None) -> list[Path]:
        """Copy the folder of this instant into ``directory``, then edit the soil water of the copies. Collective.

        Sets that hold no soil water (``_restart_pft_``, ``_restart_urban_``, ...) are copied as they are, so that
        the new folder can take the place of the old one.
        """
        written: list[Path] = []
        folder = directory / self.files.states.name
        with same_fate(self.comm), writing(folder):
            folder.mkdir(exist_ok=True)
            sources = sorted(path for path in self.files.states.iterdir() if path.is_file())
            written = [folder / source.name for source in sources]
            for source, target in list(zip(sources, written, strict=True))[self.comm.rank :: self.comm.size]:
                shutil.copyfile(source, target)
        copies = [BlockFile(folder / file.path.name, file.start, file.stop) for file in self.states]
        edits = {LIQUID: liquid} if aquifer is None else {LIQUID: liquid, AQUIFER: aquifer}
        changed = (liquid != self._liquid_before).any(axis=1)
        edit_rows(self.comm, copies, self.offsets, edits, changed)
        return written


def open_restart(
    directory: Path, case: str, time: datetime, land_cover_year: int, comm: MPI.Intracomm
) -> Colm202xRestart:
    """A restart whose files have been found, checked against each other, and shared among the ranks.

    Collective over ``comm``; only rank 0 opens files.

    Raises
    ------
    InputError
        Where a file is missing or damaged, of another instant or case, or does not match the others.
    """
    files = CaseFiles(directory, case, time, land_cover_year)
    found = None
    with same_fate(comm):
        if comm.rank == 0:
            found = _survey(files)
    patches, blocks, sizes = comm.bcast(found)
    if comm.rank == 0 and comm.size > 1 and not has_parallel_hdf5():
        log.info("this h5py has no MPI: restart files go through rank 0 (same values, less speed)")
    ends = np.cumsum(sizes)
    starts = ends - sizes
    return Colm202xRestart(
        name=f"CoLM202X case {case} at {stamp(time)}",
        time=time,
        inputs=[files.state(block) for block in blocks] + [files.const(block) for block in blocks],
        patches=patches,
        offsets=share(int(ends[-1]), comm.size),
        comm=comm,
        files=files,
        states=[BlockFile(files.state(b), int(i), int(j)) for b, i, j in zip(blocks, starts, ends, strict=True)],
        consts=[BlockFile(files.const(b), int(i), int(j)) for b, i, j in zip(blocks, starts, ends, strict=True)],
    )


def _survey(files: CaseFiles) -> tuple[PatchMap, list[str], list[int]]:
    """Patches of all blocks, the names of the blocks, and how many patches each has."""
    _check_folders(files)
    blocks = sorted(path.stem.removeprefix("landpatch_") for path in files.landpatch.glob("landpatch_*.nc"))
    if not blocks:
        raise InputError(
            fault(
                files.landpatch,
                found="no landpatch_<block>.nc",
                expected="one for every block with land",
                do="model.directory must hold the case's landdata beside its restart folder",
            )
        )
    _check_same_blocks(files, blocks)
    parts = [_read_block(files, block) for block in blocks]
    element, weight, patch_type, longitude, latitude = (np.concatenate(part) for part in zip(*parts, strict=True))
    grid, cell = _place(files.mesh, element)
    _check_positions(files, grid, cell, longitude, latitude)
    return PatchMap(grid, cell, weight, patch_type), blocks, [part[0].size for part in parts]


def _check_folders(files: CaseFiles) -> None:
    if not files.directory.is_dir():
        raise InputError(
            fault(
                files.directory,
                found="no such folder",
                expected="the case's output folder, with restart/ and landdata/",
                do="correct model.directory",
            )
        )
    if not files.states.is_dir():
        there = sorted(path.name for path in files.states.parent.glob("*-*-*")) if files.states.parent.is_dir() else []
        raise InputError(
            fault(
                files.states,
                found=f"no such folder (there are: {', '.join(there) or 'none'})",
                expected="the restart of the analysis time",
                do="correct model.time, model.directory, or run the model to that time",
            )
        )
    expected = f"{files.case}_restart_{stamp(files.time)}_lc{files.land_cover_year}_"
    names = sorted(path.name for path in files.states.iterdir())
    if not any(name.startswith(expected) for name in names):
        raise InputError(
            fault(
                files.states,
                found=f"files named like {names[0]}" if names else "an empty folder",
                expected=f"{expected}<block>.nc",
                do="correct model.case or model.land_cover_year",
            )
        )


def _check_same_blocks(files: CaseFiles, blocks: Sequence[str]) -> None:
    for path in [files.state(block) for block in blocks] + [files.const(block) for block in blocks]:
        if not path.is_file():
            raise InputError(
                fault(
                    path,
                    found="no such file",
                    expected=f"one for each of the {len(blocks)} blocks in {files.landpatch}",
                    do="copy the missing block, or correct model.case and model.land_cover_year",
                )
            )
    prefix = f"{files.case}_restart_{stamp(files.time)}_lc{files.land_cover_year}_"
    known = {files.state(block).name for block in blocks}
    extra = sorted(path.name for path in files.states.glob(f"{prefix}*.nc") if path.name not in known)
    if extra:
        raise InputError(
            fault(
                files.states / extra[0],
                found="a block that has no landpatch file",
                expected=f"the blocks {', '.join(blocks)}",
                do="use the landdata this restart was made with",
            )
        )


def _read_block(files: CaseFiles, block: str) -> tuple[npt.NDArray[np.float64], ...]:
    """Element id, area fraction, type, and position (degrees east, north) of the patches of one block."""
    landpatch = files.landpatch / f"landpatch_{block}.nc"
    element = _read(landpatch, "eindex")
    patch_class = _read(landpatch, "settyp")
    n = element.size
    weight = _read(files.landpatch / f"patchfrac_elm_{block}.nc", "patchfrac_elm", (n,))
    const = files.const(block)
    patch_type = _read(const, "patchtype", (n,))
    if not np.array_equal(_read(const, "patchclass", (n,)), patch_class):
        raise InputError(
            fault(
                const,
                "patchclass",
                found="other land cover classes",
                expected=f"those of {landpatch}",
                do="use the const files of this case",
            )
        )
    for variable, shape in ((POROSITY, (n, N_SOIL)), (RESIDUAL, (n, N_SOIL))):
        _check_shape(const, variable.name, shape)
    for variable in (LIQUID, ICE, TEMPERATURE):
        _check_shape(files.state(block), variable.name, (n, N_SNOW + N_SOIL))
    _check_shape(files.state(block), AQUIFER.name, (n,))
    position = [np.degrees(_read(const, name, (n,))) for name in ("patchlonr", "patchlatr")]
    return element, weight, patch_type, *position


def _place(mesh: Path, element: IntArray) -> tuple[Grid, IntArray]:
    """The smallest grid that holds all elements, and the cell of each on it.

    The mesh file has the global coordinates even for a regional run. Element ids count cells from 1 along rows
    from the west, row after row in the order of the mesh file's latitudes.
    """
    latitude, longitude = _read(mesh, "latitude"), _read(mesh, "longitude")
    if element.min() < 1 or element.max() > latitude.size * longitude.size:
        raise InputError(
            fault(
                mesh,
                found=f"{latitude.size} x {longitude.size} cells and element ids {element.min()}..{element.max()}",
                expected="ids within the grid",
                do="unstructured and catchment meshes have no rows and columns and cannot be treated as an image",
            )
        )
    row, column = np.divmod(element - 1, longitude.size)
    n_columns = longitude.size
    used = np.unique(column)
    gaps = np.diff(np.append(used, used[0] + n_columns))
    widest = int(np.argmax(gaps))
    if gaps[widest] <= n_columns // 4:
        # Land nearly all around: keep the globe, whose columns are closed.
        return Grid(latitude, longitude), element - 1
    west = int(used[(widest + 1) % used.size])
    width = max(n_columns - int(gaps[widest]) + 1, 2)
    north = min(int(row.min()), latitude.size - 2)
    south = max(int(row.max()), north + 1)
    columns = (west + np.arange(width)) % n_columns
    lon = longitude[columns]
    lon = np.where(lon < lon[0], lon + 360.0, lon)
    return Grid(latitude[north : south + 1], lon), (row - north) * width + (column - west) % n_columns


def _check_positions(files: CaseFiles, grid: Grid, cell: IntArray, longitude: FloatArray, latitude: FloatArray) -> None:
    """Refuse const files whose patches do not lie in the cells that landdata gives them (another case's files)."""
    row, column = np.divmod(cell, grid.shape[1])
    height = np.abs(np.diff(grid.latitude_edges))[row]
    width = np.diff(grid.longitude_edges)[column]
    east = (longitude - grid.longitude[column] + 180.0) % 360.0 - 180.0
    # Centroids of a patch's pixels lie anywhere in the cell; half a cell more allows for uneven pixels.
    outside = (np.abs(latitude - grid.latitude[row]) > height) | (np.abs(east) > width)
    if outside.any():
        patch = int(np.flatnonzero(outside)[0])
        raise InputError(
            fault(
                files.const("*"),
                "patchlonr, patchlatr",
                found=f"{int(outside.sum())} patches outside their cell, the first at"
                f" {longitude[patch]:.2f} E {latitude[patch]:.2f} N",
                expected=f"near {grid.longitude[column[patch]]:.2f} E {grid.latitude[row[patch]]:.2f} N",
                do="use the const and landdata files of one and the same case",
            )
        )


def _read(path: Path, name: str, shape: tuple[int, ...] | None = None) -> npt.NDArray[np.float64]:
    with _opened(path) as file:
        _require(path, file, name, shape)
        return np.asarray(file[name][...])


def _check_shape(path: Path, name: str, shape: tuple[int, ...]) -> None:
    with _opened(path) as file:
        _require(path, file, name, shape)
        if file[name].dtype != np.float64:
            raise InputError(
                fault(path, name, found=f"{file[name].dtype}", expected="float64", do="use the model's own restart")
            )


def _opened(path: Path) -> h5py.File:
    if not path.is_file():
        raise InputError(fault(path, found="no such file", expected="a NetCDF-4 file", do="copy it from the case"))
    try:
        return h5py.File(path, "r")
    except OSError as err:
        raise InputError(
            fault(
                path,
                found=f"a file that cannot be opened ({err})",
                expected="a complete NetCDF-4 file",
                do="it is truncated or of another format: copy it again from the model run",
            )
        ) from err


def _require(path: Path, file: h5py.File, name: str, shape: tuple[int, ...] | None) -> None:
    if name not in file:
        raise InputError(
            fault(path, name, found="no such variable", expected=f"{name}{shape or ''}", do="use the model's own files")
        )
    if shape is not None and file[name].shape != shape:
        raise InputError(
            fault(
                path,
                name,
                found=f"shape {file[name].shape}",
                expected=f"{shape} as in the landpatch file of this block",
                do="state, const and landdata must come from one and the same case",
            )
        )
