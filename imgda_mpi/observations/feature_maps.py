"""Features of cells from maps in files: what part of a cell has which class, or how large a value is there."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray, IntArray
from imgda_mpi.faults import fault
from imgda_mpi.grid import Grid
from imgda_mpi.netcdf import find_variable, opened
from imgda_mpi.numerics.features import N_KNOTS, cell_means, class_members, hat_functions
from imgda_mpi.observations.binning import cells_of_centres
from imgda_mpi.observations.records import read_map
from imgda_mpi.observations.regrid import bilinear
from imgda_mpi.sparse import csr_array

log = logging.getLogger(__name__)

MOST_CLASSES = 100


def read_features(
    file: Path, grid: Grid, land: BoolArray, time: datetime, *, variable: str, has_classes: bool
) -> csr_array:
    """Features of the land cells from a map in a CF NetCDF file, (n_cells, n_features); others have none.

    Parameters
    ----------
    grid : of the cells, (ny, nx)
    land : cells that are to have some, (ny, nx)
    time : the nearest one of the file is taken, however far; none is needed
    variable : on a rectilinear grid of its own, without layers
    has_classes : whether its values are numbers of classes. Then a cell has the fractions of the pixels whose centres
        lie in it, or where it holds none the class of the pixel that it lies in. Otherwise they are interpolated
        between pixels, and a cell has hat functions of its value.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or has nothing on the land, or the same everywhere; where classes are no
        whole numbers, or more than `MOST_CLASSES`.
    """
    with opened(file) as dataset:
        values, source = read_map(file, dataset, find_variable(file, dataset, variable, has_codes=True), time)
    if has_classes:
        pixel, cell = pixels_of_cells(source, grid, land)
        classes = values.ravel()[pixel]
        used = np.isfinite(classes)
        number = _numbered(file, variable, classes[used])
        features = cell_means(class_members(number), cell[used], np.ones(number.size), land.size)
    else:
        known = values[np.isfinite(values)]
        if (known == np.round(known)).all() and np.unique(known).size <= MOST_CLASSES:
            log.warning(
                "%s: %s: has few values, all of them whole numbers: if they are classes, say so", file, variable
            )
        of_cells = np.where(land, bilinear(source, grid)(values), np.nan)
        features = hat_functions(of_cells.ravel(), N_KNOTS)
    if features.shape[1] < 2:
        raise fault(
            file,
            variable,
            found="the same on all land cells" if features.nnz else f"no value on {int(land.sum())} land cells",
            expected="a map that tells them apart",
            do="give another variable or file",
        )
    return features


def pixels_of_cells(source: Grid, grid: Grid, wanted: BoolArray) -> tuple[IntArray, IntArray]:
    """Pairs of a pixel and a wanted cell that it tells of, by their numbers row by row, (n_pairs,) each.

    Those of the pixels whose centres lie in a cell, and of a cell without any the pixel that its own centre lies in.
    """
    cell, around = cells_of_centres(source, grid).ravel(), cells_of_centres(grid, source).ravel()
    holds_none = np.bincount(cell + 1, minlength=around.size + 1)[1:] == 0
    lying = np.flatnonzero(holds_none & (around >= 0) & wanted.ravel())
    # Maps may have very many pixels: of those in no cell, numbered -1, and in unwanted ones nothing more is kept.
    inside = np.flatnonzero(np.append(wanted.ravel(), False)[cell])
    return np.concatenate([inside, around[lying]]), np.concatenate([cell[inside], lying])


def _numbered(file: Path, variable: str, classes: FloatArray) -> IntArray:
    """Classes (n,) as numbers from 0."""
    there, number = np.unique(classes, return_inverse=True)
    broken = there[there != np.round(there)]
    if broken.size:
        raise fault(
            file,
            variable,
            found=f"values that are no whole numbers, as {broken[0]:g}",
            expected="numbers of classes",
            do="take its values instead of classes, or give another variable",
        )
    if there.size > MOST_CLASSES:
        raise fault(
            file,
            variable,
            found=f"{there.size} classes on land, {there[0]:g} to {there[-1]:g}",
            expected=f"at most {MOST_CLASSES}",
            do="take its values instead of classes, or give another variable",
        )
    return number
