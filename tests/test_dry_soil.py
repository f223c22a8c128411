"""How fast dry soil draws water: on coarse layers about as on fine ones."""

from __future__ import annotations

import numpy as np
import pytest

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import interface_depth, node_depth, thickness
from imgda_mpi.columns.hydraulics import FULL, RESIDUAL, WATER, Hydraulics, campbell, van_genuchten
from imgda_mpi.columns.water import N_FLUXES, Processes, advance, make_columns, make_state

NOTHING_ELSE = Processes(saturated_most=0.0, drainage_most=0.0)


def soil(relation: str, depths: FloatArray) -> Hydraulics:
    """Loam in layers of thickness ``depths``, m."""
    porosity, residual, conductivity = (np.full((1, depths.size), value) for value in (0.43, 0.06, 2e-3))
    if relation == "Campbell":
        return campbell(porosity, residual, conductivity, 0 * porosity - 200.0, 0 * porosity + 6.0, depths)
    entry, alpha, n = (np.full((1, depths.size), value) for value in (-10.0, 2e-3, 1.4))
    return van_genuchten(porosity, residual, conductivity, entry, alpha, n, 0 * porosity + 0.5, depths)


def drawn(relation: str, parts: int, dry: int) -> float:
    """Water that CoLM's first layers, dry to the last, gain from moist ones in 6 hours, mm; each in some parts."""
    depths = np.repeat(thickness / parts, parts)
    found = soil(relation, depths)
    edges = np.concatenate([[0.0], np.cumsum(depths)])
    nodes = node_depth if parts == 1 else 0.5 * (edges[1:] + edges[:-1])
    one = np.ones(1)
    columns = make_columns(
        *found, 1e3 * nodes, 1e3 * depths, 0.0 * one, np.zeros((1, depths.size)), 10.0, np.ones(1, bool)
    )
    full, residual = found.layers[..., FULL], found.layers[..., RESIDUAL]
    water = np.where(edges[:-1] < interface_depth[dry] - 1e-9, residual, residual + 0.5 * (full - residual))
    state = make_state(columns, water, 0.0 * one, -100.0 * one, 10.0 * one)
    before = water[0, : dry * parts].sum()
    for _ in range(6):
        advance(columns, state, 0.0 * one, 0.0 * one, 3600.0, NOTHING_ELSE, np.zeros((1, N_FLUXES)))
    return float(state.kept[0, WATER, : dry * parts].sum() - before)


@pytest.mark.parametrize("relation", ["van Genuchten", "Campbell"])
@pytest.mark.parametrize("dry", [1, 2])
def test_dry_soil_draws_water_on_coarse_layers_about_as_on_fine_ones(relation: str, dry: int) -> None:
    coarse, fine = drawn(relation, 1, dry), drawn(relation, 16, dry)
    assert coarse == pytest.approx(fine, rel=0.2)
