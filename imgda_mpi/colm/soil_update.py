"""The increment of the surface layer, given to the soil water of each patch within its bounds.

Every layer of the surface layer gets the same change of volumetric water. Frozen layers get nothing and their share
is withheld. What a layer cannot take because of a bound goes to the patch's other layers; what none can
take is lost. All of it is counted in a ledger of water.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.soil_layers import (
    DENSITY_ICE,
    DENSITY_LIQUID,
    FREEZING,
    N_SOIL,
    thickness,
    volumetric_water,
    weighted_sum,
)

_layer_mass = DENSITY_LIQUID * thickness  # kg m-2 of liquid per m3 m-3


@dataclass(frozen=True)
class SoilColumns:
    """Soil water of n patches.

    Parameters
    ----------
    liquid, ice : (n, 10) kg m-2
    temperature : (n, 10) K
    porosity, residual : upper and lower limit of volumetric water, (n, 10) m3 m-3; the latter 0 where there is none
    is_soil : patches that take part, (n,)

    Raises
    ------
    ValueError
        Where shapes differ.
    """

    liquid: FloatArray
    ice: FloatArray
    temperature: FloatArray
    porosity: FloatArray
    residual: FloatArray
    is_soil: BoolArray

    def __post_init__(self) -> None:
        expected = (self.is_soil.size, N_SOIL)
        for name in ("liquid", "ice", "temperature", "porosity", "residual"):
            shape = getattr(self, name).shape
            if shape != expected:
                raise ValueError(f"{name} has shape {shape}, expected {expected}")

    def surface_moisture(self, weights: FloatArray) -> FloatArray:
        """Liquid water and ice of a layer, (n,) m3 m-3: the mean of the soil layers with the given weights (10,)."""
        return weighted_sum(volumetric_water(self.liquid, self.ice), weights)

    def is_frozen(self) -> BoolArray:
        """Layers below freezing or with ice, (n, 10): the model decides there how much water is liquid."""
        return (self.temperature < FREEZING) | (self.ice > 0)

    def liquid_bounds(self) -> tuple[FloatArray, FloatArray]:
        """Least and most liquid water an update may leave, two (n, 10) arrays in kg m-2.

        Residual water and the pore space that ice leaves free, or the background where the model itself is
        outside: an update may not lead further out, and does not force a way in.
        """
        lower = self.residual * _layer_mass
        upper = (self.porosity - self.ice / (DENSITY_ICE * thickness)) * _layer_mass
        return np.minimum(lower, self.liquid), np.maximum(upper, self.liquid)


@dataclass(frozen=True)
class SoilUpdate:
    """New soil water of n patches and the ledger of the change.

    For every patch: column water before + requested - frozen - clamped = column water after.

    Parameters
    ----------
    liquid : updated liquid water, (n, 10) kg m-2
    requested : water of the uniform shift of all layers of the surface layer, without bounds, (n,) kg m-2
    frozen : part of it that was withheld from frozen layers, (n,) kg m-2
    clamped : part that bounds refused, net of what other layers took instead, (n,) kg m-2. It is not 0 where the whole
        increment could be placed in other layers: their share in the surface layer differs from that in the column.
    applied : change of the column's liquid water, (n,) kg m-2
    unmet : increment minus achieved change of the surface moisture, (n,) m3 m-3
    is_frozen, at_lower, at_upper : patches (n,) where a layer was withheld as frozen, or where the update has brought
        a layer to its lower (upper) bound, at which it was not in the background
    """

    liquid: FloatArray
    requested: FloatArray
    frozen: FloatArray
    clamped: FloatArray
    applied: FloatArray
    unmet: FloatArray
    is_frozen: BoolArray
    at_lower: BoolArray
    at_upper: BoolArray


@np.errstate(over="ignore", invalid="ignore")  # columns that take no part may hold any number
def update_soil(columns: SoilColumns, increment: FloatArray, weights: FloatArray) -> SoilUpdate:
    """Soil water after an increment of the surface moisture.

    Parameters
    ----------
    columns : background of n patches
    increment : change of the surface moisture, (n,) m3 m-3; ignored (may be NaN) on patches that are not soil
    weights : share of the soil layers in the surface layer, (10,), >= 0, sum 1

    Returns
    -------
    SoilUpdate
        Layers without weight, frozen layers, and patches without increment keep every bit.

    Raises
    ------
    ValueError
        Where shapes differ, the weights do not sum to 1, or the increment of a soil patch is not finite.

    Notes
    -----
    The layers that may change are shifted by the same volumetric water v, each within its bounds:
    sum_l w_l (clip(theta_l + v, lower_l, upper_l) - theta_l) = increment times the sum of their w_l.
    """
    wanted = _checked_increment(columns, increment, weights)
    asked = (weights > 0) & (wanted != 0)[:, None]
    withheld = asked & columns.is_frozen()
    movable = asked & ~withheld
    lower, upper = columns.liquid_bounds()
    shift = _uniform_shift(columns.liquid, lower, upper, movable, wanted, weights)
    shifted = columns.liquid + shift[:, None] * _layer_mass
    liquid = np.where(movable, np.clip(shifted, lower, upper), columns.liquid)

    change = np.where(movable, liquid - columns.liquid, 0.0)
    has_moved = movable & (liquid != columns.liquid)
    requested = wanted * weighted_sum(asked.astype(np.float64), _layer_mass)
    frozen = wanted * weighted_sum(withheld.astype(np.float64), _layer_mass)
    applied = weighted_sum(change, np.ones(N_SOIL))
    return SoilUpdate(
        liquid=liquid,
        requested=requested,
        frozen=frozen,
        clamped=requested - frozen - applied,
        applied=applied,
        unmet=wanted - weighted_sum(change / _layer_mass, weights),
        is_frozen=withheld.any(axis=1),
        at_lower=(has_moved & (liquid <= lower)).any(axis=1) & (wanted < 0),
        at_upper=(has_moved & (liquid >= upper)).any(axis=1) & (wanted > 0),
    )


def check_bounds(columns: SoilColumns, liquid: FloatArray) -> None:
    """Refuse liquid water (n, 10) kg m-2 that is not finite or not within the columns' `liquid_bounds`.

    Raises
    ------
    ValueError
        Saying how many patches are wrong.
    """
    lower, upper = columns.liquid_bounds()
    wrong = columns.is_soil & ~((liquid >= lower) & (liquid <= upper)).all(axis=1)
    if wrong.any():
        raise ValueError(f"liquid water of {np.count_nonzero(wrong)} patches is not finite or out of bounds")


def compensate_aquifer(aquifer: FloatArray, update: SoilUpdate, *, is_deficit: bool) -> tuple[FloatArray, FloatArray]:
    """The aquifer store when it takes what the soil loses and gives what it gains, and the change it had no room for.

    Two (n,) in mm, the second of the soil water: 0 or less. The total water of a column changes by it alone.

    Notes
    -----
    In the variably saturated scheme of CoLM202X the store ``is_deficit``, which is full at 0: that scheme keeps a
    surplus, exchanges it with layer 10 and moves the water table, so that a surplus that is there must not grow. In the
    older scheme it is some metres of water, and has no bound, unless it is at or below 0.
    """
    after = aquifer - update.applied
    most = np.maximum(aquifer, 0.0)
    spills = (is_deficit | (aquifer <= 0)) & (after > most)
    return np.where(spills, most, after), np.where(spills, most - after, 0.0)


def _checked_increment(columns: SoilColumns, increment: FloatArray, weights: FloatArray) -> FloatArray:
    if increment.shape != columns.is_soil.shape:
        raise ValueError(f"increment has shape {increment.shape}, expected {columns.is_soil.shape}")
    if weights.shape != (N_SOIL,) or (weights < 0).any() or abs(weights.sum() - 1.0) > 1e-12:
        raise ValueError(f"weights must be {N_SOIL} values >= 0 that sum to 1, found {weights}")
    wanted = np.where(columns.is_soil, increment, 0.0)
    if not np.isfinite(wanted).all():
        raise ValueError(f"increment is not finite on {np.count_nonzero(~np.isfinite(wanted))} soil patches")
    return wanted


def _uniform_shift(
    liquid: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    movable: BoolArray,
    wanted: FloatArray,
    weights: FloatArray,
) -> FloatArray:
    """Volumetric shift (n,) of the movable layers that yields the wanted change, or brings them all to a bound."""
    target = wanted * weighted_sum(movable.astype(np.float64), weights)
    grows = (wanted > 0)[:, None]
    shift = np.zeros_like(wanted)
    # Each pass meets the target or brings one layer more to its bound.
    for _ in range(np.count_nonzero(weights)):
        shifted = liquid + shift[:, None] * _layer_mass
        taken = np.where(movable, np.clip(shifted, lower, upper) - liquid, 0.0) / _layer_mass
        missing = target - weighted_sum(taken, weights)
        free = movable & np.where(grows, shifted < upper, shifted > lower)
        share = weighted_sum(free.astype(np.float64), weights)
        shift = shift + np.divide(missing, share, out=np.zeros_like(missing), where=share > 0)
    return shift
