"""Soil of the example: texture, and the hydraulic and thermal properties that CoLM202X derives from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example.files import Values

DENSITY_MINERAL = 2650.0  # kg m-3
AIR_ENTRY = 10.0  # mm of suction up to which the soil stays saturated

# By the model's soil class 1..12 (coarse to fine), class 0 unused: shape of the infiltration curve.
INFILTRATION = np.array([1.0, 0.30, 0.28, 0.25, 0.23, 0.22, 0.20, 0.18, 0.10, 0.09, 0.15, 0.08, 0.05])


@dataclass(frozen=True)
class Soil:
    """Texture and organic matter of the soil of all patches, by weight, and what follows from them.

    Parameters
    ----------
    sand, clay : mass fractions, the same in all layers, (n_patch,)
    organic : mass fraction of organic matter, (n_patch, 10)

    Notes
    -----
    The relations are straight lines through the values in const files that the model wrote itself (from its
    global soil data by pedotransfer functions), close enough for plausible numbers. What follows from sand and clay
    alone is (n_patch, 1): the same in all layers.
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
        """Water that does not drain, theta_r, (n_patch, 1) m3 m-3."""
        return 0.03 + 0.12 * self.clay[:, None]

    @property
    def alpha(self) -> FloatArray:
        """Parameter alpha of van Genuchten, (n_patch, 1) mm-1."""
        return 0.008 + 0.0223 * self.sand[:, None]

    @property
    def n(self) -> FloatArray:
        """Exponent n of van Genuchten, (n_patch, 1)."""
        return 1.25 + 0.39 * self.sand[:, None]

    @property
    def saturated_conductivity(self) -> FloatArray:
        """Hydraulic conductivity of the saturated soil, (n_patch, 1) mm s-1."""
        return np.asarray(10.0 ** (-3.155 + 1.382 * self.sand[:, None]))

    def suction_and_conductivity(self, saturation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Matric potential, mm, and hydraulic conductivity, mm s-1, at a degree of saturation (0..1).

        All (n_patch, 10); van Genuchten-Mualem.
        """
        m = 1.0 - 1.0 / self.n
        scale, full = self.air_entry()
        content = saturation * scale
        suction = -((content ** (-1.0 / m) - 1.0) ** (1.0 / self.n)) / self.alpha
        relative = np.sqrt(saturation) * ((1.0 - (1.0 - content ** (1.0 / m)) ** m) / full) ** 2
        return suction, self.saturated_conductivity * relative

    def air_entry(self) -> tuple[FloatArray, FloatArray]:
        """The model's ``sc_vgm`` and ``fc_vgm``, (n_patch, 1): van Genuchten-Mualem cut off at the air entry."""
        m = 1.0 - 1.0 / self.n
        scale = (1.0 + (AIR_ENTRY * self.alpha) ** self.n) ** (-m)
        return scale, 1.0 - (1.0 - scale ** (1.0 / m)) ** m


def soil_variables(soil: Soil) -> dict[str, Values]:
    """What the soil is made of, and how it holds and conducts water and heat, in the order of the model's file.

    Arrays (n_patch,) of the whole soil, (n_patch, 1) or (n_patch, 10) of its layers.
    """
    sand, clay = soil.sand[:, None], soil.clay[:, None]
    solid = 1.0 - soil.porosity
    one = np.ones_like(sand)
    at_field_capacity = (1.0 + (330.0 * soil.alpha) ** soil.n) ** (1.0 / soil.n - 1.0)
    scale, full = soil.air_entry()
    soil_class = np.clip(np.rint(0.6 + 30.0 * soil.clay), 1, 12).astype(np.int32)
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
        "BVIC": INFILTRATION[soil_class],
        "alpha_vgm": soil.alpha,
        "L_vgm": 0.5 * one,
        "n_vgm": soil.n,
        "sc_vgm": scale,
        "fc_vgm": full,
        "soiltext": soil_class,
        **dict.fromkeys(("vic_b_infilt", "vic_Dsmax", "vic_Ds", "vic_Ws", "vic_c"), 0.0),
        "hksati": soil.saturated_conductivity,
        "csol": 2.0e6 - 2.0e5 * soil.organic,
        "k_solids": 3.0 + 3.333 * sand,
        "dksatu": 1.4 + 0.667 * sand,
        "dksatf": 2.0 + 0.889 * sand,
        "dkdry": 0.18 + 0.111 * sand,
        "BA_alpha": np.where(sand > 0.4, 0.24, 0.2),
        "BA_beta": np.where(sand > 0.4, 26.0, 10.0),
    }
