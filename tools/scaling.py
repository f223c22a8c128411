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
import csv
import itertools
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, NullLocator
from synthetic_case import Shape, parse_grid, settings_text, write_case

ROOT = Path(__file__).resolve().parents[1]

STAGES = ("restart", "observation", "transform", "increment", "soil", "write")

KINDS = ("strong", "weak")

METHODS = ("innovation/full", "paper")

MULTIPLE = 16  # of rows and columns of a grown grid

# Okabe and Ito's colours, which differ for all eyes; markers besides.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
MARKERS = "osDv^P"


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


@dataclass(frozen=True)
class Measurement:
    """Seconds that an analysis took.

    Parameters
    ----------
    stages : dict
        Largest time over the ranks of each of `STAGES`, NaN where the analysis had no such stage.
    total : float
        Largest sum of these stages over the ranks.
    memory : int
        Most bytes of a rank.
    """

    shape: Shape
    ranks: int
    members: int
    stages: dict[str, float]
    total: float
    memory: int


@dataclass(frozen=True)
class Row:
    """One point of a scaling curve: medians over repetitions, seconds and bytes.

    ``shape`` is the grid on the fewest ranks, ``grid`` the one that was measured.
    """

    scaling: str
    shape: Shape
    grid: Shape
    ranks: int
    members: int
    repetitions: int
    stages: dict[str, float]
    total: float
    memory: float
    efficiency: float


def grown(shape: Shape, members: int, factor: float) -> tuple[Shape, int]:
    """A problem so many times as large: by its members, or where there are none by its grid.

    >>> grown((720, 1440), 50, 2), grown((720, 1440), 0, 4), grown((720, 1440), 0, 2)
    (((720, 1440), 100), ((1440, 2880), 0), ((1024, 2032), 0))
    """
    if members:
        return shape, round(members * factor)
    ny, nx = (round(length * math.sqrt(factor) / MULTIPLE) * MULTIPLE if factor > 1 else length for length in shape)
    return (ny, nx), 0


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
        folder = directory / _label(run.shape)
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


def measured(diagnostics: Path) -> Measurement:
    """The times in a diagnostics file; stages that are not in `STAGES` do not count."""
    with netCDF4.Dataset(diagnostics) as file:
        stages = [str(name) for name in file["stage"][:]]
        by_rank = {name: file["stage_time"][:, stages.index(name)] for name in STAGES if name in stages}
        return Measurement(
            shape=(len(file.dimensions["lat"]), len(file.dimensions["lon"])),
            ranks=int(file.n_ranks),
            members=int(json.loads(file.settings)["method"].get("n_members", 0)),
            stages={name: float(by_rank[name].max()) if name in by_rank else math.nan for name in STAGES},
            total=float(sum(by_rank.values()).max()),
            memory=int(file["peak_memory"][:].max()),
        )


def efficiency(scaling: str, first: tuple[int, float], this: tuple[int, float]) -> float:
    """Time that perfect scaling from the first point would leave, over the time taken; points are (ranks, seconds).

    >>> efficiency("strong", (1, 8.0), (4, 2.5)), efficiency("weak", (1, 8.0), (4, 10.0))
    (0.8, 0.8)
    """
    share = first[0] / this[0] if scaling == "strong" else 1.0
    return share * first[1] / this[1]


def scaling_rows(measurements: Iterable[Measurement], members: int) -> list[Row]:
    """The points of both curves of each grid, by number of ranks.

    Parameters
    ----------
    members : int
        Of all runs of strong scaling, and of the run of weak scaling on the fewest ranks; 0 for `innovation/full`,
        whose grids are those that have a run on the fewest ranks of all.
    """
    groups: dict[tuple[Shape, int, int], list[Measurement]] = defaultdict(list)
    for measurement in measurements:
        groups[measurement.shape, measurement.ranks, measurement.members].append(measurement)
    total = {key: float(np.median([one.total for one in group])) for key, group in groups.items()}
    fewest: dict[Shape, int] = {}
    for shape, n, m in sorted(groups):
        if m == members:
            fewest.setdefault(shape, n)
    if not members:
        fewest = {shape: n for shape, n in fewest.items() if n == min(fewest.values())}
    every, rows = sorted({n for _, n, _ in groups}), []
    for scaling, (shape, first), ranks in itertools.product(KINDS, fewest.items(), every):
        grid, m = grown(shape, members, ranks / first if scaling == "weak" else 1)
        if ranks < first or not (group := groups.get((grid, ranks, m))):
            continue
        seconds = total[grid, ranks, m]
        value = efficiency(scaling, (first, total[shape, first, members]), (ranks, seconds))
        stages = {name: float(np.median([one.stages[name] for one in group])) for name in STAGES}
        memory = float(np.median([one.memory for one in group]))
        rows.append(Row(scaling, shape, grid, ranks, m, len(group), stages, seconds, memory, value))
    return rows


def write_csv(path: Path, rows: Iterable[Row]) -> None:
    """Write the points as a table; times in seconds."""
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        header = ["scaling", "grid", "ranks", "members", "repetitions"]
        table.writerow([*header, *(f"{name}_s" for name in STAGES), "total_s", "memory_GB", "efficiency"])
        for row in rows:
            seconds = [f"{row.stages[name]:.4f}" for name in STAGES] + [f"{row.total:.4f}"]
            where = [row.scaling, _label(row.grid), row.ranks, row.members, row.repetitions]
            table.writerow([*where, *seconds, f"{1e-9 * row.memory:.4f}", f"{row.efficiency:.4f}"])


def draw_times(path: Path, rows: Sequence[Row]) -> None:
    """Time per stage against ranks: a row of panels for each grid, strong scaling left, weak scaling right."""
    shapes = sorted({row.shape for row in rows})
    figure = Figure(figsize=(9.5, 0.9 + 3.3 * len(shapes)), layout="constrained")
    panels = figure.subplots(len(shapes), 2, sharex=True, sharey="row", squeeze=False)
    for line, shape in zip(panels, shapes, strict=True):
        for panel, scaling in zip(line, KINDS, strict=True):
            points = [row for row in rows if (row.shape, row.scaling) == (shape, scaling)]
            _draw_stages(panel, points)
            growth = f" on {points[0].ranks} to {_size(points[-1])} on {points[-1].ranks}" if scaling == "weak" else ""
            panel.set_title(f"{scaling}: {_size(points[0])}{growth}", fontsize=10)
        line[0].set_ylabel("time, s")
    for panel in panels[-1]:
        panel.set_xlabel("ranks")
    _save(figure, panels[0][0], path)


def _draw_stages(panel: Axes, points: Sequence[Row]) -> None:
    ranks = np.array([row.ranks for row in points])
    total = np.array([row.total for row in points])
    panel.plot(ranks, total, "k-", marker="o", linewidth=2, label="total")
    ideal = [total[0] * (ranks[0] / n if points[0].scaling == "strong" else 1.0) for n in ranks]
    panel.plot(ranks, ideal, "k--", linewidth=1, label="total, ideal")
    for name, colour, marker in zip(STAGES, COLOURS, MARKERS, strict=True):
        seconds = [row.stages[name] for row in points]
        panel.plot(ranks, seconds, color=colour, marker=marker, markersize=5, linewidth=1.3, label=name)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
    _ranks_axis(panel, ranks)


def draw_efficiency(path: Path, rows: Sequence[Row]) -> None:
    """Parallel efficiency against ranks, a line for each grid, strong scaling left, weak scaling right."""
    panels = _draw_grids(rows, "efficiency", lambda row: row.efficiency)
    for panel in panels:
        panel.axhline(1.0, color="k", linestyle="--", linewidth=1, label="ideal")
    panels[0].set_ylim(0.0, max(1.1, 1.05 * max(row.efficiency for row in rows)))
    _save(panels[0].get_figure(), panels[0], path)


def draw_memory(path: Path, rows: Sequence[Row]) -> None:
    """Most memory of a rank against ranks, panels and lines as of `draw_efficiency`."""
    panels = _draw_grids(rows, "memory of a rank, GB", lambda row: 1e-9 * row.memory)
    panels[0].set_ylim(bottom=0.0)
    _save(panels[0].get_figure(), panels[0], path)


def _draw_grids(rows: Sequence[Row], label: str, value: Callable[[Row], float]) -> Sequence[Axes]:
    panels: Sequence[Axes] = Figure(figsize=(9.5, 3.9), layout="constrained").subplots(1, 2, sharey=True)
    for panel, scaling in zip(panels, KINDS, strict=True):
        for number, shape in enumerate(sorted({row.shape for row in rows})):
            points = [row for row in rows if (row.shape, row.scaling) == (shape, scaling)]
            style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}
            panel.plot([row.ranks for row in points], [value(row) for row in points], label=_label(shape), **style)
        _ranks_axis(panel, np.unique([row.ranks for row in rows]))
        panel.set_title(f"{scaling} scaling", fontsize=10)
        panel.set_xlabel("ranks")
    panels[0].set_ylabel(label)
    return panels


def _ranks_axis(panel: Axes, ranks: Iterable[int]) -> None:
    panel.set_xscale("log", base=2)
    panel.set_xticks(sorted(ranks), labels=[str(n) for n in sorted(ranks)])
    panel.xaxis.set_minor_locator(NullLocator())
    panel.grid(color="0.9")


def _save(figure: Figure, panel: Axes, path: Path) -> None:
    """Save with the legend of one panel, which holds for all."""
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def _size(row: Row) -> str:
    """Of the problem."""
    return _label(row.grid) + (f", {row.members} members" if row.members else "")


def _label(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"


def measure(arguments: argparse.Namespace) -> None:
    """Run what has no result yet on this machine, then plot."""
    for shape in arguments.grids:
        runs = planned(shape, arguments.ranks, _members(arguments), arguments.repeat)
        for run, settings in prepare(arguments.directory, runs):
            run_here(settings.resolve(), run.ranks, pin=arguments.pin)
            sys.stdout.write(f"{_label(run.shape)} {run.name}\n")
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
