"""Units of soil moisture, from their spellings in real files to m3 m-3."""

from __future__ import annotations

import re
from pathlib import Path

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault
from imgda_mpi.units import factors, powers

MOISTURE = "m3 m-3"
"""Units of soil moisture in the files of results."""

WATER_DENSITY = 1000.0  # kg m-3, the value with which land models turn kg m-2 into a depth of water

LENGTHS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
WATER_MASS = {powers("kg m-2"): 1.0} | {powers(length): WATER_DENSITY * size for length, size in LENGTHS.items()}
"""Of a layer's water, which may be a depth as well, with the factors that turn them into kg m-2."""

NUMBERS = {
    **dict.fromkeys(("1", "-", "fraction", "proportion", "ratio", "unitless", "dimensionless"), 1.0),
    **dict.fromkeys(("%", "percent", "per cent", "percentage", "pct"), 0.01),
}
BY_VOLUME = re.compile(r"\b(by[ _]?)?vol(ume(tric)?)?\b[.-]?|\bv/v\b")
VOLUMES = re.compile(r"(v|vol\.?|volume) ?/ ?(v|vol\.?|volume)")

# CF's volume fraction of water "in soil pores" is a degree of saturation, and so is what is relative to it.
OF_ANOTHER_WHOLE = re.compile(r"pore|saturat|relative|percentile|available", re.IGNORECASE)

VOLUME, MASS, NUMBER = "volume", "mass", "number"
"""What values are: water in a volume of soil, in its layer on an area, or a number of whatever."""


def to_volumetric(
    values: FloatArray,
    units: str,
    meaning: str,
    layer: tuple[float, float] | None,
    *,
    path: Path,
    variable: str,
    stated: str | None = None,
) -> FloatArray:
    """Soil moisture in m3 m-3.

    Parameters
    ----------
    values : in the ``stated`` units, else in ``units``
    units : the attribute. Accepted in any usual spelling: m3 m-3 (also of cm and mm), percent by volume, kg m-2 or a
        depth of water where the layer is known, and the pure numbers 1 and percent where ``meaning`` says that they are
        by volume: a degree of saturation has the same units, and needs the porosity.
    meaning : standard name and long name
    layer : top and bottom of the soil layer, m
    path, variable : what an error names
    stated : what the caller says in the place of the attribute; pure numbers are then by volume

    Raises
    ------
    InputError
        Where the units are absent, unknown or ambiguous.

    Notes
    -----
    w [m3 m-3] = w [kg m-2] / (density of water [kg m-3] x thickness of the layer [m]).
    """
    kind, factor = _understood(stated or units) or ("", 1.0)
    by_volume = "volum" in meaning.lower() and not OF_ANOTHER_WHOLE.search(meaning)
    if kind == NUMBER and (stated or by_volume):
        kind = VOLUME
    if kind == VOLUME:
        return values if factor == 1.0 else values * factor
    if kind == MASS and layer is not None:
        return values * factor / (WATER_DENSITY * (layer[1] - layer[0]))
    do = "set its units attribute, or the key units where there is one, "
    if stated and not kind:
        found, do = f"units = '{stated}'", "correct the key units"
    elif kind == MASS:
        found = f"units '{stated or units}' and no bounds of the soil layer"
        do = "give the layer, its top and bottom in m, or convert the file to m3 m-3"
    elif kind == NUMBER:
        found = f"units '{units}' and no name that says volume fraction ('{meaning.strip()}')"
        do += "to 'm3 m-3' or 'vol.%' if it is volumetric; a degree of saturation must be converted first"
    else:
        found = f"units '{units}'" if units else "no units attribute"
        do += "if the values are m3 m-3, kg m-2 or percent by volume, or name another variable"
    raise fault(path, variable, found=found, expected="m3 m-3, or kg m-2 of a known layer", do=do)


def overruled(units: str, stated: str | None) -> str | None:
    """What to say where the attribute means something else than what is stated in its place; None otherwise."""
    if not stated or not units:
        return None
    (kind, factor), (of_file, own) = (_understood(text) or ("", 1.0) for text in (stated, units))
    if kind and factor == own and (kind == of_file or {kind, of_file} == {VOLUME, NUMBER}):
        return None
    return f"the file says units '{units}': taken for {stated} as stated"


def _understood(units: str) -> tuple[str, float] | None:
    """What values in these units are, and the factor that turns them into m3 m-3, kg m-2 or 1; None if unknown.

    >>> _understood("[cm³/cm³]"), _understood("Vol.%"), _understood("kg/m^2"), _understood("K")
    (('volume', 1.0), ('volume', 0.01), ('mass', 1.0), None)
    """
    words = " ".join(re.sub(r"[\[\]()]", " ", units.lower()).split())
    if VOLUMES.fullmatch(words):
        return VOLUME, 1.0
    rest = " ".join(BY_VOLUME.sub(" ", words).split())
    if rest in NUMBERS:
        return NUMBER if rest == words else VOLUME, NUMBERS[rest]
    parts = factors(rest) or ()
    # A length cubed twice is a volume in a volume, whatever became of its signs: MERRA-2 has m-3 m-3.
    if len(parts) == 2 and parts[0][0] == parts[1][0] in LENGTHS and all(abs(power) == 3 for _, power in parts):
        return VOLUME, 1.0
    product = powers(units)
    return (MASS, WATER_MASS[product]) if product in WATER_MASS else None
