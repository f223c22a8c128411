"""The arguments of the command line."""

from __future__ import annotations

import argparse
import difflib
import math
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from imgda_mpi import __version__
from imgda_mpi.faults import LOST, MEND, NO_OBSERVATION, NOT_YET

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction["Parser"]


class Parser(argparse.ArgumentParser):
    """Says of a word that it does not know which one was meant."""

    verbs: Verbs

    def error(self, message: str) -> NoReturn:
        """End the program: the word and the nearest one."""
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        near = difflib.get_close_matches(wrong[1], re.findall(r"'([^']*)'", wrong[2]), n=1) if wrong else []
        if wrong and wrong[1].endswith(".toml"):
            message += f"; a verb comes first, as `imgda_mpi check {wrong[1]}`"
        super().error(f"{message}; did you mean '{near[0]}'?" if near else message)

    def parse_args(self, *given: Any, **more: Any) -> Any:
        """As of every parser, but options are those of the verb."""
        arguments, strange = self.parse_known_args(*given, **more)
        if strange:
            verb = self.verbs.choices[arguments.verb]
            known = re.findall(r"--[a-z-]+", verb.format_usage())
            near = difflib.get_close_matches(strange[0].partition("=")[0], known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            verb.error(f"unknown argument {strange[0]}{meant}")
        return arguments


def parser() -> Parser:
    """The parser of all verbs; ``verb`` is the name of the one that is asked for."""
    every = Parser(prog="imgda_mpi", description="Image assimilation for the Common Land Model, on MPI")
    every.add_argument("--version", action="version", version=f"imgda_mpi {__version__}")
    verbs = every.verbs = every.add_subparsers(required=True, metavar="VERB", dest="verb")

    analyse = verbs.add_parser("analyse", help="correct a restart with an observed image (under mpirun)")
    analyse.add_argument(
        "settings", type=Path, help="settings file, TOML; - to read names of such files from standard input, one a line"
    )

    check = verbs.add_parser("check", help="check settings and input files without computing or writing a result")
    check.add_argument("settings", type=Path, help="settings file, TOML")
    check.add_argument(
        "--done",
        action="store_true",
        help="ask, on one process, whether the output folder holds the result already: status 0 if it does, "
        f"{NOT_YET} if it holds nothing yet, {MEND} if it holds anything else",
    )

    cycle = verbs.add_parser(
        "cycle",
        help="run a model and correct it, window after window; goes on where it was interrupted",
        description="Runs CoLM through a window, corrects its restart, and so on; goes on where such a run has ended. "
        "A process without MPI, which starts the model and the analyses by the commands of the settings; soil columns "
        f"run under mpirun. Status 0: all cycles are complete; {NOT_YET}: out of time, run it again; {LOST}: a process "
        f"was lost, run it again; {MEND}: something to mend; {NO_OBSERVATION}: an observed image to wait for or mend.",
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

    twin = verbs.add_parser(
        "twin",
        help="a twin experiment with soil columns: a nature, a control run, variants that assimilate (under mpirun)",
        description="The paper's experiment with soil columns in the place of CoLM: a nature gives truth and images "
        "with errors; a control run and variants that assimilate the images are scored against both. Goes on where it "
        f"was interrupted. Status 0: all is complete; {NOT_YET}: out of time, run it again; {MEND}: something to mend.",
    )
    twin.add_argument("settings", type=Path, help="settings file, TOML; `imgda_mpi init FILE --twin quick` writes one")
    twin.add_argument(
        "--until-walltime", type=_seconds, metavar="TIME", help="what this job has left, as 11:30:00, or in seconds"
    )

    status = verbs.add_parser("status", help="how far a run of cycles is, and what failed")
    status.add_argument("settings", type=Path, help="settings file of the run")
    status.add_argument("--json", action="store_true", help="as JSON")

    compare = verbs.add_parser(
        "compare",
        help="compare methods and error models on noisy images of a known truth, or on real observations",
        description="Makes observations of a known truth with seeded noise, or takes real ones that another image or "
        "stations judge; runs every method on the same ones, and prints a table of scores. Under mpirun the ranks "
        "share the draws. A run that was killed goes on where it was.",
    )
    compare.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings compare`")

    errors = verbs.add_parser(
        "errors",
        help="estimate the errors of background and observation from three products (triple collocation)",
        description="From background, observation and a third product of the same times: standard deviations of their "
        "errors and what part of the coherent ones is the observation's, with intervals; as a table and as settings of "
        "an analysis. Under mpirun the ranks share the work.",
    )
    errors.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings errors`")

    verify = verbs.add_parser(
        "verify",
        help="score runs against images and stations, and sum up their innovations",
        description="Holds run folders, histories of CoLM or files of any product, several side by side on the "
        "same cells and times, against images and stations of soil moisture, and says what innovations of analyses "
        "mean. Under mpirun the ranks share the time out.",
    )
    verify.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings verify`")

    columns = verbs.add_parser(
        "columns",
        help="run soil columns, a small land model, from a CoLM202X restart on (under mpirun)",
        description="Moves the water of a restart's soil patches on through weather, made up or from files: a model to "
        "cycle with where CoLM is not at hand. It knows no snow, ice, energy balance or lateral flow.",
    )
    columns.add_argument("settings", type=Path, help="settings file, TOML; see `imgda_mpi settings columns`")

    plan = verbs.add_parser(
        "plan",
        help="predict memory, messages, work and files of an analysis, or time and files of a run of cycles",
        description="Predict what an analysis takes of each rank: memory, messages, FFTs, files; or what a run of "
        "cycles takes: files, bytes, core-hours. Runs on one process.",
    )
    plan.add_argument("settings", type=Path, help="settings file, TOML")
    plan.add_argument(
        "--ranks",
        type=_counts,
        required=True,
        metavar="N,N,...",
        help="numbers of ranks, of a run of cycles of cores, as 64,256",
    )
    plan.add_argument("--memory", type=_positive, help="GB of a rank (default: this machine's by its cores)")
    plan.add_argument(
        "--machine",
        type=_machine,
        metavar="GFLOPS,GB/S,US",
        help="that the analysis is for, to say times too: FFT rate of a core, as tools/benchmark_full.py prints it; "
        "bandwidth of what a rank sends; latency of a message in microseconds; as 3.5,5,2",
    )

    settings = verbs.add_parser("settings", help="print every key of the settings file with unit, default and meaning")
    settings.add_argument(
        "of",
        metavar="VERB",
        type=_with_settings,
        nargs="?",
        choices=("analyse", "compare", "errors", "columns", "cycle", "twin", "verify"),
        default="analyse",
        help="whose: %(choices)s (default: analyse)",
    )

    init = verbs.add_parser("init", help="write a settings file to start from")
    init.add_argument("file", nargs="?", type=Path, default=Path("case.toml"), help="new file (default: case.toml)")
    init.add_argument("--model", help="of an analysis: its kind, as colm202x")
    init.add_argument("--observation", help="of an analysis: its kind, as gldas")
    init.add_argument("--twin", choices=("quick", "paper"), help="of a twin experiment instead")

    _add_report(verbs)

    example = verbs.add_parser("example", help="write the embedded case: a restart, an observation, a truth")
    example.add_argument("directory", type=Path, help="new folder")
    return every


def _add_report(verbs: Verbs) -> None:
    """The arguments of `imgda_mpi report`."""
    report = verbs.add_parser(
        "report",
        help="a page with maps, scores and figures of analyses, runs, a twin, a comparison or a verification",
        description="Writes FOLDER/report.html, one page that holds all pictures and needs no network, and in "
        "FOLDER/report each picture as PNG (those of the paper's kind as PDF too) and its numbers as CSV.",
    )
    report.add_argument(
        "folders",
        type=Path,
        nargs="+",
        metavar="FOLDER",
        help="output folder of an analysis, run, twin, comparison or verification; of several runs the one without "
        "analyses is the control",
    )
    report.add_argument("--truth", type=Path, metavar="FILE", help="NetCDF file with the true image of an analysis")
    report.add_argument("--truth-variable", metavar="NAME", help="its variable (default: soil_moisture)")
    report.add_argument(
        "--truth-layer", type=_layer, metavar="TOP,BOTTOM", help="its layer, m, as 0.0,0.1 (default: the only one)"
    )
    report.add_argument(
        "--truth-time",
        type=_instant,
        metavar="TIME",
        help="its time, as 2022-08-01T00:00Z (default: that of the analysis, or a file without time)",
    )
    report.add_argument("--output", type=Path, metavar="FOLDER", help="of the page (default: the first FOLDER)")
    report.add_argument(
        "--time",
        type=_instant,
        help="of the maps, as 2022-08-01T00:00Z (default: the first analysis, and the last one for maps of runs)",
    )
    report.add_argument("--day", type=_day, help="of the anomalies, as 2022-06-18 (default: one of much rain)")
    report.add_argument(
        "--box",
        type=_box,
        action="append",
        metavar="NAME=SOUTH,NORTH,WEST,EAST",
        help="that maps zoom in on, degrees (default: China and the US); as often as there are boxes",
    )
    report.add_argument(
        "--point",
        type=_point,
        action="append",
        metavar="LATITUDE,LONGITUDE",
        help="of sections in depth and time, degrees (default: where most has changed); as often as there are points",
    )


def _with_settings(text: str) -> str:
    """A verb, whose choice comes after this."""
    others = {"plan": "of analyse or cycle", "status": "of cycle", "check": "of the verb whose settings it checks"}
    if text in others:
        raise argparse.ArgumentTypeError(f"'{text}' has no keys of its own: it reads those {others[text]}")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no day; write one as 2022-06-18") from None


def _numbers(text: str, how_many: int, example: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != how_many or not all(map(math.isfinite, numbers)):
        raise argparse.ArgumentTypeError(f"'{text}': needs {how_many} numbers with commas between them, as {example}")
    return numbers


def _box(text: str) -> tuple[str, tuple[float, ...]]:
    example = "sahel=10,20,-17,40"
    name, _, ends = text.rpartition("=")
    south, north, west, east = box = _numbers(ends, 4, example)
    if not (name and -90 <= south < north <= 90 and west < east <= west + 360):
        raise argparse.ArgumentTypeError(
            f"'{text}': needs a name, south below north and west below east, as {example} or pacific=-20,20,170,200"
        )
    return name, box


def _layer(text: str) -> tuple[float, ...]:
    top, bottom = layer = _numbers(text, 2, "0.0,0.1")
    if not 0 <= top < bottom:
        raise argparse.ArgumentTypeError(f"'{text}': needs a top from 0 and a bottom below it, m, as 0.0,0.1")
    return layer


def _point(text: str) -> tuple[float, ...]:
    point = _numbers(text, 2, "40.5,-105.2")
    if abs(point[0]) > 90:
        raise argparse.ArgumentTypeError(f"'{text}': latitude comes first, and is within -90 and 90, as 40.5,-105.2")
    return point


def _machine(text: str) -> tuple[float, ...]:
    rate, bandwidth, latency = machine = _numbers(text, 3, "3.5,5,2")
    if not (rate > 0 and bandwidth > 0 and latency >= 0):
        raise argparse.ArgumentTypeError(f"{text}: needs a rate and a bandwidth above 0, and a latency from 0")
    return machine


def _counts(text: str) -> list[int]:
    words = text.split(",")
    if not all(re.fullmatch(r"\s*\d{1,7}\s*", word) and int(word) for word in words):
        raise argparse.ArgumentTypeError(f"'{text}': needs whole numbers from 1 to 9999999 with commas, as 64,256")
    return [int(word) for word in words]


def _seconds(text: str) -> float:
    """Of a length of time as schedulers write it."""
    found = re.fullmatch(r"(?:(?:(\d+)-)?(\d+):(\d\d):)?(\d+(?:\.\d*)?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text}: needs [days-]hours:minutes:seconds, as 11:30:00, or seconds")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _instant(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"'{text}': needs a time, as 2022-06-02T06:00Z") from None


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}': needs a number above 0")
    return number
