"""Gross check of observed soil moisture: which pixels cannot be right, and when the whole file cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault

# The wettest mineral soils hold about 0.55 by volume; organic soils hold more and are not what is assimilated.
VALID_RANGE = (0.0, 0.6)  # m3 m-3

# So many standard deviations beyond the range a value may still be a good pixel with its error: of values at the end of
# the range a normal error takes 0.1 % further out, and what is cut there shifts their mean by 0.4 % of the deviation.
ERRORS_BEYOND = 3.0

# Packing leaves values like -7e-20 where a soil is dry: they are no fault of the pixel.
PACKING_TOLERANCE = 1e-6  # m3 m-3

# Land ice and retrievals over open water put up to 0.6 % of the pixels of real products above 0.6. A wrong unit puts
# nearly all of them there.
MAX_REJECTED_SHARE = 0.1

# What is cut from one end alone moves the mean: it is said where it is more than this share of the values.
ONE_SIDED = 0.01

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
    remark : what is to be said of pixels cut from one end alone; None where there is nothing
    """

    values: FloatArray
    n_missing: int
    n_below: int
    n_above: int
    remark: str | None


def gross_check(
    values: FloatArray, where: str, variable: str, valid_range: tuple[float, float] | None, error: float = 0.0
) -> Checked:
    """The image without the pixels outside the valid range, and how many they were.

    Parameters
    ----------
    values : m3 m-3, not finite where missing
    where, variable : file and variable that an error names
    valid_range : lowest and highest soil moisture that is possible, m3 m-3, both included; None where the values are no
        soil moisture, and nothing is rejected
    error : standard deviation of the values' errors, m3 m-3; the range is widened by `ERRORS_BEYOND` times as much,
        because noise must not be cut at one end

    Raises
    ------
    InputError
        Where more than a tenth of the values is outside, or all are near zero: that is a wrong unit, not bad pixels.
    ValueError
        Where the range is empty.
    """
    valid = np.isfinite(values)
    if valid_range is None:
        return Checked(np.where(valid, values, np.nan), int((~valid).sum()), 0, 0, None)
    if not valid_range[0] < valid_range[1]:
        raise ValueError(f"valid range {valid_range} must be two ascending numbers")
    low, high = valid_range[0] - ERRORS_BEYOND * error, valid_range[1] + ERRORS_BEYOND * error
    below = valid & (values < low - PACKING_TOLERANCE)
    above = valid & (values > high + PACKING_TOLERANCE)
    rejected = below | above
    if valid.any():
        _check_unit(values[valid], int(rejected.sum()), where, variable, (low, high))
    n_valid, n_below, n_above = (int(pixels.sum()) for pixels in (valid, below, above))
    remark = None
    if abs(n_below - n_above) > ONE_SIDED * n_valid:
        remark = (
            f"{n_below} values below {low:.4g} and {n_above} above {high:.4g} m3 m-3 of {n_valid} are rejected: what "
            "is cut at one end shifts the mean; widen valid_range if they are noise"
        )
    return Checked(
        values=np.where(valid & ~rejected, values, np.nan),
        n_missing=values.size - n_valid,
        n_below=n_below,
        n_above=n_above,
        remark=remark,
    )


def _check_unit(
    values: FloatArray, n_rejected: int, where: str, variable: str, valid_range: tuple[float, float]
) -> None:
    lowest, median, highest = np.quantile(values, [0.0, 0.5, 1.0])
    span = f"values from {lowest:.4g} to {highest:.4g}, median {median:.4g}"
    if n_rejected > MAX_REJECTED_SHARE * values.size:
        rejected = values[(values < valid_range[0]) | (values > valid_range[1])]
        numbers, counts = np.unique(rejected, return_counts=True)
        guess, do = "", "correct the file's units or values, name another variable, or set valid_range"
        if 1.0 < median < 200.0:
            guess, do = ", which looks like percent or kg m-2", "correct the file's units, or name another variable"
        elif counts.max(initial=0) > 0.5 * n_rejected:
            guess = f", {counts.max()} of them exactly {numbers[counts.argmax()]:g}, which a mask would leave out"
        raise fault(
            where,
            variable,
            found=f"{span}{guess}; {100.0 * n_rejected / values.size:.1f} % out of range",
            expected=f"m3 m-3 within {valid_range[0]:g}..{valid_range[1]:g} for at least "
            f"{100 * (1 - MAX_REJECTED_SHARE):.0f} %",
            do=do,
        )
    if values.size >= ENOUGH_PIXELS and highest < ALL_TOO_SMALL:
        raise fault(
            where,
            variable,
            found=f"{span}, which looks like values already divided by 100",
            expected=f"m3 m-3, which are above {ALL_TOO_SMALL:g} somewhere",
            do="correct the file's units or values, or name another variable",
        )
