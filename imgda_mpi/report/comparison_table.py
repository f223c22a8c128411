"""Tables of the scores of a comparison, as text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import columns
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.verify.block_bootstrap import PLAIN, WORDS, Scale, intervals
from imgda_mpi.verify.station_scores import LEAST_PAIRS, NAMES, SCALES, StationScores

REFERENCES = ("none", "pointwise")
"""Methods that the others are compared with, draw by draw or station by station; where a truth is known the last."""

WRONG = 1.4  # factor between expected and true errors

ROUNDING = 1e-7  # m3 m-3: methods that do the same are not worse than one another

TUNED = "* its length is the best of those tried, found with what judges: no method of practice"


def comparison_table(saved: SavedComparison) -> str:
    """Scores of every method, mean and standard error, against a truth, an image or stations; no newline at its end."""
    blocks = [heading(saved), *(columns(lines) for lines in score_lines(saved)), *remarks(saved)]
    return "\n\n".join(blocks)


def score_lines(saved: SavedComparison) -> list[list[list[str]]]:
    """The same as tables of cells, whose first lines are heads, and the first cells of these titles."""
    scored = saved.station_scores
    if scored is not None:
        return _station_lines(saved, scored)
    if saved.n_cells[:, 2].sum() == 0:
        return [_region_lines(saved, saved.main_region, f"all land, all of it observed ({_cells(saved, 0)})")]
    names = ("all land", "observed land", "unseen land")
    order = (0, 1, 2) if saved.main_region == 0 else (1, 0, 2)
    return [_region_lines(saved, n, f"{names[n]} ({_cells(saved, n)})") for n in order]


def remarks(saved: SavedComparison) -> list[str]:
    """What is to be said of the tables."""
    said = []
    if saved.station_scores is not None:
        block = saved.station_scores.block
        said.append(f"In brackets 95 % intervals of the mean over these stations: {WORDS}, {block} in a block")
    if any(saved.is_tuned(number) for number in saved.shown()):
        said.append(TUNED)
    return said + _expected_errors(saved)


def _expected_errors(saved: SavedComparison) -> list[str]:
    """Where a truth is known: what methods expect of their errors, and what is doubtful of that."""
    if saved.judged_by != "truth":
        return []
    ratios = {saved.names[number]: saved.expected_over_true(number) for number in saved.shown()}
    ratios = {name: ratio for name, ratio in ratios.items() if np.isfinite(ratio)}
    if not ratios:
        return []
    lines = ["expected over true error of the analysis, observed land: "]
    lines[0] += ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
    for name, ratio in ratios.items():
        if not 1 / WRONG <= ratio <= WRONG:
            lines.append(
                f"{name}: its errors are not what it takes them for: correct [errors] observation, its coherent_share "
                "or, where there are members, their inflation"
            )
    return ["\n".join(lines)]


def heading(saved: SavedComparison) -> str:
    """What is compared, and over what means are."""
    n_draws, n_cases, n_times = saved.case.size, np.unique(saved.case).size, np.unique(saved.times).size
    passed = f" ({saved.n_passed_over} without a file passed over)" if saved.n_passed_over else ""
    if saved.judged_by != "truth":
        what = f"{n_times} time{'s' * (n_times > 1)}{passed}, observations as they are, judged by "
        what += "another image" if saved.judged_by == "judge" else "stations"
        over = "the times" if saved.judged_by == "judge" else "the stations"
    else:
        n_truths = n_cases // n_times
        times = f", {n_times} times{passed}" if n_times > 1 or passed else ""
        what = f"{n_draws} draws of noise {saved.noise}, {n_truths} truth{'s' * (n_truths > 1)}{times}"
        each = "truths" if n_times == 1 else "times" if n_times == n_cases else "times and truths"
        over = f"the {each}, means of their draws" if n_cases > 1 else "the draws"
    return f"{what}: mean +- standard error over {over}, ubRMSE and bias in m3 m-3, median time in s"


def _cells(saved: SavedComparison, region: int) -> str:
    """Cells of a region, on average where draws differ."""
    n_cells = saved.n_cells[:, region]
    return f"{n_cells[0]} cells" if np.ptp(n_cells) == 0 else f"{n_cells.mean():.0f} cells on average"


def _region_lines(saved: SavedComparison, region: int, title: str) -> list[list[str]]:
    """Scores on the cells of a region."""
    references = [name for name in REFERENCES if name in saved.names]
    references = [name for name in references if saved.judged_by != "truth" or name == REFERENCES[-1]]
    paired = [word for name in references for word in (f"ubRMSE - {name}", "draws not worse")]
    lines = [[title, "SCC", "ubRMSE", "bias", *paired, "time"]]
    for number in saved.shown():
        ubrmse = saved.ubrmse[number, :, region]
        cells = [
            _with_error(saved.independent(saved.scc[number, :, region])),
            _with_error(saved.independent(ubrmse), ".5f"),
            _with_error(saved.independent(saved.bias[number, :, region]), "+.4f"),
        ]
        for name in references:
            difference = ubrmse - saved.ubrmse[saved.names.index(name), :, region]
            there = difference[np.isfinite(difference)]
            share = f"{100 * np.mean(there <= ROUNDING):.0f} %" if there.size else "-"
            cells += [_with_error(saved.independent(difference), "+.5f"), share]
        lines.append([_name(saved, number), *cells, f"{np.median(saved.seconds[number]):.3f}"])
    return lines


def _station_lines(saved: SavedComparison, scored: StationScores) -> list[list[list[str]]]:
    """Scores at the stations, and their differences from those of the methods of reference."""
    n_left = scored.n_pairs.size - scored.used.size
    left = f"; {n_left} with fewer than {LEAST_PAIRS} pairs left out" if n_left else ""
    title = f"{scored.used.size} stations, {scored.n_pairs[scored.used].sum()} pairs{left}"
    lines = [[title, *NAMES, "time"]]
    for number in saved.shown():
        cells = [
            _at_stations(scored.values[n, number], scored.resampled[n, number], scored.n_blocks, scale)
            for n, scale in enumerate(SCALES)
        ]
        lines.append([_name(saved, number), *cells, f"{np.median(saved.seconds[number]):.3f}"])
    blocks = [lines]
    for name in (one for one in REFERENCES if one in saved.names and len(saved.names) > 1):
        other = saved.names.index(name)
        lines = [[f"minus {name}", *NAMES]]
        for number in (one for one in saved.shown() if one != other):
            paired = scored.values[:, number] - scored.values[:, other]
            resampled = scored.resampled[:, number] - scored.resampled[:, other]
            cells = [_at_stations(paired[n], resampled[n], scored.n_blocks, PLAIN, "+.4f") for n in range(len(NAMES))]
            lines.append([_name(saved, number), *cells])
        blocks.append(lines)
    return blocks


def _at_stations(values: FloatArray, resampled: FloatArray, n_blocks: int, scale: Scale, form: str = ".4f") -> str:
    """Mean and standard error over stations, and the interval over times.

    >>> _at_stations(np.array([np.nan]), np.array([np.nan, np.nan]), 4, PLAIN)
    '-'
    """
    defined = values[np.isfinite(values)]
    if defined.size == 0:
        return "-"
    low, high = intervals(defined.mean(keepdims=True), resampled[:, None], n_blocks, scale)[:, 0]
    return f"{_with_error(defined, form)} [{format(low, form)}, {format(high, form)}]"


def _name(saved: SavedComparison, number: int) -> str:
    return saved.names[number] + (" *" if saved.is_tuned(number) else "")


def _with_error(values: Sequence[float] | FloatArray, form: str = ".4f") -> str:
    """Mean and standard error of numbers that are all defined.

    >>> _with_error([0.1, 0.3])
    '0.2000+-0.10000'
    >>> _with_error([])
    '-'
    """
    numbers = np.asarray(values)
    if numbers.size == 0:
        return "-"
    if numbers.size < 2:
        return format(float(np.mean(numbers)), form)
    return f"{format(float(np.mean(numbers)), form)}+-{numbers.std(ddof=1) / np.sqrt(numbers.size):.5f}"
