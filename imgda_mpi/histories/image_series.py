"""What runs and products have in common: frames in the order of time, with images of layers, of depths, and rain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.window_means import least_of, mean_of_records
from imgda_mpi.observations.image import Layer
from imgda_mpi.verify.score_series import Side


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame(ABC):
    """Soil moisture of one moment, read where it is asked for. Not collective.

    Parameters
    ----------
    time : of the instant, or the middle of the interval; UTC
    side : of the analysis at that time
    counts : pixels of the images of products that were read, by what became of them: "source pixels" in all, and
        "missing", "masked", "below range" and "above range" of them
    """

    time: datetime
    side: Side = ""
    counts: Counter[str] = field(default_factory=Counter)

    @abstractmethod
    def layer(self, layer: Layer) -> FloatArray:
        """Image of a layer that the series has at this time, (ny, nx) m3 m-3, NaN where missing.

        Raises
        ------
        InputError
            Where there is no such layer, or a file is damaged.
        """

    def depth(self, depth: float) -> FloatArray:
        """Image at a depth, m, linear between nodes, (ny, nx) m3 m-3: of series with nodes alone.

        Above the first node it has the value of that one.

        Raises
        ------
        InputError
            Where the depth is below the last node, or a file is damaged.
        """
        raise ValueError("a series without nodes")

    def rain(self) -> FloatArray | None:
        """Mean rain of the interval, of an instant since the frame before, (ny, nx) kg m-2 s-1; None if not known."""
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSeries(ABC):
    """Soil moisture of a run or a product. Made on one process and passed to others. Not collective.

    Parameters
    ----------
    what : folder or files, for messages
    grid : of the images, (ny, nx)
    times : of all frames, ascending, UTC, each once; None where files are found by the time that is asked for
    interval : that frames are means of; None of instants
    step : usual distance of frames in time, see `usual_step`; None where it is not known
    has_nodes : whether there are images at depths
    remarks : what is to be said wherever it is compared, as that it holds means, or wetlands too
    """

    what: str
    grid: Grid
    times: Sequence[datetime] | None
    interval: timedelta | None = None
    step: timedelta | None = None
    has_nodes: bool = False
    remarks: tuple[str, ...] = ()

    @abstractmethod
    def at(self, time: datetime) -> list[Frame]:
        """Frames of a time: none, one, or two, before and after an analysis.

        Of means it is the one in whose interval the time is, of two the earlier one.

        Raises
        ------
        InputError
            Where a file is damaged.
        """

    @abstractmethod
    def within(self, start: datetime, end: datetime) -> list[Frame]:
        """Frames from ``start`` on and before ``end``, in the order of time; at an analysis the one after it.

        Raises
        ------
        InputError
            Where a file is damaged.
        """

    def frames_of(self, time: datetime, window: timedelta | None) -> dict[str, list[Frame]]:
        """That of a time "before" and "after" its analysis, or with a window those `within` it from the time on.

        Without an analysis, and of a window, they are "after". Of a window there are none where they are fewer than a
        third of those that its length and `step` allow.

        Raises
        ------
        InputError
            Where a file is damaged.
        """
        if window is None:
            return {frame.side or "after": [frame] for frame in self.at(time)}
        found = self.within(time, time + window)
        least = 1 if self.step is None else least_of(window / self.step)
        return {"after": found} if len(found) >= least else {}

    @abstractmethod
    def layers(self, frame: Frame) -> Sequence[Layer]:
        """Layers whose images one of its frames has, of those that are asked for; with nodes any.

        Raises
        ------
        InputError
            Where a file is damaged.
        """


def usual_step(times: Sequence[datetime]) -> timedelta | None:
    """Median distance of ascending times, of two middle ones the shorter; None where there are fewer than two."""
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    return steps[(len(steps) - 1) // 2] if steps else None


def mean_over(frames: Sequence[Frame], image: Callable[[Frame], FloatArray]) -> FloatArray:
    """Mean of images of frames, (ny, nx), pixel by pixel where a third of them have a value."""
    return mean_of_records([image(frame) for frame in frames])
