"""What a comparison reads: images of all times, and stations."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, IntArray
from imgda_mpi.console import progress
from imgda_mpi.faults import fault, settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.numerics.features import Groups
from imgda_mpi.observations.binning import binning
from imgda_mpi.observations.read import check_level, warn_of_fill
from imgda_mpi.parallel.failure import from_rank_0
from imgda_mpi.results.comparison_file import JudgingStations
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.stations import OfStations
from imgda_mpi.stations.choice import means, one_of_each
from imgda_mpi.stations.read import read_stations
from imgda_mpi.verify.station_scores import LEAST_PAIRS, count_pairs
from imgda_mpi.verify.trials import Case
from imgda_mpi.workflow.features import features_of_files
from imgda_mpi.workflow.series import Said, Sections, grid_at, image_at, times_with_files

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that decides a comparison, but for what methods read; the same on every rank.

    Parameters
    ----------
    grid
    cases : of the times that have a file of every section
    n_passed_over : times that have not
    stations : where they judge
    cells : of the stations, row by row, (n,)
    features : of the cells, by the names of their groups
    files : that were read
    """

    grid: Grid
    cases: list[Case]
    n_passed_over: int
    stations: JudgingStations | None
    cells: IntArray
    features: Groups
    files: list[Path]

    @property
    def land(self) -> BoolArray:
        """Cells that are land at any of the times, (ny, nx)."""
        return land_of(self.cases)


def land_of(cases: Sequence[Case]) -> BoolArray:
    """Cells that are land in any of some cases, (ny, nx)."""
    return np.asarray(np.any([case.land for case in cases], axis=0))


def read_inputs(settings: Comparison, comm: MPI.Intracomm) -> Inputs:
    """Read all images and stations, on rank 0. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that is wrong with them.
    """
    return from_rank_0(comm, lambda: _read(settings))


def _read(settings: Comparison) -> Inputs:
    sections: Sections = settings.sections
    times, n_passed_over = times_with_files(sections, settings.all_times, several=settings.times is not None)
    grid, said = grid_at(settings.grid, sections, times[0]), Said()
    cases, files = [], []
    for time in progress(times, "times", speaks=True):
        case, of_time = (_members if settings.members else _images)(settings, grid, time, said)
        cases.append(case)
        files += of_time
    said.say(len(times))
    _check_levels(settings, cases)
    if "observation" in said.first:
        warn_of_fill(said.first["observation"], cases[0].land)
    stations, cells = None, np.empty(0, np.int64)
    if settings.stations is not None:
        with settled_by("[judge]"):
            stations, cells = _stations(settings, settings.stations, grid, cases)
            files.append(settings.stations.file)
    features = features_of_files(settings.features, grid, land_of(cases), times[0])
    files += [section.file for section in settings.features.values()]
    if features:
        log.info("features: moisture, %s", ", ".join(f"{name} ({group.shape[1]})" for name, group in features.items()))
    # A folder of stations is known by its files.
    every = [one for file in files for one in ([file] if not file.is_dir() else sorted(file.rglob("*.stm")))]
    return Inputs(grid, cases, n_passed_over, stations, cells, features, list(dict.fromkeys(every)))


def _members(settings: Comparison, grid: Grid, time: datetime, said: Said) -> tuple[Case, list[Path]]:
    from imgda_mpi.observations.member_images import background_and_members

    assert settings.members is not None
    how = settings.members.values("letkf_lengths")
    with settled_by("[members]"):
        background, others = background_and_members(grid=grid, time=time, **how)
    said.note("members", background)
    return Case(time, background.values, others, are_members=True), [background.path]


def _images(settings: Comparison, grid: Grid, time: datetime, said: Said) -> tuple[Case, list[Path]]:
    images = {}
    for name, section in settings.images.items():
        more = {"error": settings.assumed} if name == "observation" else {}
        images[name] = image_at(name, section, grid, time, settings.window, **more)
        said.note(name, images[name])
    values = {name: image.values for name, image in images.items()}
    case = Case(
        time,
        values["background"],
        [values["truth"]] if "truth" in values else [],
        observation=values.get("observation"),
        judge=values.get("judge"),
    )
    return case, [file for image in images.values() for file in image.files]


def _check_levels(settings: Comparison, cases: Sequence[Case]) -> None:
    """Refuse what is of another level than the background, over all times together."""
    background = np.stack([case.background for case in cases])
    for name, section in settings.images.items():
        if name == "background" or section.allow_unlike_background:
            continue
        values = np.stack([case.truths[0] if name == "truth" else getattr(case, name) for case in cases])
        with settled_by(f"[{name}]"):
            check_level(values, background, np.isfinite(values) & np.isfinite(background), str(section.file))


def _stations(
    settings: Comparison, section: OfStations, grid: Grid, cases: Sequence[Case]
) -> tuple[JudgingStations, IntArray]:
    """Stations in cells with land, and these cells.

    Raises
    ------
    InputError
        Where none has enough pairs.
    """
    how = section.values("file", "depth")
    series = one_of_each(read_stations(section.kind, section.file, section.depth, **how), section.depth)
    places = np.array([(one.latitude, one.longitude) for one in series])
    cell = binning(places[:, 0], places[:, 1], grid).cell
    land = np.stack([case.land.ravel() for case in cases])
    on_land = np.array([number >= 0 and bool(land[:, number].any()) for number in cell])
    chosen = np.flatnonzero(on_land)
    measured = np.array([means(series[n], [case.time for case in cases], settings.window) for n in chosen]).T
    n_pairs = np.zeros(0, np.int64)
    if chosen.size:
        there = np.where(land[:, cell[chosen]], 0.0, np.nan)
        n_pairs = count_pairs(there[None], measured)
    n_outside = int(np.count_nonzero(cell < 0))
    away = f"{n_outside} outside the grid, {len(series) - n_outside - chosen.size} in cells without land"
    log.info("judge: %s: %d stations, of which %s are left out", section.file, len(series), away)
    if not (n_pairs >= LEAST_PAIRS).any():
        raise fault(
            section.file,
            found=f"{chosen.size} stations on land with at most {n_pairs.max(initial=0)} means in {len(cases)} times "
            f"({away})",
            expected=f"one with at least {LEAST_PAIRS}",
            do="take more times, a longer window, or stations of this region and period",
        )
    names = [f"{series[n].network} {series[n].station}".strip() for n in chosen]
    return (
        JudgingStations(names, places[chosen, 0], places[chosen, 1], measured),
        cell[chosen],
    )


def warn_of_same_file(settings: Comparison) -> None:
    """Warn where a judge is the file that is assimilated. Not collective."""
    judge, observation = settings.images.get("judge"), settings.observation
    if judge is not None and observation is not None and judge.file == observation.file:
        log.warning("[judge] and [observation] are one file, %s: the judge is what was assimilated", judge.file)
