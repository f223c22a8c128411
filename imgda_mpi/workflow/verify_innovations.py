"""The innovations of run folders, summed up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.faults import fault, settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.methods.registry import needs_transform, scales_by_size
from imgda_mpi.parallel.failure import from_rank_0, on_rank_0, same_fate
from imgda_mpi.parallel.ownership import share
from imgda_mpi.report.innovations_table import innovations_summary, innovations_table
from imgda_mpi.results.analysis_file import SavedInnovation, read_innovation
from imgda_mpi.results.innovations_file import read_innovations, write_innovations, write_innovations_table
from imgda_mpi.results.run_folder import open_run
from imgda_mpi.results.run_records import ANALYSIS, time_text
from imgda_mpi.settings.verify import Verification
from imgda_mpi.verify.innovation_scales import InnovationScales, scale_statistics
from imgda_mpi.verify.innovations import (
    STATISTICS,
    SUMS,
    RunInnovations,
    lag_of_means,
    region_sums,
    standard_errors,
    statistics,
)
from imgda_mpi.verify.scales import shortest_waves
from imgda_mpi.workflow.errors_used import errors_used, gain_of, method_label
from imgda_mpi.workflow.verify_inputs import Inputs, Part

ALL_TIMES = "all times"
"""Period of everything; names of the settings have no blanks."""

CLOSE = 1.5
"""Of the usual distance in time: analyses further apart are not consecutive."""


def verify_innovations(settings: Verification, inputs: Inputs, directory: Path, comm: MPI.Intracomm) -> list[Part]:
    """Innovation statistics of all runs that are run folders: a part on rank 0, none elsewhere.

    Collective over ``comm``: the ranks share the analyses out, each has the images of two in memory; the same bits on
    any number of ranks. Where no run has an analysis the part says so and has no files.

    Raises
    ------
    InputError
        Where a folder is not that of a run, or an analysis of it has no diagnostics, or damaged ones, or others of
        another grid: none is left out in silence.
    OutputError
    """
    of_runs = innovations_of(settings.run_folders, inputs, comm)
    return on_rank_0(comm, lambda: _parts(of_runs or [], directory)) or []


def innovations_of(folders: Mapping[str, Path], inputs: Inputs, comm: MPI.Intracomm) -> list[RunInnovations] | None:
    """Innovation statistics of run folders by name, on rank 0; none where no run has an analysis. Collective.

    Raises
    ------
    InputError
        As of `verify_innovations`.
    """
    runs = from_rank_0(comm, lambda: [_analyses_of(name, folder) for name, folder in folders.items()])
    scales = scales_of(runs, comm)
    tasks = [(run, number) for run, of_run in enumerate(runs) for number in range(len(of_run.times))]
    first, last = share(len(tasks), comm.size)[comm.rank : comm.rank + 2]
    with same_fate(comm):
        own = _sums_of(runs, tasks[first:last], scales, inputs)
    every: list[list[_Sums]] | None = comm.gather(own)

    def sum_up() -> list[RunInnovations]:
        if every is None or not tasks:
            return []
        found = dict(zip(tasks, (sums for part in every for sums in part), strict=True))
        periods = {ALL_TIMES: _all_times(runs), **inputs.periods}
        return [
            _summed_up(of_run, [found[run, number] for number in range(len(of_run.times))], inputs, periods)
            for run, of_run in enumerate(runs)
        ]

    return on_rank_0(comm, sum_up)


def check_innovations(settings: Verification) -> None:
    """See that the analyses of all run folders have diagnostics. On one rank.

    Raises
    ------
    InputError
        As of `verify_innovations`; of damaged ones but for the first of each run it is found where they are read.
    """
    for name, folder in settings.run_folders.items():
        _analyses_of(name, folder)


@dataclass(frozen=True, eq=False)
class Analyses:
    """The analyses of a run: files and times, and how many there are not; grid and settings are those of the first."""

    name: str
    paths: Sequence[Path]
    times: Sequence[datetime]
    n_passed: int
    remarks: Sequence[str]
    grid: Grid | None
    settings: Mapping[str, Any]

    @property
    def hours_apart(self) -> list[float]:
        """Of each from the one before, but of the first."""
        return [(later - earlier).total_seconds() / 3600 for earlier, later in pairwise(self.times)]

    @property
    def hours(self) -> float:
        """Usual distance of two; NaN of fewer."""
        return float(np.median(self.hours_apart)) if len(self.times) > 1 else float("nan")

    @property
    def follows(self) -> BoolArray:
        """Which ones closely follow the one before, (n,)."""
        usual = self.hours
        return np.array([False, *(hours <= CLOSE * usual for hours in self.hours_apart)])[: len(self.times)]


@dataclass(frozen=True, eq=False)
class _Sums:
    """What one analysis comes to."""

    cells: FloatArray
    scales: FloatArray
    own_chi2: float
    method: str
    gain: str
    remark: str


def _analyses_of(name: str, folder: Path) -> Analyses:
    """On the one rank that looks."""
    with settled_by(f"[runs.{name}]"):
        run = open_run(folder)
        cycles = run.cycles()
        analysed = [cycle for cycle in cycles if cycle.record.analysis is not None]
        paths = [cycle.directory / ANALYSIS / "diagnostics.nc" for cycle in analysed]
        since, until = run.description.first_analysis, run.description.last_analysis
        passed = [
            cycle.record
            for cycle in cycles
            if cycle.record.analysis is None and since is not None and until is not None
            if since <= cycle.record.time <= until
        ]
        remarks = []
        if passed:
            reason = f", as at {time_text(passed[0].time)}: {passed[0].reasons[0]}" if passed[0].reasons else ""
            n_moments = len(analysed) + len(passed)
            remarks.append(f"{len(passed)} of {n_moments} cycles from the first analysis to the last have none{reason}")
        gone = [path for path in paths if not path.is_file()]
        if gone:
            found, do = (
                f"no such file, as of {len(gone)} of {len(paths)} analyses",
                "put it back, or set innovations = false",
            )
            raise fault(gone[0], found=found, expected="diagnostics of the analysis", do=do)
        head = read_innovation(paths[0]) if paths else None
    grid, of_first = (None, {}) if head is None else (head.grid, head.settings)
    return Analyses(name, paths, [cycle.record.time for cycle in analysed], len(passed), remarks, grid, of_first)


def scales_of(runs: Sequence[Analyses], comm: MPI.Intracomm) -> list[InnovationScales | None]:
    """Sums by scale for each run: its method's scales, of methods without any those of its grid. Collective."""
    made: dict[tuple[TransformKind, tuple[int, int]], CurveletTransform] = {}
    found: list[InnovationScales | None] = []
    for run in runs:
        if run.grid is None:
            found.append(None)
            continue
        kind = run.settings["method"]["kind"]
        by_size = not needs_transform(kind) or scales_by_size(kind)
        wanted = TransformKind(**run.settings["curvelet"]).on(run.grid, scales_by_size=by_size)
        if wanted not in made:
            with settled_by(f"[runs.{run.name}]"):
                made[wanted] = make_transform(*wanted, comm)
        found.append(InnovationScales(made[wanted]))
    return found


def _sums_of(
    runs: Sequence[Analyses],
    tasks: Sequence[tuple[int, int]],
    scales: Sequence[InnovationScales | None],
    inputs: Inputs,
) -> list[_Sums]:
    """What the analyses of one rank come to: numbers of their runs and in these, in the order of time."""
    found = []
    at, of_last, regions = (-1, -1), None, {}
    for run, number in tasks:
        of_run, of_scales = runs[run], scales[run]
        if of_run.grid is None or of_scales is None:
            raise ValueError("an analysis of a run without any")
        with settled_by(f"[runs.{of_run.name}]"):
            if at[0] != run:
                regions = inputs.regions_on(of_run.grid)
            before = None
            if of_run.follows[number]:
                is_there = of_last is not None and at == (run, number - 1)
                before = of_last if is_there else _read(of_run, number - 1).images.innovation
            saved = _read(of_run, number)
            known = errors_used(saved, of_scales)
            found.append(
                _Sums(
                    region_sums(saved.images, known.errors, regions, before),
                    of_scales.sums(saved.images, known.scales),
                    saved.facts.get("chi2", float("nan")),
                    method_label(saved.settings),
                    gain_of(saved.settings),
                    known.remark,
                )
            )
        at, of_last = (run, number), saved.images.innovation
    return found


def _read(of_run: Analyses, number: int) -> SavedInnovation:
    path, time = of_run.paths[number], of_run.times[number]
    saved = read_innovation(path)
    if of_run.grid is None or not saved.grid.has_cells_of(of_run.grid):
        found, expected = f"a grid of {saved.grid.shape}", f"the grid of {of_run.paths[0]}"
        raise fault(path, found=found, expected=expected, do="put back the analysis that the cycle made")
    if saved.time != time:
        found, expected = f"an analysis of {time_text(saved.time)}", f"one of {time_text(time)}"
        raise fault(path, found=found, expected=expected, do="put back the analysis that the cycle made")
    return saved


def _all_times(runs: Sequence[Analyses]) -> tuple[datetime, datetime]:
    times = [time for run in runs for time in run.times]
    return min(times), max(times)


def _summed_up(
    run: Analyses,
    found: Sequence[_Sums],
    inputs: Inputs,
    periods: Mapping[str, tuple[datetime, datetime]],
) -> RunInnovations:
    """All that is known of one run, from its analyses in the order of time."""
    regions = tuple(inputs.regions_on(inputs.grid))
    sums = np.array([one.cells for one in found]).reshape(-1, len(SUMS), len(regions))
    series, follows = statistics(sums), run.follows
    within: list[dict[str, Any]] = []
    for since, until in periods.values():
        inside = np.array([since <= time <= until for time in run.times], dtype=bool)
        of_period = [one for one, is_in in zip(found, inside, strict=True) if is_in]
        within.append(_in_period(of_period, sums[inside], series["mean_ob"][inside], follows[inside]))

    def by_period(name: str) -> FloatArray:
        return np.array([one[name] for one in within])

    n_scales = found[0].scales.shape[1] if found else 0
    nothing = np.full(n_scales, np.nan)
    gains, methods = (sorted({getattr(one, name) for one in found}) for name in ("gain", "method"))
    names: Mapping[str, FloatArray] = next((one["scales"] for one in within if one["scales"]), {})
    return RunInnovations(
        name=run.name,
        method=", ".join(methods),
        times=np.array([time.timestamp() for time in run.times]),
        regions=regions,
        periods=tuple(periods),
        n_cells=sums[:, 0],
        series=series,
        n_analyses=by_period("n_analyses"),
        n_values=by_period("n_values"),
        n_pairs=by_period("n_pairs"),
        values={name: np.array([one["values"][name] for one in within]) for name in STATISTICS},
        errors={name: np.array([one["errors"][name] for one in within]) for name in STATISTICS},
        lag_of_mean=by_period("lag_of_mean"),
        own_chi2=by_period("own_chi2"),
        scales={name: np.array([one["scales"].get(name, nothing) for one in within]) for name in names},
        shortest_waves=nothing if run.grid is None else shortest_waves(run.grid, n_scales),
        hours=run.hours,
        n_passed=run.n_passed,
        gain=gains[0] if len(gains) == 1 else "",
        remarks=(*run.remarks, *_remarks(found)),
    )


def _in_period(found: Sequence[_Sums], sums: FloatArray, means: FloatArray, follows: BoolArray) -> dict[str, Any]:
    """Statistics of the analyses of a period, of their sums (n, n_sums, n_regions) and means of O-B (n, n_regions)."""
    pair = SUMS.index("pairs")
    if follows.size:
        # What came before the first one is of another period.
        follows[0] = False
        sums[0, pair:] = 0.0
    chi2 = np.array([one.own_chi2 for one in found if np.isfinite(one.own_chi2)])
    return {
        "values": statistics(sums.sum(axis=0)),
        "errors": standard_errors(sums),
        "n_analyses": (sums[:, 0] > 0).sum(axis=0).astype(np.float64),
        "n_values": sums[:, 0].sum(axis=0),
        "n_pairs": (sums[:, pair] > 0).sum(axis=0).astype(np.float64),
        "lag_of_mean": lag_of_means(means, follows),
        "own_chi2": float(chi2.mean()) if chi2.size else float("nan"),
        "scales": scale_statistics(np.sum([one.scales for one in found], axis=0)) if found else {},
    }


def _remarks(found: Sequence[_Sums]) -> list[str]:
    """What is not known of analyses: how often, and why the first time."""
    said = [one.remark for one in found if one.remark]
    often = "" if len(said) == len(found) else f" ({len(said)} of {len(found)} analyses)"
    return [f"{said[0]}{often}"] if said else []


def _parts(runs: Sequence[RunInnovations], directory: Path) -> list[Part]:
    if not runs:
        return [Part("Innovations: none of the runs has analyses.", ())]
    written = [directory / "innovations.nc", directory / "innovations.csv"]
    write_innovations(written[0], runs)
    write_innovations_table(written[1], runs)
    saved = read_innovations(written[0])
    return [Part(innovations_table(saved), written, innovations_summary(saved))]
