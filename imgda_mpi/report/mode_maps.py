"""Fig. 1 of the paper: the background of an analysis, and its reconstructions from the coarsest curvelet modes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray, Values
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.grid import Grid, embed
from imgda_mpi.methods.registry import needs_transform, scales_by_size
from imgda_mpi.report.maps import MOISTURE, Panel, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import UNIT, moment
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedAnalysis, read_analysis
from imgda_mpi.verify.scales import shortest_waves

MOST = 4
"""Modes that are shown, as in the paper."""


@dataclass(frozen=True, eq=False)
class Modes:
    """What the coarsest scales of a transform hold of an image.

    Parameters
    ----------
    transform
    image : (ny, nx) m3 m-3, NaN off the land
    """

    transform: CurveletTransform
    image: FloatArray

    @property
    def land(self) -> BoolArray:
        """Cells with a value, (ny, nx)."""
        return np.isfinite(self.image)

    @property
    def mean(self) -> float:
        """Of the image over the land, m3 m-3."""
        return float(self.image[self.land].mean())

    @property
    def departures(self) -> Values:
        """From the mean, 0 off the land, on the array of the transform: no coast is an edge from soil to nothing."""
        inside = np.where(self.land, self.image - self.mean, 0.0)
        return embed(inside, self.transform.layout.image_shape).astype(self.transform.dtype)

    def first(self, modes: int, perturbation: Values | float = 0.0) -> FloatArray:
        """What the first modes hold of the image, of which something on the array is added, (ny, nx) m3 m-3."""
        ny, nx = self.image.shape
        held = self.transform.reconstruct(self.departures + perturbation, modes)[:ny, :nx]
        return np.where(self.land, self.mean + held.astype(np.float64), np.nan)


def transform_of(account: Account, grid: Grid) -> CurveletTransform:
    """The transform of an analysis; of methods without any the one with scales by the size of the grid.

    Raises
    ------
    ConfigError
        Where the grid is too small for a transform.
    """
    return make_transform(*transform_kind(account, grid), MPI.COMM_SELF)


def transform_kind(account: Account, grid: Grid) -> tuple[TransformKind, tuple[int, int]]:
    """Of the transform of an analysis, and the shape of its array."""
    kind = account.settings["method"]["kind"]
    by_size = not needs_transform(kind) or scales_by_size(kind)
    return TransformKind(**account.settings["curvelet"]).on(grid, scales_by_size=by_size)


def modes_section(material: Material) -> Section | str:
    """The background of the analysis that is shown alone, and its first modes."""
    if material.shown is None:
        return "there is no analysis in what was given"
    folder, account = material.shown
    saved = read_analysis(folder / DIAGNOSTICS)
    if not np.isfinite(saved.background).any():
        return "the background has no soil"
    return Section(pictures=[modes_picture(saved, account)])


def modes_picture(saved: SavedAnalysis, account: Account) -> Picture:
    """The background and its reconstructions from the first modes, with the same colours."""
    transform = transform_of(account, saved.grid)
    n_scales = transform.geometry.n_scales
    modes = Modes(transform, saved.background)
    panels = [Panel(title="(a) Background", image=saved.background, shades=MOISTURE, column="background_m3_m-3")]
    waves = shortest_waves(saved.grid, n_scales) / 1e3
    rest = []
    for number in range(1, min(MOST, n_scales) + 1):
        image = modes.first(number)
        rest.append(float(np.sqrt(np.nanmean((image - saved.background) ** 2))))
        is_all = number == n_scales
        name = "First mode" if number == 1 else f"First {number} modes"
        held = f"all {n_scales}" if is_all else f"waves over {waves[number - 1]:.0f} km"
        panels.append(
            Panel(
                title=f"({'abcde'[number]}) {name}: {held}",
                image=image,
                shades=MOISTURE,
                column=f"first_{number}_m3_m-3",
            )
        )
    own = needs_transform(account.settings["method"]["kind"])
    whose = "the transform of the analysis" if own else f"{account.method} has no transform: that of the grid's size"
    figure = draw_maps(saved.grid, modes.land, panels, 2, title=f"Background of {moment(saved.time)}, mode by mode")
    return Picture(
        name="modes",
        figure=figure,
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"Maps of soil moisture: the background, and what its first 1 to {len(rest)} curvelet modes hold; the "
        f"first alone leaves {rest[0]:.3f} {UNIT} of it, all that are shown {rest[-1]:.3f}.",
        caption=f"Background of {moment(saved.time)} and its reconstructions from the first curvelet modes of "
        f"{n_scales} ({whose}). Before the transform the mean over the land, {modes.mean:.3f} {UNIT}, is taken off, "
        "and water and all that is no soil hold 0, as in the analysis: coasts are drawn towards the mean, and leave "
        f"no edge. Root mean square of what is left: {', '.join(f'{one:.3f}' for one in rest)} {UNIT}.",
        is_papers=True,
    )
