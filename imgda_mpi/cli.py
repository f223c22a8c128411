"""The command line: one verb, one file. MPI starts after the arguments are understood, and only where it is needed."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imgda_mpi import __version__
from imgda_mpi.faults import MEND, NOT_YET, ConfigError, ImgdaError

if TYPE_CHECKING:
    from mpi4py import MPI

    from imgda_mpi.settings.fields import Section

log = logging.getLogger(__name__)


def main(argv: list[str] | None = None) -> int:
    """Run one verb and return the exit status: 0 done, 1 a fault of the program, others as of `imgda_mpi.faults`."""
    arguments = _parser().parse_args(argv)
    verb: Callable[[argparse.Namespace], int] = arguments.verb
    return verb(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imgda_mpi", description="Image assimilation for the Common Land Model, on MPI"
    )
    parser.add_argument("--version", action="version", version=f"imgda_mpi {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    analyse = verbs.add_parser("analyse", help="correct a restart with an observed image (under mpirun)")
    analyse.add_argument(
        "settings", type=Path, help="settings file, TOML; - to read names of such files from standard input, one a line"
    )
    analyse.set_defaults(verb=_analyse)

    check = verbs.add_parser("check", help="check settings and input files without computing or writing a result")
    check.add_argument("settings", type=Path, help="settings file, TOML")
    check.add_argument(
        "--done",
        action="store_true",
        help="ask, on one process, whether the output folder holds the result already: status 0 if it does, "
        f"{NOT_YET} if it holds nothing yet, {MEND} if it holds anything else",
    )
    check.set_defaults(verb=_check)

    cycle = verbs.add_parser(
        "cycle",
        help="run a model and correct it, window after window; goes on where it was interrupted",
        description="Runs CoLM through a window, corrects its restart, and so on; goes on where such a run has ended. "
        "A process without MPI, which starts the model and the analyses by the commands of the settings; soil columns "
        f"run under mpirun. Status 0: all cycles are complete; {NOT_YET}: out of time, run it again; 4: a process was "
        f"lost, run it again; {MEND}: something to mend.",
    )
    cycle.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings cycle`")
    cycle.add_argument(
        "--until-walltime", type=_seconds, metavar="TIME", help="what this job has left, as 11:30:00, or in seconds"
    )
    cycle.add_argument("--only", choices=("analysis", "model"), help="one step of one cycle, with --at")
    cycle.add_argument("--at", type=_instant, metavar="TIME", help="start of the cycle, as 2022-06-02T06:00Z")
    cycle.add_argument(
        "--rehearse",
        action="store_true",
        help="two windows without analyses beside one that is twice as long: does the model stop and go on to the bit?",
    )
    cycle.set_defaults(verb=_cycle)

    status = verbs.add_parser("status", help="how far a run of cycles is, and what failed")
    status.add_argument("settings", type=Path, help="settings file of the run")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(verb=_status)

    compare = verbs.add_parser(
        "compare",
        help="compare methods and error models on noisy images of a known truth",
        description="Makes observations of a known truth with seeded noise, runs every method on the same ones, and "
        "prints a table of scores. Under mpirun the ranks share the draws.",
    )
    compare.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings compare`")
    compare.set_defaults(verb=_compare)

    columns = verbs.add_parser(
        "columns",
        help="run soil columns, a small land model, from a CoLM202X restart on (under mpirun)",
        description="Moves the water of a restart's soil patches on through weather, made up or from files: a model to "
        "cycle with where CoLM is not at hand. It knows no snow, ice, energy balance or lateral flow.",
    )
    columns.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings columns`")
    columns.set_defaults(verb=_columns)

    plan = verbs.add_parser(
        "plan",
        help="predict memory, messages, work and files of an analysis",
        description="Predict what an analysis takes of each rank: memory, messages, FFTs, files. Runs on one process.",
    )
    plan.add_argument("settings", type=Path, help="settings file, TOML")
    plan.add_argument(
        "--ranks", type=_counts, required=True, metavar="N,N,...", help="numbers of ranks, as 64,256,1024"
    )
    plan.add_argument("--memory", type=_positive, help="GB of a rank (default: this machine's by its cores)")
    plan.set_defaults(verb=_plan)

    settings = verbs.add_parser("settings", help="print every key of the settings file with unit, default and meaning")
    settings.add_argument(
        "of",
        nargs="?",
        choices=("analyse", "compare", "columns", "cycle"),
        default="analyse",
        help="whose (default: analyse)",
    )
    settings.set_defaults(verb=_settings)

    init = verbs.add_parser("init", help="write a settings file to start from")
    init.add_argument("file", nargs="?", type=Path, default=Path("case.toml"), help="new file (default: case.toml)")
    init.add_argument("--model", required=True, help="its kind, as colm202x")
    init.add_argument("--observation", required=True, help="its kind, as gldas")
    init.set_defaults(verb=_init)

    report = verbs.add_parser("report", help="scores and figures of a finished analysis or comparison, water of a run")
    report.add_argument("directory", type=Path, help="output folder of the analysis, comparison or run")
    report.add_argument("--truth", type=Path, help="NetCDF file with soil_moisture(lat, lon) to compare with")
    report.set_defaults(verb=_report)

    example = verbs.add_parser("example", help="write the embedded case: a restart, an observation, a truth")
    example.add_argument("directory", type=Path, help="new folder")
    example.set_defaults(verb=_example)
    return parser


def _analyse(arguments: argparse.Namespace) -> int:
    if str(arguments.settings) == "-":
        from imgda_mpi.workflow.resident import analyse_one_after_the_other

        return _together(analyse_one_after_the_other)
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.workflow.analyse import analyse

    return _on_all_ranks(arguments.settings, Settings, analyse)


def _check(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.analysis import Settings

    if arguments.done:
        return _done(arguments.settings)
    from imgda_mpi.workflow.check import check

    return _on_all_ranks(arguments.settings, Settings, check)


def _done(settings_file: Path) -> int:
    from imgda_mpi.console import configure_logging
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.done import done

    configure_logging(0)
    status = 0

    def ask() -> None:
        nonlocal status
        settings = read_settings(settings_file, Settings)
        status = 0 if done(settings) else NOT_YET
        said = "no result yet" if status else "the whole result is there already,"
        sys.stdout.write(f"{said} in {settings.output.directory}\n")

    return _alone(ask) or status


def _cycle(arguments: argparse.Namespace) -> int:
    from imgda_mpi.console import configure_logging
    from imgda_mpi.cycling.ending import Clock, ended_by_signals
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import peek, read_settings

    clock = Clock(arguments.until_walltime)
    if peek(arguments.settings, "model", "kind") == "columns":
        from imgda_mpi.workflow.cycle_columns import cycle_columns

        return _on_all_ranks(arguments.settings, CycleRun, lambda settings, comm: cycle_columns(settings, clock, comm))
    configure_logging(0)

    @ended_by_signals()
    def drive() -> None:
        from imgda_mpi.workflow.cycle import cycle, cycle_step

        settings = read_settings(arguments.settings, CycleRun)
        if (arguments.only is None) != (arguments.at is None):
            raise ConfigError("--only and --at go together")
        if arguments.only is not None:
            said = cycle_step(settings, arguments.only, arguments.at)
        else:
            said = cycle(settings, clock)
        sys.stdout.write(f"{said}\n")

    return _alone(drive)


def _status(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.cycle import CycleRun
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.status import status

    def write() -> None:
        sys.stdout.write(f"{status(read_settings(arguments.settings, CycleRun), as_json=arguments.json)}\n")

    return _alone(write)


def _compare(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.comparison import Comparison
    from imgda_mpi.workflow.compare import compare

    return _on_all_ranks(arguments.settings, Comparison, compare)


def _columns(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.columns import ColumnsRun
    from imgda_mpi.workflow.columns import columns

    return _on_all_ranks(arguments.settings, ColumnsRun, columns)


def _plan(arguments: argparse.Namespace) -> int:
    from mpi4py import MPI

    from imgda_mpi.console import configure_logging
    from imgda_mpi.settings.analysis import Settings
    from imgda_mpi.settings.file import read_settings
    from imgda_mpi.workflow.plan import plan

    configure_logging(0)

    def write() -> None:
        table = plan(read_settings(arguments.settings, Settings), arguments.ranks, arguments.memory, MPI.COMM_SELF)
        sys.stdout.write(f"{table}\n")

    return _alone(write)


def _settings(arguments: argparse.Namespace) -> int:
    from imgda_mpi.settings.document import documented
    from imgda_mpi.settings.verbs import KINDS

    sys.stdout.write(documented(KINDS[arguments.of]))
    return 0


def _init(arguments: argparse.Namespace) -> int:
    from imgda_mpi.faults import OutputError, fault, writing
    from imgda_mpi.settings.document import starting

    def write() -> None:
        if not arguments.file.parent.is_dir():
            do = "make it first"
            raise fault(arguments.file.parent, found="no such folder", expected="one", do=do, kind=OutputError)
        if arguments.file.exists():
            do = "give another name or remove it"
            raise fault(arguments.file, found="a file that exists", expected="a new one", do=do, kind=OutputError)
        with writing(arguments.file):
            arguments.file.write_text(starting(arguments.model, arguments.observation))
        sys.stdout.write(f"wrote {arguments.file}: edit it, then run `imgda_mpi check {arguments.file}`\n")

    return _alone(write)


def _report(arguments: argparse.Namespace) -> int:
    from imgda_mpi.workflow.report import report

    return _alone(lambda: sys.stdout.write(report(arguments.directory, arguments.truth) + "\n"))


def _example(arguments: argparse.Namespace) -> int:
    from imgda_mpi.example.case import write_example

    return _alone(
        lambda: sys.stdout.write(f"wrote the embedded case; its settings are {write_example(arguments.directory)}\n")
    )


def _counts(text: str) -> list[int]:
    counts = [int(word) for word in text.split(",")]
    if min(counts) < 1:
        raise argparse.ArgumentTypeError(f"{text}: needs numbers from 1")
    return counts


def _seconds(text: str) -> float:
    parts = [float(part) for part in text.split(":")]
    if not 1 <= len(parts) <= 3 or min(parts) < 0 or not all(map(math.isfinite, parts)):
        raise argparse.ArgumentTypeError(f"{text}: needs hours, minutes and seconds, as 11:30:00")
    return math.fsum(part * 60**place for place, part in enumerate(reversed(parts)))


def _instant(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: needs a number above 0")
    return number


def _alone(work: Callable[[], object]) -> int:
    try:
        work()
    except ImgdaError as err:
        sys.stderr.write(f"error: {err}\n")
        return err.status
    return 0


def _on_all_ranks(settings_file: Path, kind: type[Section], verb: Callable[..., object]) -> int:
    """Read the settings on rank 0, and run a verb on all ranks."""

    def read() -> Section:
        from imgda_mpi.settings.file import read_settings  # on the one rank that reads

        return read_settings(settings_file, kind)

    def work(comm: MPI.Intracomm) -> object:
        from imgda_mpi.parallel.failure import from_rank_0

        return verb(from_rank_0(comm, read), comm)

    return _together(work)


def _together(work: Callable[[MPI.Intracomm], object]) -> int:
    """Do something on all ranks, and end them all together whatever happens.

    Text that is returned on rank 0 is printed.
    """
    from mpi4py import MPI

    from imgda_mpi.console import configure_logging

    comm = MPI.COMM_WORLD
    configure_logging(comm.rank)
    try:
        said = work(comm)
        if isinstance(said, str) and comm.rank == 0:
            sys.stdout.write(f"{said}\n")
    except ImgdaError as err:
        if comm.size > 1 and not err.everywhere:
            log.error("%s", err)
            return _abort(err.status, comm)
        message, status = str(err), err.status
    except BaseException:
        traceback.print_exc()
        return _abort(1, comm)
    else:
        return 0
    # Only here, outside the handler, the error's frames are gone and with them the files that ranks had open together.
    if comm.rank == 0:
        log.error("%s", message)
    if comm.size > 1:
        # Launchers end all ranks as soon as one has ended: first the message, then the orderly end of MPI.
        comm.Barrier()
        MPI.Finalize()
    return status


def _abort(status: int, comm: MPI.Intracomm) -> int:
    """End all ranks from one that failed alone; the others may be waiting for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if comm.size > 1:
        comm.Abort(status)
    return status
