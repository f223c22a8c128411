"""The command line: one verb, one file. MPI starts after the arguments are understood, and only where it is needed."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgda_mpi.arguments import parser
from imgda_mpi.console import configure_logging
from imgda_mpi.faults import NOT_YET, ConfigError, ImgdaError, OutOfTime, as_permitted, fault
from imgda_mpi.paths import check_sayable
from imgda_mpi.streams import open_streams, tell

if TYPE_CHECKING:
    from mpi4py import MPI

    from imgda_mpi.settings.fields import Section

log = logging.getLogger(__name__)

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


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 done, 1 a fault of the program, others as of `imgda_mpi.faults`."""
    warnings.filterwarnings("ignore", "suspicious MPI execution environment")  # `check_alone` says it, and once
    with open_streams():
        arguments = parser().parse_args(argv)
        return _alone(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    for given in vars(arguments).values():
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, Path):
                check_sayable(one)
    return VERBS[arguments.verb](arguments)


def _analyse(arguments: argparse.Namespace) -> int:
    if str(arguments.settings) == "-":
        from imgda_mpi.workflow.resident import analyse_one_after_the_other

        return _together(analyse_one_after_the_other)
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.workflow.analyse import analyse
    from imgda_mpi.workflow.output import into_new

    return _on_all_ranks(arguments.settings, Settings, into_new(analyse))


def _check(arguments: argparse.Namespace) -> int:
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

    return _with_rank_0(read, check)


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

    return _alone(ask)


def _cycle(arguments: argparse.Namespace) -> int:
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
            return _with_rank_0(read, run)

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

    return _alone(drive)


def _twin(arguments: argparse.Namespace) -> int:
    from imgda_mpi.cycling.ending import Clock, ended_by_signals
    from imgda_mpi.settings.twin import Twin
    from imgda_mpi.workflow.twin import twin

    clock = Clock(arguments.until_walltime)
    with ended_by_signals():
        return _on_all_ranks(arguments.settings, Twin, lambda settings, comm: twin(settings, comm, clock))


def _status(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.status import status

    def write() -> None:
        settings = read_settings(arguments.settings, CycleRun, "status")
        tell(status(settings, as_json=arguments.json))

    return _alone(write)


def _compare(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.comparison import Comparison
    from imgda_mpi.workflow.compare import compare, remove_draws
    from imgda_mpi.workflow.output import into_new

    return _on_all_ranks(arguments.settings, Comparison, into_new(compare, remove_draws))


def _errors(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.errors import ErrorEstimate
    from imgda_mpi.workflow.errors import errors
    from imgda_mpi.workflow.output import into_new

    return _on_all_ranks(arguments.settings, ErrorEstimate, into_new(errors))


def _verify(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.verify import Verification
    from imgda_mpi.workflow.output import into_new
    from imgda_mpi.workflow.verify import verify

    return _on_all_ranks(arguments.settings, Verification, into_new(verify))


def _columns(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.columns import ColumnsRun
    from imgda_mpi.workflow.columns import columns
    from imgda_mpi.workflow.output import into_new

    return _on_all_ranks(arguments.settings, ColumnsRun, into_new(columns))


def _plan(arguments: argparse.Namespace) -> int:
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

    return _alone(write)


def _settings(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.document import documented
    from imgda_mpi.settings.verbs import KINDS

    return _alone(lambda: tell(documented(KINDS[arguments.of]).rstrip("\n")))


def _init(arguments: argparse.Namespace) -> int:
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

    return _alone(write)


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


def _report(arguments: argparse.Namespace) -> int:
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

    return _together(lambda comm: from_rank_0(comm, write))  # under a launcher too there is one page


def _example(arguments: argparse.Namespace) -> int:
    from imgda_mpi.example.case import write_example

    return _alone(lambda: tell(f"wrote the embedded case; its settings are {write_example(arguments.directory)}"))


VERBS = {
    "analyse": _analyse,
    "check": _check,
    "cycle": _cycle,
    "twin": _twin,
    "status": _status,
    "compare": _compare,
    "errors": _errors,
    "verify": _verify,
    "columns": _columns,
    "plan": _plan,
    "settings": _settings,
    "init": _init,
    "report": _report,
    "example": _example,
}


def _alone(work: Callable[[], int | None]) -> int:
    """The exit status of some work on this process."""
    configure_logging(0)
    try:
        with _own_modules(), as_permitted():
            return work() or 0
    except ImgdaError as err:
        log.log(_level(err), "%s", err)
        return err.status


@contextmanager
def _own_modules() -> Iterator[None]:
    """Tell what goes wrong with modules of somebody else's from what is wrong here."""
    try:
        yield
    except (ImportError, AttributeError, SyntaxError) as err:
        from imgda_mpi.strangers import told_from_own

        raise told_from_own(err) from err.__cause__


def _level(error: ImgdaError) -> int:
    """Of what is said of an error; that there is no time left is none."""
    return logging.INFO if isinstance(error, OutOfTime) else logging.ERROR


def _on_all_ranks(settings_file: Path, kind: type[Section], verb: Callable[..., object]) -> int:
    """Read the settings on rank 0, and run a verb on all ranks."""

    def read() -> Section:
        from imgda_mpi.settings.file import read_settings  # on the one rank that reads

        return read_settings(settings_file, kind)

    return _with_rank_0(read, verb)


def _with_rank_0(read: Callable[[], Any], work: Callable[[Any, MPI.Intracomm], object]) -> int:
    """Do something on all ranks with what rank 0 has read."""

    def with_read(comm: MPI.Intracomm) -> object:
        from imgda_mpi.parallel.failure import from_rank_0

        return work(from_rank_0(comm, read), comm)

    return _together(with_read)


def _together(work: Callable[[MPI.Intracomm], object]) -> int:
    """Do something on all ranks, and end them all together whatever happens.

    Text that is returned on rank 0 is printed.
    """
    # Without a launcher Open MPI would start a daemon, for ranks that are never asked for.
    os.environ.setdefault("OMPI_MCA_ess_singleton_isolated", "1")
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    configure_logging(comm.rank)
    message, status, level = "", 1, logging.ERROR
    try:
        if comm.size == 1:
            from imgda_mpi.parallel.launcher import check_alone

            check_alone(os.environ)
        with _own_modules(), as_permitted():
            said = work(comm)
        if isinstance(said, str) and comm.rank == 0:
            tell(said)
    except ImgdaError as err:
        message, status, level = str(err), err.status, _level(err)
        if comm.size > 1 and not err.everywhere:
            if comm.rank == 0 or not isinstance(err, OutOfTime):  # all have the signal
                log.error("%s", message)
            return _abort(status, comm)
    except BaseException:
        traceback.print_exc()
        if comm.size > 1:
            return _abort(status, comm)
    else:
        return 0
    # Only here, outside the handler, the error's frames are gone and with them the files that ranks had open together.
    if comm.rank == 0 and message:
        log.log(level, "%s", message)
    # Launchers end all ranks as soon as one has ended, and mpi4py aborts what has not ended in order: first the
    # message, then the orderly end of MPI.
    comm.Barrier()
    MPI.Finalize()
    return status


def _abort(status: int, comm: MPI.Intracomm) -> int:
    """End all ranks from one that failed alone; the others may be waiting for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    comm.Abort(status)
    return status
