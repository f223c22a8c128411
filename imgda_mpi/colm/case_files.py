"""The files of a CoLM202X case: where they are, and whether they belong together.

States and constants are NetCDF-4 files, one per block of the globe; landdata say in which cell each patch lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.block_files import Columns
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.errors import InputError, fault, reading
from imgda_mpi.grid import Grid


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

    @property
    def prefix(self) -> str:
        """How the names of the states begin."""
        return f"{self.case}_restart_{stamp(self.time)}_lc{self.land_cover_year}_"

    def state(self, block: str) -> Path:
        """State of one block."""
        return self.states / f"{self.prefix}{block}.nc"

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

    def of_block(self, block: str) -> tuple[Path, Path, Path, Path]:
        """State, constants, cells and area fractions of one block's patches."""
        cells, fractions = (self.landpatch / f"{name}_{block}.nc" for name in ("landpatch", "patchfrac_elm"))
        return self.state(block), self.const(block), cells, fractions


def survey(
    files: CaseFiles, state_variables: Sequence[Columns], const_variables: Sequence[Columns]
) -> tuple[PatchMap, list[str], list[int]]:
    """Patches of all blocks, the names of the blocks, and how many patches each has. Not collective.

    Parameters
    ----------
    state_variables, const_variables : sequence of Columns
        Variables that every state and const file must have, as float64.

    Raises
    ------
    InputError
        Where a file is missing or damaged, or does not match the others.
    """
    with reading(files.directory):
        _check_folders(files)
        blocks = sorted(path.stem.removeprefix("landpatch_") for path in files.landpatch.glob("landpatch_*.nc"))
        _check_blocks(files, blocks)
        parts = [_read_block(files, block, state_variables, const_variables) for block in blocks]
        element, weight, patch_type, longitude, latitude = (np.concatenate(part) for part in zip(*parts, strict=True))
        grid, cell = _place(files.mesh, element)
    _check_positions(files, grid, cell, longitude, latitude)
    try:
        patches = PatchMap(grid, cell, weight, patch_type)
    except ValueError as err:
        raise InputError(
            fault(
                files.landpatch / "patchfrac_elm_*.nc",
                "patchfrac_elm",
                found=f"{err}",
                expected="area fractions of 0 or more",
                do="the files are damaged: copy them again from the model run",
            )
        ) from err
    return patches, blocks, [part[0].size for part in parts]


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
    names = sorted(path.name for path in files.states.iterdir())
    if not any(name.startswith(files.prefix) for name in names):
        raise InputError(
            fault(
                files.states,
                found=f"files named like {names[0]}" if names else "an empty folder",
                expected=f"{files.prefix}<block>.nc",
                do="correct model.case or model.land_cover_year",
            )
        )


def _check_blocks(files: CaseFiles, blocks: Sequence[str]) -> None:
    if not blocks:
        raise InputError(
            fault(
                files.landpatch,
                found="no landpatch_<block>.nc",
                expected="one for every block with land",
                do="model.directory must hold the case's landdata beside its restart folder",
            )
        )
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
    known = {files.state(block).name for block in blocks}
    extra = sorted(path.name for path in files.states.glob(f"{files.prefix}*.nc") if path.name not in known)
    if extra:
        raise InputError(
            fault(
                files.states / extra[0],
                found="a block that has no landpatch file",
                expected=f"the blocks {', '.join(blocks)}",
                do="use the landdata this restart was made with",
            )
        )


def _read_block(
    files: CaseFiles, block: str, state_variables: Sequence[Columns], const_variables: Sequence[Columns]
) -> tuple[npt.NDArray[Any], ...]:
    """Element id, area fraction, type, and position (degrees east, north) of the patches of one block."""
    state, const, cells, fractions = files.of_block(block)
    with _opened(cells) as file:
        element, patch_class = (_values(file, name) for name in ("eindex", "settyp"))
    n = element.size
    with _opened(fractions) as file:
        weight = _values(file, "patchfrac_elm", n)
    with _opened(const) as file:
        patch_type, own_class, longitude, latitude = (
            _values(file, name, n) for name in ("patchtype", "patchclass", "patchlonr", "patchlatr")
        )
        _check_variables(file, const_variables, n)
    with _opened(state) as file:
        _check_variables(file, state_variables, n)
    if not np.array_equal(own_class, patch_class):
        raise InputError(
            fault(
                const,
                "patchclass",
                found="other land cover classes",
                expected=f"those of {cells}",
                do="use the const files of this case",
            )
        )
    return element, weight, patch_type, np.degrees(longitude), np.degrees(latitude)


def _place(mesh: Path, element: IntArray) -> tuple[Grid, IntArray]:
    """The smallest grid that holds all elements, and the cell of each on it.

    Element ids count cells from 1 along rows from the west, row after row in the order of the mesh file's latitudes.
    """
    with _opened(mesh) as file:
        latitude, longitude = (_values(file, name) for name in ("latitude", "longitude"))
    try:
        whole = Grid(latitude, longitude)
    except ValueError as err:
        raise InputError(
            fault(mesh, found=f"{err}", expected="rows and columns of a grid", do="single points cannot be an image")
        ) from err
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
    west, width = _columns_in_use(np.unique(column), longitude.size, whole.is_periodic)
    if width == longitude.size:
        return whole, element - 1
    north = min(int(row.min()), latitude.size - 2)
    south = max(int(row.max()), north + 1)
    eastward = longitude[(west + np.arange(width)) % longitude.size]
    eastward = np.where(eastward < eastward[0], eastward + 360.0, eastward)
    return Grid(latitude[north : south + 1], eastward), (row - north) * width + (column - west) % longitude.size


def _columns_in_use(used: IntArray, n_columns: int, is_periodic: bool) -> tuple[int, int]:
    """First column and number of columns (two at least) of the image.

    A mesh that goes around the globe is cut in its widest gap, unless that is less than a quarter of the globe:
    land nearly all around keeps its closed columns.
    """
    if not is_periodic:
        west = min(int(used[0]), n_columns - 2)
        return west, max(int(used[-1]) - west + 1, 2)
    gaps = np.diff(np.append(used, used[0] + n_columns))
    widest = int(np.argmax(gaps))
    if gaps[widest] <= n_columns // 4:
        return 0, n_columns
    return int(used[(widest + 1) % used.size]), max(n_columns - int(gaps[widest]) + 1, 2)


def _check_positions(files: CaseFiles, grid: Grid, cell: IntArray, longitude: FloatArray, latitude: FloatArray) -> None:
    """Refuse const files whose patches do not lie in the cells that landdata gives them (another case's files)."""
    row, column = np.divmod(cell, grid.shape[1])
    height = np.abs(np.diff(grid.latitude_edges))[row]
    width = np.diff(grid.longitude_edges)[column]
    east = (longitude - grid.longitude[column] + 180.0) % 360.0 - 180.0
    # Centroids of a patch's pixels lie anywhere in the cell; half a cell more allows for uneven pixels.
    outside = ~((np.abs(latitude - grid.latitude[row]) <= height) & (np.abs(east) <= width))
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


def _values(file: h5py.File, name: str, n_patch: int | None = None) -> npt.NDArray[Any]:
    """A variable, which must have one value for each patch of the block where their number is given."""
    dataset = _dataset(file, name)
    if n_patch is not None:
        _check_shape(file, name, dataset.shape, (n_patch,))
    with reading(Path(file.filename), name):
        return np.asarray(dataset[...])


def _check_variables(file: h5py.File, variables: Sequence[Columns], n_patch: int) -> None:
    for variable in variables:
        dataset = _dataset(file, variable.name)
        _check_shape(
            file, variable.name, dataset.shape, (n_patch,) if variable.last is None else (n_patch, variable.last)
        )
        if dataset.dtype != np.float64:
            raise InputError(
                fault(
                    file.filename,
                    variable.name,
                    found=f"{dataset.dtype}",
                    expected="float64",
                    do="use the model's own files",
                )
            )


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    with reading(Path(file.filename), name):
        if name in file:
            return file[name]
    raise InputError(
        fault(
            file.filename, name, found="no such variable", expected="it in every block", do="use the model's own files"
        )
    )


def _check_shape(file: h5py.File, name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if found != expected:
        raise InputError(
            fault(
                file.filename,
                name,
                found=f"shape {found}",
                expected=f"{expected} as in the landpatch file of this block",
                do="state, const and landdata must come from one and the same case",
            )
        )
