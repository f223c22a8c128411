"""The water of all columns over a while: what rains, stands, runs off, is drawn by air and roots, sinks and drains.

Beside Richards' equation (`imgda_mpi.columns.richards`) these are simple, and each from its source: surface runoff of
the saturated part of a cell and the drainage of the aquifer of SIMTOP (Niu et al. 2005, 2007), evaporation from soil
(Lee and Pielke 1992), water stress of roots as CoLM has it without plant hydraulics, and the water table of CoLM202X
below the lowest layer.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.columns.aquifer import LEAST_DEFICIT, rising, water_table
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.columns.hydraulics import (
    DRIEST_PART,
    ENTRY,
    FULL,
    N_OF_COLUMN,
    RESIDUAL,
    SUCTION,
    WATER,
    relations,
    water_at,
)
from imgda_mpi.columns.richards import Bottom, limited_step, substep, undo, workspace

WILTING = -1.5e5
"""Potential at which roots draw nothing any more, mm: the model's ``smpmax``."""

FIELD_CAPACITY = -3365.0
"""Potential up to which evaporation from soil is not held back by it, mm: -33 kPa."""

EVAPORATING = 45.0
"""Depth from which air draws water, mm: two layers of CoLM."""

SHORTEST = 1.0e-3  # s: in so little time the error does not matter
UNSOLVED = 1.0  # s: a substep that has no solution at this length is taken another way
MOST_TRIES = 20_000  # of substeps in a while: a column that needs more is stuck


class Processes(NamedTuple):
    """What happens beside the flow in the soil; all of it can be turned off by a 0.

    Parameters
    ----------
    saturated_most, saturated_decay : part of a column's cell that is saturated where the water table is at the surface,
        and how fast it goes down with that, m-1: f = most exp(-0.5 decay zwt) (Niu et al. 2005; CoLM's values)
    drainage_most, drainage_decay : of the aquifer, mm s-1 and m-1: most exp(-decay zwt) (Niu et al. 2007)
    """

    saturated_most: float = 0.38
    saturated_decay: float = 0.5
    drainage_most: float = 5.5e-3
    drainage_decay: float = 2.5


class Columns(NamedTuple):
    """What does not change of n columns with any layers.

    Parameters
    ----------
    is_campbell, layers : see `imgda_mpi.columns.hydraulics.Hydraulics`
    depth, thickness : of nodes and of layers, (n_layers,) mm
    cover : part of the ground that plants cover, (n,)
    roots : part of them in each layer, (n, n_layers)
    air : part of what air draws that comes from each layer, (n_layers,): 0 but for the uppermost
    field : water of the layers at field capacity, (n, n_layers) mm
    pond : most water that stands on the surface, mm
    moves : which of the columns take part, (n,)
    """

    is_campbell: bool
    layers: FloatArray
    depth: FloatArray
    thickness: FloatArray
    cover: FloatArray
    roots: FloatArray
    air: FloatArray
    field: FloatArray
    pond: float
    moves: BoolArray


class State(NamedTuple):
    """What changes of n columns.

    Parameters
    ----------
    kept : water of the layers and what follows from it (`relations`), (n, 5, n_layers); row 0 in mm
    pond : water that stands on the surface, (n,) mm
    aquifer : its store, (n,) mm: a deficit, 0 where it is full
    table : depth of the water table, (n,) m
    """

    kept: FloatArray
    pond: FloatArray
    aquifer: FloatArray
    table: FloatArray


N_FLUXES = 5
RAIN, EVAPORATION, TRANSPIRATION, SURFACE_RUNOFF, DRAINAGE = range(N_FLUXES)
"""Columns of the fluxes that `advance` adds up, mm."""


def make_columns(
    is_campbell: bool,
    layers: FloatArray,
    depth: FloatArray,
    thickness: FloatArray,
    cover: FloatArray,
    roots: FloatArray,
    pond: float,
    moves: BoolArray,
) -> Columns:
    """`Columns` of their properties."""
    field = np.zeros(layers.shape[:2])
    _fill_field(is_campbell, layers, field)
    lower = np.minimum(np.cumsum(thickness), EVAPORATING)
    air = np.diff(lower, prepend=0.0) / EVAPORATING
    return Columns(is_campbell, layers, depth, thickness, cover, roots, air, field, pond, moves)


def make_state(columns: Columns, water: FloatArray, pond: FloatArray, aquifer: FloatArray, table: FloatArray) -> State:
    """`State` of the water of the layers, (n, n_layers) mm, and the rest; all arrays are its own."""
    kept = np.zeros((water.shape[0], 5, water.shape[1]))
    kept[:, WATER] = water
    _fill_kept(columns, kept)
    return State(kept, pond.copy(), aquifer.copy(), table.copy())


@compiled
def _fill_field(is_campbell: bool, layers: FloatArray, field: FloatArray) -> None:
    for c in range(field.shape[0]):
        for i in range(field.shape[1]):
            least = layers[c, i, RESIDUAL] + DRIEST_PART * (layers[c, i, FULL] - layers[c, i, RESIDUAL])
            field[c, i] = max(water_at(is_campbell, layers[c], i, FIELD_CAPACITY)[0], least)


@compiled
def _fill_kept(columns: Columns, kept: FloatArray) -> None:
    work = workspace(columns.depth.size)
    for c in range(kept.shape[0]):
        if columns.moves[c]:
            _load(kept, c, work)
            relations(columns.is_campbell, columns.layers[c], work)
            _keep(work, kept, c)


@compiled
def _load(kept: FloatArray, c: int, work: FloatArray) -> None:
    for row in range(kept.shape[1]):
        for i in range(kept.shape[2]):
            work[row, i] = kept[c, row, i]


@compiled
def _keep(work: FloatArray, kept: FloatArray, c: int) -> None:
    for row in range(kept.shape[1]):
        for i in range(kept.shape[2]):
            kept[c, row, i] = work[row, i]


@compiled
def advance(
    columns: Columns,
    state: State,
    rain: FloatArray,
    demand: FloatArray,
    seconds: float,
    processes: Processes,
    fluxes: FloatArray,
) -> tuple[float, int, int]:
    """Move columns on by a while of constant weather.

    Parameters
    ----------
    state : changed in place
    rain, demand : what rains and what the air would take, (n,) kg m-2 s-1
    fluxes : (n, 5) mm, to which those of this while are added

    Returns
    -------
    float, int, int
        Largest error of the water balance of a column, mm, infinite where a column has no solution; how many substeps
        were taken in all; and the column with that error.
    """
    n_layers = columns.depth.size
    work, sinks, sums = workspace(n_layers), np.zeros(n_layers), np.zeros(N_FLUXES)
    at_rest, stores = np.zeros((N_OF_COLUMN, 1)), np.zeros(3)
    worst, which, n_substeps = 0.0, 0, 0
    for c in range(rain.size):
        if not columns.moves[c]:
            continue
        _load(state.kept, c, work)
        stores[_POND], stores[_AQUIFER], stores[_TABLE] = state.pond[c], state.aquifer[c], state.table[c]
        before = _stored(work, stores)
        sums[:] = 0.0
        # Arrays one by one: tuples of arrays take longer to hand over than a column takes to move.
        taken = _advance_one(
            columns.is_campbell,
            columns.layers[c],
            columns.depth,
            columns.thickness,
            columns.cover[c],
            columns.roots[c],
            columns.air,
            columns.field[c],
            columns.pond,
            processes,
            rain[c],
            demand[c],
            seconds,
            stores,
            work,
            sinks,
            sums,
            at_rest,
        )
        _keep(work, state.kept, c)
        state.pond[c], state.aquifer[c], state.table[c] = stores[_POND], stores[_AQUIFER], stores[_TABLE]
        lost = 0.0
        for flux in range(1, N_FLUXES):
            lost += sums[flux]
        error = abs(_stored(work, stores) - before - (sums[RAIN] - lost))
        if taken == 0 or not error <= worst:
            worst, which = np.inf if taken == 0 or math.isnan(error) else error, c
        for flux in range(N_FLUXES):
            fluxes[c, flux] += sums[flux]
        n_substeps += taken
    return worst, n_substeps, which


_POND, _AQUIFER, _TABLE = range(3)
"""What a column has beside its layers: mm, mm, m."""


@compiled
def _stored(work: FloatArray, stores: FloatArray) -> float:
    """Water of a column, mm."""
    total: float = stores[_POND] + stores[_AQUIFER]
    for i in range(work.shape[1] - 1):
        total += work[WATER, i]
    return total


@compiled
def _advance_one(
    is_campbell: bool,
    layers: FloatArray,
    depth: FloatArray,
    thickness: FloatArray,
    cover: float,
    roots: FloatArray,
    air: FloatArray,
    field: FloatArray,
    most_pond: float,
    processes: Processes,
    rain: float,
    demand: float,
    seconds: float,
    stores: FloatArray,
    work: FloatArray,
    sinks: FloatArray,
    sums: FloatArray,
    at_rest: FloatArray,
) -> int:
    """Move the loaded column on and add up its fluxes, mm; how many substeps it took, 0 where it has no solution."""
    lowest = depth[-1]
    bottom_depth = lowest + 0.5 * thickness[-1]
    n_substeps, left, dt = 0, seconds, seconds
    for _ in range(MOST_TRIES):
        dt = min(dt, left)
        saturated = 0.0
        if rain > 0.0:
            saturated = processes.saturated_most * math.exp(-0.5 * processes.saturated_decay * stores[_TABLE])
        drainage = processes.drainage_most * math.exp(-processes.drainage_decay * stores[_TABLE])
        standing = stores[_POND] + rain * (1.0 - saturated) * dt
        evaporated = min(demand * dt, standing)
        transpired, from_soil = _draw(layers, cover, roots, air, field, demand - evaporated / dt, dt, work, sinks)
        below = max(1.0e3 * stores[_TABLE], bottom_depth) - lowest
        room = (max(stores[_AQUIFER], 0.0) - stores[_AQUIFER]) / dt + drainage
        bottom = Bottom(below, room, rising(is_campbell, layers, below, work, at_rest))
        pond, drained, error = substep(
            is_campbell, layers, depth, thickness, standing - evaporated, sinks, bottom, dt, work
        )
        if error > 1.0 and dt > (SHORTEST if error < np.inf else UNSOLVED):
            if error < np.inf:
                undo(is_campbell, layers, work)
            dt *= max(0.9 / error, 0.1)
            continue
        if error == np.inf:
            pond, drained = limited_step(layers, depth, standing - evaporated, sinks, bottom, dt, work)
            relations(is_campbell, layers, work)
            error = 0.9  # as long a substep again
        stores[_POND] = min(pond, most_pond)
        before = stores[_AQUIFER], stores[_TABLE]
        stores[_AQUIFER] += dt * (drained - drainage)
        rounding = max(stores[_AQUIFER] - max(before[0], 0.0), 0.0)
        if abs(stores[_AQUIFER]) < LEAST_DEFICIT:
            rounding = stores[_AQUIFER]  # a full aquifer has its table elsewhere than one that is nearly so
        stores[_AQUIFER] -= rounding
        stores[_TABLE] = water_table(is_campbell, layers, depth, thickness, stores[_AQUIFER], before, work)
        sums[RAIN] += rain * dt
        sums[EVAPORATION] += evaporated + from_soil * dt
        sums[TRANSPIRATION] += transpired * dt
        sums[SURFACE_RUNOFF] += rain * saturated * dt + (pond - stores[_POND])
        sums[DRAINAGE] += drainage * dt + rounding
        n_substeps += 1
        left -= dt
        if left <= 0.0:
            return n_substeps
        dt *= min(0.9 / max(error, 0.1), 4.0)
    return 0


@compiled
def _draw(
    layers: FloatArray,
    cover: float,
    roots: FloatArray,
    air: FloatArray,
    field: FloatArray,
    demand: float,
    dt: float,
    work: FloatArray,
    sinks: FloatArray,
) -> tuple[float, float]:
    """What roots and air draw from the layers; sums of both, mm s-1. ``demand`` is what the air would take, mm s-1.

    Roots: (1 - psi / psi_w) / (1 - psi_s / psi_w) of their part, 0 to 1. Air: (1 - cos(pi S))^2 / 4 of a layer's part
    where S, its water above residual over that at field capacity, is below 1 (Lee and Pielke 1992).
    """
    transpired, from_soil = 0.0, 0.0
    if demand <= 0.0:
        sinks[:] = 0.0
        return transpired, from_soil
    for i in range(sinks.size):
        stress = (1.0 - work[SUCTION, i] / WILTING) / (1.0 - layers[i, ENTRY] / WILTING)
        by_roots = cover * demand * roots[i] * min(max(stress, 0.0), 1.0)
        by_air = 0.0
        above = work[WATER, i] - layers[i, RESIDUAL]
        if air[i] > 0.0:
            filled = min(max(above / (field[i] - layers[i, RESIDUAL]), 0.0), 1.0)
            by_air = (1.0 - cover) * demand * air[i] * 0.25 * (1.0 - math.cos(math.pi * filled)) ** 2
        wanted, most = by_roots + by_air, max(above, 0.0) / dt
        if wanted > most:
            by_roots, by_air = by_roots * most / wanted, by_air * most / wanted
        sinks[i] = by_roots + by_air
        transpired += by_roots
        from_soil += by_air
    return transpired, from_soil
