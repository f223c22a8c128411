"""The block files of the embedded case, read and added up without the package."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from launch import load

BLOCKS = [f"{west}_{south}" for south in ("s90", "n00") for west in ("w180", "w090", "e000", "e090")]
# Soil layers as in the model's documentation, m.
THICKNESS = np.array(
    [0.0175128, 0.0275790, 0.0454700, 0.0749674, 0.1236004, 0.2037826, 0.3359806, 0.5539384, 0.9132900]
)
# Depth of layers 1, 2, 3 within 10 cm, and what is left for layer 4.
TOP_10_CM = np.array([0.17512820, 0.27579023, 0.45470032, 0.09438125])
RHO_ICE = 917.0


@dataclass
class Blocks:
    """All blocks of a case, one after the other."""

    state: dict[str, np.ndarray] = field(default_factory=dict)
    const: dict[str, np.ndarray] = field(default_factory=dict)
    landpatch: dict[str, np.ndarray] = field(default_factory=dict)
    fraction: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def cell(self) -> np.ndarray:
        return self.landpatch["eindex"] - 1

    @property
    def is_soil(self) -> np.ndarray:
        return self.const["patchtype"] == 0

    def surface_image(self) -> np.ndarray:
        """0-10 cm mean over soil patches, from the definition, cell by cell."""
        liquid, ice = (self.state[name][:, 5:9] for name in ("wliq_soisno", "wice_soisno"))
        layers = liquid / (1000.0 * THICKNESS[:4]) + ice / (RHO_ICE * THICKNESS[:4])
        patch = layers @ TOP_10_CM
        water, area = np.zeros(128 * 256), np.zeros(128 * 256)
        for i in np.flatnonzero(self.is_soil):
            water[self.cell[i]] += self.fraction[i] * patch[i]
            area[self.cell[i]] += self.fraction[i]
        image = np.where(area > 0, water / np.where(area > 0, area, 1.0), np.nan)
        return image.reshape(128, 256)


def read_case(directory: Path, landdata: Path | None = None) -> Blocks:
    parts = []
    land = landdata or directory
    for block in BLOCKS:
        landpatch = land / "landdata/landpatch/2005"
        parts.append(
            (
                load(directory / f"restart/2022-153-21600/demo_restart_2022-153-21600_lc2005_{block}.nc"),
                load(land / f"restart/const/demo_restart_const_lc2005_{block}.nc"),
                load(landpatch / f"landpatch_{block}.nc"),
                load(landpatch / f"patchfrac_elm_{block}.nc"),
            )
        )
    state, const, patch, fraction = (
        {name: np.concatenate([part[i][name] for part in parts]) for name in parts[0][i]} for i in range(4)
    )
    return Blocks(state, const, patch, fraction["patchfrac_elm"])
