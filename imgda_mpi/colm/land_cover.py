"""What the model itself makes of land cover: the type of a class, and areas that fill their element.

Files that contradict it are damaged or of another case: a patch would be taken for soil that is none, or count for what
it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import fault

AREA_TOLERANCE = 1.0e-3
"""Of sums of area fractions: far above the rounding of single precision, far below a patch that matters."""

OCEAN = 99

# Type of the classes from 0 on: soil (0) but for these.
_IGBP = np.zeros(18, np.int64)
_IGBP[[0, 11, 13, 15, 17]] = OCEAN, 2, 1, 3, 4
_USGS = np.zeros(25, np.int64)
_USGS[[0, 1, 16, 17, 18, 24]] = OCEAN, 1, 4, 2, 2, 3
TYPES = {"IGBP": _IGBP, "USGS": _USGS}
"""Patch type of each land cover class, from 0 on, in the classifications that CoLM can be built with."""


def check_types(
    patch_class: IntArray, patch_type: IntArray, variable: str, place: Callable[[int], tuple[Path, str]]
) -> None:
    """Refuse types (n_patch,) that are not those of the classes in one and the same classification. Not collective.

    Parameters
    ----------
    patch_class, patch_type : of all patches of a set
    variable : name of the types in the file
    place : file of a patch, and where in it the patch is, in words

    Raises
    ------
    InputError
    """
    nearest = classification(patch_class, patch_type)
    wrong = _misfits(patch_class, patch_type, TYPES[nearest])
    if wrong.size:
        patch = int(wrong[0])
        file, where = place(patch)
        types, of_class = TYPES[nearest], int(patch_class[patch])
        known = 0 <= of_class < types.size
        raise fault(
            file,
            variable,
            found=f"type {patch_type[patch]} of class {of_class} in {where} ({wrong.size} such patches)",
            expected=f"type {types[of_class]} of that class ({nearest})" if known else f"a class of {nearest}",
            do="the file is damaged or of another case: copy it again from the model run",
        )


def classification(patch_class: IntArray, patch_type: IntArray) -> str:
    """Which of `TYPES` classes and types (n_patch,) fit best; the first where several do."""
    return min(TYPES, key=lambda name: _misfits(patch_class, patch_type, TYPES[name]).size)


def check_fractions(element: IntArray, fraction: FloatArray, cells: Path, fractions: Path) -> None:
    """Refuse elements (n_patch,) of a block that are out of order, or whose fractions do not sum to 1. Not collective.

    Parameters
    ----------
    cells, fractions : files that hold them

    Raises
    ------
    InputError
    """
    backward = np.flatnonzero(np.diff(element) < 0)
    if backward.size:
        patch = int(backward[0]) + 1
        raise fault(
            cells,
            "eindex",
            found=f"element {element[patch]} (patch {patch}) after element {element[patch - 1]}",
            expected="elements in ascending order",
            do="the file is damaged: copy it again from the model run",
        )
    ids, number = np.unique(element, return_inverse=True)
    total = np.bincount(number, fraction)
    negative = np.flatnonzero(~(fraction >= 0))
    if negative.size:
        patch = int(negative[0])
        raise fault(
            fractions,
            "patchfrac_elm",
            found=f"{fraction[patch]:g} of patch {patch} in element {element[patch]} ({negative.size} such patches)",
            expected="fractions of 0 to 1",
            do="the file is damaged: copy it again from the model run",
        )
    wrong = np.flatnonzero(~(np.abs(total - 1.0) <= AREA_TOLERANCE))
    if wrong.size:
        raise fault(
            fractions,
            "patchfrac_elm",
            found=f"fractions of element {ids[wrong[0]]} that sum to {total[wrong[0]]:g} ({wrong.size} such elements)",
            expected="a sum of 1",
            do="the file is damaged: copy it again from the model run",
        )


def _misfits(patch_class: IntArray, patch_type: IntArray, types: IntArray) -> IntArray:
    known = (patch_class >= 0) & (patch_class < types.size)
    fits = known & (types[np.where(known, patch_class, 0)] == patch_type)
    return np.flatnonzero(~fits)
