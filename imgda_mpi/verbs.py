"""What each verb of the command line loads and does; its exit status."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from imgda_mpi.cli import alone, on_all_ranks, together, with_rank_0
from imgda_mpi.faults import NOT_YET, ConfigError, fault
from imgda_mpi.streams import tell

if TYPE_CHECKING:
    from mpi4py import MPI

    from imgda_mpi.settings.fields import Section

CHECKS = {
    "analyse": "workflow.check:check",
    "compare": "workflow.compare:check_comparison",
    "errors": "workflow.errors:check_errors",
    "columns": "workflow.columns:check_columns",
    "cycle": "workflow.check_cycle:check_cycle",
    "twin": "workflow.check_twin:check_twin",
    "verify": "workflow.verify:check_verification",
}
"""What checks the settings of each verb."""

GO_ON = ("cycle", "twin")
"""Verbs that go on with what is in their output folder."""


def analyse(arguments: argparse.Namespace) -> int:
    """Correct a restart with an observed image; with - one settings file after the other, of the standard input."""
    if str(arguments.settings) == "-":
        from imgda_mpi.workflow.resident import analyse_one_after_the_other

        return together(analyse_one_after_the_other)
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.workflow.analyse import analyse
    from imgda_mpi.workflow.output import into_new

    return on_all_ranks(arguments.settings, Settings, into_new(analyse))


def check(arguments: argparse.Namespace) -> int:
    """Look at everything that a verb would stop at, without doing it; with --done ask for a whole result."""
    if arguments.done:
        return _done(arguments.settings)

    def read() -> tuple[str, Section]:
        from imgda_mpi.settings.file import read_any_settings

        return read_any_settings(arguments.settings)

    def check(of: tuple[str, Section], comm: MPI.Intracomm) -> object:
        from imgda_mpi.lazy import load
        from imgda_mpi.workflow.output import whatever_is_there

        verb, settings = of
        by = load(CHECKS[verb])
        return (by if verb in GO_ON else whatever_is_there(by))(settings, comm)

    return with_rank_0(read, check)


def _done(settings_file: Path) -> int:
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.done import done

    def ask() -> int:
        settings = read_settings(settings_file, Settings, "check --done")
        directory = settings.output.directory
        is_done = done(settings, directory)
        tell(f"{'the whole result is there already,' if is_done else 'no result yet'} in {directory}")
        return 0 if is_done else NOT_YET

    return alone(ask)


def cycle(arguments: argparse.Namespace) -> int:
    """Run model and analyses in turn, or one step of it."""
    from imgda_mpi.cycling.ending import Clock, ended_by_signals
    from imgda_mpi.parallel.launcher import started_among
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import peek, read_settings

    clock = Clock(arguments.until_walltime)
    is_whole = arguments.only is None and arguments.at is None and not arguments.rehearse
    several = started_among(os.environ, sys.stdin) is not None

    def read() -> CycleRun:
        settings = read_settings(arguments.settings, CycleRun)
        if not (is_whole and settings.model.kind == "columns"):
            raise fault(
                "launcher",
                found="several processes",
                expected="one, which starts model and analyses on ranks of their own",
                do=f"leave the launcher out: `imgda_mpi cycle {arguments.settings}`",
                kind=ConfigError,
            )
        return settings

    # MPI starts for soil columns alone. Of several processes one looks into the file, which others may not see.
    if several or (is_whole and peek(arguments.settings, "model", "kind") == "columns"):

        def run(settings: CycleRun, comm: MPI.Intracomm) -> str:
            from imgda_mpi.workflow.cycle_columns import cycle_columns

            return cycle_columns(settings, comm, clock)

        with ended_by_signals():
            return with_rank_0(read, run)

    @ended_by_signals()
    def drive() -> None:
        from imgda_mpi.workflow.cycle import cycle, cycle_step

        settings = read_settings(arguments.settings, CycleRun)
        if (arguments.only is None) != (arguments.at is None):
            raise ConfigError("--only and --at go together")
        if not is_whole and arguments.until_walltime is not None:
            raise ConfigError("--until-walltime: is for a whole run; leave it out with --only and --rehearse")
        if arguments.rehearse:
            from imgda_mpi.workflow.rehearse import rehearse_run

            said = rehearse_run(settings)
        elif arguments.only is not None:
            said = cycle_step(settings, arguments.only, arguments.at)
        else:
            said = cycle(settings, clock)
        tell(said)

    return alone(drive)


def twin(arguments: argparse.Namespace) -> int:
    """Run twin experiments: a nature, observations of it, runs that are told of them."""
    from imgda_mpi.cycling.ending import Clock, ended_by_signals
    from imgda_mpi.settings.twin import Twin
    from imgda_mpi.workflow.twin import twin

    clock = Clock(arguments.until_walltime)
    with ended_by_signals():
        return on_all_ranks(arguments.settings, Twin, lambda settings, comm: twin(settings, comm, clock))


def status(arguments: argparse.Namespace) -> int:
    """Say how far a run has come."""
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.status import status

    def write() -> None:
        settings = read_settings(arguments.settings, CycleRun, "status")
        tell(status(settings, as_json=arguments.json))

    return alone(write)


def compare(arguments: argparse.Namespace) -> int:
    """Compare methods on images of which the truth is known."""
    from imgda_mpi.settings.comparison import Comparison
    from imgda_mpi.workflow.compare import compare, remove_draws
    from imgda_mpi.workflow.output import into_new

    return on_all_ranks(arguments.settings, Comparison, into_new(compare, remove_draws))


def errors(arguments: argparse.Namespace) -> int:
    """Estimate the errors of three products from each other."""
    from imgda_mpi.settings.errors import ErrorEstimate
    from imgda_mpi.workflow.errors import errors
    from imgda_mpi.workflow.output import into_new

    return on_all_ranks(arguments.settings, ErrorEstimate, into_new(errors))


def verify(arguments: argparse.Namespace) -> int:
    """Score runs against products, histories, innovations and stations."""
    from imgda_mpi.settings.verify import Verification
    from imgda_mpi.workflow.output import into_new
    from imgda_mpi.workflow.verify import verify

    return on_all_ranks(arguments.settings, Verification, into_new(verify))


def columns(arguments: argparse.Namespace) -> int:
    """Run soil columns forward."""
    from imgda_mpi.settings.columns import ColumnsRun
    from imgda_mpi.workflow.columns import columns
    from imgda_mpi.workflow.output import into_new

    return on_all_ranks(arguments.settings, ColumnsRun, into_new(columns))


def plan(arguments: argparse.Namespace) -> int:
    """Say what an analysis or a run will take."""
    from mpi4py import MPI

    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import check_table, read_table, verb_of

    def write() -> None:
        given = read_table(arguments.settings)
        if verb_of(given) == "cycle":
            from imgda_mpi.workflow.plan_cycle import plan_cycle

            run = check_table(given, arguments.settings, CycleRun, "plan")
            table = plan_cycle(run, arguments.ranks, MPI.COMM_SELF)
        else:
            from imgda_mpi.planning.machine import Machine
            from imgda_mpi.workflow.plan import plan

            settings, machine = check_table(given, arguments.settings, Settings, "plan"), None
            if arguments.machine is not None:
                gflops, bandwidth, microseconds = arguments.machine
                machine = Machine(1e9 * gflops, 1e9 * bandwidth, 1e-6 * microseconds)
            table = plan(settings, arguments.ranks, arguments.memory, machine, MPI.COMM_SELF)
        tell(table)

    return alone(write)


def settings(arguments: argparse.Namespace) -> int:
    """Describe all keys of a kind of settings."""
    from imgda_mpi.settings.document import documented
    from imgda_mpi.settings.verbs import KINDS

    return alone(lambda: tell(documented(KINDS[arguments.of]).rstrip("\n")))


def init(arguments: argparse.Namespace) -> int:
    """Write a settings file to begin with."""
    from imgda_mpi.faults import OutputError, writing

    def write() -> None:
        if not arguments.file.parent.is_dir():
            do = "make it first"
            raise fault(arguments.file.parent, found="no such folder", expected="one", do=do, kind=OutputError)
        if arguments.file.exists():
            do = "give another name"
            raise fault(arguments.file, found="a file that exists", expected="a new one", do=do, kind=OutputError)
        with writing(arguments.file):
            arguments.file.write_text(_start(arguments))
        tell(f"wrote {arguments.file}: edit it, then run `imgda_mpi check {arguments.file}`")

    return alone(write)


def _start(arguments: argparse.Namespace) -> str:
    """The text of a settings file to start from."""
    if arguments.twin is not None:
        if arguments.model is not None or arguments.observation is not None:
            raise ConfigError("--twin: is for an experiment, --model and --observation are for an analysis")
        from imgda_mpi.settings.presets import preset

        return preset(arguments.twin)
    from imgda_mpi.settings.document import starting

    if arguments.model is None or arguments.observation is None:
        do = "`imgda_mpi settings VERB` prints the keys of other verbs"
        raise ConfigError(f"needs --model and --observation, for an analysis, or --twin; {do}")
    return starting(arguments.model, arguments.observation)


def report(arguments: argparse.Namespace) -> int:
    """Write the page of results."""
    from imgda_mpi.cycling.ending import ended_by_signals
    from imgda_mpi.parallel.failure import from_rank_0

    # Pictures go to files alone; the backend of a notebook may be of another environment.
    os.environ["MPLBACKEND"] = "agg"

    def write() -> str | None:
        from imgda_mpi.report.material import Wanted
        from imgda_mpi.results.truth_file import TruthFile
        from imgda_mpi.workflow.report import report

        wanted = Wanted(
            time=arguments.time, day=arguments.day, boxes=dict(arguments.box or ()), points=arguments.point or ()
        )
        how = {name: getattr(arguments, f"truth_{name}") for name in ("variable", "layer", "time")}
        given = {name: value for name, value in how.items() if value is not None}
        if given and arguments.truth is None:
            raise ConfigError(f"--truth-{next(iter(given))}: is of a file; give it with --truth FILE, or leave it out")
        truth = None if arguments.truth is None else TruthFile(arguments.truth, **given)
        with ended_by_signals():
            return report(arguments.folders, wanted, truth, arguments.output) or None

    return together(lambda comm: from_rank_0(comm, write))  # under a launcher too there is one page


def example(arguments: argparse.Namespace) -> int:
    """Write the embedded case."""
    from imgda_mpi.example.case import write_example

    return alone(lambda: tell(f"wrote the embedded case; its settings are {write_example(arguments.directory)}"))
