"""Fig. 12 of the paper: a day minus the mean of the period, of runs and at stations, and its rain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.report.maps import Shades, change_shades
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section
from imgda_mpi.report.point_maps import PointPanel, Region, draw_point_maps, regions_with_points
from imgda_mpi.report.station_lines import daily_rain
from imgda_mpi.report.station_maps import NO_STATIONS, period_words
from imgda_mpi.report.theme import MINUS, UNIT, limits_from_zero
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.day_correlations import LEAST_STATIONS, day_departures
from imgda_mpi.verify.regions import BOXES, Box

ENOUGH = 0.5
"""Share of the stations that a day must have to be chosen."""


def anomalies_section(material: Material) -> Section | str:
    """A picture of each verification at stations."""
    if not material.stations:
        return NO_STATIONS
    boxes = {**BOXES, **material.wanted.boxes}
    made = [_picture(found, material.wanted.day, boxes) for found in material.stations]
    pictures = [picture for picture in made if isinstance(picture, Picture)]
    return Section(text=[said for said in made if isinstance(said, str)], pictures=pictures)


def _picture(found: StationVerification, wanted: date | None, boxes: dict[str, Box]) -> Picture | str:
    """The picture, or why there is none."""
    days = [datetime.fromtimestamp(int(day) * 86400, UTC).date() for day in found.days.days]
    if wanted is not None and wanted not in days:
        return f"Stations {found.name} have no value on {_day(wanted)}; another day can be given with --day."
    period = _period_of(found, wanted)
    of_period = _times_of(found, period)
    away = day_departures(found.series, of_period, found.least_pairs)
    _, rain = daily_rain(found)
    number, how = (days.index(wanted), "the day given") if wanted else chosen_day(away[0], rain)
    if not np.isfinite(away[0, number]).any():
        return f"Stations {found.name}: no station has a pair on {_day(days[number])}."
    places = found.places
    regions = regions_with_points(places.latitude, places.longitude, dict(found.regions), boxes)
    regions = [region for region in regions if np.isfinite(away[0, number][region.inside]).any()]
    panels = _panels(found, away[:, number], rain[number], regions, period, number)
    n_each = len(panels) // len(regions)
    repeats = 1 if len(regions) > 1 else 2 if n_each % 2 == 0 else 3
    when = f"{_day(days[number])}, minus the mean of {period_words(found, period)}"
    runs = [found.series.runs[run] for run in _shown_runs(found)]
    said = "; ".join(_correlations(found, period, region, number) for region in regions)
    return Picture(
        name=f"stations_{found.name}_anomalies",
        figure=draw_point_maps(
            places.latitude,
            places.longitude,
            panels,
            [region.extent for region in regions for _ in range(repeats)],
            title=f"Anomalies of {_day(days[number])}, stations {found.name} ({found.status})",
        ),
        numbers=_numbers(found, away[:, number], rain[number]),
        alt=f"Maps of anomalies of soil moisture on {_day(days[number])} of {', '.join(runs)} and stations; "
        f"correlation across stations: {said}.",
        caption=f"Anomalies of soil moisture ({UNIT}): mean of {when}, of {', '.join(runs)} at the stations "
        f"{found.name} ({found.status}) and of the stations themselves; the day is {how}. Correlation of runs with "
        f"stations across the stations: {said}.{_rain_words(rain[number])}",
        is_papers=True,
    )


def _rain_words(rain: FloatArray) -> str:
    return " Rain is the mean rate of the day (mm per day)." if np.isfinite(rain).any() else ""


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _period_of(found: StationVerification, wanted: date | None) -> int:
    """The first period that has the day; the first one of all without."""
    for number, (first, last) in enumerate(found.periods.values()):
        if wanted is not None and first.date() <= wanted <= last.date():
            return number
    return 0


def _times_of(found: StationVerification, period: int) -> BoolArray:
    first, last = list(found.periods.values())[period]
    return np.asarray((found.series.seconds >= first.timestamp()) & (found.series.seconds <= last.timestamp()))


def chosen_day(measured: FloatArray, rain: FloatArray) -> tuple[int, str]:
    """Number of the day of the most rain among days that half of the stations have, and these words.

    Where no rain is known, the day on which stations are farthest from their means.

    Parameters
    ----------
    measured : day minus mean of the period, (n_days, n_stations), NaN where there is no pair
    rain : (n_days, n_stations) mm per day, NaN where it is not known
    """
    there = np.isfinite(measured)
    n_stations = there.sum(axis=1)
    enough = n_stations >= ENOUGH * max(1, int(there.any(axis=0).sum()))
    enough = enough if enough.any() else n_stations == n_stations.max()
    has_rain = there & np.isfinite(rain)
    if has_rain[enough].any():
        mean = _mean_of_days(rain, has_rain)
        how = "that of the most rain at the stations, of days that half of them have"
    else:
        mean = _mean_of_days(measured**2, there)
        how = "that on which the stations are farthest from their means, as no rain is known"
    return int(np.argmax(np.where(enough & np.isfinite(mean), mean, -1.0))), how


def _mean_of_days(values: FloatArray, there: BoolArray) -> FloatArray:
    """Means over stations, (n_days,), NaN of days without any."""
    number = there.sum(axis=1)
    mean = np.full(number.shape, np.nan)
    np.divide(np.where(there, values, 0.0).sum(axis=1), number, out=mean, where=number > 0)
    return mean


def _panels(
    found: StationVerification,
    away: FloatArray,
    rain: FloatArray,
    regions: Sequence[Region],
    period: int,
    day: int,
) -> list[PointPanel]:
    """Rows: first run, last run, stations and, where it is known, rain; a column for each region."""
    runs = _shown_runs(found)
    anomalies = change_shades("Day minus mean of the period", away[[0, *(1 + run for run in runs)]])
    rows: list[tuple[str, FloatArray, Shades, int | None]]
    rows = [(found.series.runs[run], away[1 + run], anomalies, run) for run in runs]
    rows.append(("stations", away[0], anomalies, None))
    if np.isfinite(rain).any():
        shades = Shades("Rain (mm per day)", "Blues", limits_from_zero(rain, 1.0))
        rows.append(("rain", np.where(np.isfinite(away[0]), rain, np.nan), shades, None))
    panels = []
    for row, (name, values, shades, run) in enumerate(rows):
        for column, region in enumerate(regions):
            letter = "abcdefgh"[row * len(regions) + column]
            shown = np.where(region.inside, values, np.nan)
            corner = f"n {np.count_nonzero(np.isfinite(shown))}"
            if run is not None:
                corner = f"R {_correlation(found, period, run, region, day)}, {corner}"
            title = f"({letter}) {name[0].upper() + name[1:] if run is None else name}, {region.name}"
            panels.append(PointPanel(title=title, values=shown, shades=shades, corner=corner))
    return panels


def _shown_runs(found: StationVerification) -> list[int]:
    """The first and the last one."""
    return sorted({0, len(found.series.runs) - 1})


def _correlation(found: StationVerification, period: int, run: int, region: Region, day: int) -> str:
    value = float(found.days.values[period, run, region.number, day])
    return f"{value:.2f}".replace("-", MINUS) if np.isfinite(value) else f"- (fewer than {LEAST_STATIONS} stations)"


def _correlations(found: StationVerification, period: int, region: Region, day: int) -> str:
    of_runs = [
        f"{found.series.runs[run]} {_correlation(found, period, run, region, day)}" for run in _shown_runs(found)
    ]
    return f"{region.name} {', '.join(of_runs)}"


def _numbers(found: StationVerification, away: FloatArray, rain: FloatArray) -> Numbers:
    places = found.places
    table: dict[str, Column] = {
        "station": list(places.names),
        "latitude_degrees_north": places.latitude,
        "longitude_degrees_east": places.longitude,
        "station_anomaly_m3_m-3": away[0],
    }
    table |= {f"{found.series.runs[run]}_anomaly_m3_m-3": away[1 + run] for run in _shown_runs(found)}
    return Numbers(table | {"rain_mm_day-1": rain})
