"""What the settings name, opened and checked: the restart, the observed image, the errors, the transform."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm import colm202x, colm2014
from imgda_mpi.colm.restart import LARGEST_PLAUSIBLE, Restart
from imgda_mpi.colm.soil_layers import overlap_weights
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.config import Cf, Colm202x, FieldFile, Settings
from imgda_mpi.curvelet import CurveletTransform, Layout
from imgda_mpi.errors import ConfigError, InputError, fault
from imgda_mpi.grid import Grid, embed
from imgda_mpi.images.cf import read_cf
from imgda_mpi.images.gldas import SURFACE_LAYER, read_gldas
from imgda_mpi.images.image import ObservedImage
from imgda_mpi.images.netcdf import resolve
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.parallel.rank_grid import RankGrid, choose_grid
from imgda_mpi.parallel.rows import gather_rows
from imgda_mpi.workflow.console import Stages
from imgda_mpi.workflow.output import check_output
from imgda_mpi.workflow.transform import make_transform

log = logging.getLogger(__name__)

SURFACE = overlap_weights(0.0, 0.1)
"""Share of the soil layers in the image: 0-10 cm."""


@dataclass(frozen=True)
class Inputs:
    """All that an analysis starts from; images (ny, nx) in m3 m-3 are the same on every rank.

    Parameters
    ----------
    soil, aquifer : of the own patches
    innovation : observation minus background, NaN where there is no observation or no soil
    deviations : error standard deviations of background and observation, numbers or arrays of the transform's shape;
        None where the method has no errors
    transform, ranks : the transform and who works on what of it; None where the method has none
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
    files: list[Path]


def read_inputs(settings: Settings, stages: Stages, comm: MPI.Intracomm) -> Inputs:
    """Open, check and read everything an analysis needs, and see that its result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that an analysis would stop at.
    """
    with stages.stage("restart"):
        restart = _open_restart(settings, comm)
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
    deviations, transform, ranks = None, None, None
    if settings.method in ("image", "pointwise"):
        with same_fate(comm):
            found = _deviations(settings, grid, land) if comm.rank == 0 else None
        deviations = comm.bcast(found)
    if settings.method == "image":
        with stages.stage("transform"):
            transform = make_transform(settings.curvelet, grid.transform_shape(), comm)
            with same_fate(comm):
                ranks = _rank_grid(settings, transform.layout, comm.size)
            ny, nx = transform.layout.image_shape
            stages.say(f"{transform.geometry.n_scales} scales on {ny} x {nx}: {transform.layout.n_values} coefficients")
    files = _files(settings, restart, observation)
    return Inputs(restart, soil, aquifer, background, observation, innovation, deviations, transform, ranks, files)


def room(restart: Restart) -> int:
    """Bytes that the restart and its diagnostics need at most, these before they are deflated. Not collective."""
    ny, nx = restart.patches.grid.shape
    return restart.room() + 8 * (12 * ny * nx + 12 * int(restart.offsets[-1])) + 1_000_000


def surface_image(restart: Restart, moisture: FloatArray, comm: MPI.Intracomm) -> FloatArray:
    """Image of the own patches' surface moisture (n_own,), (ny, nx) on every rank. Collective over ``comm``.

    Rank 0 averages over all patches, so that the sums do not depend on who owns which.
    """
    every = gather_rows(comm, moisture, restart.offsets)
    patches = restart.all_patches
    image: FloatArray = comm.bcast(patches.to_image(every) if patches and every is not None else None)
    return image


def _open_restart(settings: Settings, comm: MPI.Intracomm) -> Restart:
    model = settings.model
    if isinstance(model, Colm202x):
        return colm202x.open_restart(model.directory, model.case, model.time, model.land_cover_year, comm)
    return colm2014.open_restart(model.restart_file, model.const_file, model.time, comm)


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
            read: Callable[..., ObservedImage] = read_gldas
            if isinstance(wanted, Cf):
                read = partial(read_cf, variable=wanted.variable, layer=wanted.layer)
            image = read(
                wanted.file,
                grid,
                wanted.time or settings.model.time,
                max_time_offset=wanted.max_time_offset,
                method=wanted.regridding,
                valid_range=wanted.valid_range,
            )
            if isinstance(wanted, Cf) and wanted.layer not in (None, SURFACE_LAYER):
                log.warning("the observed layer %g-%g m stands for the image's %g-%g m", *wanted.layer, *SURFACE_LAYER)
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


def _deviations(
    settings: Settings, grid: Grid, land: npt.NDArray[np.bool_]
) -> tuple[float | FloatArray, float | FloatArray]:
    background, observation = (
        _field(wanted, settings, grid, land) if isinstance(wanted, FieldFile) else wanted
        for wanted in (settings.errors.background, settings.errors.observation)
    )
    return background, observation


def _field(wanted: FieldFile, settings: Settings, grid: Grid, land: npt.NDArray[np.bool_]) -> FloatArray:
    """Standard deviations on the transform's array."""
    values = read_cf(
        wanted.file, grid, settings.model.time, variable=wanted.variable, valid_range=(0.0, 1.0)
    ).values  # fmt: skip
    lacking = land & ~(values > 0)
    if lacking.any():
        raise InputError(
            fault(
                wanted.file,
                wanted.variable,
                found=f"none on {int(lacking.sum())} of {int(land.sum())} soil cells",
                expected="a positive standard deviation on every soil cell",
                do="fill the gaps in the file",
            )
        )
    # Beyond the soil nothing is observed: any value serves, the mean keeps the variances alike.
    shape = grid.transform_shape()
    inside = embed(np.where(values > 0, values, 0.0), shape)
    return np.where(inside > 0, inside, values[land].mean())


def _rank_grid(settings: Settings, layout: Layout, n_ranks: int) -> RankGrid:
    try:
        return choose_grid(layout, settings.errors.n_members, n_ranks, settings.parallel.wedge_groups)
    except ValueError as err:
        raise ConfigError(f"[parallel] {err}; leave it out, or run on more ranks") from None


def _files(settings: Settings, restart: Restart, observation: ObservedImage | None) -> list[Path]:
    fields = (settings.errors.background, settings.errors.observation)
    used = fields if settings.method in ("image", "pointwise") else ()
    deviations = [resolve(field.file, settings.model.time) for field in used if isinstance(field, FieldFile)]
    return [*restart.inputs, *([] if observation is None else [observation.path]), *deviations]
