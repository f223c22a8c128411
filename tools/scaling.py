"""Strong and weak scaling of an analysis: runs it over ranks and grids, collects its times, draws them.

python tools/scaling.py run --grids 720x1440 --ranks 1,2,4 --repeat 3 --directory scaling
python tools/scaling.py run --method paper --members 50 --grids 720x1440 --ranks 1,2,4
python tools/scaling.py scripts --scheduler slurm --cores-per-node 32 --grids 1800x3600 --ranks 32,64,128
python tools/scaling.py plot --directory scaling

`run` measures on this machine; `scripts` writes one job per run, made from the templates in jobs/ (edit account and
wall time there first); `plot` collects what has been measured. Runs that have a result are not repeated. Strong scaling
keeps the problem; weak scaling gives every rank as much as one of the fewest ranks has: of `innovation/full` as many
pixels, on larger grids, of `paper` as many members. A measurement is the largest time over the ranks, and of several
repetitions their median. The first run on a grid also measures FFT plans, which later runs find in the cache: repeat
three times or more.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scaling_pictures import draw_efficiency, draw_memory, draw_times
from scaling_rows import grown, label, measured, scaling_rows, write_csv
from synthetic_case import Shape, parse_grid, settings_text, write_case

ROOT = Path(__file__).resolve().parents[1]

METHODS = ("innovation/full", "paper")


@dataclass(frozen=True)
class Run:
    """One analysis of a grid's case; without members by `innovation/full`."""

    shape: Shape
    ranks: int
    members: int
    repetition: int

    @property
    def name(self) -> str:
        """Name of its output folder, settings, log and job script."""
        return f"ranks{self.ranks}_members{self.members}_{self.repetition}"


def planned(shape: Shape, ranks: Sequence[int], members: int, repetitions: int) -> list[Run]:
    """Runs of strong and weak scaling from one grid on; what both need is run once.

    Raises
    ------
    ValueError
        Where weak scaling would need a broken number of members.

    >>> [run.name for run in planned((64, 128), [1, 2], 50, 1)]
    ['ranks1_members50_1', 'ranks2_members50_1', 'ranks2_members100_1']
    """
    fewest = min(ranks)
    if any(members * n % fewest for n in ranks):
        raise ValueError(f"{members} members on {fewest} ranks cannot be grown to {', '.join(map(str, ranks))} ranks")
    sizes = dict.fromkeys((n, size) for n in ranks for size in ((shape, members), grown(shape, members, n / fewest)))
    return [Run(grid, n, m, repetition) for repetition in range(1, repetitions + 1) for n, (grid, m) in sizes]


def prepare(directory: Path, runs: Iterable[Run]) -> list[tuple[Run, Path]]:
    """Make the cases of grids where they are not there yet, and settings for the runs that have no result."""
    missing = []
    for run in runs:
        folder = directory / label(run.shape)
        if not (folder / "case.toml").exists():
            write_case(folder, run.shape, members=2)
        if not (folder / run.name / "diagnostics.nc").exists():
            (folder / f"{run.name}.toml").write_text(settings_text(run.members, run.name))
            missing.append((run, folder / f"{run.name}.toml"))
    return missing


def run_here(settings: Path, ranks: int, *, pin: bool) -> None:
    """One analysis on ranks of this machine, with its log beside the settings.

    Raises
    ------
    RuntimeError
        Where it fails.
    """
    # run_ranks, which allows root by itself, does not bind.
    start = "mpirun --bind-to core -n" if pin else "run_ranks"
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    command = f'. "$1/tools/env.sh"; {start} "$2" "$3" -m mpi4py -m imgda_mpi analyse "$4"'
    log = settings.with_suffix(".log")
    with log.open("w") as output:
        done = subprocess.run(
            ["bash", "-c", command, "bash", str(ROOT), str(ranks), sys.executable, str(settings)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{settings} on {ranks} ranks ended with status {done.returncode}; see {log}")
    # Only the times are wanted, and restarts are large.
    shutil.rmtree(settings.with_suffix("") / "restart")


def job_script(scheduler: str, settings: Path, ranks: int, cores: int) -> str:
    """Text of a job that runs one analysis, from the scheduler's template.

    Parameters
    ----------
    cores : int
        Of a node; ranks fill whole nodes, or a part of one.

    Raises
    ------
    ValueError
        Where ranks would leave a node half filled, or the template lacks a line that has to be set.
    """
    if ranks > cores and ranks % cores:
        raise ValueError(f"{ranks} ranks do not fill nodes of {cores} cores")
    nodes, on_node = math.ceil(ranks / cores), min(ranks, cores)
    edits = {
        "slurm": {r"--nodes=\d+": f"--nodes={nodes}", r"--ntasks=\d+": f"--ntasks={ranks}"},
        "pbs": {r"select=\S+": f"select={nodes}:ncpus={on_node}:mpiprocs={on_node}"},
        "lsf": {r"#BSUB -n \d+": f"#BSUB -n {ranks}", r"ptile=\d+": f"ptile={on_node}"},
    }[scheduler]
    edits[r"^case_file=.*"] = f"case_file={shlex.quote(str(settings))}"
    edits[r"^project=.*"] = f"project={shlex.quote(str(ROOT))}"
    text = (ROOT / "jobs" / f"{scheduler}.sh").read_text()
    for pattern, value in edits.items():
        text, count = re.subn(pattern, value.replace("\\", r"\\"), text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"jobs/{scheduler}.sh has {count} lines like {pattern}, needs one")
    return text


def measure(arguments: argparse.Namespace) -> None:
    """Run what has no result yet on this machine, then plot."""
    for shape in arguments.grids:
        runs = planned(shape, arguments.ranks, _members(arguments), arguments.repeat)
        for run, settings in prepare(arguments.directory, runs):
            run_here(settings.resolve(), run.ranks, pin=arguments.pin)
            sys.stdout.write(f"{label(run.shape)} {run.name}\n")
            sys.stdout.flush()
    plot(arguments)


def scripts(arguments: argparse.Namespace) -> None:
    """Write a job script for every run that has no result yet."""
    for shape in arguments.grids:
        runs = planned(shape, arguments.ranks, _members(arguments), arguments.repeat)
        for run, settings in prepare(arguments.directory, runs):
            job = settings.with_suffix(".sh")
            job.write_text(job_script(arguments.scheduler, settings.resolve(), run.ranks, arguments.cores_per_node))
            sys.stdout.write(f"{job}\n")


def plot(arguments: argparse.Namespace) -> None:
    """Collect all results, write the table, draw the pictures.

    Raises
    ------
    ValueError
        Where there is no result of this method, with these members.
    """
    files, members = sorted(arguments.directory.glob("*/ranks*/diagnostics.nc")), _members(arguments)
    rows = scaling_rows(map(measured, files), members)
    if not rows:
        of = f"with {members} members" if members else f"of {arguments.method}"
        raise ValueError(f"{arguments.directory} has no result {of}")
    write_csv(arguments.directory / "scaling.csv", rows)
    draw_times(arguments.directory / "times.png", rows)
    draw_efficiency(arguments.directory / "efficiency.png", rows)
    draw_memory(arguments.directory / "memory.png", rows)
    names = ("scaling.csv", "times.png", "efficiency.png", "memory.png")
    sys.stdout.write("".join(f"{arguments.directory / name}\n" for name in names))


def _members(arguments: argparse.Namespace) -> int:
    return arguments.members if arguments.method == "paper" else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Strong and weak scaling of an analysis.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    every = argparse.ArgumentParser(add_help=False)
    every.add_argument("--directory", type=Path, default=Path("scaling"), help="for cases and results (scaling)")
    every.add_argument("--method", choices=METHODS, default=METHODS[0], help=f"that is studied ({METHODS[0]})")
    every.add_argument("--members", type=_count, default=50, help="of paper; growing in weak scaling (50)")
    sizes = argparse.ArgumentParser(add_help=False)
    sizes.add_argument("--grids", type=_grids, required=True, help="rows x columns, as 720x1440,1800x3600")
    sizes.add_argument("--ranks", type=_counts, required=True, help="as 1,2,4")
    sizes.add_argument("--repeat", type=_count, default=3, help="runs of a kind, of which the median counts (3)")

    run = verbs.add_parser("run", parents=[every, sizes], help="measure on this machine, and plot")
    run.add_argument("--pin", action="store_true", help="bind each rank to a core; needs as many cores as ranks")
    run.set_defaults(verb=measure)
    write = verbs.add_parser("scripts", parents=[every, sizes], help="write job scripts, one for each run")
    write.add_argument("--scheduler", choices=("slurm", "pbs", "lsf"), required=True)
    write.add_argument("--cores-per-node", type=_count, required=True, help="ranks on a full node")
    write.set_defaults(verb=scripts)
    verbs.add_parser("plot", parents=[every], help="collect results and draw them").set_defaults(verb=plot)
    return parser


def _count(text: str) -> int:
    if (count := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return count


def _counts(text: str) -> list[int]:
    return [_count(word) for word in text.split(",")]


def _grids(text: str) -> list[Shape]:
    return [parse_grid(word) for word in text.split(",")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.verb(arguments)
    except (ValueError, RuntimeError, OSError) as err:
        sys.stderr.write(f"error: {err}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
