"""Gridded products, whose files are found by the time: GLDAS, and any CF NetCDF file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import ImgdaError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.histories.depths import weights_at, weights_of_layer
from imgda_mpi.histories.image_series import Frame, ImageSeries, usual_step
from imgda_mpi.histories.opened import LastOpened, check_grid
from imgda_mpi.histories.product_file import ProductFile, Wanted, open_product
from imgda_mpi.netcdf import resolve
from imgda_mpi.observations.cf import POSSIBLE
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.masks import Mask
from imgda_mpi.observations.times import without_time
from imgda_mpi.paths import check_file

GLDAS = {
    "SoilMoi0_10cm_inst": (0.0, 0.1),
    "SoilMoi10_40cm_inst": (0.1, 0.4),
    "SoilMoi40_100cm_inst": (0.4, 1.0),
    "SoilMoi100_200cm_inst": (1.0, 2.0),
}
"""Variables of GLDAS-2.1 Noah and their layers (Rodell et al. 2004), by whose thickness kg m-2 become m3 m-3."""

FIELDS = re.compile(r"%(.)")
STEPS = {"MSTRXcs": timedelta(minutes=30), "HIp": timedelta(hours=1)}
"""How far apart the files of a pattern with these fields are at least; of one with others alone it is a day."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductFrame(Frame):
    """An image of a file; ``own`` is the file's time, None where it has none."""

    opened: LastOpened[ProductFile]
    path: Path
    own: datetime | None
    grid: Grid

    def layer(self, layer: Layer) -> FloatArray:
        """See `Frame`."""
        file = self._file()
        if file.nodes is not None:
            return self._sum(file, partial(weights_of_layer, top=layer[0], bottom=layer[1]))
        found = file.where(layer)
        if found is None:
            expected = f"soil moisture of {layer[0]:g}-{layer[1]:g} m"
            raise fault(self.path, found="no such layer", expected=expected, do="give a file that has it")
        return file.image(found.variable, found.place, self.own, self.time, self.counts)

    def depth(self, depth: float) -> FloatArray:
        """See `Frame`."""
        file = self._file()
        if file.nodes is None:
            return super().depth(depth)
        return self._sum(file, partial(weights_at, depth=depth))

    def _file(self) -> ProductFile:
        file = self.opened(self.path)
        check_grid(self.path, file.grid, self.grid)
        return file

    def _sum(self, file: ProductFile, weights_of: Callable[[FloatArray], FloatArray]) -> FloatArray:
        if file.nodes is None:
            raise ValueError("a file without nodes")
        try:
            weights = weights_of(file.nodes.depths)
        except ValueError as err:
            found, do = f"nodes down to {file.nodes.depths[-1]:g} m", "ask for what is above the last one"
            raise fault(self.path, file.nodes.dimension, found=found, expected=str(err), do=do) from err
        total = np.zeros(self.grid.shape)
        for number in np.flatnonzero(weights):
            total += weights[number] * file.at_node(int(number), self.own, self.time, self.counts)
        return total


@dataclass(frozen=True, eq=False, kw_only=True)
class ProductSeries(ImageSeries):
    """Images of files that are found by the time.

    Parameters
    ----------
    pattern : with strftime fields
    max_offset : from the time that is asked for
    to_middle : from a file's time to the middle of its interval
    wanted : of every file
    opened : opens one
    """

    pattern: Path
    max_offset: timedelta | None
    to_middle: timedelta
    wanted: Wanted
    opened: LastOpened[ProductFile]

    def at(self, time: datetime) -> list[Frame]:
        """See `ImageSeries`; without an interval that holds it the nearest one, of two the earlier one."""
        path = self._path(time)
        if path is None:
            return []
        times = self._times(path, time)
        if times is None:
            return [self._frame(path, None, time)]

        def distance(own: datetime) -> timedelta:
            return abs(own + self.to_middle - time)

        holding = [own for own in times if self.interval is not None and distance(own) <= self.interval / 2]
        nearest = min(holding, default=min(times, key=distance))
        is_near = bool(holding) or self.max_offset is None or distance(nearest) <= self.max_offset
        return [self._frame(path, nearest, time)] if is_near else []

    def within(self, start: datetime, end: datetime) -> list[Frame]:
        """See `ImageSeries`; of records that several files have that of the first one is taken."""
        frames: dict[datetime, Frame] = {}
        for path, time in self._paths(start, end):
            times = self._times(path, time)
            for own in [None] if times is None else times:
                frame = self._frame(path, own, time)
                if start <= frame.time < end:
                    frames.setdefault(frame.time, frame)
        return [frames[time] for time in sorted(frames)]

    def layers(self, frame: Frame) -> Sequence[Layer]:
        """See `ImageSeries`."""
        if not isinstance(frame, ProductFrame):
            raise TypeError("a frame of another series")
        file = self.opened(frame.path)
        if file.nodes is not None:
            return [layer for layer in self.wanted.layers if layer[1] <= file.nodes.depths[-1]]
        return list(file.found)

    def _path(self, time: datetime) -> Path | None:
        path = resolve(self.pattern, time)
        return path if path.is_file() else None

    def _paths(self, start: datetime, end: datetime) -> Iterator[tuple[Path, datetime]]:
        """Files of the times from ``start`` on and before ``end``, each once, and the first time of each."""
        seen = set()
        for time in _steps(self.pattern, start, end):
            path = self._path(time)
            if path is not None and path not in seen:
                seen.add(path)
                yield path, time

    def _times(self, path: Path, time: datetime) -> list[datetime] | None:
        """Times of a file, ascending; None where it has none, and need not have any."""
        times = self.opened(path).times
        if times is not None:
            return sorted(set(times.every))
        if self.max_offset is not None:
            first = next(iter(self.wanted.variables))
            raise without_time(path, first, time, self.max_offset / timedelta(hours=1))
        return None

    def _frame(self, path: Path, own: datetime | None, stated: datetime) -> Frame:
        time = stated.astimezone(UTC) if own is None else own + self.to_middle
        return ProductFrame(time=time, opened=self.opened, path=path, own=own, grid=self.grid)


def open_gldas(
    file: Path | str,
    *,
    layers: Sequence[Layer],
    times: Sequence[datetime],
    max_time_offset: float = 0.5,
    valid_range: tuple[float, float] = POSSIBLE,
    units: str | None = None,
    mask: Mask | None = None,
) -> ProductSeries:
    """GLDAS-2.1 Noah, 3-hourly; parameters as of `open_cf`. Not collective.

    Raises
    ------
    InputError
        See `open_cf`.
    """
    wanted = Wanted(layers=layers, variables=GLDAS, optional=True, valid_range=valid_range, units=units, mask=mask)
    return _series(Path(file), wanted, times, max_time_offset)


def open_cf(
    file: Path | str,
    *,
    layers: Sequence[Layer],
    times: Sequence[datetime],
    variable: Sequence[str],
    layer: Layer | None = None,
    select: dict[str, int | str] | None = None,
    max_time_offset: float = 0.5,
    valid_range: tuple[float, float] = POSSIBLE,
    units: str | None = None,
    mask: Mask | None = None,
) -> ProductSeries:
    """Soil moisture of CF NetCDF files on a rectilinear grid, which stays their own. Not collective.

    Parameters
    ----------
    file : may contain strftime fields, see `resolve`
    layers : that are asked for, m
    times : that are asked for, aware: the first one that has a file says what the files are like
    variable : name of its variable, or of one for each layer
    layer : of its only variable, where the file does not say it, m
    select : what to take along further dimensions, see `selected`
    max_time_offset : hours that an image may be away from a time that is asked for; infinity takes the nearest one of
        the file that is found by the time, and a file without time
    valid_range : lowest and highest soil moisture accepted, m3 m-3; other values are rejected and counted
    units : of the values, whatever the files say of them; None takes what they say
    mask : pixels to leave out; None uses all

    Raises
    ------
    InputError
        Where none of the times has a file, or the first one is damaged or not what the arguments say.
    """
    if layer is not None and len(variable) > 1:
        found, expected = f"layer beside {len(variable)} variables", "layer of the only variable"
        raise fault(file, "layer", found=found, expected=expected, do="leave layer out: names say it")
    variables = dict.fromkeys(variable, layer)
    wanted = Wanted(
        layers=layers, variables=variables, select=select or {}, valid_range=valid_range, units=units, mask=mask
    )
    return _series(Path(file), wanted, times, max_time_offset)


def offset_of(hours: float) -> timedelta | None:
    """The largest distance in time; None where there is no limit."""
    return timedelta(hours=hours) if math.isfinite(hours) else None


def _series(pattern: Path, wanted: Wanted, times: Sequence[datetime], max_time_offset: float) -> ProductSeries:
    path, time = sample_file(pattern, times)
    with open_product(path, wanted=wanted) as file:
        own = None if file.times is None else min(file.times.every, key=lambda one: (abs(one - time), one))
        length, doubt = file.interval(own), file.doubts(own)
        is_mean = length.method != "point" and length.hours > 0
        said: list[str | None] = [*file.remarks]
        said.append(f"means of {length.hours:g} h (time in the middle)" if is_mean else doubt)
        if math.isinf(max_time_offset):
            nearest = (
                "has no time and stands for any" if own is None else "the nearest image stands for a time, however far"
            )
            said.append(f"{nearest} (max_time_offset = inf)")
        middle = length.ends[0] + (length.ends[1] - length.ends[0]) / 2 if is_mean and length.ends and own else None
        to_middle = timedelta(0) if middle is None or own is None else middle - own
        every = (
            None if file.times is None or _fields(pattern) else sorted({one + to_middle for one in file.times.every})
        )
        return ProductSeries(
            what=str(pattern),
            grid=file.grid,
            times=every,
            interval=timedelta(hours=length.hours) if is_mean else None,
            step=_step(pattern, time, file),
            has_nodes=file.nodes is not None,
            remarks=tuple(remark for remark in said if remark),
            pattern=pattern,
            max_offset=offset_of(max_time_offset),
            to_middle=to_middle,
            wanted=wanted,
            opened=LastOpened(partial(open_product, wanted=wanted)),
        )


def _step(pattern: Path, time: datetime, file: ProductFile) -> timedelta | None:
    """Usual distance of the images of a file, or where it has one the distance of the next file within a day."""
    own = None if file.times is None else usual_step(sorted(set(file.times.every)))
    if own is not None:
        return own
    first = resolve(pattern, time)
    later = (
        step for step in _steps(pattern, time, time + timedelta(days=1, seconds=1)) if resolve(pattern, step) != first
    )
    return next((step - time for step in later if resolve(pattern, step).is_file()), None)


def sample_file(pattern: Path, times: Sequence[datetime]) -> tuple[Path, datetime]:
    """The first file that there is of some times, and its time; of a pattern without fields the only one.

    Raises
    ------
    InputError
        Where there is none.
    """
    if not _fields(pattern):
        time = times[0] if times else datetime(2000, 1, 1, tzinfo=UTC)
        path = resolve(pattern, time)
        check_file(path, "a NetCDF file")
        return path, time
    for time in times:
        path = resolve(pattern, time)
        if path.is_file():
            return path, time
    raise _no_file(pattern, times)


def _no_file(pattern: Path, times: Sequence[datetime]) -> ImgdaError:
    do = "correct the pattern or the times"
    if not times:
        return fault(pattern, found="no times", expected="times by which its files are found", do="give times")
    first = resolve(pattern, times[0])
    found = f"no file for any of {len(times)} times, as {first}"
    return fault(pattern, found=found, expected="a file of one time at least", do=do)


def _steps(pattern: Path, start: datetime, end: datetime) -> Iterator[datetime]:
    """``start``, and full steps of the finest field of a pattern before ``end``: half hours of minutes."""
    yield start
    fields = _fields(pattern)
    if not fields:
        return
    step = next((step for signs, step in STEPS.items() if fields & set(signs)), timedelta(days=1))
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    time = day + ((start - day) // step + 1) * step
    while time < end:
        yield time
        time += step


def _fields(pattern: Path) -> set[str]:
    """Signs of the strftime fields of a pattern."""
    return set(FIELDS.findall(str(pattern).replace("%%", "")))
