"""Water in one soil column: Richards' equation in mixed form, by an implicit step that says how large its error is.

The water of a layer changes by the flux from above less that to below and what roots and air take,

    dw_i/dt = q_i - q_(i+1) - s_i,    g = (psi_above - psi_below) / distance,

    q = K (1 + f g) where g > 0,    K (1 + g) where 0 > g > -1,    f K (1 + g) where g < -1,

fluxes positive downward. K is that of the side the water comes from (Forsyth et al. 1995): with it more water anywhere
never means less water elsewhere after a step, and a column at rest stays so. The share f = psi / psi_drier makes of it
the mean of K on the way to drier soil, where K falls with the square of psi: otherwise dry soil would draw water as
fast as it likes. It holds for what of g lies below potentials of -1 / alpha (Campbell: psi_s); all above counts in
full. CoLM202X's mean (Dai et al. 2019) comes to the same in dry soil. The implicit equations are solved by Newton's
method. The unknown of a layer is its water, and its pressure where it is saturated (Diersch and Perrochet 1999). Each
iteration keeps the sum of water whatever else its error is.

Boundaries are the lesser of two fluxes: at the surface all water that is there, or what soil takes in that stands under
it; at the bottom what flows to the water table, or what the aquifer has room for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.columns.compiled import compiled
from imgda_mpi.columns.hydraulics import (
    BY_ALPHA,
    CONDUCTIVITY,
    ENTRY,
    FULL,
    HYDRAULIC,
    N_OF_COLUMN,
    RESIDUAL,
    RISE,
    SLOPE,
    SUCTION,
    WATER,
    relations,
)

EQUATION = 1.0e-5
"""What may be left of the equation of a layer in a substep when its iterations end, m3 m-3. No water is lost by it."""

ERROR = 5.0e-3
"""Error in time that is allowed to a layer in a substep, m3 m-3."""

MOST_ITERATIONS = 200

FREE_ITERATIONS = 6
"""So many iterations go their whole way. From then on each has to bring the layers nearer to their equations: else it
goes a part of its way, down to `SHORTEST_WAY`. Where dry soil is wetted, Newton's method goes round in circles."""

SHORTEST_WAY = 1.0e-6
SOLVED = 1.0e-11  # m3 m-3: so near, rounding decides whether it is nearer

STORAGE = 1.0e-14
"""What full layers between two given fluxes gain where their pressure rises, mm mm-1: next to nothing, so that their
equations have an answer. It is so far off that they are full no more, or water stands on them."""

ROUNDING = 1.0e-8
"""Water that the solution of the linear equations may lose or gain by rounding, mm. It goes to the aquifer."""

# What is known of the layers of a column, and what a step needs, by rows of an array.
N_ROWS = N_OF_COLUMN + 15
(_BEFORE, _MOST, _IS_FULL, _PRESSURE, _FLUX, _BY_ABOVE, _BY_BELOW, _LOWER, _DIAGONAL, _UPPER, _RIGHT) = range(
    N_OF_COLUMN, N_OF_COLUMN + 11
)
_STEP, _FROM_WATER, _FROM_PRESSURE, _FROM_FULL = range(N_OF_COLUMN + 11, N_ROWS)


class Bottom(NamedTuple):
    """The aquifer below a column, as far as a step knows it.

    Parameters
    ----------
    distance : from the lowest node down to the water table, mm
    room : rate at which the aquifer can take water until the end of the step, mm s-1
    rising : conductivity for water that rises from the water table, mm s-1
    """

    distance: float
    room: float
    rising: float


@compiled
def workspace(n_layers: int) -> FloatArray:
    """Room for the arrays of one column, to be used again for the next: (23, n_layers + 1)."""
    return np.zeros((N_ROWS, n_layers + 1))


@compiled
def substep(
    is_campbell: bool,
    layers: FloatArray,
    depth: FloatArray,
    thickness: FloatArray,
    supply: float,
    sinks: FloatArray,
    bottom: Bottom,
    dt: float,
    work: FloatArray,
) -> tuple[float, float, float]:
    """Move a column on by ``dt`` seconds.

    Parameters
    ----------
    layers : (n_layers, 16), see `imgda_mpi.columns.hydraulics.Hydraulics`
    depth, thickness : of nodes and of layers, (n_layers,) mm
    supply : water that stands on the surface or comes to it in this time, mm
    sinks : what is taken from the layers, (n_layers,) mm s-1, and no more than they have above residual water
    work : the column (`workspace`, `relations`), which becomes the one after the step

    Returns
    -------
    float, float, float
        Water left on the surface, mm; flux to the aquifer, mm s-1; estimated error as a part of `ERROR`, infinite where
        the step failed.
    """
    n = depth.size
    for i in range(n):
        work[_BEFORE, i] = work[WATER, i]
        # What a layer holds beyond its pores may stay there, and gets no more.
        work[_MOST, i] = max(layers[i, FULL], work[WATER, i])
        work[_IS_FULL, i] = 1.0 if work[WATER, i] >= layers[i, FULL] else 0.0
    pond, drained = 0.0, 0.0
    changed = True
    share, nearest = 1.0, np.inf
    for iteration in range(MOST_ITERATIONS):
        is_ponded = _flux_in(layers, depth, supply, dt, work)
        _fluxes(layers, depth, work)
        _flux_out(layers, bottom, work)
        left = _assemble(thickness, sinks, dt, work)
        has_room = dt * (drained - bottom.room) <= ROUNDING
        if iteration > 0 and left <= EQUATION and not changed and has_room:
            lost = supply - pond - dt * drained
            for i in range(n):
                lost -= dt * sinks[i] + (work[WATER, i] - work[_BEFORE, i])
            if abs(lost) <= ROUNDING:
                for i in range(n):
                    if work[_IS_FULL, i] > 0.0:  # a pressure is no part of the state
                        work[SUCTION, i] = layers[i, ENTRY]
                return pond, drained + lost / dt, _error(thickness, work)
        if iteration > FREE_ITERATIONS and left > max((1.0 - 0.1 * share) * nearest, SOLVED) and share > SHORTEST_WAY:
            # To the lowest point of the parabola through both ends, but neither much nor little shorter.
            share *= min(max(0.5 * share * nearest / (left - (1.0 - share) * nearest), 0.3), 0.5)
            _go_back(share, work)
            _update(is_campbell, layers, work)
            changed = True
            continue
        share, nearest = 1.0, left
        _factorise(work)
        _solve(work)
        if iteration >= FREE_ITERATIONS:
            _remember(work)
        drained = work[_FLUX, n] + work[_BY_ABOVE, n] * work[_RIGHT, n - 1]
        pond = supply - dt * (work[_FLUX, 0] + work[_BY_BELOW, 0] * work[_RIGHT, 0]) if is_ponded else 0.0
        changed = _update(is_campbell, layers, work)
        if pond < 0.0:
            changed = changed or pond < -ROUNDING
            pond = 0.0
    undo(is_campbell, layers, work)
    return supply, 0.0, np.inf


@compiled
def limited_step(
    layers: FloatArray, depth: FloatArray, supply: float, sinks: FloatArray, bottom: Bottom, dt: float, work: FloatArray
) -> tuple[float, float]:
    """Move a column on by a short ``dt`` where `substep` has no solution: what stands on the surface, and what drains.

    Each flux is that of the start, but no more than its source has and its receiver has room for. Arguments and results
    are those of `substep`; what follows from the water has to be filled in after it.
    """
    n = depth.size
    _flux_in(layers, depth, supply, dt, work)
    _fluxes(layers, depth, work)
    _flux_out(layers, bottom, work)
    for i in range(n):
        work[WATER, i] -= dt * sinks[i]
    into = min(max(dt * work[_FLUX, 0], 0.0), supply, work[_MOST, 0] - work[WATER, 0])
    moved = into
    for i in range(n):
        work[WATER, i] += moved
        has = max(work[WATER, i] - min(layers[i, RESIDUAL], work[_BEFORE, i]), 0.0)
        room = work[_MOST, i] - work[WATER, i]
        if i == n - 1:
            moved = max(min(dt * work[_FLUX, n], has, dt * bottom.room), -room)
        else:
            below = i + 1
            has_below = max(work[WATER, below] - min(layers[below, RESIDUAL], work[_BEFORE, below]), 0.0)
            room_below = work[_MOST, below] - work[WATER, below]
            moved = max(min(dt * work[_FLUX, below], has, room_below), -min(room, has_below))
        work[WATER, i] -= moved
    return supply - into, moved / dt


@compiled
def _remember(work: FloatArray) -> None:
    """Keep the unknowns of the layers and the step that they are about to take."""
    for i in range(work.shape[1] - 1):
        work[_STEP, i] = work[_RIGHT, i]
        work[_FROM_WATER, i] = work[WATER, i]
        work[_FROM_PRESSURE, i] = work[SUCTION, i]
        work[_FROM_FULL, i] = work[_IS_FULL, i]


@compiled
def _go_back(share: float, work: FloatArray) -> None:
    """To where that step was taken from, to take a share of it."""
    for i in range(work.shape[1] - 1):
        work[_RIGHT, i] = share * work[_STEP, i]
        work[WATER, i] = work[_FROM_WATER, i]
        work[SUCTION, i] = work[_FROM_PRESSURE, i]
        work[_IS_FULL, i] = work[_FROM_FULL, i]


@compiled
def undo(is_campbell: bool, layers: FloatArray, work: FloatArray) -> None:
    """Bring the column back to where it was before the last `substep`."""
    for i in range(layers.shape[0]):
        work[WATER, i] = work[_BEFORE, i]
    relations(is_campbell, layers, work)


@compiled
def _flux_in(layers: FloatArray, depth: FloatArray, supply: float, dt: float, work: FloatArray) -> bool:
    """The flux through the surface, and whether water is left standing on it.

    Under standing water q = K_s ((pond - psi_1) / z_1 + 1) with the pond at the end of the step: supply - q dt.
    """
    conductivity = layers[0, CONDUCTIVITY] / (1.0 + layers[0, CONDUCTIVITY] * dt / depth[0])
    taken = conductivity * ((supply - work[SUCTION, 0]) / depth[0] + 1.0)
    if taken < supply / dt:
        work[_FLUX, 0] = taken
        work[_BY_BELOW, 0] = -conductivity / depth[0] * _by_suction(work, 0)
        return True
    work[_FLUX, 0], work[_BY_BELOW, 0] = supply / dt, 0.0
    return False


@compiled
def _fluxes(layers: FloatArray, depth: FloatArray, work: FloatArray) -> None:
    """Fluxes between layers, and their derivatives by the unknowns above and below."""
    # Choices between values, no branches: the processor guesses these wrong.
    for i in range(1, depth.size):
        by_distance = 1.0 / (depth[i] - depth[i - 1])
        above, below = work[SUCTION, i - 1], work[SUCTION, i]
        pull = (above - below) * by_distance
        down = pull > -1.0
        entry_above, entry_below = layers[i - 1, ENTRY], layers[i, ENTRY]
        alpha_above, alpha_below = layers[i - 1, BY_ALPHA], layers[i, BY_ALPHA]
        source, other = above if down else below, below if down else above
        reach = max(alpha_above, -entry_above) if down else max(alpha_below, -entry_below)
        near, far = max(-source, reach), max(-other, reach)
        by_far = 1.0 / far
        share = near * by_far
        drawn = pull if down else -1.0 - pull
        wet = (source + near) * by_distance
        beyond = max(drawn - wet, 0.0)
        is_shared = beyond > 0.0
        k_above, k_below = work[HYDRAULIC, i - 1], work[HYDRAULIC, i]
        conductivity = k_above if down else -k_below
        gradient = min(drawn, wet) + share * beyond + (1.0 if down else 0.0)
        work[_FLUX, i] = conductivity * gradient
        of_near = share * by_distance - drawn * by_far if is_shared and near > reach else by_distance
        of_far = share * (beyond * by_far - by_distance) if is_shared else -by_distance
        slope_above, slope_below = work[SLOPE, i - 1], work[SLOPE, i]
        rise_above, rise_below = work[RISE, i - 1], work[RISE, i]
        full_above, full_below = work[_IS_FULL, i - 1] > 0.0, work[_IS_FULL, i] > 0.0
        by_above = conductivity * (of_near if down else of_far) * (1.0 if full_above else slope_above)
        by_below = conductivity * (of_far if down else of_near) * (1.0 if full_below else slope_below)
        work[_BY_ABOVE, i] = by_above + (rise_above * gradient if down and not full_above else 0.0)
        work[_BY_BELOW, i] = by_below - (0.0 if down or full_below else rise_below * gradient)


@compiled
def _flux_out(layers: FloatArray, bottom: Bottom, work: FloatArray) -> None:
    """The flux to the aquifer: no more than that has room for.

    Water rises from a water table as far as soil between conducts it, twice the conductivity there at rest at most
    (Gardner 1958).
    """
    n = layers.shape[0]
    last = n - 1
    gradient = (work[SUCTION, last] - layers[last, ENTRY]) / bottom.distance + 1.0
    if gradient > 0.0:
        flux = work[HYDRAULIC, last] * gradient
        slope = work[HYDRAULIC, last] / bottom.distance * _by_suction(work, last)
        if work[_IS_FULL, last] == 0.0:
            slope += work[RISE, last] * gradient
    else:
        share = 1.0 / (1.0 - 0.5 * gradient)
        flux = bottom.rising * gradient * share
        slope = bottom.rising * share * share / bottom.distance * _by_suction(work, last)
    if flux >= bottom.room:
        flux, slope = bottom.room, 0.0
    work[_FLUX, n], work[_BY_ABOVE, n] = flux, slope


@compiled
def _by_suction(work: FloatArray, i: int) -> float:
    """Derivative of a layer's potential by its unknown: itself where the layer is full."""
    return 1.0 if work[_IS_FULL, i] > 0.0 else work[SLOPE, i]


@compiled
def _assemble(thickness: FloatArray, sinks: FloatArray, dt: float, work: FloatArray) -> float:
    """The linear equations of an iteration, and how far the layers are from theirs at most, m3 m-3."""
    left = 0.0
    for i in range(thickness.size):
        gained = dt * (work[_FLUX, i] - work[_FLUX, i + 1] - sinks[i]) - (work[WATER, i] - work[_BEFORE, i])
        left = max(left, abs(gained) / thickness[i])
        work[_RIGHT, i] = gained
        work[_LOWER, i] = -dt * work[_BY_ABOVE, i]
        work[_UPPER, i] = dt * work[_BY_BELOW, i + 1]
        work[_DIAGONAL, i] = 1.0 - work[_IS_FULL, i] - dt * (work[_BY_BELOW, i] - work[_BY_ABOVE, i + 1])
    return left


@compiled
def _factorise(work: FloatArray) -> None:
    n = work.shape[1] - 1
    work[_DIAGONAL, 0] = 1.0 / max(work[_DIAGONAL, 0], STORAGE)
    for i in range(1, n):
        work[_LOWER, i] *= work[_DIAGONAL, i - 1]
        work[_DIAGONAL, i] = 1.0 / max(work[_DIAGONAL, i] - work[_LOWER, i] * work[_UPPER, i - 1], STORAGE)


@compiled
def _solve(work: FloatArray) -> None:
    """Put the solution of the factorised equations in the place of their right side."""
    n = work.shape[1] - 1
    for i in range(1, n):
        work[_RIGHT, i] -= work[_LOWER, i] * work[_RIGHT, i - 1]
    work[_RIGHT, n - 1] *= work[_DIAGONAL, n - 1]
    for i in range(n - 2, -1, -1):
        work[_RIGHT, i] = (work[_RIGHT, i] - work[_UPPER, i] * work[_RIGHT, i + 1]) * work[_DIAGONAL, i]


@compiled
def _update(is_campbell: bool, layers: FloatArray, work: FloatArray) -> bool:
    """Take the step of an iteration; whether a layer was held back, became full, or is so no more."""
    changed = False
    for i in range(layers.shape[0]):
        if work[_IS_FULL, i] > 0.0:
            work[_PRESSURE, i] = work[SUCTION, i] + work[_RIGHT, i]
            if work[_PRESSURE, i] < layers[i, ENTRY]:
                work[_IS_FULL, i] = 0.0
                changed = True
            continue
        water = work[WATER, i] + work[_RIGHT, i]
        least, full = min(layers[i, RESIDUAL], work[_BEFORE, i]), layers[i, FULL]
        if work[_MOST, i] > full and (work[WATER, i] - full) * (water - full) < 0.0:  # not past a bend
            changed = True
            water = full
        elif water > work[_MOST, i]:
            changed = changed or water > work[_MOST, i] + ROUNDING
            work[_IS_FULL, i] = 1.0
            work[_PRESSURE, i] = layers[i, ENTRY]
            water = work[_MOST, i]
        elif water < least:
            if water < least - ROUNDING:
                changed = True
                least += 0.1 * (work[WATER, i] - least)
            water = least
        work[WATER, i] = water
    relations(is_campbell, layers, work)
    for i in range(layers.shape[0]):
        if work[_IS_FULL, i] > 0.0:
            work[SUCTION, i] = work[_PRESSURE, i]
    return changed


@compiled
def _error(thickness: FloatArray, work: FloatArray) -> float:
    """Estimated error in time of the layers' water, as a part of the error allowed.

    It is 0.3 of a layer's change: by no more an implicit step of any length falls short of what relaxes exponentially.
    """
    change = 0.0
    for i in range(thickness.size):
        change = max(change, abs(work[WATER, i] - work[_BEFORE, i]) / thickness[i])
    return 0.3 * change / ERROR
