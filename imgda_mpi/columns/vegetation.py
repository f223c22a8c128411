"""What plants are to soil columns: how much ground they cover, and where their roots are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray


class Plants(NamedTuple):
    """A class of vegetation.

    Parameters
    ----------
    a, b : of the root profile, m-1 (Zeng 2001, table 2): 1 - (exp(-a d) + exp(-b d)) / 2 of the roots lie above d
    cover : part of the ground, a round number for the class; it does not change with the season
    """

    a: float
    b: float
    cover: float


PLANTS = {
    1: Plants(6.706, 2.175, 0.8),  # evergreen needleleaf forest
    2: Plants(7.344, 1.303, 0.95),  # evergreen broadleaf forest
    3: Plants(7.066, 1.953, 0.7),  # deciduous needleleaf forest
    4: Plants(5.990, 1.955, 0.8),  # deciduous broadleaf forest
    5: Plants(4.453, 1.631, 0.8),  # mixed forest
    6: Plants(6.326, 1.567, 0.6),  # closed shrubland
    7: Plants(7.718, 1.262, 0.2),  # open shrubland
    8: Plants(7.604, 2.300, 0.7),  # woody savanna
    9: Plants(8.235, 1.627, 0.6),  # savanna
    10: Plants(10.740, 2.608, 0.6),  # grassland
    12: Plants(5.558, 2.614, 0.6),  # cropland
    14: Plants(5.558, 2.614, 0.7),  # cropland and natural vegetation
    16: Plants(4.372, 0.978, 0.05),  # barren
}
"""By IGBP class; wetland (11), city (13), ice (15) and water (17) have no soil columns."""

IGBP_OF_USGS = {
    **{2: 12, 3: 12, 4: 12, 5: 14, 6: 14, 7: 10, 8: 7, 9: 7, 10: 9},
    **{11: 4, 12: 3, 13: 2, 14: 1, 15: 5, 19: 16, 20: 10, 21: 8, 22: 7, 23: 16},
}
"""The IGBP class that stands for a USGS class: crops, grass, shrubs, savanna, forests, barren, tundra."""

IGBP_OF_COMMUNITIES = {1: 5, **{name: name for name in PLANTS if name != 1}}
"""With plant communities class 1 is all natural vegetation of a cell: it stands as mixed forest."""

COVERS = {
    "trees": (1, 2, 3, 4, 5),
    "shrubs": (6, 7),
    "grass and savanna": (8, 9, 10),
    "crops": (12, 14),
    "barren": (16,),
}
"""Kinds of vegetation by their IGBP classes."""


def classes(patch_class: IntArray, igbp: dict[int, int] | None) -> IntArray:
    """IGBP classes (n,) of land cover classes (n,), 0 where there is none; ``igbp`` is one of the tables above."""
    table = {name: name for name in PLANTS} if igbp is None else igbp
    known = np.zeros(max(table) + 1, np.int64)
    for own, of_igbp in table.items():
        known[own] = of_igbp
    within = (patch_class >= 0) & (patch_class < known.size)
    found: IntArray = np.where(within, known[np.where(within, patch_class, 0)], 0)
    return found


def cover_and_roots(igbp: IntArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cover (n,), and part of the roots in each layer (n, n_layers), of IGBP classes (n,); 0 for class 0.

    ``edges`` are those of the layers from the surface down, (n_layers + 1,) m. Roots below the lowest are left out and
    the others are all.
    """
    cover, roots = np.zeros(igbp.size), np.zeros((igbp.size, edges.size - 1))
    for name, plants in PLANTS.items():
        above = 1.0 - 0.5 * (np.exp(-plants.a * edges) + np.exp(-plants.b * edges))
        cover[igbp == name] = plants.cover
        roots[igbp == name] = np.diff(above) / above[-1]
    return cover, roots
