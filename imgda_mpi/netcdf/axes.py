"""Latitudes and longitudes of a file in the order of a grid, which rows and columns of the values go along with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.faults import ImgdaError, fault

NOISE = 1e-3  # degrees: more than single precision leaves, also of sums
TWICE = 0.01  # of a step: coordinates that are nearer are one and the same
RADIANS = 0.5 * np.pi, 2.0 * np.pi
"""Largest latitude and longitude in radians."""
BEYOND = 720.0  # degrees: no longitude is


class Ordered(NamedTuple):
    """Coordinates (n,) as a `Grid` has them, their numbers in the file, and what is to be said of that."""

    degrees: FloatArray
    number: IntArray
    remark: str | None = None


def latitudes(path: Path, name: str, degrees: FloatArray) -> Ordered:
    """Latitudes as they are where they ascend or descend, else ascending; those that are NaN are left out.

    What is beyond a pole by the noise of single precision lies at the pole.

    Raises
    ------
    InputError
        Where fewer than two are left, one is beyond the poles, or there twice.
    """
    number = _there(path, name, degrees)
    own = degrees[number]
    if np.abs(own).max() > 90.0 + NOISE:
        found = f"{own[np.abs(own).argmax()]:.7g} as a latitude"
        raise fault(path, name, found=found, expected="-90 to 90 degrees", do="correct the coordinate")
    own = np.clip(own, -90.0, 90.0)
    steps = np.diff(own)
    if (steps > _near(steps)).all() or (steps < -_near(steps)).all():
        return Ordered(own, number)
    order = np.argsort(own, kind="stable")
    steps = np.diff(own[order])
    near = np.flatnonzero(steps <= _near(steps))
    if near.size:
        raise _twice(path, name, own[order][near[0]], "row")
    return Ordered(own[order], number[order], f"{name} does not ascend or descend: rows are put in order")


def longitudes(path: Path, name: str, degrees: FloatArray) -> Ordered:
    """Longitudes ascending over less than 360 degrees; those that are NaN are left out.

    They are as they are where they ascend; where they start again at -180 or 0 degrees they go on beyond 180 or 360.
    Of columns that are there again 360 degrees on, or at the end of a full circle, the first are kept.

    Raises
    ------
    InputError
        Where fewer than two are left, one is none, or there twice.
    """
    number = _there(path, name, degrees)
    if np.abs(degrees[number]).max() > BEYOND:
        found = f"{degrees[number][np.abs(degrees[number]).argmax()]:.7g} as a longitude"
        raise fault(path, name, found=found, expected="degrees, as -180 to 180", do="correct the coordinate")
    onward = _as_they_go_on(degrees, number)
    if onward is None:
        number = number[_once(path, name, degrees[number])]
        if number.size < 2:
            raise _too_few(path, name, number.size)
        onward = _as_they_go_on(degrees, number)
    if onward is not None:
        return onward
    own = degrees[number]
    # Where they reach over more than a circle they are counted from the westernmost one.
    own = own if np.ptp(own) < 360.0 else own.min() + (own - own.min()) % 360.0
    order = np.argsort(own, kind="stable")
    return Ordered(own[order], number[order], f"{name} does not ascend: columns are put in order")


def centres(path: Path, name: str, degrees: FloatArray, bounds: FloatArray) -> tuple[FloatArray, str | None]:
    """Coordinates (n,) as they are, or the middle of their bounds (n, 2) where each lies on an edge of these.

    With what is to be said of that; None where there is nothing.

    Raises
    ------
    InputError
        Where one is not within its bounds.
    """
    first, second = bounds.T
    # The bounds of a pixel may be on two sides of the date line, and those of all in another range than the pixels.
    half = 0.5 * _short_way(first, second)
    away, width = np.abs(_short_way(first + half, degrees)), np.abs(half)
    outside = away > (1.0 + TWICE) * width + NOISE
    if outside.any():
        number = int(outside.argmax())
        raise fault(
            path,
            name,
            found=f"{degrees[number]:.7g} with bounds {first[number]:.7g} to {second[number]:.7g}",
            expected="each within its bounds",
            do="correct the bounds, or remove the attribute that names them",
        )
    if not (away >= (1.0 - TWICE) * width).all() or not width.all():
        return degrees, None
    return first + half, f"{name} lies on edges of its bounds: the middle of these is taken"


def refuse_radians(path: Path, names: str, latitude: FloatArray, longitude: FloatArray) -> None:
    """Refuse places, NaN where there is none, all of which would be in the Gulf of Guinea: radians are, soil is not.

    Raises
    ------
    InputError
    """
    axes = latitude[np.isfinite(latitude)], longitude[np.isfinite(longitude)]
    if all(axis.size and np.abs(axis).max() <= 1.001 * most for axis, most in zip(axes, RADIANS, strict=True)):
        ends = [f"{axis.min():.4g} to {axis.max():.4g}" for axis in axes]
        raise fault(
            path,
            names,
            found=f"{ends[0]} and {ends[1]}, where as degrees there is no land",
            expected="degrees",
            do="multiply them by 180 / pi if they are radians (for example with ncap2), or give another file",
        )


def _short_way(start: FloatArray, end: FloatArray) -> FloatArray:
    """Degrees from one place on a circle to another, -180 to 180."""
    return np.asarray((end - start + 180.0) % 360.0 - 180.0)


def _as_they_go_on(degrees: FloatArray, number: IntArray) -> Ordered | None:
    """Some of the longitudes where they ascend or descend over less than a circle, but for one start of another."""
    for order in (number, number[::-1]):
        onward = _unwrapped(degrees[order])
        steps = np.diff(onward)
        if (steps > _near(steps)).all() and np.ptp(onward) < 360.0 - _near(steps):
            return Ordered(onward, order)
    return None


def _once(path: Path, name: str, own: FloatArray) -> IntArray:
    """Numbers of the longitudes (n,) that are not one before again, after a circle."""
    east = (own - own[0]) % 360.0
    near = _near(np.diff(np.sort(east)))
    # What is just west of the first one is the first one.
    east = np.where(east > 360.0 - near, 0.0, east)
    by_place = np.argsort(east, kind="stable")
    starts = np.flatnonzero(np.diff(east[by_place], prepend=-360.0) > near)
    first = np.minimum.reduceat(by_place, starts)
    of_first = np.repeat(first, np.diff(starts, append=own.size))
    again = by_place != of_first
    here, before = by_place[again], of_first[again]
    is_closing = (before == 0) & (here == own.size - 1)
    wrong = (np.abs(own[here] - own[before]) < 180.0) & ~is_closing
    if wrong.any():
        raise _twice(path, name, own[here][wrong][0], "column")
    return np.sort(first)


def _near(steps: FloatArray) -> float:
    """How far apart, in degrees, coordinates with these steps are one and the same."""
    return min(NOISE, TWICE * float(np.median(np.abs(steps))))


def _unwrapped(longitude: FloatArray) -> FloatArray:
    """Longitudes that go on beyond 180 or 360 degrees where they start again; others as they are."""
    (again,) = np.nonzero(np.diff(longitude) < -180.0)
    if again.size != 1:
        return longitude
    return longitude + np.where(np.arange(longitude.size) > again[0], 360.0, 0.0)


def _there(path: Path, name: str, degrees: FloatArray) -> IntArray:
    number = np.flatnonzero(np.isfinite(degrees))
    if number.size < 2:
        raise _too_few(path, name, number.size)
    return number


def _too_few(path: Path, name: str, n: int) -> ImgdaError:
    return fault(path, name, found=f"{n} of them", expected="at least 2", do="give a file with an image")


def _twice(path: Path, name: str, degrees: float, of: str) -> ImgdaError:
    return fault(
        path,
        name,
        found=f"{degrees:.7g} twice",
        expected=f"each {of} once",
        do=f"remove the {of} that is there again (for example with ncks -d), or write the coordinate with all digits",
    )
