"""Figs. 9 and 10 of the paper: correlation and ubRMSE at stations, of control and assimilation, and their change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.report.maps import Shades
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.point_maps import PointPanel, Region, draw_point_maps, regions_with_points
from imgda_mpi.report.stations_table import distinct_regions
from imgda_mpi.report.theme import MINUS, SIZE_COLOURS, UNIT, WORSE_IS_RED, limits_from_zero, symmetric_limits
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.regions import BOXES, Box
from imgda_mpi.verify.station_verification import NAMES

NO_STATIONS = "there is no verification at stations: imgda_mpi verify makes one, with sections [stations.NAME]"

LEGEND = "Thick outline: the change is significant (its 95 % interval is without zero)."


@dataclass(frozen=True)
class Score:
    """A score that maps show: its name among `NAMES`, in words, how it is written, and whether more is better."""

    name: str
    words: str
    unit: str
    form: str
    more_is_better: bool

    @property
    def number(self) -> int:
        """Among `NAMES`."""
        return NAMES.index(self.name)

    @property
    def with_unit(self) -> str:
        """The words, and the unit where there is one."""
        return f"{self.words} ({self.unit})" if self.unit else self.words

    @property
    def column(self) -> str:
        """Of the numbers behind a picture."""
        return "ubrmse_m3_m-3" if self.unit else "correlation"


MAPPED = (Score("R", "Correlation", "", ".2f", True), Score("ubRMSE", "ubRMSE", UNIT, ".3f", False))


def station_maps_section(material: Material) -> Section | str:
    """Maps of all verifications at stations: the first period of the first one, others to step through, and a table."""
    if not material.stations:
        return NO_STATIONS
    boxes = {**BOXES, **material.wanted.boxes}
    made = [
        picture
        for found in material.stations
        for period in range(len(found.periods))
        for picture in _of_period(found, period, boxes)
    ]
    n_first = len(_of_which(_regions(material.stations[0], boxes)))
    return Section(
        tables=[_table(found) for found in material.stations if len(found.series.runs) > 1],
        pictures=made[:n_first],
        steps=made[n_first:],
    )


def _regions(found: StationVerification, boxes: dict[str, Box]) -> list[Region]:
    places = found.places
    return regions_with_points(places.latitude, places.longitude, dict(found.regions), boxes)


def _of_which(regions: Sequence[Region]) -> list[list[tuple[Score, Region]]]:
    """Columns of each picture: one score in two regions, or both scores in one."""
    if len(regions) == 1:
        return [[(score, regions[0]) for score in MAPPED]]
    return [[(score, region) for region in regions] for score in MAPPED]


def _of_period(found: StationVerification, period: int, boxes: dict[str, Box]) -> list[Picture]:
    return [_picture(found, period, columns) for columns in _of_which(_regions(found, boxes))]


def _picture(found: StationVerification, period: int, columns: Sequence[tuple[Score, Region]]) -> Picture:
    """Rows: control, the last run, and the last run minus control; or the only run."""
    runs, name = found.series.runs, list(found.periods)[period]
    rows = [0, len(runs) - 1, None] if len(runs) > 1 else [0]
    shades = {score: _shades(found, period, score) for score, _ in columns}
    panels = []
    for row, run in enumerate(rows):
        for column, (score, region) in enumerate(columns):
            letter = "abcdef"[row * len(columns) + column]
            values, sure = _values(found, period, score, run)
            shown = np.where(region.inside, values, np.nan)
            what = runs[run] if run is not None else f"{runs[-1]} {MINUS} {runs[0]}"
            panels.append(
                PointPanel(
                    title=f"({letter}) {score.words}, {what}, {region.name}",
                    values=shown,
                    shades=shades[score][int(run is None)],
                    corner=_corner(shown, sure, score, is_change=run is None),
                    outlined=sure & region.inside if run is None else None,
                )
            )
    scores = list(dict.fromkeys(score for score, _ in columns))
    places = found.places
    title = f"Stations {found.name} ({found.status}), {period_words(found, period)}"
    figure = draw_point_maps(
        places.latitude,
        places.longitude,
        panels,
        [region.extent for _, region in columns],
        title=title,
        note=LEGEND if len(runs) > 1 else "",
    )
    words = " and ".join(
        score.words if score.words.isupper() or score.unit else score.words.lower() for score in scores
    )
    said = "; ".join(_said(found, period, score, region) for score, region in columns)
    return Picture(
        name=f"stations_{found.name}_{name}_{'_'.join(score.column.split('_')[0] for score in scores)}",
        figure=figure,
        numbers=_numbers(found, period, scores),
        alt=f"Maps of {words} at stations: {said}.",
        caption=f"At stations {found.name} ({found.status}), {period_words(found, period)}: {said}. Numbers in corners "
        f"are means over the n stations shown, of the same weight. "
        f"{LEGEND + ' Blue is better.' if len(runs) > 1 else ''}".strip(),
        is_papers=True,
        label=f"{found.name}, {name}" + (f", {words}" if len(scores) == 1 else ""),
    )


def period_words(found: StationVerification, period: int) -> str:
    """A period by its name and days."""
    name = list(found.periods)[period]
    first, last = found.periods[name]
    return f"period {name} ({first.day} {first:%B %Y} to {last.day} {last:%B %Y})"


def _values(found: StationVerification, period: int, score: Score, run: int | None) -> tuple[FloatArray, BoolArray]:
    """Of a run, or of the last one minus the first; and where that change is significant, (n_stations,)."""
    of_period = found.results.values[score.number, period]
    low, high = found.results.difference_ends[:, score.number, period, -1]
    sure = (low > 0) | (high < 0)
    return (of_period[-1] - of_period[0] if run is None else of_period[run]), np.asarray(sure)


def _shades(found: StationVerification, period: int, score: Score) -> tuple[Shades, Shades]:
    """Of the score, the same for both runs and all regions, and of its change: better is blue."""
    values = found.results.values[score.number, period][[0, -1]]
    limits = limits_from_zero(values, 0.02) if score.unit else (0.0, 1.0)
    of_runs = Shades(f"{score.with_unit}", SIZE_COLOURS if score.unit else "viridis", limits)
    changes = symmetric_limits(values[1] - values[0], 0.005 if score.unit else 0.05)
    colours = WORSE_IS_RED if score.more_is_better else f"{WORSE_IS_RED}_r"
    label = f"Change of {score.words if score.unit else score.words.lower()}"
    return of_runs, Shades(f"{label} ({score.unit}; blue is better)".replace("(; ", "("), colours, changes)


def _corner(values: FloatArray, sure: BoolArray, score: Score, *, is_change: bool) -> str:
    known = np.isfinite(values)
    if not known.any():
        return "n 0"
    text = f"mean {_number(float(values[known].mean()), score, is_change)}, n {np.count_nonzero(known)}"
    if is_change:
        better, worse = _counts(values, sure, score)
        text += f"\nsignificantly better {better}, worse {worse}"
    return text


def _counts(changes: FloatArray, sure: BoolArray, score: Score) -> tuple[int, int]:
    """At how many stations a change is significant for the better and for the worse."""
    gain = changes if score.more_is_better else -changes
    return int(np.count_nonzero(sure & (gain > 0))), int(np.count_nonzero(sure & (gain < 0)))


def _number(value: float, score: Score, is_change: bool = False) -> str:
    return format(value, ("+" if is_change else "") + score.form).replace("-", MINUS)


def _said(found: StationVerification, period: int, score: Score, region: Region) -> str:
    """The means of a region, in words."""
    means = []
    for run in dict.fromkeys((0, len(found.series.runs) - 1)):
        values = _values(found, period, score, run)[0][region.inside]
        if not np.isfinite(values).any():
            return f"no station of {region.name} has enough pairs"
        means.append(f"{_number(float(np.nanmean(values)), score)} of {found.series.runs[run]}")
    unit = f" {score.unit}" if score.unit else ""
    n_known = int(np.isfinite(_values(found, period, score, None)[0][region.inside]).sum())
    name = score.words if score.unit else score.words.lower()
    return f"mean {name} in {region.name} {' and '.join(means)}{unit} (n {n_known})"


def _numbers(found: StationVerification, period: int, scores: Sequence[Score]) -> Numbers:
    places, runs = found.places, found.series.runs
    table: dict[str, Column] = {
        "station": list(places.names),
        "latitude_degrees_north": places.latitude,
        "longitude_degrees_east": places.longitude,
    }
    table |= {f"in_{name.replace(' ', '_')}": inside.astype(np.int64) for name, inside in found.regions.items()}
    for score in scores:
        for run in dict.fromkeys((0, len(runs) - 1)):
            table[f"{runs[run]}_{score.column}"] = _values(found, period, score, run)[0]
        if len(runs) > 1:
            table[f"change_{score.column}"], sure = _values(found, period, score, None)
            table[f"change_of_{score.name}_is_significant"] = sure.astype(np.int64)
    return Numbers(table)


def _table(found: StationVerification) -> Table:
    """Means of every run, region and period, and at how many stations it is better than the control."""
    rows = [["run", "region", "period", "n"]]
    for score in MAPPED:
        unit = f" ({score.unit})" if score.unit else ""
        rows[0] += [f"{score.name}{unit}", "change", f"{score.name} better at"]
    names, members = list(found.regions), list(found.regions.values())
    for period, name in enumerate(found.periods):
        for regions in distinct_regions(found):
            inside = members[regions[0]]
            scored = inside & (found.results.n_pairs[period] >= found.least_pairs)
            region = " = ".join(names[number] for number in regions)
            for run, of_run in enumerate(found.series.runs):
                cells = [cell for score in MAPPED for cell in _cells(found, period, score, run, inside)]
                rows.append([of_run, region, name, str(np.count_nonzero(scored)), *cells])
    return Table(
        f"Scores at stations {found.name} ({found.status}), means over stations of the same weight; change and better "
        f"beside {found.series.runs[0]}, in brackets where that is significant: better, worse",
        rows,
    )


def _cells(found: StationVerification, period: int, score: Score, run: int, inside: BoolArray) -> list[str]:
    values = found.results.values[score.number, period][:, inside]
    if not np.isfinite(values[run]).any():
        return ["-"] * 3
    mean = _number(float(np.nanmean(values[run])), score)
    if run == 0:
        return [mean, "", ""]
    changes = values[run] - values[0]
    low, high = found.results.difference_ends[:, score.number, period, run][:, inside]
    better, worse = _counts(changes, np.asarray((low > 0) | (high < 0)), score)
    n_better = int(np.count_nonzero((changes if score.more_is_better else -changes) > 0))
    n_known = int(np.count_nonzero(np.isfinite(changes)))
    change = _number(float(np.nanmean(changes)), score, is_change=True) if n_known else "-"
    return [mean, change, f"{n_better} of {n_known} ({better}, {worse})"]
