"""Depths in the names and attributes of a variable."""

from __future__ import annotations

import re
from typing import Any

import netCDF4
import numpy as np

from imgda_mpi.netcdf import text_attribute
from imgda_mpi.observations.image import Layer

METRES = {
    f"{prefix}{unit}": size
    for prefixes, size in ((("", ""), 1.0), (("c", "centi"), 0.01), (("m", "milli"), 0.001))
    for prefix, units in zip(prefixes, (("m",), ("metre", "meter", "metres", "meters")), strict=True)
    for unit in units
}
"""As m, cm, mm, and in words."""

# Names of ECMWF's four layers (IFS documentation, part IV, H-TESSEL).
ECMWF: dict[str, Layer] = {"1": (0.0, 0.07), "2": (0.07, 0.28), "3": (0.28, 1.0), "4": (1.0, 2.89)}
ECMWF_NAME = re.compile(
    r"(?<![a-z])swvl([1-4])(?!\d)|\bvolumetric[\s_]soil[\s_]water(?:[\s_]content)?[\s_]layer[\s_]([1-4])(?!\d)",
    re.IGNORECASE,
)

NUMBER = r"(\d+(?:\.\d+)?)"
UNIT = rf"({'|'.join(sorted(METRES, key=len, reverse=True))})"
TO = r"(?:\s*(?:-|\N{EN DASH}|\N{EM DASH}|~|to|and|,|\.\.)\s*|_(?:to_)?)"
AFTER = r"(?![a-z\d^*])(?!\s*-\d)"  # no other unit, no power
# As 0-10 cm, 0.1 to 0.4 m, 0cm~10cm, between 0 and 10 cm, SoilMoi10_40cm_inst.
DEPTHS = re.compile(
    rf"(?<!\d)(?<!\d\.){NUMBER}\s*{UNIT}?{TO}{NUMBER}\s*_?{UNIT}{AFTER}",
    re.IGNORECASE,
)
# As "at 50 cm", "top 5 cm".
DEPTH = re.compile(
    rf"(?P<top>\b(?:top|upper|uppermost|first)[\s_]*)?(?<![a-z\d.-]){NUMBER}\s*{UNIT}{AFTER}", re.IGNORECASE
)
# As wgrib2 writes them: SOILW_0D1M0D4mbelowground is 0.1-0.4 m.
WGRIB2 = re.compile(r"_(\d+(?:D\d+)?)M(\d+(?:D\d+)?)mbelow", re.IGNORECASE)
UNCLEAR = re.compile(
    r"root[\s_-]*(?:zone|depth|moist)|\brz(?:mc|sm)\b|\bsm_?(?:rz|root)\b|_rz(?:_|$)|soilmoist_p_|\bprmc\b|profile"
    r"|total[\s_-]*column|column[\s_-]*integrated|top[\s_-]*met(?:er|re)|sub[\s_-]?surface"
    r"|(?:second|third|fourth|2nd|3rd|4th|deep(?:er|est)?|lower|bottom)[\s_-]*(?:soil[\s_-]*)?(?:layer|level)"
    r"|(?:soil|sm|moisture)[\s_-]*deep(?![\s_-]*learn)|deep[\s_-]*(?:soil|sm|moisture)|layer[\s_-]*(?:two|three|four)\b"
    rf"|(?:layer|lyr|soil[\s_-]*level)[\s_#-]*0*(?:[2-9]|1\d)(?![\d.])(?!\s*{UNIT}\b)|\dto\d",
    re.IGNORECASE,
)
DEEPEST = 10.0  # m: no model has soil below

NAMING = ("long_name", "level", "depth", "layer", "description", "GRIB_name", "GRIB_shortName", "standard_name")
"""Attributes that may say in words which layer it is."""


def layer_in_names(variable: netCDF4.Variable[Any]) -> Layer | None:
    """The layer that long_name or name of the variable state, as 0-10 cm or swvl2; None where neither does.

    Of a depth alone, as at 50 cm, top and bottom are the same.
    """
    for text in _names(variable):
        ecmwf, depths, depth, wgrib2 = (pattern.search(text) for pattern in (ECMWF_NAME, DEPTHS, DEPTH, WGRIB2))
        if ecmwf:
            return ECMWF[ecmwf[1] or ecmwf[2]]
        ends = []
        if wgrib2:
            ends = [(number.upper().replace("D", "."), "m") for number in wgrib2.groups()]
        elif depths:
            ends = [(depths[1], depths[2] or depths[4]), (depths[3], depths[4])]
        if ends:
            top, bottom = (METRES[unit.lower()] * float(number) for number, unit in ends)
            if top < bottom:
                return top, bottom
        if depth:
            node = METRES[depth[3].lower()] * float(depth[2])
            if node > DEEPEST or "band" in text.lower():  # a resolution, a wavelength
                continue
            return (0.0, node) if depth["top"] else (node, node)
    return None


def unclear_name(variable: netCDF4.Variable[Any]) -> str | None:
    """Words that say that it is not the surface, but not which depths it has; None where there are none."""
    return next((found[0] for text in _names(variable) if (found := UNCLEAR.search(text))), None)


def _names(variable: netCDF4.Variable[Any]) -> list[str]:
    """What the variable says of its layer in words; NCL has numbers of a level, with their units beside them."""
    texts = [text_attribute(variable, name) for name in NAMING]
    level = np.atleast_1d(getattr(variable, "level", ""))
    if level.dtype.kind in "iuf" and level.size <= 2:
        kind = text_attribute(variable, "level_type")
        unit = "cm" if text_attribute(variable, "level_indicator") == "112" else "m" if "(m)" in kind else ""
        texts.append(f"{'-'.join(f'{depth:g}' for depth in level)} {unit}")
    return [*texts, variable.name]
