"""What the settings name, opened and checked: the restart, the observed image, the errors, the transform."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.restart import LARGEST_PLAUSIBLE, Restart
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.config import WITH_MEMBERS, FieldFile, Settings
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform, Layout
from imgda_mpi.errors import ConfigError, InputError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.images.image import ObservedImage
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rank_grid import (
    RankGrid,
    choose_grid,
    holder_of_coefficients,
    holder_of_images,
    whole_wedges,
)
from imgda_mpi.workflow.output import check_output
from imgda_mpi.workflow.surface import SURFACE, open_restart, surface_image
from imgda_mpi.workflow.transform import make_transform

if TYPE_CHECKING:
    from imgda_mpi.workflow.members import Members

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """All that an analysis starts from; images (ny, nx) in m3 m-3 are the same on every rank.

    Parameters
    ----------
    soil, aquifer : of the own patches
    innovation : observation minus background, NaN where there is no observation or no soil
    deviations : error standard deviations of background and observation, numbers or arrays of the transform's shape;
        None where the method has no errors
    transform : None where the method has none
    ranks : who works on which coefficients for the diagonal solver; None elsewhere
    members : of the model, None where the error model has none
    files : every file that decides the result
    """

    restart: Restart
    soil: SoilColumns
    aquifer: FloatArray
    background: FloatArray
    observation: ObservedImage | None
    innovation: FloatArray
    deviations: tuple[float | FloatArray, float | FloatArray] | None
    transform: CurveletTransform | None
    ranks: RankGrid | None
    members: Members | None
    files: list[Path]


def read_inputs(settings: Settings, stages: Stages, comm: MPI.Intracomm) -> Inputs:
    """Open, check and read everything an analysis needs, and see that its result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that an analysis would stop at.
    """
    with stages.stage("restart"):
        restart = open_restart(settings.model, comm)
        grid = restart.patches.grid
        check_output(settings.output.directory, lambda: room(restart), comm)
        soil, aquifer = restart.read_soil()
        if settings.soil.compensate == "aquifer":
            with same_fate(comm):
                _check_aquifer(restart, soil, aquifer)
        background = surface_image(restart, soil.surface_moisture(SURFACE), comm)
        land = np.isfinite(background)
        stages.say(f"{restart.name}: {restart.offsets[-1]} patches in {land.sum()} soil cells")
    with stages.stage("observation"):
        observation = _read_observation(settings, grid, comm)
        innovation = _innovation(background, observation, settings, comm)
        stages.say(_describe(observation, innovation, settings) if observation else "none")
    deviations, transform, ranks, members = None, None, None, None
    deviation_files: list[Path] = []
    if settings.method in ("image", "pointwise", "large_scale"):
        deviations, deviation_files = _read_deviations(settings, grid, land, comm)
    if settings.method in ("image", "large_scale"):
        with stages.stage("transform"):
            transform = make_transform(settings.curvelet, grid.transform_shape(), comm)
            with same_fate(comm):
                _check_scales(settings, transform)
                ranks = _rank_grid(settings, transform.layout, comm.size)
            ny, nx = transform.layout.image_shape
            stages.say(f"{transform.geometry.n_scales} scales on {ny} x {nx}: {transform.layout.n_values} coefficients")
    if settings.method == "image" and settings.error_model in WITH_MEMBERS:
        with same_fate(comm):
            if settings.solver == "full" and not grid.has_equal_columns:
                raise ConfigError('solver = "full" with members needs columns of equal width; set solver = "diagonal"')
        with stages.stage("members"):
            members = _read_members(settings, grid, land, ranks, comm)
            with same_fate(comm):
                if not np.nanmax(members.spread) > 0:
                    raise InputError(
                        fault(
                            "[ensemble]",
                            found=f"{members.n_members} members that are all alike",
                            expected="members that differ",
                            do="give each member its own folder or image",
                        )
                    )
            stages.say(f"{members.n_members} members, spread {np.sqrt(np.nanmean(members.spread**2)):.4f} m3 m-3")
    files = [
        *restart.inputs,
        *([observation.path] if observation else []),
        *deviation_files,
    ]
    files += [file for file in (members.files if members else []) if file not in set(files)]
    return Inputs(
        restart, soil, aquifer, background, observation, innovation, deviations, transform, ranks, members, files
    )


def room(restart: Restart) -> int:
    """Bytes that the restart and its diagnostics need at most, these before they are deflated. Not collective."""
    ny, nx = restart.patches.grid.shape
    return restart.room() + 8 * (12 * ny * nx + 12 * int(restart.offsets[-1])) + 1_000_000


def _check_aquifer(restart: Restart, soil: SoilColumns, aquifer: FloatArray) -> None:
    missing = soil.is_soil & ~(np.abs(aquifer) < LARGEST_PLAUSIBLE)
    if missing.any():
        raise InputError(
            fault(
                restart.name,
                "wa",
                found=f"no value on {int(missing.sum())} soil patches",
                expected="the aquifer store in mm",
                do='set soil.compensate = "none"',
            )
        )


def _read_observation(settings: Settings, grid: Grid, comm: MPI.Intracomm) -> ObservedImage | None:
    """The observed image on the model grid, the same on every rank; None where the settings name none."""
    wanted = settings.observation
    if wanted is None:
        return None
    image: ObservedImage | None = None
    with same_fate(comm):
        if comm.rank == 0:
            from imgda_mpi.workflow.observation import read_observation  # on the one rank that reads

            image = read_observation(wanted, grid, settings.model.time)
    image = comm.bcast(image)
    return image


def _innovation(
    background: FloatArray, observation: ObservedImage | None, settings: Settings, comm: MPI.Intracomm
) -> FloatArray:
    if observation is None or settings.observation is None:
        return np.full_like(background, np.nan)
    innovation = observation.values - background
    with same_fate(comm):
        if not np.isfinite(innovation).any() and not settings.observation.allow_empty:
            raise InputError(
                fault(
                    observation.source,
                    found=f"no valid pixel over land ({pixel_summary(observation)})",
                    expected="at least one",
                    do="give another file, or set observation.allow_empty = true to write the background unchanged",
                )
            )
    if comm.rank == 0 and not np.isfinite(innovation).any():
        log.warning("%s: no valid pixel over land; the background is written unchanged", observation.source)
    return innovation


def pixel_summary(observation: ObservedImage) -> str:
    """What became of the observation's pixels, in one line."""
    reasons = ("missing", "below range", "above range", "not used", "used")
    counts = ", ".join(f"{observation.counts[reason]} {reason}" for reason in reasons)
    return f"{observation.counts['source pixels']} pixels: {counts}"


def _describe(observation: ObservedImage, innovation: FloatArray, settings: Settings) -> str:
    """The image in one line: file, variable, time, how far that is from the analysis time, cells that it corrects."""
    hours = (observation.time - settings.model.time).total_seconds() / 3600.0
    distance = f"{abs(hours):g} h" if abs(hours) < 72 else f"{abs(hours) / 24:.0f} days"
    away = f" ({distance} {'before' if hours < 0 else 'after'} the analysis time)" if hours else ""
    cells = f"{np.isfinite(innovation).sum()} soil cells observed"
    return f"{observation.source}{away}: {cells}; {pixel_summary(observation)}"


def _read_deviations(
    settings: Settings, grid: Grid, land: BoolArray, comm: MPI.Intracomm
) -> tuple[tuple[float | FloatArray, float | FloatArray], list[Path]]:
    """Error standard deviations of background and observation, and the files they are in, the same on every rank."""
    values: list[float | FloatArray] = []
    files: list[Path] = []
    for wanted in (settings.errors.background, settings.errors.observation):
        if not isinstance(wanted, FieldFile):
            values.append(wanted)
            continue
        found = None
        with same_fate(comm):
            if comm.rank == 0:
                from imgda_mpi.workflow.observation import read_deviation  # on the one rank that reads

                found = read_deviation(wanted, grid, settings.model.time, land)
        field, file = comm.bcast(found)
        values.append(field)
        files.append(file)
    return (values[0], values[1]), files


def _check_scales(settings: Settings, transform: CurveletTransform) -> None:
    n_scales = transform.geometry.n_scales
    unknown = [scale for scale in settings.scales or () if scale > n_scales]
    if unknown:
        raise ConfigError(f"scales = {list(settings.scales or ())}: this transform has the scales 1 to {n_scales}")
    if settings.errors.estimate_observation and n_scales < 3:
        raise ConfigError(f"[errors] estimate_observation: needs three scales, this transform has {n_scales}")


def _rank_grid(settings: Settings, layout: Layout, n_ranks: int) -> RankGrid | None:
    if settings.method != "image" or settings.solver != "diagonal":
        return None
    if settings.error_model != "paper":
        return whole_wedges(layout, n_ranks)
    try:
        return choose_grid(layout, settings.errors.n_members, n_ranks, settings.parallel.wedge_groups)
    except ValueError as err:
        raise ConfigError(f"[parallel] {err}; choose another, or leave it out") from None


def _read_members(
    settings: Settings, grid: Grid, land: BoolArray, ranks: RankGrid | None, comm: MPI.Intracomm
) -> Members:
    """The members, each on the rank that works on it."""
    from imgda_mpi.workflow.members import read_members  # most analyses have none

    assert settings.ensemble is not None

    def holder(member: int) -> int:
        return holder_of_images(member, comm.size) if ranks is None else holder_of_coefficients(member, ranks)

    return read_members(settings.ensemble, settings.model, grid, land, holder, comm)
