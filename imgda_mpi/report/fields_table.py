"""Scores of runs against images, as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.console import WIDTH, columns, number_text
from imgda_mpi.observations.image import Layer
from imgda_mpi.results.field_scores_file import SIDES, FieldScores, mean_of_known
from imgda_mpi.verify.field_scores import SCORES, WEIGHTS

SHOWN = {"scc": ("SCC", ".3f"), "ubrmse": ("ubRMSE", ".4f"), "bias": ("bias", "+.4f"), "rmse": ("RMSE", ".4f")}
"""Scores of the table: title and form of each."""

WORDS = (
    "Means over the moments of a period, of states after analyses; ubRMSE, bias and RMSE in m3 m-3, bias is run minus "
    "image. Cells have equal weight, in lines marked by area that of their area. All runs are scored on the same cells "
    "and moments."
)

OF_SUMMARY = (
    "Means over the moments of a period, of states after analyses, all land, cells of equal weight; ubRMSE and bias "
    "(run minus image) in m3 m-3."
)

OF_SCALES = (
    "By curvelet scale, the coarsest first: root mean square error that a scale carries, m3 m-3, and in brackets the "
    "correlation of its coefficients with those of the image; all land, cells of equal weight, over so many of the "
    "moments, at which the squares of the errors add up to that of the ubRMSE in the last column."
)


def fields_table(found: FieldScores) -> str:
    """Scores by layer, region and period, of every run; and by curvelet scale."""
    title = f"Images: {found.name} ({found.what}), {_times(found)}"
    text = ["\n".join([title, *_remarks(found)]), textwrap.fill(WORDS, WIDTH)]
    there = [number for number in range(len(found.layers)) if np.isfinite(found.scores[:, :, :, number]).any()]
    missing = [layer_text(layer) for number, layer in enumerate(found.layers) if number not in there]
    for layer in there:
        text += [_layer(found, period, layer) for period in range(len(found.periods))]
    if missing:
        text.append(f"No image or no cell that all have: {', '.join(missing)}.")
    if found.by_scale["error_by_scale"].shape[-1]:
        text.append(textwrap.fill(OF_SCALES, WIDTH))
        text += [_scales(found, period, layer) for layer in there for period in range(len(found.periods))]
    return "\n\n".join(text)


def fields_summary(found: FieldScores) -> str:
    """The same in a few lines: scores of all runs over all cells, layer by layer, the periods side by side."""
    titles = [title for title, _ in list(SHOWN.values())[:3]]
    lines = [
        [
            "layer",
            "run",
            *(f"{period}: {titles[0]}" if n == 0 else titles[n] for period in found.periods for n in range(3)),
        ]
    ]
    for layer in range(len(found.layers)):
        first = layer_text(found.layers[layer])
        for run, name in enumerate(found.runs):
            means = [found.mean(period, "after", run, layer) for period in range(len(found.periods))]
            if any(n_times for n_times, _ in means):
                lines.append([first, name, *(text for _, mean in means for text in _scores(mean)[:3])])
                first = ""
    table = columns(lines, "<<")
    return "\n".join([_statuses(found), *_remarks(found), textwrap.fill(OF_SUMMARY, WIDTH), "", table])


def _times(found: FieldScores) -> str:
    n_times, left = len(found.times), found.n_times - len(found.times)
    said = f" ({left} more have no image, or not all runs)" if left else ""
    return f"{n_times} time{'s' if n_times > 1 else ''}{said}"


def _remarks(found: FieldScores) -> list[str]:
    """What does not compare like with like, and what became of pixels, a line or more for each."""
    remarks = list(found.remarks)
    cells = found.scores[..., SCORES.index("n")]
    empty = [name for number, name in enumerate(found.regions) if not np.nansum(cells[:, :, :, :, number])]
    if empty:
        remarks.append(f"no cell that all have in {', '.join(empty)}")
    if found.pixels:
        counts = [f"{number} {reason}" for reason, number in found.pixels.items() if number]
        remarks.append(f"pixels of {found.name} over all times and layers: {', '.join(counts)}")
    return [textwrap.fill(f"- {remark}", WIDTH, subsequent_indent="  ") for remark in remarks]


def _statuses(found: FieldScores) -> str:
    """What the images are, and what they are to the runs."""
    of_status: dict[str, list[str]] = {}
    for layer, period in np.ndindex(len(found.layers), len(found.periods)):
        if np.isfinite(found.scores[found.period == period, :, :, layer]).any():
            part = f"{layer_text(found.layers[layer])} {found.periods[period]}"
            of_status.setdefault(found.status[period][layer], []).append(part)
    said = [f"{text} ({', '.join(parts)})" if len(of_status) > 1 else text for text, parts in of_status.items()]
    return textwrap.fill(f"Against {found.name}, {_times(found)}: {'; '.join(said)}", WIDTH)


def layer_text(layer: Layer) -> str:
    """A layer in words.

    >>> layer_text((0.1, 0.4))
    '10-40 cm'
    """
    return f"{100 * layer[0]:g}-{100 * layer[1]:g} cm"


def _layer(found: FieldScores, period: int, layer: int) -> str:
    """A block of lines, for all regions and runs; what states before analyses score comes last."""
    what = f"{layer_text(found.layers[layer])}, {found.periods[period]}: {found.status[period][layer]}"
    lines = [["region", "run", "times", "cells", *(title for title, _ in SHOWN.values())]]
    for region, name in enumerate(found.regions):
        for weight, of_cells in enumerate(WEIGHTS):
            if weight and region:
                continue
            where = name if not weight else f"{name}, by {of_cells}"
            lines += _lines(found, where, "after", period, layer, region, weight)
    lines += _lines(found, f"{found.regions[0]}, before analyses", "before", period, layer, 0, 0)
    if len(lines) == 1:
        return f"{what}: nothing to compare"
    return f"{what}\n{columns(lines, '<<')}{_without_correlation(found, period, layer)}"


def _without_correlation(found: FieldScores, period: int, layer: int) -> str:
    """A line where there are moments with scores of all cells but for the correlation."""
    own = found.scores[found.period == period, SIDES.index("after"), :, layer, 0, 0]
    scored, correlated = (np.isfinite(own[..., SCORES.index(name)]).all(axis=1).sum() for name in ("bias", "scc"))
    if scored == correlated:
        return ""
    return f"\nSCC of all land is over {correlated} of {scored} times: at others an image is constant."


def _lines(
    found: FieldScores, where: str, side: str, period: int, layer: int, region: int, weight: int
) -> Iterator[list[str]]:
    first = where
    for run, name in enumerate(found.runs):
        n_times, mean = found.mean(period, side, run, layer, region, weight)
        if n_times:
            yield [first, name, str(n_times), f"{mean[SCORES.index('n')]:.0f}", *_scores(mean)]
            first = ""


def _scores(mean: FloatArray) -> list[str]:
    return [number_text(mean[SCORES.index(score)], form) for score, (_, form) in SHOWN.items()]


def _scales(found: FieldScores, period: int, layer: int) -> str:
    errors = found.by_scale["error_by_scale"][:, :, :, layer]
    told = np.isfinite(errors).any(axis=(1, 2, 3)) & (found.period == period)
    n_of = f"{np.count_nonzero(told)} of {np.count_nonzero(found.period == period)} times"
    what = f"{layer_text(found.layers[layer])}, {found.periods[period]}, {n_of}"
    lines = [[what, *(f"scale {number}" for number in range(1, errors.shape[-1] + 1)), "ubRMSE"]]
    squares = np.square(found.scores[told, SIDES.index("after"), :, layer, 0, 0, SCORES.index("ubrmse")])
    for run, name in enumerate(found.runs):
        error, correlation = (
            found.mean_by_scale(of, period, "after", run, layer) for of in ("error_by_scale", "correlation_by_scale")
        )
        pairs = zip(error, correlation, strict=True)
        by_scale = (f"{number_text(one, '.4f')} ({number_text(other, '.2f')})" for one, other in pairs)
        ubrmse = float(np.sqrt(mean_of_known(squares[:, run])))
        lines.append([name, *by_scale, number_text(ubrmse, ".4f")])
    image = found.mean_by_scale("reference_by_scale", period, "after", 0, layer)
    lines.append([f"{found.name} itself", *(number_text(one, ".4f") for one in image), ""])
    return columns(lines)
