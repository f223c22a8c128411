"""The state file of CoLM2014: one record, its date and where the variables lie in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.fortran import read_records
from imgda_mpi.faults import fault

# Three integers (year, day of year, second), then for every variable its reals of all patches.
DATE_BYTES = 12
VARIABLES = """
z_sno:5 dz_sno:5 t_soisno:15 wliq_soisno:15 wice_soisno:15
t_grnd tlsun tlsha ldew sag scv snowdp fveg fsno sigf green lai sai coszen
albg:4 albv:4 alb:4 ssun:4 ssha:4 thermk extkb extkd zwt wa t_lake:10 lake_icefrac:10
trad tref qref rst emis z0ma zol rib ustar qstar tstar fm fh fq
"""
WIDTHS = {name: int(several or 1) for name, _, several in (word.partition(":") for word in VARIABLES.split())}
"""Reals per patch of every variable, in the order of the file."""

STATE_REALS = sum(WIDTHS.values())
FIRST_REAL = dict(zip(WIDTHS, accumulate(WIDTHS.values(), initial=0), strict=False))
"""Reals per patch that lie before a variable."""


def state_byte(variable: str, n_patch: int) -> int:
    """Where the reals of a variable begin in the record."""
    return DATE_BYTES + 8 * FIRST_REAL[variable] * n_patch


def state_values(path: Path, variable: str, n_patch: int) -> FloatArray:
    """Values of a variable, (n_patch, width). Not collective.

    Raises
    ------
    InputError
    """
    width = WIDTHS[variable]
    return read_records(path).reals(0, state_byte(variable, n_patch), n_patch * width).reshape(n_patch, width)


def state_date(path: Path) -> tuple[int, int, int]:
    """Year, day of the year and second of the day in the record. Not collective.

    Raises
    ------
    InputError
    """
    year, day, second = (int(value) for value in read_records(path).integers(0, 0, 3))
    return year, day, second


def check_size(path: Path, n_patch: int) -> None:
    """Refuse a file that is not the state of so many patches. Not collective.

    Raises
    ------
    InputError
    """
    lengths = read_records(path).lengths
    expected = DATE_BYTES + 8 * STATE_REALS * n_patch
    if lengths != [expected]:
        n_found, rest = divmod(lengths[0] - DATE_BYTES, 8 * STATE_REALS) if len(lengths) == 1 else (0, 1)
        raise fault(
            path,
            found=f"records of {lengths} bytes" if rest else f"{n_found} patches",
            expected=f"one record of {expected} bytes" if rest else f"the const file's {n_patch}",
            do="it is not the state file, or of a version of the model with other variables"
            if rest
            else "use the const file of the same case",
        )


def check_date(path: Path, time: datetime) -> None:
    """Refuse a state of another instant. Not collective.

    Raises
    ------
    InputError
    """
    year, day, second = state_date(path)
    plausible = 1 <= year <= 9999 and 1 <= day <= 366 and 0 <= second <= 86400
    if not plausible or datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1, seconds=second) != time:
        raise fault(
            path,
            "year, day, second",
            found=f"{year}, {day}, {second}",
            expected=f"the instant of the analysis, {time:%Y-%m-%d %H:%M:%S} (day {time:%j} of the year)",
            do="use the restart of that instant, or correct the time",
        )
