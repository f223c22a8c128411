"""Soil of the example: texture, and the hydraulic and thermal properties that CoLM202X derives from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import N_SOIL, node_depth

DENSITY_MINERAL = 2650.0  # kg m-3
AIR_ENTRY = 10.0  # mm of suction up to which the soil stays saturated


@dataclass(frozen=True)
class Soil:
    """Texture and organic matter of the soil of all patches, by weight, and what follows from them.

    Parameters
    ----------
    sand, clay : (n_patch,) array
        Mass fractions, the same in all layers.
    organic : (n_patch, 10) array
        Mass fraction of organic matter.

    Notes
    -----
    The relations are straight lines through the values in const files that the model wrote itself (from its
    global soil data by pedotransfer functions), close enough for plausible numbers.
    """

    sand: FloatArray
    clay: FloatArray
    organic: FloatArray

    @property
    def bulk_density(self) -> FloatArray:
        """Of the dry soil, (n_patch, 10) kg m-3."""
        return (1390.0 + 390.0 * self.sand + 106.0 * self.clay)[:, None] - 2500.0 * self.organic

    @property
    def porosity(self) -> FloatArray:
        """Pore volume, (n_patch, 10) m3 m-3."""
        return np.asarray(1.0 - self.bulk_density / DENSITY_MINERAL)

    @property
    def residual(self) -> FloatArray:
        """Water that does not drain, theta_r, (n_patch, 10) m3 m-3."""
        return _all_layers(0.03 + 0.12 * self.clay)

    @property
    def alpha(self) -> FloatArray:
        """Parameter alpha of van Genuchten, (n_patch, 10) mm-1."""
        return _all_layers(0.008 + 0.0223 * self.sand)

    @property
    def n(self) -> FloatArray:
        """Exponent n of van Genuchten, (n_patch, 10)."""
        return _all_layers(1.25 + 0.39 * self.sand)

    @property
    def saturated_conductivity(self) -> FloatArray:
        """Hydraulic conductivity of the saturated soil, (n_patch, 10) mm s-1."""
        return _all_layers(10.0 ** (-3.155 + 1.382 * self.sand))

    def suction(self, saturation: FloatArray) -> FloatArray:
        """Matric potential, (n_patch, 10) mm, at a degree of saturation (0..1)."""
        m = 1.0 - 1.0 / self.n
        scale, _ = self.air_entry()
        return np.asarray(-(((saturation * scale) ** (-1.0 / m) - 1.0) ** (1.0 / self.n)) / self.alpha)

    def conductivity(self, saturation: FloatArray) -> FloatArray:
        """Hydraulic conductivity, (n_patch, 10) mm s-1, at a degree of saturation (0..1), van Genuchten-Mualem."""
        m = 1.0 - 1.0 / self.n
        scale, full = self.air_entry()
        relative = np.sqrt(saturation) * ((1.0 - (1.0 - (saturation * scale) ** (1.0 / m)) ** m) / full) ** 2
        return np.asarray(self.saturated_conductivity * relative)

    def air_entry(self) -> tuple[FloatArray, FloatArray]:
        """The model's ``sc_vgm`` and ``fc_vgm``, (n_patch, 10): van Genuchten-Mualem cut off at the air entry."""
        m = 1.0 - 1.0 / self.n
        scale = (1.0 + (AIR_ENTRY * self.alpha) ** self.n) ** (-m)
        return scale, 1.0 - (1.0 - scale ** (1.0 / m)) ** m


def make_soil(sand: FloatArray, clay: FloatArray, surface_organic: FloatArray) -> Soil:
    """Soil of texture (n_patch,) with organic matter that fades downwards.

    Fractions are rounded to a tenth of a percent, as in soil maps; the files compress much better for it.
    """
    return Soil(sand.round(3), clay.round(3), (surface_organic[:, None] * np.exp(-node_depth / 0.5)).round(3))


def composition_variables(soil: Soil) -> dict[str, FloatArray]:
    """What the soil is made of and how much water it holds, (n_patch, 10) each, in the order of the model's file."""
    sand, clay = _all_layers(soil.sand), _all_layers(soil.clay)
    solid = 1.0 - soil.porosity
    one = np.ones_like(sand)
    at_field_capacity = (1.0 + (330.0 * soil.alpha) ** soil.n) ** (1.0 / soil.n - 1.0)
    return {
        "vf_quartz": 0.889 * sand,
        "vf_gravels": 0.04 * one,
        "vf_om": 0.5 * soil.organic,
        "vf_sand": sand * solid,
        "vf_clay": clay * solid,
        "wf_gravels": 0.05 * one,
        "wf_sand": sand,
        "wf_clay": clay,
        "wf_om": soil.organic,
        "OM_density": 1300.0 * soil.organic,
        "BD_all": soil.bulk_density,
        "wfc": soil.residual + (soil.porosity - soil.residual) * at_field_capacity,
        "porsl": soil.porosity,
        "psi0": -AIR_ENTRY * one,
        "bsw": 3.1 + 15.75 * clay,
        "theta_r": soil.residual,
    }


def retention_variables(soil: Soil) -> dict[str, FloatArray]:
    """Parameters of van Genuchten-Mualem, (n_patch, 10) each, in the order of the model's file."""
    scale, full = soil.air_entry()
    return {
        "alpha_vgm": soil.alpha,
        "L_vgm": np.full_like(soil.alpha, 0.5),
        "n_vgm": soil.n,
        "sc_vgm": scale,
        "fc_vgm": full,
    }


def transport_variables(soil: Soil) -> dict[str, FloatArray]:
    """Conduction of water and heat, (n_patch, 10) each, in the order of the model's file."""
    sand = _all_layers(soil.sand)
    return {
        "hksati": soil.saturated_conductivity,
        "csol": 2.0e6 - 2.0e5 * soil.organic,
        "k_solids": 3.0 + 3.333 * sand,
        "dksatu": 1.4 + 0.667 * sand,
        "dksatf": 2.0 + 0.889 * sand,
        "dkdry": 0.18 + 0.111 * sand,
        "BA_alpha": np.where(sand > 0.4, 0.24, 0.2),
        "BA_beta": np.where(sand > 0.4, 26.0, 10.0),
    }


def _all_layers(values: FloatArray) -> FloatArray:
    return np.repeat(values[:, None], N_SOIL, axis=1)
