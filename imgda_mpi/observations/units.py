"""Units of soil moisture, from their spellings in real files to m3 m-3."""

from __future__ import annotations

from pathlib import Path

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import fault

MOISTURE = "m3 m-3"
"""Units of soil moisture in the files of results."""

WATER_DENSITY = 1000.0  # kg m-3, the value with which land models turn kg m-2 into a depth of water

VOLUMETRIC = {f"{length}3{slash}" for length in ("m", "cm", "mm") for slash in (f" {length}-3", f"/{length}3")}
WATER_MASS = {"kg m-2", "kg/m2"}
FRACTION = {"1": 1.0, "%": 0.01, "percent": 0.01}


def to_volumetric(
    values: FloatArray, units: str, meaning: str, layer: tuple[float, float] | None, *, path: Path, variable: str
) -> FloatArray:
    """Soil moisture in m3 m-3.

    Parameters
    ----------
    values : in ``units``
    units : the attribute. Accepted: m3 m-3 (also of cm and mm), kg m-2 where the layer is known, and the pure numbers 1
        and percent where ``meaning`` says that they are by volume: a degree of saturation has the same units, and needs
        the porosity.
    meaning : standard name and long name
    layer : top and bottom of the soil layer, m
    path, variable : what an error names

    Raises
    ------
    InputError
        Where the units are absent, unknown or ambiguous.

    Notes
    -----
    w [m3 m-3] = w [kg m-2] / (density of water [kg m-3] x thickness of the layer [m]).
    """
    spelling = _plain(units)
    if spelling in VOLUMETRIC:
        return values
    if spelling in WATER_MASS:
        if layer is not None:
            return values / (WATER_DENSITY * (layer[1] - layer[0]))
        found, do = (
            f"units '{units}' and no bounds of the soil layer",
            "give the layer, its top and bottom in m, or convert the file to m3 m-3",
        )
    elif spelling in FRACTION:
        # CF's volume fraction of water "in soil pores" is a degree of saturation.
        if "volum" in meaning.lower() and "pore" not in meaning.lower():
            return values * FRACTION[spelling]
        found = f"units '{units}' and no name that says volume fraction ('{meaning.strip()}')"
        do = "set its units attribute to 'm3 m-3' if it is volumetric; a degree of saturation must be converted first"
    else:
        found = f"units '{units}'" if units else "no units attribute"
        do = "set its units attribute if the values are m3 m-3, kg m-2 or percent by volume, or name another variable"
    raise fault(path, variable, found=found, expected="m3 m-3, or kg m-2 of a known layer", do=do)


def _plain(units: str) -> str:
    """One spelling: no signs of power, one blank between factors.

    >>> _plain("m**3 m**-3"), _plain("m^3/m^3"), _plain("m3.m-3")
    ('m3 m-3', 'm3/m3', 'm3 m-3')
    """
    bare = units.lower().replace("**", "").replace("^", "").replace(".", " ")
    return "/".join(" ".join(part.split()) for part in bare.split("/"))
