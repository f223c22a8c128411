"""Which vegetation most of the soil of a cell has: the class of its largest soil patch."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from imgda_mpi.arrays import BoolArray, IntArray
from imgda_mpi.colm import case_files, case_listing, const2014
from imgda_mpi.colm.land_cover import classification
from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.columns.vegetation import COVERS, IGBP_OF_COMMUNITIES, IGBP_OF_USGS, classes
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid

log = logging.getLogger(__name__)

NO_TIME = datetime(1900, 1, 1, tzinfo=UTC)
"""Of files that are the same at all times."""


def covers_of_202x(grid: Grid, directory: Path, case: str, land_cover_year: int) -> dict[str, BoolArray]:
    """Cells of a grid by the vegetation of their largest soil patch, in a case of CoLM202X. Not collective.

    Classes are those of `COVERS`, (ny, nx) each; those without a cell are left out.

    Raises
    ------
    InputError
        Where a file is missing or damaged, or the grid is not the case's.
    """
    blocks, files = case_listing.list_blocks(case_files.CaseFiles(directory, case, NO_TIME, land_cover_year))
    places = case_files.survey(files, blocks)
    sizes = {block: part.size for block, part in zip(blocks, places, strict=True)}
    patches = case_files.patch_map(files, sizes, np.concatenate(places))
    # Cases of plant communities have tiles of plant functional types beside the patches.
    communities = files.landpatch.parent.with_name("landpft").is_dir()
    of_patch = np.concatenate(places)["class"].astype(np.int64)
    return _covers(grid, patches, of_patch, directory, IGBP_OF_COMMUNITIES if communities else None)


def covers_of_2014(grid: Grid, const_file: Path) -> dict[str, BoolArray]:
    """As `covers_of_202x`, from the constants of CoLM2014."""
    layout = const2014.const_layout(const_file)
    return _covers(grid, const2014.patch_map(layout), layout.classes(), const_file, None)


def _covers(
    grid: Grid, patches: PatchMap, patch_class: IntArray, path: Path, table: dict[int, int] | None
) -> dict[str, BoolArray]:
    if classification(patch_class, patches.patch_type) == "USGS":
        table = IGBP_OF_USGS
    igbp = classes(patch_class, table)
    found = grid.find(patches.grid)
    if found is None:
        theirs, own = (f"{one.shape[0]} x {one.shape[1]} cells" for one in (patches.grid, grid))
        do = "give the case of these runs"
        raise fault(path, found=f"patches on {theirs}", expected=f"cells of the runs' grid, {own}", do=do)
    if patches.grid.cell_area.size < grid.cell_area.size:
        theirs, own = (f"{one.shape[0]} x {one.shape[1]}" for one in (patches.grid, grid))
        log.warning("%s: has patches on %s of the %s cells of the runs: others have no vegetation", path, theirs, own)
    largest = largest_soil_patch(patches)
    covers = {}
    for name, of_cover in COVERS.items():
        image = np.zeros(grid.shape, bool)
        image[np.ix_(*found)] = (largest >= 0) & np.isin(igbp[largest], of_cover)
        if image.any():
            covers[name] = image
    return covers


def largest_soil_patch(patches: PatchMap) -> IntArray:
    """Number of the largest soil patch of each cell, of equal ones the first, (ny, nx); -1 where there is none."""
    largest = np.full(patches.grid.shape, -1).ravel()
    soil = np.flatnonzero(patches.is_soil)
    # In the order of ascending area, of equal ones the first last: what is put there last stays.
    order = soil[np.lexsort((-soil, patches.weight[soil]))]
    largest[patches.cell[order]] = order
    return largest.reshape(patches.grid.shape)


OF_KIND: dict[str, Any] = {"colm202x": covers_of_202x, "colm2014": covers_of_2014}
"""What tells the vegetation of a grid, by what has the patches."""
