"""What the settings name, opened: the restart, the observed image, the error standard deviations."""

from __future__ import annotations

import logging
import math
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from mpi4py import MPI

from imgda_mpi.colm import colm202x, colm2014
from imgda_mpi.colm.restart import Restart
from imgda_mpi.config import Cf, Colm202x, FieldFile, Gldas, Settings
from imgda_mpi.errors import InputError, fault
from imgda_mpi.grid import Grid, embed
from imgda_mpi.images.cf import read_cf
from imgda_mpi.images.gldas import SURFACE_LAYER, read_gldas
from imgda_mpi.images.image import ObservedImage
from imgda_mpi.parallel.failure import same_fate

FloatArray = npt.NDArray[np.float64]

log = logging.getLogger(__name__)


def open_restart(settings: Settings, comm: MPI.Intracomm) -> Restart:
    """The restart to correct, checked. Collective over ``comm``.

    Raises
    ------
    InputError
    """
    model = settings.model
    if isinstance(model, Colm202x):
        return colm202x.open_restart(model.directory, model.case, model.time, model.land_cover_year, comm)
    return colm2014.open_restart(model.restart_file, model.const_file, model.time, comm)


def read_observation(settings: Settings, grid: Grid, comm: MPI.Intracomm) -> ObservedImage | None:
    """The observed image on the model grid, the same on every rank; None where the settings name none.

    Collective over ``comm``; rank 0 reads.

    Raises
    ------
    InputError
    """
    wanted = settings.observation
    if wanted is None:
        return None
    image: ObservedImage | None = None
    with same_fate(comm):
        if comm.rank == 0:
            read = (
                read_gldas
                if isinstance(wanted, Gldas)
                else partial(read_cf, variable=wanted.variable, layer=wanted.layer)
            )
            image = read(
                wanted.file,
                grid,
                wanted.time or settings.model.time,
                max_time_offset=None if math.isinf(wanted.max_time_offset) else wanted.max_time_offset,
                method=wanted.regridding,
                valid_range=wanted.valid_range,
            )
    image = comm.bcast(image)
    if comm.rank == 0 and isinstance(wanted, Cf) and wanted.layer not in (None, SURFACE_LAYER):
        log.warning("the observed layer %g-%g m stands for the image's %g-%g m", *wanted.layer, *SURFACE_LAYER)
    return image


def innovation_of(
    background: FloatArray, observation: ObservedImage | None, settings: Settings, comm: MPI.Intracomm
) -> FloatArray:
    """Observation minus background, (ny, nx) m3 m-3; NaN where there is no observation or no soil.

    Collective over ``comm``.

    Raises
    ------
    InputError
        Where no valid pixel lies over land, unless the settings allow it.
    """
    if observation is None:
        return np.full_like(background, np.nan)
    innovation = observation.values - background
    assert settings.observation is not None
    if not np.isfinite(innovation).any():
        message = fault(
            observation.source,
            found=f"no valid pixel over land ({pixel_summary(observation)})",
            expected="at least one",
            do="give another file, or set observation.allow_empty = true to write the background unchanged",
        )
        with same_fate(comm):
            if not settings.observation.allow_empty:
                raise InputError(message)
        if comm.rank == 0:
            log.warning("%s: no valid pixel over land; the background is written unchanged", observation.source)
    return innovation


def input_files(restart: Restart, observation: ObservedImage | None, settings: Settings) -> list[Path]:
    """Every file that decides the result."""
    deviations = [d.file for d in (settings.errors.background, settings.errors.observation) if isinstance(d, FieldFile)]
    return [*restart.inputs, *([] if observation is None else [observation.path]), *deviations]


def pixel_summary(observation: ObservedImage) -> str:
    """What became of the observation's pixels, in one line."""
    reasons = ("missing", "below range", "above range", "not used", "used")
    counts = ", ".join(f"{observation.counts[reason]} {reason}" for reason in reasons)
    return f"{observation.counts['source pixels']} pixels: {counts}"


def describe(observation: ObservedImage, innovation: FloatArray, settings: Settings) -> str:
    """The image in one line: file, variable, time, how far that is from the analysis time, cells that it corrects."""
    hours = (observation.time - settings.model.time).total_seconds() / 3600.0
    distance = f"{abs(hours):g} h" if abs(hours) < 72 else f"{abs(hours) / 24:.0f} days"
    away = f" ({distance} {'before' if hours < 0 else 'after'} the analysis time)" if hours else ""
    return f"{observation.source}{away}: {np.isfinite(innovation).sum()} soil cells observed"


def error_deviations(
    settings: Settings, grid: Grid, shape: tuple[int, int], comm: MPI.Intracomm
) -> tuple[float | FloatArray, float | FloatArray]:
    """Standard deviations of background and observation on the transform's array: numbers or ``shape`` arrays.

    Collective over ``comm``; the same on every rank.

    Raises
    ------
    InputError
        Where a field of standard deviations does not cover the grid.
    """
    errors = settings.errors
    fields = None
    with same_fate(comm):
        if comm.rank == 0:
            fields = [_deviation(wanted, grid, shape, settings) for wanted in (errors.background, errors.observation)]
    background, observation = comm.bcast(fields)
    return background, observation


def _deviation(wanted: float | FieldFile, grid: Grid, shape: tuple[int, int], settings: Settings) -> float | FloatArray:
    if not isinstance(wanted, FieldFile):
        return wanted
    field = read_cf(
        wanted.file,
        grid,
        settings.model.time,
        variable=wanted.variable,
        valid_range=(0.0, 1.0),
    )
    positive = field.values > 0
    if not positive.all():
        raise InputError(
            fault(
                wanted.file,
                wanted.variable,
                found=f"none on {int((~positive).sum())} of {positive.size} cells",
                expected="a positive value everywhere on the model grid",
                do="fill the gaps in the file",
            )
        )
    # Beyond the image nothing is observed; any finite value serves.
    mean = field.values.mean()
    padded: FloatArray = embed(field.values - mean, shape) + mean
    return padded
