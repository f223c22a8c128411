"""A fair comparison: every method on the same noisy images of a known truth, over many draws of the noise."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.analysis import Innovation
from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.baselines.optimal_interpolation import MOST_PIXELS
from imgda_mpi.comparison_config import Comparison, Swaths
from imgda_mpi.console import Stages, progress
from imgda_mpi.errors import ConfigError, InputError, fault
from imgda_mpi.grid import Grid
from imgda_mpi.parallel.failure import same_fate
from imgda_mpi.perturbations import perturbation
from imgda_mpi.workflow.comparison_methods import Draw, Methods
from imgda_mpi.workflow.output import check_output, new_directory, write_manifest
from imgda_mpi.workflow.transform import make_transform

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Images:
    """Soil moisture on the common grid, (ny, nx) m3 m-3, NaN where missing.

    Parameters
    ----------
    background : image
    truths : images that are the truth in turn
    are_members : whether the truths are members of one ensemble
    files : that were read
    """

    background: FloatArray
    truths: list[FloatArray]
    are_members: bool
    files: list[Path]

    @property
    def land(self) -> BoolArray:
        """Cells that all images have, (ny, nx)."""
        return np.asarray(np.isfinite(np.stack([self.background, *self.truths])).all(axis=0))


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
        images = _read(settings, grid, comm)
        n_draws = len(images.truths) * settings.seeds
        stages.say(f"{np.count_nonzero(images.land)} cells, {n_draws} draws")
    with stages.stage("transform"):
        transform = make_transform(settings.curvelet, grid.transform_shape(), comm)
    with stages.stage("methods"):
        alone = MPI.Intracomm(comm.Split(comm.rank))
        with same_fate(comm):
            methods = Methods(settings, grid, transform, images.land, alone)
            own = range(comm.rank, n_draws, comm.size)
            outcomes = [
                methods.outcomes(_draw(settings, images, number))
                for number in progress(own, "draws", speaks=comm.rank == 0)
            ]
        alone.Free()
        every = comm.gather(outcomes)
    table = None
    with new_directory(settings.output.directory, comm) as directory:
        written = [directory / "comparison.nc", directory / "table.txt"]
        with same_fate(comm):
            if every is not None:
                from imgda_mpi.report.comparison import comparison_table, read_comparison  # on the one rank that writes
                from imgda_mpi.workflow.comparison_file import write_comparison

                in_order = [every[number % comm.size][number // comm.size] for number in range(n_draws)]
                write_comparison(written[0], settings, grid, in_order, _draw(settings, images, 0))
                table = comparison_table(read_comparison(written[0]))
                written[1].write_text(f"{table}\n")
        write_manifest(directory, written, images.files, settings, f"0 to {settings.seeds - 1}", comm)
    log.info("result in %s", settings.output.directory)
    return table


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


def _read(settings: Comparison, grid: Grid, comm: MPI.Intracomm) -> Images:
    images: Images | None = None
    with same_fate(comm):
        if comm.rank == 0:
            images = _read_members(settings, grid) if settings.members else _read_pair(settings, grid)
            observed = int(np.count_nonzero(images.land & swaths(grid.shape, settings.coverage)))
            if not observed:
                raise ConfigError(
                    f"found {np.count_nonzero(images.land)} common cells of background and truth, {observed} of them "
                    "observed, expected some; check [background], [truth] and [coverage]"
                )
            if "optimal_interpolation" in settings.methods and observed > MOST_PIXELS:
                raise ConfigError(
                    f"methods: found optimal_interpolation with {observed} observed cells, expected at most "
                    f"{MOST_PIXELS}, for its matrix is dense; leave it out, or set a coarser grid"
                )
    everywhere: Images = comm.bcast(images)
    return everywhere


def _read_pair(settings: Comparison, grid: Grid) -> Images:
    from imgda_mpi.workflow.observation import read_observation

    assert settings.background is not None
    assert settings.truth is not None
    background, truth = (
        read_observation(wanted, grid, settings.time) for wanted in (settings.background, settings.truth)
    )
    log.info("background: %s", background.source)
    log.info("truth: %s", truth.source)
    return Images(background.values, [truth.values], False, [background.path, truth.path])


def _read_members(settings: Comparison, grid: Grid) -> Images:
    from imgda_mpi.images.cf import count_members, read_member

    wanted = settings.members
    assert wanted is not None
    n_members = count_members(wanted.file, settings.time, wanted.variable)
    if wanted.background_member >= n_members or n_members < 4:
        raise InputError(
            fault(
                wanted.file,
                wanted.variable,
                found=f"{n_members} members",
                expected=f"4 or more, number {wanted.background_member} among them",
                do="add members, or set members.background_member",
            )
        )
    read = [
        read_member(wanted.file, grid, settings.time, variable=wanted.variable, layer=wanted.layer, member=member)
        for member in range(n_members)
    ]
    background = read.pop(wanted.background_member)
    return Images(background.values, [image.values for image in read], True, [background.path])


def _draw(settings: Comparison, images: Images, number: int) -> Draw:
    """Draw of a number: the truths in turn, for each of them all seeds."""
    which, seed = divmod(number, settings.seeds)
    land, truth = images.land, images.truths[which]
    observed = land & swaths(land.shape, settings.coverage)
    # Observation errors of one truth must not be those of another.
    noise = perturbation(land.shape, seed=seed, time=settings.time, kind="observation", member=1_000_000 + which)
    values = np.where(observed, truth + settings.noise * noise - images.background, 0.0)
    assumed = settings.errors.observation or settings.noise
    anomalies = None
    if images.are_members:
        members = np.stack([image for other, image in enumerate(images.truths) if other != which])
        anomalies = np.where(land, members - members.mean(axis=0), 0.0)
    return Draw(truth, images.background, Innovation(values, observed, assumed), anomalies, number, seed)
