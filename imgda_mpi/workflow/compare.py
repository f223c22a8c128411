"""A fair comparison: every method on the same noisy images of a known truth, over many draws of the noise."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.comparison_config import Comparison, Swaths
from imgda_mpi.console import Stages, progress
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.errors import ConfigError
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Method
from imgda_mpi.methods.registry import make_method
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.perturbations import perturbation
from imgda_mpi.problem import Members, Observations, Problem
from imgda_mpi.verify.experiment import Experiment
from imgda_mpi.workflow.comparison_images import Images, read_images
from imgda_mpi.workflow.output import check_output, new_directory, write_manifest
from imgda_mpi.workflow.preparation import read_fields
from imgda_mpi.workflow.transform import make_transform

log = logging.getLogger(__name__)


def compare(settings: Comparison, comm: MPI.Intracomm) -> str | None:
    """Run all methods on all draws, and save scores, error spectra and the images of the first draw.

    Collective over ``comm``; the ranks share the draws. The scores do not depend on the number of ranks.

    Returns
    -------
    str on rank 0, None elsewhere
        Table of scores.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages, grid = Stages(), global_grid(settings.grid)
    n_images = len(settings.methods) + len(settings.interpolation_lengths) + 10
    check_output(settings.output.directory, lambda: 8 * n_images * math.prod(settings.grid) + 1_000_000, comm)
    with stages.stage("images"):
        images = read_images(settings, grid, comm)
        observed = images.land & swaths(grid.shape, settings.coverage)
        with same_fate(comm):
            if not observed.any():
                raise ConfigError(
                    f"found {np.count_nonzero(images.land)} common cells of background and truth, 0 of them observed, "
                    "expected some; check [background], [truth] and [coverage]"
                )
        given = [read_fields(method.parameters, grid, settings.time, images.land, comm) for method in settings.methods]
        n_draws = len(images.truths) * settings.seeds
        stages.say(f"{np.count_nonzero(images.land)} cells, {n_draws} draws")
    with stages.stage("transform"):
        transform = make_transform(settings.curvelet, grid.transform_shape(), comm)
    draw = partial(make_draw, settings, images, grid, observed)
    with stages.stage("methods"):
        with same_fate(comm):
            methods = dict(named_methods(settings, [parameters for parameters, _ in given], transform))
            first, _ = draw(0)
            for method in methods.values():
                method.check(grid, first.observations)
        with same_fate(comm):
            experiment = Experiment(methods, transform, MPI.COMM_SELF)
            own = range(comm.rank, n_draws, comm.size)
            outcomes = []
            for number in progress(own, "draws", speaks=comm.rank == 0):
                outcomes.append(experiment.run(*draw(number), keep_images=number == 0))
        every = comm.gather(outcomes)
    table = None
    with new_directory(settings.output.directory, comm) as directory:
        written = [directory / "comparison.nc", directory / "table.txt"]
        with same_fate(comm):
            if every is not None:
                from imgda_mpi.report.comparison import comparison_table, read_comparison  # on the one rank that writes
                from imgda_mpi.workflow.comparison_file import write_comparison

                in_order = [every[number % comm.size][number // comm.size] for number in range(n_draws)]
                write_comparison(written[0], settings, in_order, *draw(0))
                table = comparison_table(read_comparison(written[0]))
                written[1].write_text(f"{table}\n")
        files = [*images.files, *(file for _, of_method in given for file in of_method)]
        write_manifest(directory, written, files, settings, f"0 to {settings.seeds - 1}", comm)
    log.info("result in %s", settings.output.directory)
    return table


def named_methods(
    settings: Comparison, given: Sequence[dict[str, Any]], transform: CurveletTransform
) -> Iterator[tuple[str, Method]]:
    """Methods by their names in the table; those that are tried with several lengths once for each."""
    lengths = {"optimal_interpolation": ("length", settings.interpolation_lengths)}
    if settings.members is not None:
        lengths["letkf"] = ("localisation", settings.members.letkf_lengths)
    for label, wanted, parameters in zip(settings.labels, settings.methods, given, strict=True):
        key, tried = lengths.get(wanted.kind, ("", ()))
        if not tried or key in wanted.model_fields_set:
            yield label, make_method(wanted.kind, parameters, transform, diagnose=False)
            continue
        for length in tried:
            method = make_method(wanted.kind, parameters | {key: length}, transform)
            yield method.name, method


def global_grid(shape: tuple[int, int]) -> Grid:
    """Equal steps of latitude and longitude, from north to south and from 180 W to 180 E."""
    rows, columns = (np.linspace(0.5 / n, 1 - 0.5 / n, n) for n in shape)
    return Grid(90.0 - 180.0 * rows, -180.0 + 360.0 * columns)


def swaths(shape: tuple[int, int], wanted: Swaths) -> BoolArray:
    """Pixels that are observed, (ny, nx)."""
    row, column = np.indices(shape)
    if wanted.kind == "full":
        return np.ones(shape, bool)
    place = column + np.floor(wanted.slope * row).astype(np.int64)
    return np.asarray(place % wanted.period < wanted.width)


def make_draw(
    settings: Comparison, images: Images, grid: Grid, observed: BoolArray, number: int
) -> tuple[Problem, FloatArray]:
    """The problem of a draw and its truth (ny, nx), m3 m-3: the truths in turn, for each of them all seeds."""
    which, seed = divmod(number, settings.seeds)
    land, truth = images.land, images.truths[which]
    # Observation errors of one truth must not be those of another.
    noise = perturbation(land.shape, seed=seed, time=settings.time, kind="observation", member=1_000_000 + which)
    values = np.where(observed, truth + settings.noise * noise, 0.0)
    assumed = settings.errors.observation or settings.noise
    observations = Observations(values, observed, assumed, settings.errors.estimate_observation)
    members = _members_but(which, images) if images.are_members else None
    return Problem(grid, images.background, land, observations, members, settings.time, seed), truth


def _members_but(which: int, images: Images) -> Members:
    """All members but the one that is the truth."""
    others = np.stack([image for other, image in enumerate(images.truths) if other != which])
    anomalies = np.where(images.land, others - others.mean(axis=0), 0.0)
    spread = np.where(images.land, others.std(axis=0, ddof=1), np.nan)
    return Members(dict(enumerate(anomalies)), spread, len(others))
