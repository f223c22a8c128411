"""Features of the cells of a restart: its soil, its land cover and its height, as far as they tell places apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from mpi4py import MPI

from imgda_mpi.colm.patches import PatchMap
from imgda_mpi.colm.plausible import check_conductivity
from imgda_mpi.colm.soil_layers import weighted_sum
from imgda_mpi.model.restart import SURFACE, Restart
from imgda_mpi.numerics.features import N_KNOTS, Groups, cell_means, class_members, hat_functions
from imgda_mpi.parallel.failure import from_rank_0
from imgda_mpi.parallel.rows import gather_rows
from imgda_mpi.sparse import csr_array, hstack

GROUPS = {"soil": ("porosity", "conductivity"), "cover": ("class",), "height": ("height",)}
"""What each group has features of."""

HEIGHTS = (-500.0, 9000.0)
"""Of land, m: other numbers stand for none."""


def cell_features(restart: Restart, comm: MPI.Intracomm) -> Groups:
    """Groups of features of the cells, the same on every rank. Collective over ``comm``.

    "soil" has hat functions of the porosity of 0-10 cm and of the logarithm of its conductivity when saturated, "cover"
    a feature for each class of land cover, "height" hat functions of the height. Patches that take no part in the
    analysis do not count, the others by their area. A property that the files have not, or that is everywhere the same,
    has no features, and a group without any is left out.

    Raises
    ------
    InputError
        Where the conductivity of a soil patch is none.
    """
    own, soil = restart.read_properties(), restart.patches.is_soil
    rows = {"class": own.patch_class, "porosity": weighted_sum(own.porosity, SURFACE)}
    if own.conductivity is not None:
        check_conductivity(own.conductivity[:, SURFACE > 0], soil, own.const, comm)
        counts = soil[:, None] & (SURFACE > 0)
        rows["conductivity"] = weighted_sum(np.log(np.where(counts, own.conductivity, 1.0)), SURFACE)
    if own.height is not None:
        least, most = HEIGHTS
        rows["height"] = np.where((own.height >= least) & (own.height <= most), own.height, np.nan)
    every = {name: gather_rows(comm, values, restart.offsets) for name, values in rows.items()}
    patches = restart.all_patches
    return from_rank_0(comm, lambda: _groups(patches, every) if patches else {})


def _groups(patches: PatchMap, rows: Mapping[str, Any]) -> Groups:
    """Of all patches, and their properties by name, (n_patch,) each."""
    soil = patches.is_soil

    def of_cells(of_patches: csr_array) -> csr_array:
        return cell_means(of_patches, patches.cell[soil], patches.weight[soil], patches.grid.cell_area.size)

    parts = {name: hat_functions(values[soil], N_KNOTS) for name, values in rows.items() if name != "class"}
    parts["class"] = class_members(rows["class"][soil])
    parts = {name: of_cells(part) for name, part in parts.items() if part.shape[1] > 1}
    of_groups = {name: [parts[part] for part in names if part in parts] for name, names in GROUPS.items()}
    return {name: csr_array(hstack(several)) for name, several in of_groups.items() if several}
