"""Runs in memory that are held against stations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from mpi4py import MPI
from problems import SELF

from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import Frame, ImageSeries
from imgda_mpi.results.station_scores_file import StationVerification, read_station_scores
from imgda_mpi.settings.verify import Verification
from imgda_mpi.workflow.verify_inputs import Inputs, Part
from imgda_mpi.workflow.verify_stations import choose_all, verify_stations

Field = Callable[[datetime, float], np.ndarray]
"""Image of a time at a depth, m3 m-3."""

LAYERS = ((0.0, 0.1), (0.1, 0.4), (0.4, 1.0))


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeFrame(Frame):
    image: Field
    rains: bool = False

    def layer(self, layer: tuple[float, float]) -> np.ndarray:
        return self.image(self.time, 0.5 * sum(layer))

    def depth(self, depth: float) -> np.ndarray:
        return self.image(self.time, depth)

    def rain(self) -> np.ndarray | None:
        return 1e-5 + 0.0 * self.image(self.time, 0.0) if self.rains else None


@dataclass(frozen=True, eq=False, kw_only=True)
class MadeSeries(ImageSeries):
    """A series of a function; at ``analyses`` there is a frame before, 1 m3 m-3 too wet."""

    image: Field
    rains: bool = False
    analyses: Sequence[datetime] = ()
    held: Sequence[tuple[float, float]] = LAYERS
    missing: set[datetime] = field(default_factory=set)

    def at(self, time: datetime) -> list[Frame]:
        half = (self.interval or timedelta(0)) / 2
        found = [own for own in self.times or () if own - half <= time <= own + half and own not in self.missing][:1]
        frames: list[Frame] = [MadeFrame(time=own, image=self.image, rains=self.rains) for own in found]
        if time in self.analyses:
            frames.insert(0, MadeFrame(time=time, side="before", image=lambda *of: 1.0 + self.image(*of)))
        return frames

    def within(self, start: datetime, end: datetime) -> list[Frame]:
        times = [own for own in self.times or () if start <= own < end and own not in self.missing]
        return [MadeFrame(time=own, image=self.image, rains=self.rains) for own in times]

    def layers(self, frame: Frame) -> Sequence[tuple[float, float]]:
        return self.held


def series_of(image: Field, grid: Grid, times: Sequence[datetime], **more: object) -> MadeSeries:
    return MadeSeries(what="made", grid=grid, times=times, image=image, has_nodes=more.pop("has_nodes", True), **more)


def inputs_of(runs: dict[str, ImageSeries], times: Sequence[datetime], **more: object) -> Inputs:
    of = {"window": None, "periods": {"all": (times[0], times[-1])}, "boxes": {}, "layers": LAYERS} | more
    return Inputs(runs=runs, grid=next(iter(runs.values())).grid, times=times, **of)


def settings_of(**stations: dict[str, object]) -> Verification:
    return Verification.model_validate(
        {
            "runs": {"one": {"kind": "colm202x", "files": "one"}},
            "stations": stations,
            "output": {"directory": "out"},
        }
    )


def verified(
    inputs: Inputs, folder: Path, comm: MPI.Intracomm = SELF, **section: object
) -> tuple[Part, StationVerification]:
    """The part on rank 0, and what is in its file."""
    settings = settings_of(sites={"kind": "table", **section})
    chosen = choose_all(settings, inputs) if comm.rank == 0 else None
    (part,) = verify_stations(settings, inputs, chosen, folder, comm)
    return part, read_station_scores(folder / "scores_stations_sites.nc")


def said(part: Part) -> str:
    """Its text in one line."""
    return " ".join(part.text.split())
