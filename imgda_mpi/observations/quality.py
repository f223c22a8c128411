"""Gross check of observed soil moisture: which pixels cannot be right, and when the whole file cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault

# The wettest mineral soils hold about 0.55 by volume; organic soils hold more and are not what is assimilated.
VALID_RANGE = (0.0, 0.6)  # m3 m-3

# Packing leaves values like -7e-20 where a soil is dry: they are no fault of the pixel.
PACKING_TOLERANCE = 1e-6  # m3 m-3

# Land ice and retrievals over open water put up to 0.6 % of the pixels of real products above 0.6. A wrong unit puts
# nearly all of them there.
MAX_REJECTED_SHARE = 0.1

# The driest models and retrievals still hold more than this somewhere; values divided by 100 twice do not.
ALL_TOO_SMALL = 0.006  # m3 m-3
ENOUGH_PIXELS = 100  # valid ones, to say so: a few pixels may well all be dry


@dataclass(frozen=True, eq=False)
class Checked:
    """A source image after the check.

    Parameters
    ----------
    values : m3 m-3, NaN where missing or rejected
    n_missing, n_below, n_above : pixels without a value, below and above the valid range
    """

    values: FloatArray
    n_missing: int
    n_below: int
    n_above: int


def gross_check(values: FloatArray, where: str, variable: str, valid_range: tuple[float, float]) -> Checked:
    """The image without the pixels outside the valid range, and how many they were.

    Parameters
    ----------
    values : m3 m-3, not finite where missing
    where, variable : file and variable that an error names
    valid_range : lowest and highest value accepted, m3 m-3, both included

    Raises
    ------
    InputError
        Where more than a tenth of the values is outside, or all are near zero: that is a wrong unit, not bad pixels.
    ValueError
        Where the range is empty.
    """
    low, high = valid_range
    if not low < high:
        raise ValueError(f"valid range {valid_range} must be two ascending numbers")
    valid = np.isfinite(values)
    below = valid & (values < low - PACKING_TOLERANCE)
    above = valid & (values > high + PACKING_TOLERANCE)
    rejected = below | above
    if valid.any():
        _check_unit(values[valid], int(rejected.sum()), where, variable, valid_range)
    return Checked(
        values=np.where(valid & ~rejected, values, np.nan),
        n_missing=int((~valid).sum()),
        n_below=int(below.sum()),
        n_above=int(above.sum()),
    )


def _check_unit(
    values: FloatArray, n_rejected: int, where: str, variable: str, valid_range: tuple[float, float]
) -> None:
    lowest, median, highest = np.quantile(values, [0.0, 0.5, 1.0])
    if n_rejected > MAX_REJECTED_SHARE * values.size:
        guess = ", which looks like percent or kg m-2" if 1.0 < median < 200.0 else ""
    elif values.size >= ENOUGH_PIXELS and highest < ALL_TOO_SMALL:
        guess = ", which looks like values already divided by 100"
    else:
        return
    share = 100.0 * n_rejected / values.size
    raise fault(
        where,
        variable,
        found=f"values from {lowest:.4g} to {highest:.4g}, median {median:.4g}{guess}; {share:.1f} % out of range",
        expected=f"m3 m-3 within {valid_range[0]:g}..{valid_range[1]:g} for at least "
        f"{100 * (1 - MAX_REJECTED_SHARE):.0f} %",
        do="correct the file's units or values, name another variable, or set valid_range",
    )
