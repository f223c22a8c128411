"""Maps of days to step through: soil moisture near the surface of a control and a run, and what is between them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.report.frames import frame_at
from imgda_mpi.report.maps import MOISTURE, Panel, Shades, change_shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import UNIT, layer_name, moment

MOST = 12
"""Of days."""


def day_maps_section(material: Material) -> Section | str:
    """Evenly spaced days from the first analysis to the end, after analyses, with the same limits on all."""
    main = [ran for ran in material.histories if ran is material.main]
    runs = list(material.pair or (main or material.histories)[:1])
    every = {ran.name: ran.series for ran in runs}
    series = {name: own for name, own in every.items() if own is not None}
    if not series:
        return "there is no history of a run in what was given"
    first, *others = series.values()
    if any(not other.grid.has_cells_of(first.grid) for other in others):
        return f"{' and '.join(series)} are on other grids"
    times = days_shown(list(series.values()), runs[-1].times[0] if runs[-1].times else None)
    if not times:
        return f"{' and '.join(series)} have no times in common"
    layer = first.layers(frame_at(first, times[0]))[0]
    images = {name: [frame_at(own, time).layer(layer) for time in times] for name, own in series.items()}
    text = [] if others else [f"There is no control to hold {runs[0].name} beside."]
    return Section(text=text, steps=_pictures(first.grid, layer, times, images))


def days_shown(series: Sequence[ImageSeries], since: datetime | None) -> list[datetime]:
    """Times that all series have, one a day, evenly spaced from one on to the end; at most `MOST`."""
    every = [set(own.times or ()) for own in series]
    common = sorted(time for time in set.intersection(*every) if since is None or time >= since)
    if not common:
        return []
    # Of days the time that is nearest to the hour of the first one: what is compared should be of one hour.
    hour = common[0]
    of_day = {
        day: min(
            (time for time in common if time.date() == day),
            key=lambda time: abs((time - hour).total_seconds() / 86400 - round((time - hour).total_seconds() / 86400)),
        )
        for day in sorted({time.date() for time in common})
    }
    days = list(of_day.values())
    places = np.unique(np.round(np.linspace(0, len(days) - 1, min(MOST, len(days)))).astype(int))
    return [days[place] for place in places]


def _pictures(
    grid: Grid, layer: Layer, times: Sequence[datetime], images: dict[str, list[FloatArray]]
) -> list[Picture]:
    land = np.asarray(np.isfinite(np.stack([image for own in images.values() for image in own])).any(axis=0))
    names = list(images)
    panels: list[list[Panel]] = []
    changes = [last - first for first, last in zip(images[names[0]], images[names[-1]], strict=True)]
    shades = change_shades(f"{names[-1]} minus {names[0]}", *changes)
    for number in range(len(times)):
        panels.append([_panel(name, name, own[number], MOISTURE) for name, own in images.items()])
        if len(names) > 1:
            name = f"{names[-1]} minus {names[0]}"
            panels[-1].append(_panel(name, name.replace(" ", "_"), changes[number], shades))
    return [
        Picture(
            name=f"day_{time:%Y%m%dT%H}",
            figure=draw_maps(grid, land, own, len(own), title=f"{layer_name(layer)}, {moment(time)}"),
            numbers=numbers_of_maps(grid, own),
            alt=_alt(layer, time, own),
            caption=f"Soil moisture in {layer_name(layer)} at {moment(time)}, after the analysis where there is one: "
            f"{', '.join(panel.title for panel in own)}. All days have the same limits, {UNIT}.",
            label=f"{time.day} {time:%b %Y}",
        )
        for time, own in zip(times, panels, strict=True)
    ]


def _panel(title: str, column: str, image: FloatArray, shades: Shades) -> Panel:
    return Panel(title=title, image=image, shades=shades, column=f"{column}_m3_m-3")


def _alt(layer: Layer, time: datetime, panels: Sequence[Panel]) -> str:
    means = ", ".join(f"{panel.title} {np.nanmean(panel.image):.3f}" for panel in panels)
    return f"Maps of soil moisture in {layer_name(layer)} at {moment(time)}; means over the cells: {means} {UNIT}."
