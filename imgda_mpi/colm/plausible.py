"""What no soil column may hold: states and properties outside any physical range."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from mpi4py import MPI

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.colm.soil_layers import DENSITY_ICE, DENSITY_LIQUID, thickness, volumetric_water
from imgda_mpi.colm.soil_update import SoilColumns
from imgda_mpi.faults import fault
from imgda_mpi.parallel.failure import same_fate

log = logging.getLogger(__name__)

LEAST_WATER = -0.1
"""Least liquid water and least ice of a layer, kg m-2: solvers leave small deficits."""

MOST_WATER = 2.0
"""Most water of a layer in units of its pore space. The model itself goes to 1.45 where a wet soil freezes."""

LEAST_IN_COLUMN = 0.01
"""Least water of a whole column in units of its pore space: residual water is some hundredths in every layer."""

TEMPERATURES = (150.0, 400.0)
"""Of a soil layer, K."""

LARGEST_AQUIFER = 1.0e6
"""Of the aquifer store, mm: a kilometre of water. CoLM writes -1.0e36 where it has no value."""

DAMAGED = "the file is damaged or of another case: use one that the model wrote in full"
"""What to do about values that cannot be."""

Place = Callable[[int], tuple[Path, int]]
"""The file of one of the own patches, and the patch's number in it, from 0."""

Implausible = Literal["stop", "leave_out"]
"""What becomes of soil patches that hold what no soil can: they stop the analysis, or they take no part in it."""


class _Rule(NamedTuple):
    """What a variable of the state or of the constants must be, layer by layer, (n, 10)."""

    variable: str
    of_state: bool
    values: FloatArray
    holds: BoolArray
    expected: Callable[[tuple[int, int]], str]  # at a patch and layer


class _Breach(NamedTuple):
    """The first place where a rule does not hold; ``number`` is the rule's."""

    number: int
    file: Path
    variable: str
    found: str
    expected: str


def check_soil(
    soil: SoilColumns, state: Place, const: Place, comm: MPI.Intracomm, implausible: Implausible | None = "stop"
) -> SoilColumns:
    """The own soil columns, of which those that are plausible take part. Collective over ``comm``.

    Parameters
    ----------
    state, const : where the state and the constants of a patch of ``soil`` come from
    implausible : with ``"leave_out"`` patches that hold missing, not finite or impossible values are no soil in what is
        returned, and a warning says so; None stops too, where leaving them out is no choice

    Raises
    ------
    InputError
        With ``"leave_out"`` where there is no other patch, else where there is such a patch: naming the first one, and
        how many have what it has.
    """
    mine: _Breach | None = None
    wrong = np.zeros_like(soil.is_soil)
    for number, rule in enumerate(_rules(soil)):
        broken = soil.is_soil[:, None] & ~rule.holds
        if mine is None and broken.any():
            mine = _breach(number, rule, broken, state if rule.of_state else const)
        wrong |= broken.any(axis=1)
    n_soil, n_wrong = (int(n) for n in comm.allreduce(np.array([soil.is_soil.sum(), wrong.sum()])))
    # The same on any number of ranks, which own the patches in their order: the first rule, its first patch.
    breaches = [breach for breach in comm.allgather(mine) if breach is not None]
    first = min(breaches, key=lambda breach: breach.number, default=None)
    with same_fate(comm):
        if first is not None and (implausible != "leave_out" or n_wrong == n_soil):
            otherwise = ', or leave such patches out with implausible = "leave_out"' if implausible == "stop" else ""
            raise fault(
                first.file,
                first.variable,
                found=f"{first.found} ({n_wrong} of {n_soil} soil patches hold what no soil can)",
                expected=first.expected,
                do=f"{DAMAGED}{otherwise}",
            )
    if first is not None and comm.rank == 0:
        log.warning(
            "%d of %d soil patches are left out of the analysis; the first is in %s: %s: found %s, expected %s",
            *(n_wrong, n_soil, first.file, first.variable, first.found, first.expected),
        )
    return replace(soil, is_soil=soil.is_soil & ~wrong)


@np.errstate(over="ignore", invalid="ignore")  # what is damaged may be any number
def _rules(soil: SoilColumns) -> list[_Rule]:
    # A NaN holds no comparison. The constants come first: without a porosity nothing bounds the water.
    pores, room = soil.porosity, MOST_WATER * soil.porosity
    most_liquid, most_ice = (room * density * thickness for density in (DENSITY_LIQUID, DENSITY_ICE))
    both = volumetric_water(soil.liquid, soil.ice)
    in_column = (both * thickness).sum(axis=1)
    coldest, warmest = TEMPERATURES

    def within(most: FloatArray) -> Callable[[tuple[int, int]], str]:
        return lambda at: f"{LEAST_WATER:g} to {most[at]:g} kg m-2, {MOST_WATER:g} times the pore space,"

    return [
        _Rule("porsl", False, pores, (pores > 0) & (pores <= 1), lambda _: "m3 m-3 above 0, at most 1"),
        _Rule(
            "theta_r",
            False,
            soil.residual,
            (soil.residual >= 0) & (soil.residual < pores),
            lambda at: f"m3 m-3 from 0 to below the porosity ({pores[at]:g})",
        ),
        _Rule(
            "wliq_soisno",
            True,
            soil.liquid,
            (soil.liquid >= LEAST_WATER) & (soil.liquid <= most_liquid),
            within(most_liquid),
        ),
        _Rule("wice_soisno", True, soil.ice, (soil.ice >= LEAST_WATER) & (soil.ice <= most_ice), within(most_ice)),
        _Rule(
            "wliq_soisno + wice_soisno",
            True,
            both,
            both <= room,
            lambda at: f"at most {room[at]:g} m3 m-3, {MOST_WATER:g} times the pore space,",
        ),
        _Rule(
            "wliq_soisno + wice_soisno",
            True,
            both,
            np.broadcast_to((in_column >= LEAST_IN_COLUMN * (pores * thickness).sum(axis=1))[:, None], both.shape),
            lambda _: f"at least {LEAST_IN_COLUMN:g} of the pore space in the whole column",
        ),
        _Rule(
            "t_soisno",
            True,
            soil.temperature,
            (soil.temperature >= coldest) & (soil.temperature <= warmest),
            lambda _: f"{coldest:g} to {warmest:g} K",
        ),
    ]


def _breach(number: int, rule: _Rule, broken: BoolArray, place: Place) -> _Breach:
    patch, layer = (int(index) for index in np.argwhere(broken)[0])
    file, in_file = place(patch)
    found = f"{rule.values[patch, layer]:g} in soil layer {layer + 1} of patch {in_file}"
    return _Breach(number, file, rule.variable, found, f"{rule.expected((patch, layer))} on every soil patch")


def check_conductivity(conductivity: FloatArray, is_soil: BoolArray, const: Place, comm: MPI.Intracomm) -> None:
    """Refuse conductivities of saturated soil (n_own, n_layers) mm s-1 that no soil can have. Collective over ``comm``.

    Parameters
    ----------
    is_soil : patches that count, (n_own,)
    const : where the constants of a patch come from

    Raises
    ------
    InputError
        Naming the first such patch, and how many there are.
    """
    holds = (conductivity > 0) & np.isfinite(conductivity)
    rule = _Rule("hksati", False, conductivity, holds, lambda _: "mm s-1 above 0")
    broken = is_soil[:, None] & ~holds
    mine = _breach(0, rule, broken, const) if broken.any() else None
    first = next((breach for breach in comm.allgather(mine) if breach is not None), None)
    n_soil, n_wrong = (int(n) for n in comm.allreduce(np.array([is_soil.sum(), broken.any(axis=1).sum()])))
    with same_fate(comm):
        if first is not None:
            found = f"{first.found} ({n_wrong} of {n_soil} soil patches have such)"
            raise fault(first.file, first.variable, found=found, expected=first.expected, do=DAMAGED)


def check_aquifer(soil: SoilColumns, aquifer: FloatArray, where: str, comm: MPI.Intracomm) -> None:
    """Refuse an aquifer store (n_own,) mm that is missing or impossible on a soil patch. Collective over ``comm``.

    Raises
    ------
    InputError
    """
    missing = comm.allreduce(int((soil.is_soil & ~(np.abs(aquifer) < LARGEST_AQUIFER)).sum()))
    with same_fate(comm):
        if missing:
            raise fault(
                where,
                "wa",
                found=f"no value on {missing} soil patches",
                expected="the aquifer store in mm",
                do="do not compensate with it",
            )
