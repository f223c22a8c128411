"""Figures of a saved comparison: what the methods make of one image, and the errors that each scale has left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from imgda_mpi.faults import writing
from imgda_mpi.report.figure import (
    DOTS_PER_INCH,
    MOISTURE_COLOURS,
    MOISTURE_LIMITS,
    UNIT,
    draw_panel,
    land_latitudes,
    shape_of_map,
)
from imgda_mpi.results.comparison_file import SavedComparison

MOST_PANELS = 18
WIDTH = 12.0  # inches
ROW_HEIGHT = 2.1  # of maps of the globe
TITLE = 0.5


def draw_images(saved: SavedComparison, figure_file: Path) -> Figure:
    """Background, truth, observation, and the analysis of each method, for the first draw; writes the picture.

    Raises
    ------
    OutputError
        Where the picture cannot be written.
    """
    given: list[str] = [name for name in ("background", "truth", "judge", "observation") if name in saved.images]
    # What has no value in the truth has none in any image of a draw.
    land = np.isfinite(saved.images["background"]) & np.isfinite(saved.images.get("truth", saved.images["background"]))
    wanted = [number for number in saved.shown() if saved.names[number] != "none"]
    titles = {name: name.capitalize() for name in given}
    for number in wanted[: MOST_PANELS - len(given)]:
        ubrmse = saved.ubrmse[number, 0, saved.main_region]
        titles[saved.names[number]] = saved.names[number] + (f"\nubRMSE {ubrmse:.4f}" if np.isfinite(ubrmse) else "")
    n_rows = -(-len(titles) // 3)
    latitudes = land_latitudes(saved.grid, land)
    row_height = ROW_HEIGHT if saved.grid.is_periodic else TITLE + WIDTH / 3 * shape_of_map(saved.grid, latitudes)
    figure = Figure(figsize=(WIDTH, row_height * n_rows + 0.9), dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(n_rows, 3, sharex=True, sharey=True, squeeze=False)
    for panel in panels.flat[len(titles) :]:
        panel.set_visible(False)
    for letter, panel, (name, title) in zip("abcdefghijklmnopqr", panels.flat, titles.items(), strict=False):
        image = np.where(land, saved.images[name], np.nan)
        mesh = draw_panel(panel, f"({letter}) {title}", saved.grid, land, image)
        mesh.set(cmap=MOISTURE_COLOURS, clim=MOISTURE_LIMITS)
    gaps = "; white: land without a value" if (land & ~np.isfinite(saved.images["observation"])).any() else ""
    figure.suptitle(f"{'Draw' if saved.noise else 'Time'} 1 of {_of_what(saved)}{gaps}", fontsize=10)
    panels[0, 0].set_ylim(*latitudes)
    bar = figure.colorbar(mesh, ax=panels, orientation="horizontal", extend="both", aspect=60, shrink=0.6, pad=0.02)
    bar.set_label(f"Soil moisture ({UNIT})", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    with writing(figure_file):
        figure.savefig(figure_file)
    return figure


def draw_spectra(saved: SavedComparison, figure_file: Path) -> Figure:
    """Root mean square error at each scale, mean over draws, of every method; writes the picture.

    Raises
    ------
    OutputError
        Where the picture cannot be written.
    """
    figure = Figure(figsize=(7.0, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    scales = np.arange(1, saved.spectrum.shape[2] + 1)
    for number in saved.shown():
        name = saved.names[number]
        (line,) = axes.plot(scales, np.nanmean(saved.spectrum[number], axis=0), marker="o", markersize=4, label=name)
        if name == "none":
            line.set(color="black", linestyle="--", label="none (background)")
    axes.set_title(f"Mean of {_of_what(saved)}", fontsize=10)
    axes.set_xticks(scales)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Curvelet scale (1 is the coarsest)")
    axes.set_ylabel(f"Root mean square error ({UNIT})")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    with writing(figure_file):
        figure.savefig(figure_file)
    return figure


def _of_what(saved: SavedComparison) -> str:
    """How many draws, and of which noise."""
    return f"{saved.case.size} draws, noise {saved.noise}" if saved.noise else f"{saved.case.size}"
