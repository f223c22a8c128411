"""Errors of runs by curvelet scale: which structures they have, and which not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import InputError
from imgda_mpi.report.maps import WIDTH
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Column, Numbers, Picture, Section
from imgda_mpi.report.theme import DOTS_PER_INCH, LINE_COLOURS, NORMAL, QUIET, SMALL, UNIT, layer_name
from imgda_mpi.results.field_scores_file import FieldScores
from imgda_mpi.verify.scales import shortest_waves
from imgda_mpi.verify.status import INDEPENDENT

MARKERS = "os^Dv*X"
"""Of runs, beside `LINE_COLOURS`; control is dashed."""

LEFT, BETWEEN, RIGHT = 0.65, 0.15, 0.15
ABOVE, TALL, GAP, BELOW = 0.65, 1.7, 0.12, 1.15
"""Inches: beside panels; above, each of two rows, between them, and dates with their label and the legend below."""


def scale_errors_section(material: Material) -> Section | str:
    """A picture for each series of images and each period in which scales are told apart."""
    waves = _waves(material)
    pictures = [
        _picture(fields, period, _control_of(fields, material), waves)
        for fields in sorted(material.fields, key=_is_assimilated)
        for period in range(len(fields.periods))
        if layers_with_scales(fields, period)
    ]
    if not pictures:
        return "there are no errors by scale: they are of verifications with images"
    return Section(pictures=pictures)


def _is_assimilated(fields: FieldScores) -> bool:
    """What is independent judges first."""
    return not any(INDEPENDENT in of_layers for of_layers in fields.status)


def _control_of(fields: FieldScores, material: Material) -> str:
    """Name of the control: of runs that no folder tells about the first one of several."""
    control = "" if material.control is None else material.control.name
    return control if control in fields.runs or len(fields.runs) == 1 else fields.runs[0]


def _waves(material: Material) -> FloatArray:
    """The shortest waves of each scale on the grid of the runs, m; none where that is not known."""
    try:
        series = next((ran.series for ran in material.histories), None)
    except InputError:
        series = None  # Scales have numbers then.
    n_scales = {fields.by_scale["error_by_scale"].shape[-1] for fields in material.fields}
    return np.empty(0) if series is None or len(n_scales) != 1 else shortest_waves(series.grid, n_scales.pop())


def layers_with_scales(fields: FieldScores, period: int) -> list[int]:
    """Numbers of the layers in which scales are told apart in a period."""
    known = np.isfinite(fields.by_scale["error_by_scale"][fields.period == period]).any(axis=(0, 1, 2, 4))
    return [int(number) for number in np.flatnonzero(known)]


def _picture(fields: FieldScores, period: int, control: str, waves: FloatArray) -> Picture:
    """Error and correlation by scale, a column of panels for each layer."""
    layers, sizes = layers_with_scales(fields, period), []
    surface = layers[0]
    for run in range(len(fields.runs)):
        error = fields.mean_by_scale("error_by_scale", period, "after", run, surface)
        scale = int(np.nanargmax(error)) if np.isfinite(error).any() else 0
        sizes.append(f"{fields.runs[run]} at scale {scale + 1}, {error[scale]:.3f} {UNIT}")
    name = fields.periods[period]
    most = f"In {layer_name(fields.layers[surface])} the largest error is of {', '.join(sizes)}."
    statuses = "; ".join(f"{layer_name(fields.layers[one])} {fields.status[period][one]}" for one in layers)
    return Picture(
        name=f"errors_by_scale_{fields.name}_{name}",
        figure=_draw(fields, period, control, waves),
        numbers=Numbers(_table(fields, period, waves)),
        alt=f"Errors and correlations by curvelet scale against {fields.name} in {name}. {most}",
        caption=f"What each curvelet scale carries of the error ({UNIT}, root mean square; squares add up to that of "
        f"the ubRMSE) and the correlation of its coefficients, against {fields.name} in {name} ({statuses}), after "
        f"analyses. Grey: what the scale carries of {fields.name} itself: an error as large says that nothing of it is "
        f"known. {most}",
    )


def _table(fields: FieldScores, period: int, waves: FloatArray) -> Mapping[str, Column]:
    """Long form: a line for each layer, run and scale."""
    n_scales = fields.by_scale["error_by_scale"].shape[-1]
    places = [(layer, run) for layer in layers_with_scales(fields, period) for run in range(len(fields.runs))]

    def values(what: str) -> FloatArray:
        return np.concatenate([fields.mean_by_scale(what, period, "after", run, layer) for layer, run in places])

    return {
        "layer_top_m": np.repeat([fields.layers[layer][0] for layer, _ in places], n_scales),
        "layer_bottom_m": np.repeat([fields.layers[layer][1] for layer, _ in places], n_scales),
        "run": [fields.runs[run] for _, run in places for _ in range(n_scales)],
        "scale": np.tile(np.arange(1, n_scales + 1), len(places)),
        "shortest_wave_m": np.tile(waves if waves.size else np.full(n_scales, np.nan), len(places)),
        "error_m3_m-3": values("error_by_scale"),
        "correlation": values("correlation_by_scale"),
        "reference_m3_m-3": values("reference_by_scale"),
    }


def _draw(fields: FieldScores, period: int, control: str, waves: FloatArray) -> Figure:
    layers = layers_with_scales(fields, period)
    n_columns = len(layers)
    width = (WIDTH - LEFT - RIGHT - BETWEEN * (n_columns - 1)) / n_columns
    height = ABOVE + 2 * TALL + GAP + BELOW
    figure = Figure(figsize=(WIDTH, height), dpi=DOTS_PER_INCH)
    first: list[Axes] = []
    rows = (("error_by_scale", f"Error ({UNIT})"), ("correlation_by_scale", "Correlation"))
    for column, layer in enumerate(layers):
        for row, (what, label) in enumerate(rows):
            left, bottom = LEFT + column * (width + BETWEEN), height - ABOVE - (row + 1) * TALL - row * GAP
            place = left / WIDTH, bottom / height, width / WIDTH, TALL / height
            axes = figure.add_axes(place, sharey=first[row] if column else None)
            first.append(axes)
            _draw_scales(axes, fields, what, period, layer, control)
            _name_scales(axes, fields, waves, with_labels=row == 1)
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                axes.set_ylabel(label, fontsize=SMALL + 1)
            if row == 0:
                axes.set_title(layer_name(fields.layers[layer]), loc="left", fontsize=NORMAL)
                axes.set_title(fields.status[period][layer], loc="right", fontsize=SMALL - 1)
    first[0].set_ylim(bottom=0.0)
    title = f"By curvelet scale, against {fields.name}, period {fields.periods[period]}"
    figure.text(LEFT / WIDTH, 1 - 0.12 / height, title, fontsize=NORMAL + 1.5, va="top", ha="left")
    where = "Scale, and the shortest wave that it holds (km)" if waves.size else "Scale, from the coarsest"
    figure.text(0.5, 0.42 / height, where, fontsize=SMALL + 1, ha="center")
    lines = [_line(fields, run, control) for run in range(len(fields.runs))]
    lines.append(Line2D([], [], color=QUIET, linestyle=":", label=f"{fields.name} itself"))
    figure.legend(
        handles=lines,
        loc="lower center",
        bbox_to_anchor=(0.5, 0.1 / height),
        ncols=len(lines),
        fontsize=SMALL,
        frameon=False,
        borderaxespad=0.0,
        borderpad=0.0,
    )
    return figure


def _draw_scales(axes: Axes, fields: FieldScores, what: str, period: int, layer: int, control: str) -> None:
    for run in range(len(fields.runs)):
        line = _line(fields, run, control)
        values = fields.mean_by_scale(what, period, "after", run, layer)
        line.set_data(np.arange(1, values.size + 1), values)
        axes.add_line(line)
    if what == "error_by_scale":
        itself = fields.mean_by_scale("reference_by_scale", period, "after", 0, layer)
        axes.plot(np.arange(1, itself.size + 1), itself, linestyle=":", color=QUIET)
    axes.autoscale_view()
    axes.grid(alpha=0.25)
    axes.tick_params(labelsize=SMALL, color=QUIET)


def _line(fields: FieldScores, run: int, control: str) -> Line2D:
    name = fields.runs[run]
    return Line2D(
        [],
        [],
        color=LINE_COLOURS[run % len(LINE_COLOURS)],
        marker=MARKERS[run % len(MARKERS)],
        markersize=4.5,
        linestyle="--" if name == control else "-",
        linewidth=1.1,
        label=name,
    )


def _name_scales(axes: Axes, fields: FieldScores, waves: FloatArray, *, with_labels: bool) -> None:
    """Numbers of scales, with the shortest waves that they hold where these are known."""
    scales: Sequence[int] = range(1, fields.by_scale["error_by_scale"].shape[-1] + 1)
    names = [f"{scale}\n{wave / 1000:.0f}" for scale, wave in zip(scales, waves, strict=True)] if waves.size else scales
    axes.set_xticks(list(scales), [str(name) for name in names] if with_labels else ["" for _ in scales])
    axes.set_xlim(0.7, len(scales) + 0.3)
