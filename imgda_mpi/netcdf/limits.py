"""The limits of its values that a variable states: valid_range, valid_min, valid_max."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from imgda_mpi.arrays import BoolArray
from imgda_mpi.faults import fault
from imgda_mpi.netcdf.stored import Numbers, Stored

log = logging.getLogger(__name__)

NAMES = ("valid_range", "valid_min", "valid_max")

LOW, HIGH = -1, 1

MANY = 0.5  # of the values beyond the limits: more are doubtful
SOME = 0.01  # more are worth a warning: what limits cut at one end of noisy values shifts their mean


def beyond_limits(stored: Stored, unpacked: Numbers, present: BoolArray) -> BoolArray:
    """Where values lie beyond the limits that ``valid_range``, or else ``valid_min`` and ``valid_max`` set.

    Limits in floating point on packed values of another type are in the unit of the unpacked values (NetCDF User Guide,
    attribute conventions), all others in that of the packed ones. If the other unit leaves more values it is the one
    meant where limits leave none of them or one number alone, room for two packed numbers at most, or as whole numbers
    of another type less than half of the values: a warning says so. Another one says where more than one in a hundred
    is beyond them.

    Parameters
    ----------
    unpacked : the values unpacked
    present : which of them are not missing; the others do not count

    Raises
    ------
    InputError
        Where no value is within the limits, or an attribute cannot be applied.
    """
    names, limits = _limits(stored)
    where, text = (stored.path, stored.name), ", ".join(map(stored.text, names))
    beyond = _beyond(stored, unpacked, limits)
    n, n_beyond = np.count_nonzero(present), np.count_nonzero(present & beyond)
    rest = unpacked[present & ~beyond]
    leave_one = rest.size == 0 or bool((rest == rest[0]).all())  # at most a 0 that stands for the sea
    if stored.is_packed and n_beyond and (leave_one or _are_doubtful(stored, limits, bool(n_beyond > MANY * n))):
        others = _beyond(stored, unpacked, limits, in_other_unit=True)
        n_others = np.count_nonzero(present & others)
        if n_others < n_beyond:
            said = "%s: %s: the limits %s are taken for %s values: otherwise %d of %d would be beyond them"
            unit = "packed" if _is_unpacked(stored, limits[max(limits)]) else "unpacked"
            log.warning(said, *where, text, unit, n_beyond, n)
            beyond, n_beyond = others, n_others
    if n_beyond and n_beyond == n:
        raise fault(
            *where,
            found=f"{text}, which none of {n} values keeps",
            expected=f"limits of the values, which are {_span(stored.values[present])} as stored"
            + (f" and {_span(unpacked[present])} unpacked" if stored.is_packed else ""),
            do="correct or remove the attribute",
        )
    if n_beyond > SOME * n:
        said = "%s: %s: beyond the limits %s are %d of %d values (%.0f %%): they count as missing"
        log.warning(said, *where, text, n_beyond, n, 100.0 * n_beyond / n)
    return beyond


def _limits(stored: Stored) -> tuple[list[str], dict[int, Any]]:
    """Names of the attributes, and the limit on each side that has one."""
    if "valid_range" in stored.attributes:
        return ["valid_range"], dict(zip((LOW, HIGH), stored.numbers("valid_range", 2), strict=True))
    sides = {name: side for name, side in (("valid_min", LOW), ("valid_max", HIGH)) if name in stored.attributes}
    return list(sides), {side: stored.numbers(name, 1)[0] for name, side in sides.items()}


def _beyond(stored: Stored, unpacked: Numbers, limits: Mapping[int, Any], in_other_unit: bool = False) -> BoolArray:
    beyond = np.zeros(stored.values.shape, dtype=bool)
    for side, limit in limits.items():
        if stored.is_packed and _is_unpacked(stored, limit) != in_other_unit:
            # A limit is seldom a packed number: it is rounded to one as the values were.
            above = unpacked.astype(np.float64) - float(limit.astype(unpacked.dtype))
            beyond |= side * above > stored.half_step
        else:
            bound = stored.as_stored(limit)
            bound = limit if bound is None else bound
            beyond |= stored.values < bound if side == LOW else stored.values > bound
    return beyond


def _is_unpacked(stored: Stored, limit: Any) -> bool:
    return bool(limit.dtype.kind == "f" and limit.dtype != stored.of_file)


def _are_doubtful(stored: Stored, limits: Mapping[int, Any], remove_many: bool) -> bool:
    """Whether whole numbers may be limits of the unpacked values."""
    whole = [limit for limit in limits.values() if limit.dtype.kind in "iu"]
    bounds = [stored.as_stored(limit) for limit in whole]
    hold_two = len(bounds) == 2 and None not in bounds and int(bounds[1]) - int(bounds[0]) < 2
    of_own_type = all(limit.dtype in (stored.of_file, stored.values.dtype) for limit in whole)
    return hold_two or (remove_many and not of_own_type)


def _span(values: Numbers) -> str:
    return f"{values.min():g} to {values.max():g}"
