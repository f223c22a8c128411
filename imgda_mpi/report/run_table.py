"""What became of the water in a run, as a table."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.console import columns
from imgda_mpi.results.history_file import FLUXES, open_history
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import fluxes, instants

NAMES = {"runoff": "runoff and drainage", "evaporation": "evaporation, transpiration"}
"""What the fluxes of a history are, where one word does not say it."""


def run_table(run: Run) -> str:
    """Soil moisture of the layers at start and end, and sums of the fluxes: means over the soil, weighted by cell area.

    What is left of the rain is what soil, ponds and aquifer have gained. Start and end are those of the histories: a
    run need not have come to its end. Not collective.

    Raises
    ------
    InputError
        Where the run has no cycle, cycles that do not follow one another, or no history or one that cannot be read.
    """
    run.check_chain()
    every = instants(run)
    first = next(every)  # its history is open as long as there is `every`
    area = first.history.grid.cell_area
    start = [first.history.image(layer, first.index) for layer in LAYERS]
    with open_history(run.cycles()[-1].history) as history:
        last = history.times[-1]
        end = [history.image(layer, len(history.times) - 1) for layer in LAYERS]
        alone = f"{history.n_columns} soil columns, {history.n_left_alone} of them left alone for ice or frost"
    lines = [("soil moisture, m3 m-3", f"{first.time:%Y-%m-%d %H} UTC", f"{last:%Y-%m-%d %H} UTC")]
    for (top, bottom), before, after in zip(LAYERS, start, end, strict=True):
        name = f"{100 * top:g}-{100 * bottom:g} cm"
        lines.append((name, f"{_mean(before, area):.4f}", f"{_mean(after, area):.4f}"))
    lines.append(("water, mm", "in all", "a day"))
    totals, days = sums_of_fluxes(run)
    totals["what is left of the rain"] = totals["rain"] - totals["runoff"] - totals["evaporation"]
    lines += [(NAMES.get(name, name), f"{total:.2f}", f"{total / days:.3f}") for name, total in totals.items()]
    n_analyses = sum(cycle.record.analysis is not None for cycle in run.cycles())
    besides = f"\n{n_analyses} analyses changed the soil's water besides" if n_analyses else ""
    return f"{columns(lines)}\n{alone}; means of the others by the area of their cells{besides}"


def sums_of_fluxes(run: Run) -> tuple[dict[str, float], float]:
    """Water by the names of `FLUXES`, means over the soil, kg m-2; and of how many days. Not collective.

    Raises
    ------
    InputError
        Where the run has no cycle, or no history or one that cannot be read.
    """
    first = next(instants(run))
    area, totals, seconds = first.history.grid.cell_area, dict.fromkeys(FLUXES, 0.0), 0.0
    for since, until, *images in fluxes(run, *FLUXES):
        lasts = (until - since).total_seconds()
        seconds += lasts
        for name, image in zip(FLUXES, images, strict=True):
            totals[name] += lasts * _mean(image, area)
    return totals, seconds / 86400.0


def _mean(image: FloatArray, area: FloatArray) -> float:
    there = np.isfinite(image)
    return float((image * area)[there].sum() / area[there].sum())
