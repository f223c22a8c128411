"""How well runs agree with stations, as text."""

from __future__ import annotations

import textwrap

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.console import WIDTH, columns, number_text
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.block_bootstrap import WORDS
from imgda_mpi.verify.day_correlations import LEAST_STATIONS
from imgda_mpi.verify.lags import COARSEST, FEWEST_DAYS
from imgda_mpi.verify.pytesmo_metrics import WINDOW
from imgda_mpi.verify.station_series import Places
from imgda_mpi.verify.station_verification import NAMES

SHOWN = {"R": ".3f", "ubRMSE": ".4f", "bias": "+.3f", "anomaly R": ".3f"}
"""Scores of the table and their forms."""

WITHOUT_INTERVAL = ("anomaly R",)  # in the table, for its width

BETTER = {"R": 1, "ubRMSE": -1}
"""Scores by which stations are counted, and whether larger or smaller is better."""

LEVELS = 6  # depths or layers that are named

FRAME = (
    f"Means over stations; in brackets 95 % intervals: {WORDS}, as long as errors last. R: correlation over the times; "
    "ubRMSE and bias (run minus station) in m3 m-3. Two things are called anomalies: anomaly R is the "
    f"correlation of departures from a moving mean of {WINDOW} days (pytesmo), day R the correlation across stations "
    "of the mean of a UTC day minus that of the period (figure 12 of Bai et al. 2026), its mean over the days that "
    f"{LEAST_STATIONS} stations or more have."
)


def stations_table(found: StationVerification) -> str:
    """What is compared scores by period and region, and how many stations are better; no newline at its end."""
    paragraphs = [
        f"Stations {found.name}: {found.status}",
        _counts(found),
        _compared(found),
        *found.notes,
        _lags(found),
    ]
    blocks = ["\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)]
    for period in range(len(found.periods)):
        blocks += [_block(found, period, regions) for regions in distinct_regions(found)]
    blocks.append(textwrap.fill(FRAME, WIDTH))
    return "\n\n".join(blocks)


def stations_summary(found: StationVerification) -> str:
    """The same in a few lines: what is compared, and the scores of all stations."""
    paragraphs = [f"Against stations {found.name}: {found.status}", _counts(found)]
    paragraphs += [_lags(found)] if any(lag.doubtful for lag in found.lags) else []
    blocks = ["\n".join(textwrap.fill(paragraph, WIDTH) for paragraph in paragraphs)]
    return "\n\n".join([*blocks, *(_block(found, period, [0]) for period in range(len(found.periods)))])


def compared_words(places: Places, at_depth: bool) -> str:
    """What of a run is compared with the sensors, with the number of stations of each depth or layer."""
    levels, number = np.unique(places.compared, axis=0, return_counts=True)
    said = [
        f"{100 * top:.4g}{'' if at_depth else f'-{100 * bottom:.4g}'} cm: {n}"
        for (top, bottom), n in zip(levels, number, strict=True)
    ]
    what = (
        "value at the depth of the sensor, linear between nodes"
        if at_depth
        else "mean of the layer that holds the sensor"
    )
    return f"{what} ({', '.join(said[:LEVELS])}{', ...' if len(said) > LEVELS else ''})"


def _counts(found: StationVerification) -> str:
    """Counts of what there is, and by reason of what is left out."""
    there = ("sensors", "stations", "rows", "valid values", "times")
    first = ", ".join(f"{found.counts[name]} {name}" for name in there if name in found.counts)
    left = ", ".join(f"{reason}: {n}" for reason, n in found.counts.items() if n and reason not in there)
    return f"{first}. Left out: {left or 'none'}."


def _compared(found: StationVerification) -> str:
    return f"Of runs: {found.compared_with}, cell: {found.cell}. Of stations: {found.matched}."


def _lags(found: StationVerification) -> str:
    """What the changes say of the times of the stations."""
    if not found.lags:
        return (
            f"Whether times are UTC cannot be seen: that needs steps of {COARSEST} h or less over {FEWEST_DAYS} days."
        )
    doubtful = [str(lag) for lag in found.lags if lag.doubtful]
    if doubtful:
        return f"WARNING: {'; '.join(doubtful)}."
    return f"Times are UTC as far as changes of runs and stations say ({len(found.lags)} network(s))."


def distinct_regions(found: StationVerification) -> list[list[int]]:
    """Numbers of the regions, those of the same stations together."""
    of_stations: dict[bytes, list[int]] = {}
    for number, inside in enumerate(found.regions.values()):
        of_stations.setdefault(inside.tobytes(), []).append(number)
    return list(of_stations.values())


def _block(found: StationVerification, period: int, regions: list[int]) -> str:
    """Scores of all runs in one period and region, and how many stations are better than the control."""
    results, runs, region = found.results, found.series.runs, regions[0]
    inside = list(found.regions.values())[region]
    n_scored = int(results.n_scored[period, region])
    scored = inside & (results.n_pairs[period] >= found.least_pairs)
    names = " = ".join(list(found.regions)[number] for number in regions)
    title = f"{list(found.periods)[period]}, {names}: {n_scored} station{'' if n_scored == 1 else 's'}"
    if n_scored == 0:
        return f"{title} with {found.least_pairs} pairs or more"
    title += f", {results.n_pairs[period, scored].sum()} pairs, blocks of {results.blocks[period]} times"
    lines = [["", *SHOWN, "day R"]]
    for run, name in enumerate(runs):
        at = (period, run, region)
        lines.append([name, *_cells(results.means, results.mean_ends, at), _days(found, at)])
        if run:
            cells = _cells(results.mean_differences, results.mean_difference_ends, at, sign=True)
            lines.append([f"  minus {runs[0]}", *cells, ""])
    table = "\n".join(line.rstrip() for line in columns(lines).splitlines())
    has_r = np.isfinite(results.values[NAMES.index("R"), period, :, scored]).all(axis=-1)
    if not has_r.all():
        n_r = np.count_nonzero(has_r)
        table += f"\nR of {n_r} stations: at {n_scored - n_r} a run or the station never changes."
    said = [textwrap.fill(paired_words(found, period, run, scored), WIDTH) for run in range(1, len(runs))]
    return "\n".join([title, table, *said])


def _cells(values: FloatArray, ends: FloatArray, at: tuple[int, int, int], *, sign: bool = False) -> list[str]:
    cells = []
    for name, form in SHOWN.items():
        score = NAMES.index(name)
        shown = [float(values[score, *at]), *(float(end[score, *at]) for end in ends)]
        mean, low, high = (number_text(value, f"+{form.removeprefix('+')}" if sign else form) for value in shown)
        cells.append(mean if mean == "-" or name in WITHOUT_INTERVAL else f"{mean} [{low}, {high}]")
    return cells


def _days(found: StationVerification, at: tuple[int, int, int]) -> str:
    of_days = found.days.values[*at]
    there = of_days[np.isfinite(of_days)]
    return f"{there.mean():.2f} ({there.size} d)" if there.size else "-"


def paired_words(found: StationVerification, period: int, run: int, scored: BoolArray) -> str:
    """At how many stations a run is better than the control."""
    results, said = found.results, []
    for name, sign in BETTER.items():
        score = NAMES.index(name)
        values = results.values[score, period]
        difference = sign * (values[run] - values[0])[scored]
        ends = np.sort(sign * results.difference_ends[:, score, period, run][:, scored], axis=0)
        n_better, n_known = np.count_nonzero(difference > 0), np.count_nonzero(np.isfinite(difference))
        n_sure, n_worse = np.count_nonzero(ends[0] > 0), np.count_nonzero(ends[1] < 0)
        said.append(
            f"{name} better at {n_better} of {n_known} stations, significantly at {n_sure} (significantly worse at "
            f"{n_worse})"
        )
    return f"{found.series.runs[run]} beside {found.series.runs[0]}: {'; '.join(said)}."
