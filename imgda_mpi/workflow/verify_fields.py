"""Runs against images: scores by region and scale at every moment, and in every cell over each period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import progress
from imgda_mpi.faults import fault, settled_by
from imgda_mpi.histories.image_series import ImageSeries, mean_over
from imgda_mpi.netcdf.dates import DATE_TEXT
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.regrid import METHODS
from imgda_mpi.parallel.failure import on_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.report.fields_table import fields_summary, fields_table
from imgda_mpi.results.field_scores_file import (
    BY_SCALE,
    SIDES,
    FieldScores,
    write_field_scores,
    write_field_table,
)
from imgda_mpi.results.score_maps_file import MapsWriter
from imgda_mpi.settings.fields import duration_text
from imgda_mpi.verify.field_scores import SCORES, WEIGHTS, CellSums, RegionScores
from imgda_mpi.verify.scales import Scales
from imgda_mpi.workflow.verify_inputs import Inputs, Part, times_of_periods

N_BLOCKS = 32
"""Of a period: sums over the moments of each are made by one rank and added in order, whatever the number of ranks."""


@dataclass(frozen=True, eq=False)
class Reference:
    """Images that runs are held against, the same on every rank.

    Parameters
    ----------
    name : in the settings
    series
    regridding : how their pixels become cells of the runs, of `METHODS`
    status : whether they were assimilated, in words, (n_periods, n_layers)
    """

    name: str
    series: ImageSeries
    regridding: str
    status: Sequence[Sequence[str]]

    @property
    def keys(self) -> str:
        """The section of the settings that it comes from, as `settled_by` takes it."""
        return f"[images.{self.name}]"


@dataclass(frozen=True, eq=False)
class Judged:
    """What every reference is compared with, the same on every rank.

    Parameters
    ----------
    inputs
    scales : None where the grid is too small to tell them apart
    at_scales : moments at which errors are told apart by scale
    """

    inputs: Inputs
    scales: Scales | None
    at_scales: frozenset[datetime]


def verify_fields(judged: Judged, reference: Reference, directory: Path, comm: MPI.Intracomm) -> list[Part]:
    """Score all runs against one reference: a part on rank 0, none elsewhere. Collective.

    Ranks share the time out; each holds the images of one moment, and sums over moments of one period. The same bits
    on any number of ranks.

    Raises
    ------
    InputError
        Where a file is damaged, or there is no image at any moment, or no cell that all have.
    OutputError
    """
    inputs = judged.inputs
    scores, table, maps = (
        directory / kind.format(reference.name)
        for kind in ("scores_field_{}.nc", "scores_field_{}.csv", "scores_map_{}.nc")
    )
    moments: list[_Moment] = []
    with ExitStack() as stack:
        names = reference.name, inputs.grid, list(inputs.runs), inputs.layers, list(inputs.periods)
        writer = on_rank_0(comm, lambda: stack.enter_context(MapsWriter(maps, *names)))
        worker = _Worker(judged, reference)
        for number, times in enumerate(times_of_periods(inputs)):
            total = _period(worker, number, times, moments, comm)
            with same_fate(comm):
                if writer is not None and total is not None:
                    for layer in range(len(inputs.layers)):
                        writer.put(number, layer, total.maps(layer))

    def write() -> list[Part]:
        with settled_by(reference.keys):
            found = _joined(judged, reference, moments)
        write_field_scores(scores, found)
        write_field_table(table, found)
        return [Part(fields_table(found), (scores, table, maps), fields_summary(found))]

    return on_rank_0(comm, write) or []


class _Moment(NamedTuple):
    """Scores of one moment as of `FieldScores`, without the axis of times, and pixels of its image by reason."""

    time: datetime
    period: int
    scores: FloatArray
    by_scale: dict[str, FloatArray]
    counts: Counter[str]
    own_time: datetime


@dataclass(eq=False)
class _Block:
    """What one rank finds of some moments that follow each other; sums only where there is an image."""

    moments: list[_Moment] = field(default_factory=list)
    sums: CellSums | None = None


def _period(
    worker: _Worker, period: int, times: Sequence[datetime], found: list[_Moment], comm: MPI.Intracomm
) -> CellSums | None:
    """Go through a period; its moments are added to ``found``, and its sums returned, on rank 0. Collective."""
    total: CellSums | None = None
    offsets = share(len(times), min(N_BLOCKS, len(times)))
    rounds = range(0, offsets.size - 1, comm.size)
    what = f"{worker.reference.name}, {list(worker.judged.inputs.periods)[period]}"
    for first in progress(rounds, what, speaks=comm.rank == 0):
        number, block = first + comm.rank, _Block()
        with same_fate(comm):
            if number < offsets.size - 1:
                block = worker.block(period, times[offsets[number] : offsets[number + 1]])
        if comm.rank > 0:
            comm.send(block, dest=0)
            continue
        # One after the other: sums of maps of all ranks at once might be more than rank 0 can hold.
        for rank in range(comm.size):
            part: _Block = block if rank == 0 else comm.recv(source=rank)
            found += part.moments
            if total is not None and part.sums is not None:
                total.join(part.sums)
            else:
                total = total or part.sums
            block = part = _Block()  # those of the next one come into their place
    return total


class _Worker:
    """Scores moments on this rank. Not collective."""

    def __init__(self, judged: Judged, reference: Reference) -> None:
        self.judged, self.reference = judged, reference
        grid = judged.inputs.grid
        regions = judged.inputs.regions_on(grid)
        self._n_scales = 0 if judged.scales is None else judged.scales.n_scales
        self._n_regions, self._scores = len(regions), RegionScores(grid, regions)
        own = reference.series.grid
        self._to_cells = None if own.has_cells_of(grid) else METHODS[reference.regridding](own, grid)

    def block(self, period: int, times: Sequence[datetime]) -> _Block:
        """Moments of some times at which there is an image."""
        block = _Block()
        for time in times:
            moment = self._moment(period, time, block)
            if moment is not None:
                block.moments.append(moment)
        return block

    def _moment(self, period: int, time: datetime, block: _Block) -> _Moment | None:
        inputs, series = self.judged.inputs, self.reference.series
        images = States(series, time, inputs, self.reference.keys)
        if not images.sides:
            return None
        runs = [States(run, time, inputs, f"[runs.{name}]") for name, run in inputs.runs.items()]
        if not all(run.sides for run in runs):
            return None
        n_runs, n_layers, n_scales = len(runs), len(inputs.layers), self._n_scales
        scores = np.full((len(SIDES), n_runs, n_layers, self._n_regions, len(WEIGHTS), len(SCORES)), np.nan)
        by_scale = {name: np.full((len(SIDES), n_runs, n_layers, n_scales), np.nan) for name in BY_SCALE}
        by_scale["reference_by_scale"] = np.full((n_layers, n_scales), np.nan)
        for number, layer in enumerate(inputs.layers):
            if not images.has(layer) or not all(run.has(layer) for run in runs):
                continue
            image = images.of("after", layer)
            if self._to_cells is not None:
                image = self._to_cells(image)
            which = [(side, n) for n, run in enumerate(runs) for side in run.sides]
            estimates = np.stack([runs[n].of(side, layer) for side, n in which])
            where = np.isfinite(image) & np.isfinite(estimates).all(axis=0)
            if not where.any():
                continue
            for (side, n), of_one in zip(which, self._scores.of(estimates, image, where), strict=True):
                scores[SIDES.index(side), n, number] = of_one
            if block.sums is None:
                block.sums = CellSums.empty(n_runs, n_layers, inputs.grid.shape)
            after = np.array([which.index(("after", n)) for n in range(n_runs)])
            block.sums.add(number, estimates[after], image, where)
            if self.judged.scales is not None and time in self.judged.at_scales:
                for (side, n), estimate in zip(which, estimates, strict=True):
                    found = self.judged.scales.of(estimate, image, where)
                    by_scale["error_by_scale"][SIDES.index(side), n, number] = found.error
                    by_scale["correlation_by_scale"][SIDES.index(side), n, number] = found.correlation
                    by_scale["reference_by_scale"][number] = found.reference
        return _Moment(time, period, scores, by_scale, images.counts, images.own_time)


class States:
    """A series at one moment, or over the window that begins there, and the ``keys`` that settle it."""

    def __init__(self, series: ImageSeries, time: datetime, inputs: Inputs, keys: str) -> None:
        self._series, self._keys = series, keys
        with settled_by(keys):
            self._frames = series.frames_of(time, inputs.window)

    @property
    def sides(self) -> list[str]:
        """Those of `SIDES` that there are."""
        return [side for side in SIDES if side in self._frames]

    @property
    def own_time(self) -> datetime:
        """Of the last frame."""
        return self._frames[self.sides[-1]][-1].time

    @property
    def counts(self) -> Counter[str]:
        """Pixels that were read so far, by what became of them."""
        return sum((frame.counts for frames in self._frames.values() for frame in frames), Counter())

    def has(self, layer: Layer) -> bool:
        """Whether there is an image of a layer."""
        with settled_by(self._keys):
            return all(layer in self._series.layers(frames[0]) for frames in self._frames.values())

    def of(self, side: str, layer: Layer) -> FloatArray:
        """Image of a layer, (ny, nx) m3 m-3."""
        frames = self._frames[side]
        with settled_by(self._keys):
            return frames[0].layer(layer) if len(frames) == 1 else mean_over(frames, lambda frame: frame.layer(layer))


def _joined(judged: Judged, reference: Reference, every: Sequence[_Moment]) -> FieldScores:
    """Scores of all moments that have some, in their order. On rank 0.

    Raises
    ------
    InputError
        Where no moment has any.
    """
    inputs = judged.inputs
    n_times = sum(map(len, times_of_periods(inputs)))
    found = [moment for moment in every if np.isfinite(moment.scores).any()]
    if not found:
        seen = f"{len(every)} images without a cell that has a value in all" if every else "no image"
        raise fault(
            reference.series.what,
            found=f"{seen} at {n_times} times from {inputs.times[0]:{DATE_TEXT}} to {inputs.times[-1]:{DATE_TEXT}}",
            expected="images of these times, of the region of the runs",
            do="correct its files or max_time_offset, or give other `times`",
        )
    remarks = {name: run.remarks for name, run in {**inputs.runs, reference.name: reference.series}.items()}
    remarks[reference.name] = (*reference.series.remarks, *_remarks(inputs, reference, found))
    return FieldScores(
        name=reference.name,
        what=reference.series.what,
        runs=list(inputs.runs),
        layers=inputs.layers,
        regions=list(inputs.regions_on(inputs.grid)),
        periods=list(inputs.periods),
        status=reference.status,
        times=[moment.time for moment in found],
        period=np.array([moment.period for moment in found]),
        scores=np.stack([moment.scores for moment in found]),
        by_scale={name: np.stack([moment.by_scale[name] for moment in found]) for name in BY_SCALE},
        remarks=[f"{name}: {remark}" for name, of_one in remarks.items() for remark in of_one],
        n_times=n_times,
        pixels=sum((moment.counts for moment in every), Counter()),
    )


def _remarks(inputs: Inputs, reference: Reference, found: Sequence[_Moment]) -> Iterator[str]:
    """How the images become those of the runs' cells and times."""
    if not reference.series.grid.has_cells_of(inputs.grid):
        yield f"on cells of the runs, {reference.regridding}"
    if inputs.window is not None:
        yield f"means over {duration_text(inputs.window)} from each time on, as of the runs"
    elif reference.series.interval is None:
        away = max(abs(moment.own_time - moment.time) for moment in found)
        if away:
            n_images = len({moment.own_time for moment in found})
            yield f"{n_images} images stand for {len(found)} times, up to {duration_text(away)} from them"
