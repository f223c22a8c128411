#!/usr/bin/env python3
"""The soil columns of `imgda_mpi columns` beside CoLM202X itself: what both make of a day of its hourly history.

python tools/columns_beside_colm.py CASE OUTPUT.png

CASE is the folder of a CoLM202X case with an hourly history of the day before one of its restarts. The columns get the
soil, the vegetation and the patches of this restart, and for water the first hourly mean of the history: all soil
patches of a cell begin alike, with the water of its mean and none standing on it, in the middle of the first hour. From
there on they get CoLM's rain, and the air asks them for as much water as CoLM gives off to it: the history has no
radiation. The figure is of the cell where it rains most in the first twelve hours and not in the last; the tables are
of all cells without wetland and water.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from mpi4py import MPI
from netCDF4 import Dataset

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.soil_layers import LAYERS, overlap_weights, thickness
from imgda_mpi.columns.hydraulics import WATER
from imgda_mpi.columns.restart import OwnColumns, read_columns
from imgda_mpi.columns.water import (
    DRAINAGE,
    EVAPORATION,
    N_FLUXES,
    RAIN,
    SURFACE_RUNOFF,
    TRANSPIRATION,
    Processes,
    advance,
    make_state,
)
from imgda_mpi.grid import Grid

mpl.use("Agg")
import matplotlib.pyplot as plt

COLM, OURS, FALLING = "#0072B2", "#D55E00", "#999999"


class Day(NamedTuple):
    """Hourly means of CoLM, the cells of its grid last.

    Parameters
    ----------
    rain, evaporation, runoff : (24, ny, nx) mm h-1
    water : of the layers, (24, 10, ny, nx) m3 m-3
    table, aquifer : depth of the water table, (24, ny, nx) m, and store, mm
    """

    rain: FloatArray
    evaporation: FloatArray
    runoff: FloatArray
    water: FloatArray
    table: FloatArray
    aquifer: FloatArray


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=Path, metavar="CASE")
    parser.add_argument("output", type=Path, metavar="OUTPUT.png")
    arguments = parser.parse_args()
    file = sorted(arguments.case.glob("history/*_hist_????-??-??.nc"))[-1]
    name, text = file.stem.split("_hist_")
    date = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    end = date + timedelta(days=1)
    restart = open_restart(arguments.case, name, end, land_cover_year=2005, comm=MPI.COMM_SELF)
    own, day = read_columns(restart), read_day(file)
    water, lost = run(own, day)
    others = np.bincount(own.patches.cell[~own.patches.is_soil], minlength=day.rain[0].size)
    compared = (others == 0).reshape(day.rain[0].shape)
    early = np.where(compared & (day.rain[12:].max(axis=0) < 0.01), day.rain[:12].sum(axis=0), 0.0)
    cell = divmod(int(early.argmax()), early.shape[1])
    say(f"{file.name}: {own.summary}; {compared.sum()} cells")
    say_layers(day.water, water, compared, cell)
    say_fluxes(day, lost, compared, cell)
    draw(arguments.output, date, own.patches.grid, day, water, cell)


def read_day(file: Path) -> Day:
    """The history of a day."""
    with Dataset(file) as dataset:
        rain, evaporation, runoff, *states = (
            np.asarray(dataset[f"f_{name}"][:], dtype=np.float64)
            for name in ("xy_rain", "fevpa", "rnof", "h2osoi", "zwt", "wa")
        )
    return Day(3600.0 * rain, 3600.0 * evaporation, 3600.0 * runoff, *states)


def run(own: OwnColumns, day: Day) -> tuple[FloatArray, FloatArray]:
    """Water of the cells in the middle of each hour, (24, 10, ny, nx) m3 m-3, and all their fluxes, (5, ny, nx) mm."""
    columns, cell = own.columns, own.patches.cell

    def of_patches(values: FloatArray) -> FloatArray:
        return values.reshape(*values.shape[:-2], -1)[..., cell]

    def image(values: FloatArray) -> FloatArray:
        found = own.images(values)
        assert found is not None
        return found

    first = of_patches(day.water[0]).T * columns.thickness
    aquifer = np.minimum(of_patches(day.aquifer[0]), 0.0)
    state = make_state(columns, first, np.zeros(cell.size), aquifer, of_patches(day.table[0]))
    rain, demand = (of_patches(np.maximum(values, 0.0)) / 3600.0 for values in (day.rain, day.evaporation))
    fluxes = np.zeros((cell.size, N_FLUXES))
    images = [image(state.kept[:, WATER] / columns.thickness)]
    for hours in pairwise(range(24)):
        for hour in hours:  # half of each
            advance(columns, state, rain[hour], demand[hour], 1800.0, Processes(), fluxes)
        images.append(image(state.kept[:, WATER] / columns.thickness))
    return np.array(images), image(fluxes)


def say_layers(colm: FloatArray, ours: FloatArray, compared: BoolArray, cell: tuple[int, int]) -> None:
    """Tables of the changes over the day, and of the differences."""
    head = "change: CoLM | columns | rms difference"
    say(f"\n| m3 m-3 | mean {head} | cell: {head} |\n|---|---|---|---|---|---|---|")
    for (top, bottom), a, b in zip(LAYERS, in_layers(colm), in_layers(ours), strict=True):
        row = []
        for where in (compared, cell):
            row += [np.mean((series[-1] - series[0])[where]) for series in (a, b)]
            row.append(rms((a - b)[:, *cell] if where is cell else (a - b)[:, compared]))
        say(f"| {100 * top:.0f}-{100 * bottom:.0f} cm | " + " | ".join(f"{value:.4f}" for value in row) + " |")
    say("\n| layer | rms change: CoLM | columns | rms difference | correlation |\n|---|---|---|---|---|")
    for layer in range(thickness.size):
        a, b = ((water[-1] - water[0])[layer][compared] for water in (colm, ours))
        row = [f"{rms(values):.5f}" for values in (a, b, a - b)]
        say(f"| {layer + 1} | " + " | ".join(row) + f" | {np.corrcoef(a, b)[0, 1]:.2f} |")


def say_fluxes(day: Day, lost: FloatArray, compared: BoolArray, cell: tuple[int, int]) -> None:
    """Table of what came and went between the middles of the first hour and of the last."""
    say("\n| mm | mean: CoLM | columns | cell: CoLM | columns |\n|---|---|---|---|---|")
    for name, colm, ours in (
        ("rain", day.rain, lost[RAIN]),
        ("evapotranspiration", day.evaporation, lost[EVAPORATION] + lost[TRANSPIRATION]),
        ("runoff", day.runoff, lost[SURFACE_RUNOFF] + lost[DRAINAGE]),
    ):
        total = colm.sum(axis=0) - 0.5 * (colm[0] + colm[-1])
        row = [total[compared].mean(), ours[compared].mean(), total[cell], ours[cell]]
        say(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


def in_layers(water: FloatArray) -> list[FloatArray]:
    """Means over `LAYERS` of water in the model's layers, each (24, ny, nx)."""
    return [np.einsum("tlyx,l->tyx", water, overlap_weights(top, bottom)) for top, bottom in LAYERS]


def rms(values: FloatArray) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(values**2)))


def draw(file: Path, date: datetime, grid: Grid, day: Day, ours: FloatArray, cell: tuple[int, int]) -> None:
    """The figure of a cell."""
    hours = np.arange(24) + 0.5
    row, column = cell
    figure, panels = plt.subplots(
        4, 1, sharex=True, figsize=(7.6, 7.4), height_ratios=(0.75, 1, 1, 1), layout="constrained"
    )
    panels[0].bar(hours, day.rain[:, row, column], width=0.9, color=FALLING, label="rain")
    panels[0].plot(hours, day.evaporation[:, row, column], color=COLM, marker=".", label="evapotranspiration of CoLM")
    panels[0].set_ylabel("mm h$^{-1}$")
    for panel, (top, bottom), a, b in zip(panels[1:], LAYERS, in_layers(day.water), in_layers(ours), strict=True):
        panel.plot(hours, a[:, row, column], color=COLM, linewidth=2.2, label="CoLM202X, hourly means")
        panel.plot(hours, b[:, row, column], color=OURS, linewidth=1.8, linestyle="--", label="soil columns")
        panel.set_ylabel("m$^3$ m$^{-3}$")
        panel.set_title(f"{100 * top:.0f}-{100 * bottom:.0f} cm", loc="left", fontsize=10)
    for panel in panels:
        panel.grid(color="0.9")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, fontsize=9)
    panels[1].legend(frameon=False, fontsize=9)
    panels[-1].set(xlabel=f"hours of {date:%Y-%m-%d}, UTC", xlim=(0, 24), xticks=range(0, 25, 3))
    place = f"{grid.latitude[row]:.1f} N {grid.longitude[column]:.1f} E"
    figure.align_ylabels(panels)
    figure.suptitle(f"Drying after rain, {place}; synthetic weather and soil", fontsize=11, x=0.01, ha="left")
    figure.savefig(file, dpi=110)


def say(text: str) -> None:
    """One line of output."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
