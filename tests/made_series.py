"""Series of images made up in memory, for verifications."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.histories.image_series import Frame, ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.verify.score_series import Side

START = datetime(2022, 6, 2, tzinfo=UTC)
LAYERS: tuple[Layer, ...] = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))
GRID = global_grid((32, 64))


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeFrame(Frame):
    """A frame with its images, (n_layers, ny, nx)."""

    images: FloatArray

    def layer(self, layer: Layer) -> FloatArray:
        return self.images[LAYERS.index(layer)]


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeSeries(ImageSeries):
    """Frames that are given by time and side."""

    frames: dict[tuple[datetime, Side], FloatArray] = field(default_factory=dict)

    def at(self, time: datetime) -> list[Frame]:
        sides: Sequence[Side] = ("", "before", "after")
        return [
            MadeFrame(time=time, side=side, images=self.frames[time, side])
            for side in sides
            if (time, side) in self.frames
        ]

    def within(self, start: datetime, end: datetime) -> list[Frame]:
        return [self.at(time)[-1] for time in self.times or () if start <= time < end]

    def layers(self, frame: Frame) -> Sequence[Layer]:
        return LAYERS


def made(frames: dict[tuple[datetime, Side], FloatArray], grid: Grid = GRID, **more: object) -> MadeSeries:
    """A series of frames by time and side."""
    times = sorted({time for time, _ in frames})
    return MadeSeries(what="made", grid=grid, times=times, frames=frames, **more)  # type: ignore[arg-type]


def hours(n: int, step: int = 6) -> list[datetime]:
    """So many times, so many hours apart."""
    return [START + number * timedelta(hours=step) for number in range(n)]


def truth_and_runs(n: int = 8, seed: int = 1) -> tuple[MadeSeries, MadeSeries, MadeSeries]:
    """A truth, a control, and a run that is nearer to it, with analyses at every time but the last two."""
    generator = np.random.default_rng(seed)
    land = generator.random(GRID.shape) < 0.4
    frames: list[dict[tuple[datetime, Side], FloatArray]] = [{}, {}, {}]
    for number, time in enumerate(hours(n)):
        truth = np.where(land, 0.3 + 0.08 * generator.standard_normal((3, *GRID.shape)), np.nan)
        errors = generator.standard_normal((3, 3, *GRID.shape))
        frames[0][time, ""] = truth
        frames[1][time, ""] = truth + 0.06 * errors[0] + 0.02
        if number < n - 2:
            frames[2][time, "before"] = truth + 0.05 * errors[1]
            frames[2][time, "after"] = truth + 0.02 * errors[2]
        else:
            frames[2][time, ""] = truth + 0.03 * errors[1]
    truth_series, control, run = (made(of_one) for of_one in frames)
    return truth_series, control, run
