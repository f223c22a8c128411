"""From the settings of an analysis to its problem and its method: every file opened, checked and read."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.restart import LARGEST_PLAUSIBLE, Restart
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.config import Cf, Gldas, Settings
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.errors import fault
from imgda_mpi.fields import FieldFile
from imgda_mpi.grid import Grid
from imgda_mpi.images.image import ObservedImage
from imgda_mpi.methods.method import Method
from imgda_mpi.methods.registry import make_method, needs_transform
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.problem import ErrorSd, Members, Observations, Problem
from imgda_mpi.workflow.output import check_output
from imgda_mpi.workflow.surface import SURFACE, open_restart, surface_image
from imgda_mpi.workflow.transform import is_transform_of, make_transform

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that an analysis starts from.

    Parameters
    ----------
    restart, soil, aquifer : soil and aquifer store, (n_own,) mm, of the own patches
    observation : None where the method needs none and the settings name none
    method, transform : the method, and its transform where it has one
    problem : Problem
    files : every file that decides the result
    """

    restart: Restart
    soil: SoilColumns
    aquifer: FloatArray
    observation: ObservedImage | None
    method: Method
    transform: CurveletTransform | None
    problem: Problem
    files: list[Path]


def prepare(
    settings: Settings,
    stages: Stages,
    comm: MPI.Intracomm,
    transform: CurveletTransform | None = None,
    restart: Restart | None = None,
) -> Prepared:
    """Open, check and read everything an analysis needs, and see that its result can be written. Collective.

    Parameters
    ----------
    settings : Settings
    stages : Stages
    comm : MPI.Intracomm
    transform, restart : optional
        Those of the settings where they are in memory already.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that an analysis would stop at.
    ValueError
        On every rank: where the restart given is of another time, or the transform another one than the settings'.
    """
    time = settings.model.time
    with stages.stage("restart"):
        restart = restart or open_restart(settings.model, comm)
        opened, grid = restart, restart.patches.grid
        if restart.time != time:
            raise ValueError(f"a restart of {restart.time}, expected one of {time}")
        if transform is not None and not is_transform_of(transform, settings.curvelet, grid.transform_shape()):
            raise ValueError(f"a transform of other settings or shape than {grid.transform_shape()}")
        check_output(settings.output.directory, lambda: room(opened), comm)
        soil, aquifer = restart.read_soil()
        if settings.soil.compensate == "aquifer":
            with same_fate(comm):
                _check_aquifer(restart, soil, aquifer)
        background = surface_image(restart, soil.surface_moisture(SURFACE), comm)
        land = np.isfinite(background)
        stages.say(f"{restart.name}: {restart.offsets[-1]} patches in {land.sum()} soil cells")
    with stages.stage("observation"):
        observation = read_observation(settings.observation, grid, time, comm)
        values = np.full(grid.shape, np.nan) if observation is None else observation.values
        observed = land & np.isfinite(values)
        if observation is not None and settings.observation is not None:
            _check_observed(observation, observed, settings.observation.allow_empty, comm)
        stages.say(_describe(observation, observed, time) if observation else "none")
    given, error_files = read_fields(settings.method.parameters, grid, time, land, comm)
    wanted = {"sd": settings.errors.observation if settings.method.needs_errors else 1.0}
    noise, noise_files = read_fields(wanted, grid, time, land, comm)
    sd = noise["sd"]
    observations = Observations(np.where(observed, values, 0.0), observed, sd, settings.errors.estimate_observation)
    kind = settings.method.kind
    if not needs_transform(kind):
        transform = None
    elif transform is None:
        with stages.stage("transform"):
            transform = make_transform(settings.curvelet, grid.transform_shape(), comm)
            ny, nx = transform.layout.image_shape
            stages.say(f"{transform.geometry.n_scales} scales on {ny} x {nx}: {transform.layout.n_values} coefficients")
    with same_fate(comm):
        method = make_method(kind, given, transform, comm.size, settings.parallel.wedge_groups)
        method.check(grid, observations)
    members: Members | None = None
    member_files: list[Path] = []
    if method.needs_members and settings.ensemble is not None:
        with stages.stage("members"):
            from imgda_mpi.workflow.members import read_members  # most analyses have none

            holder = partial(method.holder, n_ranks=comm.size)
            members, member_files = read_members(settings.ensemble, settings.model, grid, land, holder, comm)
            spread = np.sqrt(np.nanmean(members.spread**2))
            stages.say(f"{members.n_members} members, spread {spread:.4f} m3 m-3")
    problem = Problem(grid, background, land, observations, members, time, settings.errors.seed)
    files = [*restart.inputs, *([observation.path] if observation else []), *error_files, *noise_files]
    files += [file for file in member_files if file not in set(files)]
    return Prepared(restart, soil, aquifer, observation, method, transform, problem, files)


def room(restart: Restart) -> int:
    """Bytes that the restart and its diagnostics need at most, these before they are deflated. Not collective."""
    ny, nx = restart.patches.grid.shape
    return restart.room() + 8 * (12 * ny * nx + 12 * int(restart.offsets[-1])) + 1_000_000


def read_observation(
    wanted: Gldas | Cf | None, grid: Grid, time: datetime, comm: MPI.Intracomm
) -> ObservedImage | None:
    """The observed image on the grid, the same on every rank; None where none is wanted. Collective.

    Raises
    ------
    InputError
    """
    image: ObservedImage | None = None
    with same_fate(comm):
        if comm.rank == 0 and wanted is not None:
            from imgda_mpi.workflow.observation import read_image  # on the one rank that reads

            image = read_image(wanted, grid, time)
    image = comm.bcast(image)
    return image


def read_fields(
    values: dict[str, Any], grid: Grid, time: datetime, land: BoolArray, comm: MPI.Intracomm
) -> tuple[dict[str, Any], list[Path]]:
    """Values with fields in the place of the files that hold them, the same on every rank, and these files. Collective.

    Raises
    ------
    InputError
    """
    read, files = dict(values), []
    for name, wanted in values.items():
        if not isinstance(wanted, FieldFile):
            continue
        found: tuple[ErrorSd, Path] | None = None
        with same_fate(comm):
            if comm.rank == 0:
                from imgda_mpi.workflow.observation import read_deviation  # on the one rank that reads

                found = read_deviation(wanted, grid, time, land)
        read[name], file = comm.bcast(found)
        files.append(file)
    return read, files


def pixel_summary(observation: ObservedImage) -> str:
    """What became of the observation's pixels, in one line."""
    reasons = ("missing", "below range", "above range", "not used", "used")
    counts = ", ".join(f"{observation.counts[reason]} {reason}" for reason in reasons)
    return f"{observation.counts['source pixels']} pixels: {counts}"


def _check_aquifer(restart: Restart, soil: SoilColumns, aquifer: FloatArray) -> None:
    missing = soil.is_soil & ~(np.abs(aquifer) < LARGEST_PLAUSIBLE)
    if missing.any():
        raise fault(
            restart.name,
            "wa",
            found=f"no value on {int(missing.sum())} soil patches",
            expected="the aquifer store in mm",
            do='set soil.compensate = "none"',
        )


def _check_observed(observation: ObservedImage, observed: BoolArray, allow_empty: bool, comm: MPI.Intracomm) -> None:
    if observed.any():
        return
    with same_fate(comm):
        if not allow_empty:
            raise fault(
                observation.source,
                found=f"no valid pixel over land ({pixel_summary(observation)})",
                expected="at least one",
                do="give another file, or set observation.allow_empty = true to write the background unchanged",
            )
    if comm.rank == 0:
        log.warning("%s: no valid pixel over land; the background is written unchanged", observation.source)


def _describe(observation: ObservedImage, observed: BoolArray, time: datetime) -> str:
    """The image in one line: file, variable, time, how far that is from the analysis time, cells that it corrects."""
    hours = (observation.time - time).total_seconds() / 3600.0
    distance = f"{abs(hours):g} h" if abs(hours) < 72 else f"{abs(hours) / 24:.0f} days"
    away = f" ({distance} {'before' if hours < 0 else 'after'} the analysis time)" if hours else ""
    return f"{observation.source}{away}: {observed.sum()} soil cells observed; {pixel_summary(observation)}"
