"""A fair comparison: every method on the same noisy images of a known truth, over many draws of the noise."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.console import Stages, progress
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import ConfigError, settled_by
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.methods.method import Method, check_enough
from imgda_mpi.methods.registry import make_method
from imgda_mpi.observations.deviations import read_fields
from imgda_mpi.observations.read import check_level, read_image
from imgda_mpi.observations.synthetic import Draw, Truths, draws, swaths, truths_of_members
from imgda_mpi.parallel.failure import from_rank_0, same_fate
from imgda_mpi.results.folder import check_output, new_directory
from imgda_mpi.results.manifest import checksums, write_manifest
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.observations import AnyObservation
from imgda_mpi.verify.experiment import Experiment

log = logging.getLogger(__name__)


def compare(settings: Comparison, comm: MPI.Intracomm) -> str | None:
    """Run all methods on all draws, and save scores, error spectra and the images of the first draw.

    Collective over ``comm``; the ranks share the draws. The table of scores, which is returned on rank 0 and None
    elsewhere, does not depend on their number.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages = Stages()
    compared = prepare_comparison(settings, stages, comm)
    with stages.stage("methods"):
        with same_fate(comm):
            experiment = Experiment(compared.methods, compared.transform, MPI.COMM_SELF)
            own = range(comm.rank, compared.n_draws, comm.size)
            numbers = progress(own, "draws", speaks=comm.rank == 0)
            outcomes = [experiment.run(*compared.draw(number), keep_images=number == 0) for number in numbers]
        every = comm.gather(outcomes)
    table, in_force = None, settings.model_dump_json()
    with new_directory(settings.output.directory, comm) as directory:
        written = [directory / "comparison.nc", directory / "table.txt"]
        with same_fate(comm):
            if every is not None:
                # On the one rank that writes.
                from imgda_mpi.report.tables import comparison_table
                from imgda_mpi.results.comparison_file import read_comparison, write_comparison

                in_order = [every[number % comm.size][number // comm.size] for number in range(compared.n_draws)]
                (problem, truth), n_truths = compared.draw(0), len(compared.truths.images)
                write_comparison(
                    written[0], in_order, problem, truth, noise=settings.noise, n_truths=n_truths, settings=in_force
                )
                table = comparison_table(read_comparison(written[0]))
                written[1].write_text(f"{table}\n")
        write_manifest(
            directory, written, checksums(compared.files, comm), in_force, f"0 to {settings.seeds - 1}", comm
        )
    log.info("result in %s", settings.output.directory)
    return table


def check_comparison(settings: Comparison, comm: MPI.Intracomm) -> None:
    """Open and check all inputs and the output folder as `compare` does, and say what was found. Collective.

    Raises
    ------
    ImgdaError
        The first thing that a comparison would stop at.
    """
    compared = prepare_comparison(settings, Stages(), comm)
    if comm.rank == 0:
        log.info("methods      %s", ", ".join(compared.methods))
        log.info("nothing stands in the way of the comparison")


@dataclass(frozen=True, eq=False)
class Compared:
    """What a comparison starts from.

    Parameters
    ----------
    methods : by name
    transform : of those that have one
    truths : background and truths
    draw : problem and truth of a draw by its number
    n_draws : of all truths
    files : every file that decides the result
    """

    methods: dict[str, Method]
    transform: CurveletTransform
    truths: Truths
    draw: Draw
    n_draws: int
    files: list[Path]


def prepare_comparison(settings: Comparison, stages: Stages, comm: MPI.Intracomm) -> Compared:
    """Open, check and read everything a comparison needs, and see that its result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that a comparison would stop at.
    """
    grid, tried = global_grid(settings.grid), settings.tried
    with settled_by("[output]"):
        check_output(settings.output.directory, lambda: 8 * (len(tried) + 10) * math.prod(settings.grid) + 10**6, comm)
    with stages.stage("images"):
        truths = read_truths(settings, grid, comm)
        observed = truths.land & swaths(grid.shape, **settings.coverage.pattern)
        with same_fate(comm):
            if not observed.any():
                raise ConfigError(
                    f"found {np.count_nonzero(truths.land)} common cells of background and truth, 0 of them observed, "
                    "expected some; check [background], [truth] and [coverage]"
                )
        with settled_by("methods"):
            given = [read_fields(section.values(), grid, settings.time, truths.land, comm) for _, section in tried]
        n_draws = len(truths.images) * settings.seeds
        stages.say(f"{np.count_nonzero(truths.land)} cells, {n_draws} draws")
    with stages.stage("transform"), settled_by("[curvelet]"):
        transform = make_transform(TransformKind(**settings.curvelet.values()), grid.transform_shape(), comm)
    draw = draws(truths, grid, observed, **settings.noise_of_draws)
    observations = draw(0)[0].observations
    with settled_by("methods"), same_fate(comm):
        methods = {}
        for (label, section), (parameters, _) in zip(tried, given, strict=True):
            method = make_method(section.kind, parameters, transform, diagnose=False)
            method.check(grid, observations)
            methods[label or method.name] = method
    with settled_by("methods, [errors] allow_few"):
        for method in methods.values():
            check_enough(method, observations, settings.errors.allow_few, comm)
    files = [*truths.files, *dict.fromkeys(file for _, of_method in given for file in of_method)]
    return Compared(methods, transform, truths, draw, n_draws, files)


def read_truths(settings: Comparison, grid: Grid, comm: MPI.Intracomm) -> Truths:
    """Background and truths of the settings, the same on every rank. Collective."""
    if settings.members is not None:
        how = settings.members.values("letkf_lengths")
        with settled_by("[members]"):
            return from_rank_0(comm, lambda: truths_of_members(grid, settings.time, **how))
    read = []
    for name in ("background", "truth"):
        section: AnyObservation = getattr(settings, name)
        how = section.of_reader()
        with settled_by(f"[{name}]"):
            read.append(read_image(section.kind, grid, section.time or settings.time, comm, **how))
        if comm.rank == 0:
            log.info("%s: %s", name, read[-1].source)
    background, truth = read
    if settings.truth is not None and not settings.truth.allow_unlike_background:
        with settled_by("[truth]"), same_fate(comm):
            check_level(truth.values, background.values, background.observed & truth.observed, truth.source)
    return Truths(background.values, [truth.values], False, [*background.files, *truth.files])
