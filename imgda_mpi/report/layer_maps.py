"""Fig. 6 of the paper: images of reference in two layers at a time, and runs minus them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import InputError
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.layers import same_layer
from imgda_mpi.observations.regrid import METHODS
from imgda_mpi.report.depth_series import depth_series
from imgda_mpi.report.frames import frame_after
from imgda_mpi.report.maps import MOISTURE, Panel, Shades, change_shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Beside, Material, Ran
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import UNIT, layer_name, moment

N_LAYERS = 2
"""From the surface down, as in the paper."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerImages:
    """Images of one moment.

    Parameters
    ----------
    name : of the run, or of the reference
    images : by layer, (ny, nx) m3 m-3 each
    status : by layer, of a reference; empty of runs
    """

    name: str
    images: dict[Layer, FloatArray]
    status: dict[Layer, str]


def layer_maps_section(material: Material) -> Section | str:
    """Maps of all runs at one time beside the images that judge, or where there are none beside the control."""
    known = material.histories
    if not known:
        return "there is no history of a run in what was given"
    grid, time = _series(known[0]).grid, _time_of(material)
    if time is None:
        return "there is no analysis and no other time to show: choose one with --time"
    said: list[str] = []
    runs = [found for ran in known if (found := _of_run(ran, grid, time, said)) is not None]
    if not runs:
        return " ".join(said)
    beside = material.beside[0] if material.beside else None
    reference = None if beside is None else _of_beside(beside, grid, time, said)
    if reference is None and len(runs) == 1:
        return " ".join([*said, f"there is nothing that {runs[0].name} could be held beside"])
    return Section(text=said, pictures=[_picture(material, grid, time, reference, runs)])


def _series(ran: Ran | Beside) -> ImageSeries:
    if ran.series is None:
        raise ValueError(f"{ran.name} has no history")
    return ran.series


def _time_of(material: Material) -> datetime | None:
    """The time that is wanted, else that of the last analysis, else the last one of the first run."""
    times = _series(material.histories[0]).times
    return material.wanted.time or material.last_analysis or (times[-1] if times else None)


def _of_run(ran: Ran, grid: Grid, time: datetime, said: list[str]) -> LayerImages | None:
    series = _series(ran)
    if not series.grid.has_cells_of(grid):
        ny, nx = series.grid.shape
        said.append(f"{ran.name} is on another grid ({ny} x {nx} cells) than the first run, and is left out.")
        return None
    images = _images_at(ran.name, series, time, said)
    return None if images is None else LayerImages(name=ran.name, images=images, status={})


def _of_beside(beside: Beside, grid: Grid, time: datetime, said: list[str]) -> LayerImages | None:
    series = beside.series
    images = _images_at(beside.name, series, time, said)
    if images is None:
        return None
    if not series.grid.has_cells_of(grid):
        regridded = METHODS[beside.regridding](series.grid, grid)
        images = {layer: regridded(image) for layer, image in images.items()}
    return LayerImages(name=beside.name, images=images, status=dict(beside.status))


def _images_at(name: str, series: ImageSeries, time: datetime, said: list[str]) -> dict[Layer, FloatArray] | None:
    """Images of the upper layers, after the analysis where there is one; None, and a sentence, where there are none."""
    frame = frame_after(series, time)
    if frame is None:
        said.append(f"{name} has no image of {moment(time)}{nearest_times(series.times, time)}.")
        return None
    return {layer: frame.layer(layer) for layer in series.layers(frame)[:N_LAYERS]}


def nearest_times(times: Sequence[datetime] | None, time: datetime) -> str:
    """Words for the times before and after one that there is not, with a colon; nothing where none is known.

    >>> every = [datetime(2022, 6, day) for day in (1, 3, 9)]
    >>> nearest_times(every, datetime(2022, 6, 4))
    ': the nearest are of 3 June 2022, 00:00 UTC and 9 June 2022, 00:00 UTC'
    """
    before = [max(found)] if (found := [one for one in times or () if one < time]) else []
    after = [min(found)] if (found := [one for one in times or () if one > time]) else []
    words = " and ".join(map(moment, before + after))
    if not words:
        return ""
    return f": the nearest {'are' if before and after else 'is'} of {words}"


def _marks(material: Material) -> Sequence[tuple[float, float]]:
    """Where the sections in depth are."""
    try:
        found = depth_series(material)
    except InputError:
        return ()  # The part that shows the sections says why there are none.
    return () if isinstance(found, str) else [(place.latitude, place.longitude) for place in found.places]


def _picture(
    material: Material, grid: Grid, time: datetime, reference: LayerImages | None, runs: Sequence[LayerImages]
) -> Picture:
    """A row of maps for the reference and each run minus it; without a reference the first run is it."""
    marks = _marks(material)
    first, *others = runs if reference is None else [reference, *runs]
    layers = [layer for layer in first.images if all(_find(layer, run.images) is not None for run in others)]
    differences = {(run.name, layer): _of_layer(run, layer) - first.images[layer] for run in others for layer in layers}
    shades = change_shades(f"Difference from {first.name}", *differences.values())
    letters = iter("abcdefghijklmnopqrstuvwxyz" * 9)
    panels = [
        _panel(f"({next(letters)}) {first.name}, {_words(layer, first)}", first.name, layer, first.images[layer])
        for layer in layers
    ]
    for (name, layer), image in differences.items():
        title = f"({next(letters)}) {name} minus {first.name}, {layer_name(layer)}: RMS {_rms(image):.3f}"
        panels.append(_panel(title, f"{name}_minus_{first.name}", layer, image, shades))
    panels[-1] = replace(panels[-1], marks=marks)
    return Picture(
        name="layer_maps",
        figure=draw_maps(grid, _land(panels), panels, len(layers), title=f"Soil moisture, {moment(time)}"),
        numbers=numbers_of_maps(grid, panels),
        alt=_alt(first.name, differences),
        caption=_caption(time, first, layers, _judging(first, layers, material), bool(marks)),
        is_papers=True,
    )


def _find(layer: Layer, images: dict[Layer, FloatArray]) -> Layer | None:
    return next((own for own in images if same_layer(own, layer)), None)


def _of_layer(run: LayerImages, layer: Layer) -> FloatArray:
    own = _find(layer, run.images)
    if own is None:
        raise ValueError(f"{run.name} has no layer {layer}")
    return run.images[own]


def _words(layer: Layer, first: LayerImages) -> str:
    own = next((word for key, word in first.status.items() if same_layer(key, layer)), "")
    return f"{layer_name(layer)} ({own})" if own else layer_name(layer)


def _panel(title: str, name: str, layer: Layer, image: FloatArray, shades: Shades = MOISTURE) -> Panel:
    top, bottom = (f"{100 * edge:g}" for edge in layer)
    return Panel(title=title, image=image, shades=shades, column=f"{name}_{top}-{bottom}_cm_m3_m-3")


def _land(panels: Sequence[Panel]) -> BoolArray:
    return np.asarray(np.isfinite(np.stack([panel.image for panel in panels])).any(axis=0))


def _rms(image: FloatArray) -> float:
    """Root mean square over the cells with a value, each of the same weight; NaN of none."""
    known = image[np.isfinite(image)]
    return float(np.sqrt(np.mean(np.square(known)))) if known.size else float("nan")


def _alt(name: str, differences: dict[tuple[str, Layer], FloatArray]) -> str:
    sizes = ", ".join(f"{run} {layer_name(layer)} {_rms(image):.3f}" for (run, layer), image in differences.items())
    return f"Maps of soil moisture of {name} and of differences from it, whose root mean squares are {sizes} {UNIT}."


def _judging(first: LayerImages, layers: Sequence[Layer], material: Material) -> str:
    """Whether what differences are from judges, in words."""
    if first.status:
        return f"What judges is {first.name}: {', '.join(_words(layer, first) for layer in layers)}."
    said = "No image of reference judges here"
    return f"{said}: differences are what assimilation has changed." if material.assimilations else f"{said}."


def _caption(time: datetime, first: LayerImages, layers: Sequence[Layer], judging: str, has_marks: bool) -> str:
    names = " and ".join(map(layer_name, layers))
    said = (
        f"Soil moisture of {first.name} in {names} at {moment(time)}, after the analysis where there is one, and each "
        f"run minus it. {judging} RMS: root mean square over cells of equal weight, {UNIT}; red is drier, blue is "
        "wetter."
    )
    return said + " Stars mark the places of the sections in depth." * has_marks
