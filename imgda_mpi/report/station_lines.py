"""Fig. 11 of the paper: series of control, assimilation and station at a few stations, with rain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import LineStyleType

from imgda_mpi.arrays import FloatArray
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section
from imgda_mpi.report.point_maps import regions_with_points
from imgda_mpi.report.station_maps import NO_STATIONS, period_words
from imgda_mpi.report.theme import (
    CONTROL_COLOUR,
    DOTS_PER_INCH,
    LINE_COLOURS,
    MINUS,
    MOISTURE_LIMITS,
    NORMAL,
    OBSERVED_COLOUR,
    QUIET,
    RAIN_COLOUR,
    SMALL,
    UNIT,
    place_name,
)
from imgda_mpi.report.time_axis import days_since_1970, draw_time_axis
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.day_correlations import DAY, days_of
from imgda_mpi.verify.regions import BOXES
from imgda_mpi.verify.station_verification import NAMES

MOST = 6
"""Stations of a picture."""

HEIGHT, RAIN, ABOVE, TOP, BOTTOM = 1.3, 0.34, 0.3, 0.62, 0.42
"""Inches of a panel, of rain above it, of its title, of title and legend, and of dates."""

SIDES, BETWEEN = (0.62, 0.6), 0.75
"""Inches left and right of all, and between columns."""

STYLES: Sequence[tuple[str, LineStyleType]] = ((CONTROL_COLOUR, "--"), (LINE_COLOURS[1], "-"))
"""Of control and assimilation."""

FEW = 150
"""Values, below which each is marked."""

R = NAMES.index("R")


@dataclass(frozen=True)
class Shown:
    """A station, and why it is shown."""

    number: int
    why: str


def station_lines_section(material: Material) -> Section | str:
    """A picture of each verification at stations."""
    if not material.stations:
        return NO_STATIONS
    pictures = [_picture(found, material) for found in material.stations]
    return Section(pictures=[picture for picture in pictures if picture is not None])


def shown_stations(found: StationVerification, material: Material) -> tuple[list[Shown], str]:
    """At most six stations, and how they are chosen, in words.

    The nearest ones to points that are wanted; else in each of at most two regions those with the largest gain and the
    largest loss of correlation in the first period, and the median one. Of one run alone: by its correlation.
    """
    places, values = found.places, found.results.values[R, 0]
    has_score = np.isfinite(values).all(axis=0)
    if material.wanted.points and (found.results.n_pairs >= found.least_pairs).any():
        numbers = [_nearest(found, *point) for point in material.wanted.points]
        return [Shown(number, "nearest") for number in dict.fromkeys(numbers)][
            :MOST
        ], "those nearest to the points given"
    regions = regions_with_points(
        places.latitude, places.longitude, dict(found.regions), {**BOXES, **material.wanted.boxes}
    )
    is_change = len(values) > 1
    by = values[-1] - values[0] if is_change else values[0]
    sure = np.asarray(found.results.difference_ends[0, R, 0, -1] > 0)
    shown: dict[int, Shown] = {}
    for region in regions:
        order = np.flatnonzero(region.inside & has_score)
        order = order[np.argsort(by[order], kind="stable")]
        if order.size == 0:
            continue
        gains = order[sure[order]] if is_change and sure[order].any() else order
        chosen = zip(
            (gains[-1], order[0], order[order.size // 2]),
            ("largest gain", "largest loss", "median change") if is_change else ("highest R", "lowest R", "median R"),
            strict=True,
        )
        for number, why in chosen:
            if why == "largest gain" and sure[number]:
                why = "largest significant gain"
            if why == "largest loss" and by[number] >= 0:
                why = "smallest gain"
            shown.setdefault(int(number), Shown(int(number), f"{why}, {region.name}"))
    what = "change of correlation" if is_change else "correlation"
    how = f"in each region the largest, the smallest and the median {what} of period {next(iter(found.periods))}"
    if is_change:
        how += ", the largest among those that are significant where there are some"
    return list(shown.values()), how


def _nearest(found: StationVerification, latitude: float, longitude: float) -> int:
    """The station nearest to a point, of those with pairs enough in some period."""
    places = found.places
    there = np.flatnonzero((found.results.n_pairs >= found.least_pairs).any(axis=0))
    north, south = np.radians(places.latitude[there]), np.radians(latitude)
    east = np.radians(places.longitude[there] - longitude)
    cosine = np.sin(north) * np.sin(south) + np.cos(north) * np.cos(south) * np.cos(east)
    return int(there[cosine.argmax()])


def _picture(found: StationVerification, material: Material) -> Picture | None:
    shown, how = shown_stations(found, material)
    if not shown:
        return None
    runs = [0, len(found.series.runs) - 1] if len(found.series.runs) > 1 else [0]
    names = [found.series.runs[run] for run in runs]
    has_rain = bool(np.isfinite(found.rain[:, [one.number for one in shown]]).any())
    drawn = _Drawn(found=found, shown=shown, runs=runs, rain=daily_rain(found)[1] if has_rain else None)
    said = "; ".join(
        f"({letter}) {found.places.names[one.number]} ({one.why}): "
        + _correlations(names, found.results.values[R, 0, runs, one.number])
        for letter, one in zip("abcdef", shown, strict=False)
    )
    return Picture(
        name=f"stations_{found.name}_series",
        figure=_draw(drawn),
        numbers=_numbers(found, shown, runs),
        alt=f"Soil moisture in time at {len(shown)} stations, of {', '.join(names)} and the station; "
        f"correlations: {said}.",
        caption=f"Soil moisture ({UNIT}) of {', '.join(names)} and of stations {found.name} ({found.status})"
        f"{', and rain (mm per day)' if has_rain else '; no rain is known'}. Stations are chosen by a rule: {how}. "
        f"Correlations with the station (R) are of {period_words(found, 0)}. {_others(found)}".strip(),
        is_papers=True,
    )


def _others(found: StationVerification) -> str:
    later = list(found.periods)[1:]
    return f"Dashed lines: where {' and '.join(later)} {'begin' if len(later) > 1 else 'begins'}." if later else ""


def _correlations(names: Sequence[str], values: FloatArray) -> str:
    return ", ".join(f"R {name} {value:.2f}".replace("-", MINUS) for name, value in zip(names, values, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class _Drawn:
    """What is drawn: stations, numbers of the runs, rain (n_days, n_stations) mm per day, None where none is known."""

    found: StationVerification
    shown: Sequence[Shown]
    runs: Sequence[int]
    rain: FloatArray | None

    @property
    def times(self) -> list[datetime]:
        return times_of(self.found)

    @property
    def names(self) -> list[str]:
        return [self.found.series.runs[run] for run in self.runs]

    @property
    def highest(self) -> float:
        """Limit of soil moisture of all panels, with room for the words of the corner."""
        numbers = [one.number for one in self.shown]
        both = self.found.series.measured[:, numbers], self.found.series.values[self.runs][..., numbers]
        return float(np.ceil(max(map(_largest, both)) * 1.3 / 0.1) * 0.1) or MOISTURE_LIMITS[1]

    @property
    def most_rain(self) -> float:
        """Limit of rain of all panels."""
        if self.rain is None:
            return 0.0
        return max(1.0, _largest(self.rain[:, [one.number for one in self.shown]]))


def _largest(values: FloatArray) -> float:
    """Of those that are known, 0 of none."""
    return float(np.nan_to_num(values).max(initial=0.0))


def _draw(drawn: _Drawn) -> Figure:
    """A column, or one for each region where there are more than three stations; the same limits in all panels."""
    n_columns = 1 if len(drawn.shown) <= 3 else 2
    n_rows = -(-len(drawn.shown) // n_columns)
    above = ABOVE + (0.0 if drawn.rain is None else RAIN)
    height = TOP + n_rows * (HEIGHT + above) + BOTTOM
    width = (WIDTH - sum(SIDES) - BETWEEN * (n_columns - 1)) / n_columns
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    for place, (letter, one) in enumerate(zip("abcdef", drawn.shown, strict=False)):
        column, row = divmod(place, n_rows)
        left = SIDES[0] + column * (width + BETWEEN)
        bottom = height - TOP - (row + 1) * (HEIGHT + above)
        axes = figure.add_axes((left / WIDTH, bottom / height, width / WIDTH, HEIGHT / height))
        _draw_station(axes, drawn, one.number)
        axes.set_ylim(0.0, drawn.highest)
        draw_time_axis(axes, with_labels=row == n_rows - 1 or place == len(drawn.shown) - 1)
        top = axes
        if drawn.rain is not None:
            top = figure.add_axes((left / WIDTH, (bottom + HEIGHT) / height, width / WIDTH, RAIN / height), sharex=axes)
            _draw_rain(top, drawn, one.number)
        top.set_title(f"({letter}) {_title(drawn.found, one)}", loc="left", fontsize=SMALL + 0.5, pad=4)
        if column == 0 and row == n_rows // 2:
            axes.set_ylabel(f"Soil moisture ({UNIT})", fontsize=SMALL)
    _draw_legend(figure, drawn, height)
    days = [f"{day.day} {day:%B %Y}" for day in (drawn.times[0], drawn.times[-1])]
    title = f"Stations {drawn.found.name} ({drawn.found.status}), {days[0]} to {days[1]}"
    figure.text(SIDES[0] / WIDTH, 1 - 0.1 / height, title, fontsize=NORMAL + 1.5, va="top", ha="left")
    return figure


def _title(found: StationVerification, one: Shown) -> str:
    where = place_name(float(found.places.latitude[one.number]), float(found.places.longitude[one.number]))
    name = found.places.names[one.number]
    return f"{name if len(name) < 26 else f'{name[:24]}…'}, {where}: {one.why}"


def _draw_station(axes: Axes, drawn: _Drawn, station: int) -> None:
    found, series = drawn.found, drawn.found.series
    times = days_since_1970(drawn.times)
    is_sparse = np.isfinite(series.measured[:, station]).sum() < FEW
    axes.plot(times, series.measured[:, station], color=OBSERVED_COLOUR, linewidth=1.1, marker="." if is_sparse else "")
    for (colour, style), run in zip(STYLES, drawn.runs, strict=False):
        axes.plot(times, series.values[run, :, station], color=colour, linestyle=style, linewidth=1.0)
    for first, _ in list(found.periods.values())[1:]:
        axes.axvline(float(days_since_1970([first])[0]), color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_xlim(times[0], times[-1])
    axes.grid(color="#e4e4e4", linewidth=0.6)
    box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5}
    text = _correlations(drawn.names, found.results.values[R, 0, drawn.runs, station])
    axes.text(0.99, 0.95, text, transform=axes.transAxes, ha="right", va="top", fontsize=SMALL, bbox=box)


def _draw_rain(axes: Axes, drawn: _Drawn, station: int) -> None:
    """Bars that hang from above."""
    assert drawn.rain is not None
    days, _ = daily_rain(drawn.found)
    axes.bar(days_since_1970(days), np.nan_to_num(drawn.rain[:, station]), width=1.0, align="edge", color=RAIN_COLOUR)
    axes.set_ylim(1.05 * drawn.most_rain, 0.0)
    axes.set_yticks([float(f"{0.7 * drawn.most_rain:.1g}")])
    axes.yaxis.tick_right()
    axes.tick_params(labelsize=SMALL, color=QUIET, bottom=False, labelbottom=False)


def _draw_legend(figure: Figure, drawn: _Drawn, height: float) -> None:
    lines = [
        Line2D([], [], color=colour, linestyle=style, label=name)
        for (colour, style), name in zip(STYLES, drawn.names, strict=False)
    ]
    lines.append(Line2D([], [], color=OBSERVED_COLOUR, label="station"))
    if drawn.rain is not None:
        lines.append(Line2D([], [], color=RAIN_COLOUR, linewidth=6, label="rain (mm per day)"))
    figure.legend(
        handles=lines,
        loc="upper left",
        bbox_to_anchor=(SIDES[0] / WIDTH - 0.005, 1 - 0.34 / height),
        ncols=len(lines),
        fontsize=SMALL,
        frameon=False,
        borderaxespad=0.0,
    )


def times_of(found: StationVerification) -> list[datetime]:
    """Times of the series, UTC."""
    return [datetime.fromtimestamp(second, UTC) for second in found.series.seconds.tolist()]


def daily_rain(found: StationVerification) -> tuple[Sequence[datetime], FloatArray]:
    """Days, and rain at the stations, (n_days, n_stations) mm per day: mean rate of the times of the day."""
    days, day = days_of(found.series)
    known = np.isfinite(found.rain)
    total, number = np.zeros((2, days.size, found.rain.shape[1]))
    np.add.at(total, day, np.where(known, found.rain, 0.0))
    np.add.at(number, day, known)
    rain = np.full(total.shape, np.nan)
    np.divide(total * DAY, number, out=rain, where=number > 0)
    return [datetime.fromtimestamp(0, UTC) + timedelta(days=int(one)) for one in days], rain


def _numbers(found: StationVerification, shown: Sequence[Shown], runs: Sequence[int]) -> Numbers:
    """Rows of a station after those of another."""
    numbers = [one.number for one in shown]
    times = times_of(found)
    columns: dict[str, Column] = {
        "station": [found.places.names[number] for number in numbers for _ in times],
        "time": times * len(numbers),
        "measured_m3_m-3": found.series.measured[:, numbers].T.ravel(),
    }
    for run in runs:
        columns[f"{found.series.runs[run]}_m3_m-3"] = found.series.values[run][:, numbers].T.ravel()
    columns["rain_mm_day-1"] = DAY * found.rain[:, numbers].T.ravel()
    return Numbers(columns)
