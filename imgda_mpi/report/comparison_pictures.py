"""What methods make of one image, the errors that each scale has left, and their scores, of a comparison."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
from matplotlib.figure import Figure

from imgda_mpi.report.comparison_table import heading, remarks, score_lines
from imgda_mpi.report.maps import MOISTURE, WIDTH, Panel, Shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section, Table
from imgda_mpi.report.point_maps import PointPanel, draw_point_maps, regions_with_points
from imgda_mpi.report.theme import (
    DOTS_PER_INCH,
    LINE_COLOURS,
    MINUS,
    NORMAL,
    SIZE_COLOURS,
    SMALL,
    UNIT,
    limits_from_zero,
    moment,
)
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.verify.station_scores import StationScores

NO_COMPARISON = "there is no comparison of methods: imgda_mpi compare makes one"

MOST_PANELS = 18

JUDGED_BY = {"truth": "the truth", "judge": "another image", "stations": "stations"}

REGIONS = ("all land", "observed land", "unseen land")

MARKS = "osD^vP*"


def comparison_section(material: Material) -> Section | str:
    """Images of the first draw, scores, and errors by scale; where stations judge, the scores at these."""
    saved = material.comparison
    if saved is None:
        return NO_COMPARISON
    pictures = [images_picture(saved)]
    if np.isfinite(saved.spectrum).any():
        pictures.append(spectra_picture(saved))
    scored = saved.station_scores
    if scored is not None and scored.used.size:
        pictures.append(stations_picture(saved, scored))
    return Section(
        text=[_sentence(said) for said in (heading(saved), *remarks(saved))],
        tables=_tables(saved),
        pictures=pictures,
    )


def images_picture(saved: SavedComparison) -> Picture:
    """Background, truth or judge, observation, and the analysis of each method, of the first draw."""
    given: list[str] = [name for name in ("background", "truth", "judge", "observation") if name in saved.images]
    # What has no value in the truth has none in any image of a draw.
    land = np.isfinite(saved.images["background"]) & np.isfinite(saved.images.get("truth", saved.images["background"]))
    methods = [number for number in saved.shown() if saved.names[number] != "none"][: MOST_PANELS - len(given)]
    titles: dict[str, str] = {name: name.capitalize() for name in given}
    for number in methods:
        ubrmse = saved.ubrmse[number, 0, saved.main_region]
        said = f": {ubrmse:.4f}" if np.isfinite(ubrmse) else ""
        titles[saved.names[number]] = saved.names[number].replace("(", " (") + said
    panels = [
        Panel(
            title=f"({letter}) {title}",
            image=np.where(land, saved.images[name], np.nan),
            shades=MOISTURE,
            column=f"{name}_m3_m-3",
        )
        for letter, (name, title) in zip("abcdefghijklmnopqr", titles.items(), strict=False)
    ]
    time = moment(datetime.fromtimestamp(saved.times[0], UTC))
    first = f"{'Draw' if saved.noise else 'Time'} 1 of {_of_what(saved)}, {time}"
    of_methods = saved.ubrmse[methods, 0, saved.main_region]
    notes = []
    if np.isfinite(of_methods).any():
        notes.append(f"Numbers in titles: ubRMSE ({UNIT}) over {REGIONS[saved.main_region]}.")
    if (land & ~np.isfinite(saved.images["observation"])).any():
        notes.append("White: land without a value.")
    n_left = len(saved.shown()) - len(methods) - ("none" in saved.names)
    if n_left > 0:
        notes.append(f"{n_left} methods have no room here.")
    errors = ", ".join(
        f"{saved.names[number]} {error:.4f}"
        for number, error in zip(methods, of_methods, strict=True)
        if np.isfinite(error)
    )
    scored = f"; ubRMSE {errors} {UNIT}" if errors else ""
    n_columns = 2 if len(panels) == 4 and saved.grid.is_periodic else 3
    return Picture(
        name="figure",
        figure=draw_maps(saved.grid, land, panels, n_columns, title=first, note=" ".join(notes)),
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"{len(panels)} maps of soil moisture: {', '.join(given)}, and the analyses of {len(methods)} "
        f"methods{scored}.",
        caption=f"Soil moisture ({UNIT}) of {', '.join(given)} and of the analysis of each method, "
        f"{first[0].lower()}{first[1:]}{scored}. {' '.join(notes)}".strip(),
        is_papers=True,
    )


def spectra_picture(saved: SavedComparison) -> Picture:
    """Root mean square error at each scale, mean over draws, of every method."""
    scales = np.arange(1, saved.spectrum.shape[2] + 1)
    figure = Figure(figsize=(WIDTH, 4.4), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0.08, 0.13, 0.58, 0.76))
    columns: dict[str, Column] = {"scale": scales}
    totals = {}
    for place, number in enumerate(saved.shown()):
        name, errors = saved.names[number], np.nanmean(saved.spectrum[number], axis=0)
        columns[f"{name}_m3_m-3"] = errors
        totals[name] = float(np.sqrt(np.square(errors).sum()))
        is_none = name == "none"
        axes.plot(
            scales,
            errors,
            color="black" if is_none else LINE_COLOURS[place % (len(LINE_COLOURS) - 1)],
            linestyle="--" if is_none else "-" if place < len(LINE_COLOURS) else ":",
            marker=MARKS[place % len(MARKS)],
            markersize=5,
            linewidth=1.2,
            label="none (background)" if is_none else name,
        )
    axes.set_title(f"Mean of {_of_what(saved)}, against {JUDGED_BY[saved.judged_by]}", loc="left", fontsize=NORMAL)
    axes.set_xticks(scales)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Curvelet scale (1 is the coarsest)", fontsize=SMALL + 1)
    axes.set_ylabel(f"Root mean square error ({UNIT})", fontsize=SMALL + 1)
    axes.tick_params(labelsize=SMALL)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    figure.legend(loc="upper left", bbox_to_anchor=(0.67, 0.9), fontsize=SMALL, frameon=False)
    best = min(totals, key=lambda name: totals[name])
    return Picture(
        name="spectra",
        figure=figure,
        numbers=Numbers(columns),
        alt=f"Root mean square error at {scales.size} curvelet scales of {len(totals)} methods; in all scales together "
        f"{best} has the least, {totals[best]:.4f} {UNIT}.",
        caption=f"Root mean square error ({UNIT}) that each curvelet scale carries, mean of {_of_what(saved)}, against "
        f"{JUDGED_BY[saved.judged_by]}. In all scales together {best} has the least ({totals[best]:.4f} {UNIT}).",
    )


def stations_picture(saved: SavedComparison, scored: StationScores) -> Picture:
    """Correlation and ubRMSE at the stations, of the first method shown and the best one."""
    assert saved.stations is not None
    first, *others = saved.shown()
    best = min(others, key=lambda number: float(np.nanmean(scored.values[1, number]))) if others else first
    latitude, longitude = (values[scored.used] for values in (saved.stations.latitude, saved.stations.longitude))
    every = {"all stations": np.ones(latitude.size, bool)}
    (region,) = regions_with_points(latitude, longitude, every, {})
    numbers = list(dict.fromkeys((first, best)))
    values = {score: scored.values[score][numbers] for score in (0, 1)}
    shades = {
        0: Shades("Correlation", "viridis", (0.0, 1.0)),
        1: Shades(f"ubRMSE ({UNIT})", SIZE_COLOURS, limits_from_zero(values[1], 0.02)),
    }
    panels, columns = [], dict[str, Column]()
    for row, number in enumerate(numbers):
        for score, form in ((0, ".2f"), (1, ".3f")):
            of_stations = values[score][row]
            mean = f"{np.nanmean(of_stations):{form}}".replace("-", MINUS)
            panels.append(
                PointPanel(
                    title=f"({'abcd'[2 * row + score]}) {'ubRMSE' if score else 'Correlation'}, {saved.names[number]}",
                    values=of_stations,
                    shades=shades[score],
                    corner=f"mean {mean}, n {np.count_nonzero(np.isfinite(of_stations))}",
                )
            )
            columns[f"{saved.names[number]}_{'ubrmse_m3_m-3' if score else 'correlation'}"] = of_stations
    names = [saved.stations.names[number] for number in scored.used.tolist()]
    where: dict[str, Column]
    where = {"station": names, "latitude_degrees_north": latitude, "longitude_degrees_east": longitude}
    said = "; ".join(f"{panel.title[4:]} {panel.corner}" for panel in panels)
    return Picture(
        name="stations",
        figure=draw_point_maps(
            latitude, longitude, panels, [region.extent] * 2, title=f"{_of_what(saved)}, judged by stations"
        ),
        numbers=Numbers(where | columns),
        alt=f"Maps of scores at stations: {said}.",
        caption=f"Correlation over the times and ubRMSE ({UNIT}) at {len(names)} stations, which are held against "
        f"analyses and are not assimilated, of {' and of '.join(saved.names[number] for number in numbers)}"
        f"{', the one with the least mean ubRMSE' if best != first else ''}: {said}.",
    )


def _of_what(saved: SavedComparison) -> str:
    """How many draws, and of which noise."""
    n = saved.case.size
    return f"{n} draws, noise {saved.noise}".replace("m3 m-3", UNIT) if saved.noise else f"{n} times"


def _sentence(said: str) -> str:
    return f"{said[0].upper()}{said[1:]}.".replace("+-", "±").replace("m3 m-3", UNIT)


def _tables(saved: SavedComparison) -> list[Table]:
    """The tables of `comparison_table`, with the signs of letters that have them."""
    tables = []
    for (title, *head), *rows in score_lines(saved):
        cells = [[name, *(_signs(cell) for cell in row)] for name, *row in rows]
        tables.append(Table(title.capitalize(), [["method", *(_units(word) for word in head)], *cells]))
    return tables


def _signs(cell: str) -> str:
    """A cell with the signs that letters of a page have, and errors of two digits.

    >>> _signs("-0.0064+-0.00107").encode("ascii", "replace")
    b'?0.0064???0.0011'
    """
    if cell == "-":
        return cell
    mean, *errors = re.split(r"\+-([\d.]+)", cell)
    error = f"\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{float(errors[0]):.2g}" if errors else ""
    said = mean + error + "".join(errors[1:])
    return said.replace("-", MINUS)


def _units(word: str) -> str:
    """Heads of columns, which have no room for units in a text."""
    for score in ("ubRMSE", "bias"):
        if word.startswith(score):
            return f"{word} ({UNIT})".replace(" - ", f" {MINUS} ")
    return f"{word} (s)" if word == "time" else word
