"""The files of a CoLM202X case: where they are, and whether they belong together.

States and constants are NetCDF-4 files, one per block of the globe; landdata say in which cell each patch lies. A model
built with VectorInOneFileS or VectorInOneFileP writes one file for all blocks in the place of each of these sets, named
as they are but without the block.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.colm.hdf5 import opened, shown
from imgda_mpi.colm.land_cover import check_fractions, check_types
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.faults import fault
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
    in_one_file: bool = False

    # Thousands of blocks ask for the folders: they are put together once.
    @cached_property
    def states(self) -> Path:
        """Folder of the restart of this instant."""
        return self.directory / "restart" / stamp(self.time)

    @cached_property
    def consts(self) -> Path:
        """Folder of the time-invariant properties."""
        return self.directory / "restart" / "const"

    @cached_property
    def landpatch(self) -> Path:
        """Folder with the cell and class of every patch."""
        return self.directory / "landdata" / "landpatch" / str(self.land_cover_year)

    @property
    def mesh(self) -> Path:
        """Latitudes and longitudes of the whole grid, also of a regional run."""
        return self.directory / "landdata" / "mesh" / str(self.land_cover_year) / "mesh.nc"

    @cached_property
    def stem(self) -> str:
        """How the names of the states begin."""
        return f"{self.case}_restart_{stamp(self.time)}_lc{self.land_cover_year}"

    def block_in(self, block: str) -> str | None:
        """What to open a file of a block for: the block where one file holds all, else None."""
        return block if self.in_one_file else None

    def state(self, block: str) -> Path:
        """State of one block."""
        return self.states / self._name(self.stem, block)

    def const(self, block: str) -> Path:
        """Time-invariant properties of one block's patches."""
        return self.consts / self._name(f"{self.case}_restart_const_lc{self.land_cover_year}", block)

    @property
    def scalars(self) -> Path:
        """Constants that are one number for all patches."""
        return self.consts / f"{self.case}_restart_const_lc{self.land_cover_year}.nc"

    def places(self, block: str) -> tuple[Path, Path]:
        """Cells and area fractions of one block's patches."""
        return self.landpatch / self._name("landpatch", block), self.landpatch / self._name("patchfrac_elm", block)

    def _name(self, stem: str, block: str) -> str:
        return f"{stem}.nc" if self.in_one_file else f"{stem}_{block}.nc"


PLACE = np.dtype(
    [("element", "i8"), ("weight", "f8"), ("class", "i4"), ("type", "i4"), ("longitude", "f8"), ("latitude", "f8")]
)
"""What the files say of a patch's place: element id, area fraction, land cover class, type, position (degrees east and
north)."""


def survey(files: CaseFiles, blocks: Sequence[str]) -> list[npt.NDArray[np.void]]:
    """Places (`PLACE`) of the patches of some blocks, an array for each block. Not collective.

    Raises
    ------
    InputError
        Where a file is missing or damaged, or does not match the others of its block.
    """
    return [_read_block(files, block) for block in blocks]


def patch_map(files: CaseFiles, sizes: Mapping[str, int], places: npt.NDArray[np.void]) -> PatchMap:
    """Where the patches of all blocks lie in the image. Not collective.

    Parameters
    ----------
    sizes : how many of the patches each block has, in their order
    places : (n_patch,) `PLACE`

    Raises
    ------
    InputError
        Where their places do not fit each other or the mesh of the case.
    """
    blocks, element = list(sizes), places["element"]
    number = np.repeat(np.arange(len(blocks)), list(sizes.values()))
    _check_once(files, blocks, number, element)

    def place(patch: int) -> tuple[Path, str]:
        block = blocks[number[patch]]
        return shown(files.const(block), files.block_in(block)), f"element {element[patch]}"

    check_types(places["class"], places["type"], "patchtype", place)
    grid, cell = _place(files.mesh, element)
    _check_positions(place, grid, cell, places["longitude"], places["latitude"])
    try:
        return PatchMap(grid, cell, places["weight"].copy(), places["type"].copy())
    except ValueError as err:
        raise fault(
            files.landpatch / "patchfrac_elm_*.nc",
            "patchfrac_elm",
            found=f"{err}",
            expected="area fractions of 0 or more",
            do="the files are damaged: copy them again from the model run",
        ) from err


def _read_block(files: CaseFiles, block: str) -> npt.NDArray[np.void]:
    """Places of the patches of one block."""
    const, (cells, fractions) = files.const(block), files.places(block)
    of = files.block_in(block)
    with opened(cells, block=of) as file:
        element, patch_class = file.vector("eindex", whole=True), file.vector("settyp", whole=True)
    n = element.size
    places = np.empty(n, PLACE)
    places["element"] = element
    with opened(fractions, block=of) as file:
        places["weight"] = file.vector("patchfrac_elm", n)
    with opened(const, block=of) as file:
        places["type"] = file.vector("patchtype", n, whole=True)
        own_class = file.vector("patchclass", n, whole=True)
        with np.errstate(over="ignore"):  # what is in no cell is refused
            places["longitude"] = np.degrees(file.vector("patchlonr", n))
            places["latitude"] = np.degrees(file.vector("patchlatr", n))
    places["class"] = own_class
    check_fractions(places["element"], places["weight"], shown(cells, of), shown(fractions, of))
    if not np.array_equal(own_class, patch_class):
        raise fault(
            shown(const, of),
            "patchclass",
            found="other land cover classes",
            expected=f"those of {shown(cells, of)}",
            do="use the const files of this case",
        )
    return places


def _check_once(files: CaseFiles, blocks: Sequence[str], number: IntArray, element: IntArray) -> None:
    """Refuse an element that has patches in two blocks (their number): the model puts each into one."""
    in_order = np.argsort(element, kind="stable")
    again = np.flatnonzero((np.diff(element[in_order]) == 0) & (np.diff(number[in_order]) != 0))
    if again.size:
        one, other = in_order[again[0] : again[0] + 2]
        raise fault(
            files.places(blocks[number[other]])[0],
            "eindex",
            found=f"element {element[other]} in block {blocks[number[other]]}, which {blocks[number[one]]} holds too",
            expected="every element in one block",
            do="use the landdata of one and the same case",
        )


def _place(mesh: Path, element: IntArray) -> tuple[Grid, IntArray]:
    """The smallest grid that holds all elements, and the cell of each on it.

    Element ids count cells from 1 along rows from the west, row after row in the order of the mesh file's latitudes.
    """
    with opened(mesh) as file:
        latitude, longitude = file.vector("latitude"), file.vector("longitude")
    try:
        whole = Grid(latitude, longitude)
    except ValueError as err:
        raise fault(
            mesh, found=f"{err}", expected="rows and columns of a grid", do="single points cannot be an image"
        ) from err
    if element.min() < 1 or element.max() > latitude.size * longitude.size:
        raise fault(
            mesh,
            found=f"{latitude.size} x {longitude.size} cells and element ids {element.min()}..{element.max()}",
            expected="ids within the grid",
            do="the landpatch files are damaged or of another mesh, or this one has no rows and columns (unstructured)",
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


def _check_positions(
    place: Callable[[int], tuple[Path, str]], grid: Grid, cell: IntArray, longitude: FloatArray, latitude: FloatArray
) -> None:
    """Refuse const files whose patches do not lie in the cells that landdata gives them (another case's files)."""
    row, column = np.divmod(cell, grid.shape[1])
    height = np.abs(np.diff(grid.latitude_edges))[row]
    width = np.diff(grid.longitude_edges)[column]
    east = (longitude - grid.longitude[column] + 180.0) % 360.0 - 180.0
    # Centroids of a patch's pixels lie anywhere in the cell; a quarter more allows for uneven pixels.
    outside = ~((np.abs(latitude - grid.latitude[row]) <= 0.75 * height) & (np.abs(east) <= 0.75 * width))
    if outside.any():
        patch = int(np.flatnonzero(outside)[0])
        raise fault(
            place(patch)[0],
            "patchlonr, patchlatr",
            found=f"{int(outside.sum())} patches outside their cell, the first at"
            f" {longitude[patch]:.2f} E {latitude[patch]:.2f} N",
            expected=f"near {grid.longitude[column[patch]]:.2f} E {grid.latitude[row[patch]]:.2f} N",
            do="use the const and landdata files of one and the same case",
        )
