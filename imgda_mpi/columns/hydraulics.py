"""How soil holds and conducts water: van Genuchten-Mualem with an air entry, or Campbell, as a restart's constants say.

Water of a layer is its mass per area, kg m-2 or mm; potentials are mm of water, 0 or less where soil is not saturated.
The relations are those of CoLM202X: a layer's ``smp`` and ``hk`` follow from its water by them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.soil_layers import DENSITY_LIQUID
from imgda_mpi.columns.compiled import compiled

LOWEST_POTENTIAL = -1.0e8
"""mm. Below it soil is as dry as air can make it; potentials go on in a straight line, conductivity to 0 at residual
water."""

DRIEST_PART = 1.0e-6
"""So does van Genuchten's where less than this part of the pores is filled: sand, where a potential would hang on the
last digits of the water."""

# Columns of `Hydraulics.layers`.
FULL, RESIDUAL, CONDUCTIVITY, ENTRY = range(4)
ALPHA, M, TORTUOSITY, SCALE, FULL_FACTOR, DRIEST = range(4, 10)
EXPONENT, DRIEST_WATER, RESIDUAL_CONDUCTIVITY = 4, 5, 6
# Reciprocals: divisions would take longer than all else.
BY_ROOM, BY_N, BY_M, BY_ALPHA, BY_N_LESS_1 = range(11, 16)
N_PROPERTIES = 16

NO_ENTRY = 1.0e-12
"""(alpha |psi_s|)^n from which on an air entry counts: without one the relations have no slope at saturation."""

N_OF_COLUMN = 8
WATER, SUCTION, HYDRAULIC, SLOPE, RISE, _WORK = range(6)
"""Rows of a column: see `relations`."""


class Hydraulics(NamedTuple):
    """Hydraulic properties of n soil columns.

    Parameters
    ----------
    is_campbell : which of the two relations holds
    layers : (n, n_layers, 16), by the numbers above: water when saturated and residual, mm; conductivity when
        saturated, mm s-1; air-entry potential, mm; and what the relation needs
    """

    is_campbell: bool
    layers: FloatArray


def campbell(
    porosity: FloatArray,
    residual: FloatArray,
    conductivity: FloatArray,
    entry: FloatArray,
    exponent: FloatArray,
    thickness: FloatArray,
) -> Hydraulics:
    """Campbell (1974): psi = psi_s s^-b, K = K_s s^(2b+3) with the degree of saturation s = theta / porosity.

    What conducts at residual water is taken off K, so that soil does not drain below it.

    Parameters
    ----------
    porosity, residual : (n, n_layers) m3 m-3
    conductivity : K_s, (n, n_layers) mm s-1
    entry : psi_s (``psi0``), (n, n_layers) mm, below 0
    exponent : b (``bsw``), (n, n_layers)
    thickness : of the layers, (n_layers,) m
    """
    layers = _common(porosity, residual, conductivity, entry, thickness)
    layers[..., EXPONENT] = exponent
    layers[..., DRIEST_WATER] = layers[..., FULL] * (entry / LOWEST_POTENTIAL) ** (1.0 / exponent)
    layers[..., RESIDUAL_CONDUCTIVITY] = conductivity * (residual / porosity) ** (2.0 * exponent + 3.0)
    return Hydraulics(True, layers)


def van_genuchten(
    porosity: FloatArray,
    residual: FloatArray,
    conductivity: FloatArray,
    entry: FloatArray,
    alpha: FloatArray,
    n: FloatArray,
    tortuosity: FloatArray,
    thickness: FloatArray,
) -> Hydraulics:
    """Van Genuchten (1980) and Mualem (1976), cut off at an air-entry potential (Ippisch et al. 2006).

    With S = (theta - theta_r) / (porosity - theta_r), m = 1 - 1/n and S_c = (1 + (alpha |psi_s|)^n)^-m:
    S S_c = (1 + (alpha |psi|)^n)^-m and K = K_s S^L ((1 - (1 - (S S_c)^(1/m))^m) / (1 - (1 - S_c^(1/m))^m))^2.

    Parameters
    ----------
    porosity, residual : (n, n_layers) m3 m-3
    conductivity : K_s, (n, n_layers) mm s-1
    entry : psi_s (``psi0``), (n, n_layers) mm, below 0
    alpha : (n, n_layers) mm-1, as the model uses its ``alpha_vgm``
    n, tortuosity : n above 1 and L, (n, n_layers)
    thickness : of the layers, (n_layers,) m
    """
    entry = np.minimum(entry, -(NO_ENTRY ** (1.0 / n)) / alpha)
    layers = _common(porosity, residual, conductivity, entry, thickness)
    m = 1.0 - 1.0 / n
    scale = (1.0 + (-alpha * entry) ** n) ** -m
    layers[..., ALPHA] = alpha
    layers[..., M] = m
    layers[..., BY_N] = 1.0 / n
    layers[..., BY_M] = 1.0 / m
    layers[..., BY_ALPHA] = 1.0 / alpha
    layers[..., BY_N_LESS_1] = 1.0 / (n - 1.0)
    layers[..., TORTUOSITY] = tortuosity
    layers[..., SCALE] = scale
    layers[..., FULL_FACTOR] = -np.expm1(m * np.log1p(-(scale ** (1.0 / m))))
    layers[..., DRIEST] = np.maximum((1.0 + (-alpha * LOWEST_POTENTIAL) ** n) ** -m / scale, DRIEST_PART)
    return Hydraulics(False, layers)


def _common(
    porosity: FloatArray, residual: FloatArray, conductivity: FloatArray, entry: FloatArray, thickness: FloatArray
) -> FloatArray:
    layers = np.zeros((*porosity.shape, N_PROPERTIES))
    layers[..., FULL] = porosity * thickness * DENSITY_LIQUID
    layers[..., RESIDUAL] = residual * thickness * DENSITY_LIQUID
    layers[..., CONDUCTIVITY] = conductivity
    layers[..., ENTRY] = entry
    layers[..., BY_ROOM] = 1.0 / (layers[..., FULL] - layers[..., RESIDUAL])
    return layers


@compiled
def relations(is_campbell: bool, layers: FloatArray, column: FloatArray) -> None:
    """Fill in what follows from the water of a column, row ``WATER`` of (8 or more, n_layers): the next four rows.

    They are potential mm, conductivity mm s-1, and their derivatives by the water: at a bend that from above, but at
    saturation that from below. Three more rows are for work: one function for all layers after the
    other takes less than half of the time.
    """
    if is_campbell:
        _campbell(layers, column)
    else:
        _van_genuchten(layers, column)


@compiled
def _campbell(layers: FloatArray, column: FloatArray) -> None:
    n = layers.shape[0]
    content, log, power = _WORK, _WORK + 1, _WORK + 2
    for i in range(n):
        column[content, i] = min(max(column[WATER, i], layers[i, DRIEST_WATER]), layers[i, FULL])
        column[log, i] = math.log(column[content, i] / layers[i, FULL])
    for i in range(n):
        column[SUCTION, i] = layers[i, ENTRY] * math.exp(-layers[i, EXPONENT] * column[log, i])
    for i in range(n):
        column[power, i] = math.exp((2.0 * layers[i, EXPONENT] + 3.0) * column[log, i])
    for i in range(n):
        by_content = 1.0 / column[content, i]
        conductivity = layers[i, CONDUCTIVITY] * column[power, i]
        over = column[WATER, i] > layers[i, FULL]
        slope = 0.0 if over else -layers[i, EXPONENT] * column[SUCTION, i] * by_content
        column[SUCTION, i] += slope * min(column[WATER, i] - column[content, i], 0.0)
        column[SLOPE, i] = slope
        drains = column[WATER, i] > layers[i, RESIDUAL]
        column[HYDRAULIC, i] = conductivity - layers[i, RESIDUAL_CONDUCTIVITY] if drains else 0.0
        column[RISE, i] = (2.0 * layers[i, EXPONENT] + 3.0) * conductivity * by_content if drains and not over else 0.0


@compiled
def _van_genuchten(layers: FloatArray, column: FloatArray) -> None:
    n = layers.shape[0]
    filled, log, x, rest, factor = _WORK, _WORK + 1, _WORK + 2, SLOPE, RISE
    for i in range(n):
        column[filled, i] = min(
            max((column[WATER, i] - layers[i, RESIDUAL]) * layers[i, BY_ROOM], layers[i, DRIEST]), 1.0
        )
        column[log, i] = math.log(column[filled, i] * layers[i, SCALE]) * layers[i, BY_M]
    for i in range(n):
        column[x, i] = math.exp(column[log, i])
    for i in range(n):
        column[rest, i] = math.log1p(-column[x, i])
    for i in range(n):
        column[SUCTION, i] = -math.exp((column[rest, i] - column[log, i]) * layers[i, BY_N]) * layers[i, BY_ALPHA]
    for i in range(n):
        column[factor, i] = -math.expm1(layers[i, M] * column[rest, i])  # 1 - (1 - x)^m
    for i in range(n):
        by_rest, by_filled = 1.0 / (1.0 - column[x, i]), layers[i, BY_ROOM] / column[filled, i]
        tortuosity, one_less, ratio = (
            layers[i, TORTUOSITY],
            column[factor, i],
            column[factor, i] / layers[i, FULL_FACTOR],
        )
        power = math.sqrt(column[filled, i]) if tortuosity == 0.5 else column[filled, i] ** tortuosity
        conductivity = layers[i, CONDUCTIVITY] * power * ratio * ratio
        column[HYDRAULIC, i] = conductivity
        column[SLOPE, i] = -column[SUCTION, i] * layers[i, BY_N_LESS_1] * by_rest * by_filled
        column[RISE, i] = (
            conductivity * (tortuosity + 2.0 * (1.0 - one_less) * column[x, i] * by_rest / one_less) * by_filled
        )
        if column[WATER, i] >= layers[i, FULL]:
            column[SUCTION, i] = layers[i, ENTRY]  # to the bit, as a step leaves it
    for i in range(n):
        drier = (column[WATER, i] - layers[i, RESIDUAL]) * layers[i, BY_ROOM]
        if drier < layers[i, DRIEST]:
            above = max(drier, 0.0)
            column[SUCTION, i] += column[SLOPE, i] / layers[i, BY_ROOM] * (above - layers[i, DRIEST])
            if drier < 0.0:
                column[SLOPE, i] = 0.0
            share = above / layers[i, DRIEST]
            column[RISE, i] = column[HYDRAULIC, i] / layers[i, DRIEST] * layers[i, BY_ROOM] if drier > 0.0 else 0.0
            column[HYDRAULIC, i] *= share
        elif column[WATER, i] > layers[i, FULL]:
            column[SLOPE, i], column[RISE, i] = 0.0, 0.0


@compiled
def water_at(is_campbell: bool, layers: FloatArray, i: int, potential: float) -> tuple[float, float]:
    """Water mm of layer i of a column at a potential mm, and its derivative: the inverse of `relations`."""
    if potential >= layers[i, ENTRY]:
        return layers[i, FULL], 0.0
    if is_campbell:
        b = layers[i, EXPONENT]
        water = layers[i, FULL] * (potential / layers[i, ENTRY]) ** (-1.0 / b)
        return water, -water / (b * potential)
    n, m = 1.0 / layers[i, BY_N], layers[i, M]
    power = math.exp(n * math.log(-layers[i, ALPHA] * potential))
    filled = math.exp(-m * math.log1p(power)) / layers[i, SCALE]
    room = layers[i, FULL] - layers[i, RESIDUAL]
    rise = -m * n * power / ((1.0 + power) * potential) * filled
    return layers[i, RESIDUAL] + room * filled, room * rise
