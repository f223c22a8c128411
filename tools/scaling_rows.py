"""The points of scaling curves: from the diagnostics of analyses to medians and efficiencies."""

from __future__ import annotations

import csv
import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
from synthetic_case import Shape

STAGES = ("restart", "observation", "transform", "increment", "soil", "write")

KINDS = ("strong", "weak")

MULTIPLE = 16  # of rows and columns of a grown grid


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


def grown(shape: Shape, members: int, factor: float) -> tuple[Shape, int]:
    """A problem so many times as large: by its members, or where there are none by its grid.

    >>> grown((720, 1440), 50, 2), grown((720, 1440), 0, 4), grown((720, 1440), 0, 2)
    (((720, 1440), 100), ((1440, 2880), 0), ((1024, 2032), 0))
    """
    if members:
        return shape, round(members * factor)
    ny, nx = (round(length * math.sqrt(factor) / MULTIPLE) * MULTIPLE if factor > 1 else length for length in shape)
    return (ny, nx), 0


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
            where = [row.scaling, label(row.grid), row.ranks, row.members, row.repetitions]
            table.writerow([*where, *seconds, f"{1e-9 * row.memory:.4f}", f"{row.efficiency:.4f}"])


def size_text(row: Row) -> str:
    """Of the problem."""
    return label(row.grid) + (f", {row.members} members" if row.members else "")


def label(shape: Shape) -> str:
    """Rows and columns, as 720x1440."""
    return f"{shape[0]}x{shape[1]}"
