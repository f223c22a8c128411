"""A fair comparison: every method on the same trials, on noisy images of a known truth or on real observations."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi import PROGRAM
from imgda_mpi.console import Stages, progress
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.disk import listing
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import ConfigError, OutputError, settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.methods.method import Method, check_enough
from imgda_mpi.methods.registry import make_method, needs_transform, scales_by_size
from imgda_mpi.observations.deviations import read_fields
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.results.folder import check_output, new_directory
from imgda_mpi.results.kept_draws import KeptDraws, digest_of
from imgda_mpi.results.manifest import checksums, write_manifest
from imgda_mpi.results.manifest import read_inputs as inputs_of_result
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.verify.experiment import Experiment
from imgda_mpi.verify.noise import Noise, swaths
from imgda_mpi.verify.trials import Trials
from imgda_mpi.workflow.compare_inputs import Inputs, read_inputs, warn_of_same_file
from imgda_mpi.workflow.series import files_by_time

log = logging.getLogger(__name__)


def compare(settings: Comparison, comm: MPI.Intracomm) -> str | None:
    """Run all methods on all draws, and save scores, error spectra and the images of the first draw.

    Collective over ``comm``; the ranks share the draws. Finished ones are kept beside the output until that is
    complete. The table of scores, which is returned on rank 0 and None elsewhere, does not depend on the number of
    ranks, nor on whether a run was killed on its way.

    Raises
    ------
    ImgdaError
        The output folder does not exist then.
    """
    stages, by_time = Stages(), files_by_time(settings.sections, several=settings.times is not None)
    listed = from_rank_0(comm, lambda: listing(by_time))
    compared = prepare_comparison(settings, stages, comm)
    with stages.stage("methods"):
        with settled_by("[output]"):
            done = from_rank_0(comm, compared.kept.open)
        left = sorted({*range(len(compared.trials.keys))} - {*done})
        if done:
            stages.say(f"{len(done)} of {len(compared.trials.keys)} draws were there, in {compared.kept.folder}")
        elif comm.rank == 0:
            log.info("finished draws are kept in %s until the result is complete", compared.kept.folder)
        with same_fate(comm):
            run_trials(compared, left[comm.rank :: comm.size], speaks=comm.rank == 0)
    table, in_force = None, settings.model_dump_json()
    with new_directory(settings.output.directory, comm) as directory:
        written = [directory / "comparison.nc", directory / "table.txt"]
        table = on_rank_0(comm, lambda: _write(compared, written, in_force))
        seeds = f"0 to {compared.trials.n_seeds - 1}"
        write_manifest(directory, written, compared.inputs_read, in_force, seeds, comm, listed=listed)
    on_rank_0(comm, compared.kept.remove)
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
    transform : whose scales errors are told apart by
    inputs, trials
    judged_by : see `imgda_mpi.results.comparison_file`
    inputs_read : every file that decides the result, with its checksum
    kept : finished draws
    """

    methods: dict[str, Method]
    transform: CurveletTransform
    inputs: Inputs
    trials: Trials
    judged_by: str
    inputs_read: dict[Path, str]
    kept: KeptDraws


def prepare_comparison(settings: Comparison, stages: Stages, comm: MPI.Intracomm) -> Compared:
    """Open, check and read everything a comparison needs, and see that its result can be written. Collective.

    Raises
    ------
    ImgdaError
        On every rank: the first thing that a comparison would stop at.
    """
    tried = settings.tried
    if comm.rank == 0:
        warn_of_same_file(settings)
    with stages.stage("images"):
        inputs = read_inputs(settings, comm)
        trials = trials_of(settings, inputs)
        with same_fate(comm):
            check_common_cells(settings, trials)
        land = inputs.land
        first = trials.cases[0].time
        with settled_by("methods"):
            given = [read_fields(section.values(), inputs.grid, first, land, comm) for _, section in tried]
        n_cells = round(np.mean([np.count_nonzero(case.land) for case in trials.cases]))
        times = f", {len(trials.cases)} times" if len(trials.cases) > 1 else ""
        stages.say(f"{n_cells} cells{times}, {trials.n_trials} draws")
    # Of the first draw the images are written twice; of all others there are scores alone.
    room = 16 * (len(tried) + 10) * math.prod(inputs.grid.shape) + 2000 * len(tried) * trials.n_trials + 10**6
    with settled_by("[output], seeds"):
        check_output(settings.output.directory, lambda: room, comm)
    with stages.stage("transform"), settled_by("[curvelet]"):
        kinds = {True, *(scales_by_size(section.kind) for _, section in tried if needs_transform(section.kind))}
        transforms = {by_size: transform_on(settings, inputs.grid, by_size, comm) for by_size in sorted(kinds)}
    by_number = sorted(trials.cases, key=lambda case: np.count_nonzero(trials.observed(case)))
    densest = trials.observations(by_number[-1])
    with settled_by("methods"), same_fate(comm):
        methods = {}
        for (label, section), (parameters, _) in zip(tried, given, strict=True):
            transform = transforms.get(scales_by_size(section.kind))
            method = make_method(section.kind, parameters, transform, diagnose=settings.observation is None)
            method.check(inputs.grid, densest)
            methods[label or method.name] = method
    sparsest = next(case for case in by_number if trials.observed(case).any())
    at = f", at {sparsest.time:%Y-%m-%d %H:%M} UTC" if settings.times is not None else ""
    with settled_by(f"methods, [errors] allow_few{at}"):
        for method in methods.values():
            check_enough(method, trials.observations(sparsest), settings.errors.allow_few, comm)
    files = [*inputs.files, *dict.fromkeys(file for _, of_method in given for file in of_method)]
    read = checksums(list(dict.fromkeys(files)), comm)
    kept = _kept_draws(settings, read)
    with settled_by("[output]"):
        on_rank_0(comm, kept.check)
    judged_by = "truth" if settings.observation is None else "judge" if settings.stations is None else "stations"
    return Compared(methods, transforms[True], inputs, trials, judged_by, read, kept)


def remove_draws(settings: Comparison) -> None:
    """Remove the finished draws of a comparison that was killed when its result was whole. Not collective."""
    read = {file: of_file for file, (_, of_file) in inputs_of_result(settings.output.directory).items()}
    kept = _kept_draws(settings, read)
    with suppress(OutputError):  # of another comparison
        kept.check()
        kept.remove()


def _kept_draws(settings: Comparison, read: Mapping[Path, str]) -> KeptDraws:
    digest = digest_of(settings.model_dump_json(exclude={"output"}), read, PROGRAM)
    return KeptDraws(settings.output.directory, digest)


def transform_on(settings: Comparison, grid: Grid, by_size: bool, comm: MPI.Intracomm) -> CurveletTransform:
    """The transform of methods whose scales follow the size of the grid, or of those with the paper's. Collective."""
    kind, shape = TransformKind(**settings.curvelet.values()).on(grid, scales_by_size=by_size)
    return make_transform(kind, shape, comm)


def trials_of(settings: Comparison, inputs: Inputs) -> Trials:
    """The trials of the settings."""
    is_real = settings.observation is not None
    return Trials(
        inputs.grid,
        inputs.cases,
        swaths(inputs.grid.shape, **settings.coverage.pattern),
        None if is_real else Noise(inputs.grid, **settings.noise_parts),
        1 if is_real else settings.seeds,
        settings.assumed,
        settings.errors.estimate_observation,
        inputs.features,
    )


def check_common_cells(settings: Comparison, trials: Trials) -> None:
    """Refuse images without a common cell. Not collective.

    Raises
    ------
    ConfigError
        Where nothing is observed, or nothing of that is judged, at any time.
    """
    n_land = sum(np.count_nonzero(case.land) for case in trials.cases)
    n_observed = sum(np.count_nonzero(trials.observed(case)) for case in trials.cases)
    if n_observed == 0:
        what, sections = "common cells of background and truth", "[background], [truth] and [coverage]"
        if settings.observation is not None:
            what, sections = "cells of the background", "[background] and [observation]"
        raise ConfigError(f"found {n_land} {what}, 0 of them observed, expected some; check {sections}")
    judged = [trials.observed(case) & np.isfinite(case.judge) for case in trials.cases if case.judge is not None]
    if judged and not np.any(judged):
        raise ConfigError(
            f"found {n_observed} observed cells, 0 of them with a value of the judge, expected some; check [judge]"
        )


def run_trials(compared: Compared, numbers: list[int], *, speaks: bool) -> None:
    """Run all methods on some trials on this rank alone, and keep what they came to."""
    experiment = Experiment(compared.methods, compared.transform, compared.inputs.cells, MPI.COMM_SELF)
    for number in progress(numbers, "methods", speaks=speaks, unit="draws of a rank"):
        compared.kept.put(number, experiment.run(compared.trials.trial(number), keep_images=number == 0))


def _write(compared: Compared, written: list[Path], in_force: str) -> str:
    """Write the comparison and its table, which is returned. On the one rank that writes."""
    from imgda_mpi.report.comparison_table import comparison_table
    from imgda_mpi.results.comparison_file import read_comparison, write_comparison

    write_comparison(
        written[0],
        [compared.kept.get(number) for number in range(len(compared.trials.keys))],
        list(compared.methods),
        compared.trials,
        judged_by=compared.judged_by,
        stations=compared.inputs.stations,
        n_passed_over=compared.inputs.n_passed_over,
        settings=in_force,
    )
    table = comparison_table(read_comparison(written[0]))
    written[1].write_text(f"{table}\n")
    return table
