"""Units in files as products of powers, whatever their spelling."""

from __future__ import annotations

import re
from collections import Counter

WORDS = {
    **{
        f"{prefix}met{end}": size
        for prefix, size in (("", "m"), ("centi", "cm"), ("milli", "mm"))
        for end in ("er", "ers", "re", "res")
    },
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "day": "d",
    "days": "d",
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "kelvin": "k",
    "deg_c": "degc",
    "celsius": "degc",
    "degree_celsius": "degc",
    "degrees_celsius": "degc",
    "°c": "degc",
    "mb": "hpa",
    "mbar": "hpa",
    "millibar": "hpa",
}
"""Other words for a unit, in small letters."""

SIGNS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻\N{MINUS SIGN}\N{EN DASH}", "0123456789+---")
"""Powers that are written small, and dashes that stand for a minus."""

PART = re.compile(r"([a-z_°]+)([+-]?\d*)")

Powers = frozenset[tuple[str, int]]


def factors(units: str) -> tuple[tuple[str, int], ...] | None:
    """Units and their powers one by one, as they are written; None where they are no product of powers, or absent.

    >>> factors("[m³ m⁻³]") == factors("m^3/m^3") == factors("m**3.m**-3") == (("m", 3), ("m", -3))
    True
    >>> factors("1"), factors("mm 3h-1")
    ((), None)
    """
    text = re.sub(r"\s*(\*\*|\^)\s*", "", units.translate(SIGNS).lower())
    text = re.sub(r"(?<=\w)[({]([+-]?\d+)[)}]", r"\1", text)  # of a power
    text = re.sub(r"[*·⋅.()\[\]{}\s]+", " ", re.sub(r"\bper\b", "/", text)).strip()
    if text == "1":
        return ()
    found = []
    for number, of_sign in enumerate(text.split("/")):
        if not of_sign.strip():
            return None
        for factor in of_sign.split():
            if factor == "1" and number == 0:
                continue
            if not re.fullmatch(f"(?:{PART.pattern})+", factor):
                return None
            parts = PART.findall(factor)
            found += [(WORDS.get(word, word), (-1 if number else 1) * int(power or 1)) for word, power in parts]
    return tuple(found)


def powers(units: str) -> Powers | None:
    """Units as a product of powers, those of one unit taken together; None where they are no such thing, or absent.

    >>> powers("kg/m2/s") == powers("kg m**-2 s^-1") == powers("kg.m-2.s-1")
    True
    >>> powers("mm 3h-1") is powers("") is None
    True
    """
    every = factors(units)
    if every is None:
        return None
    summed: Counter[str] = Counter()
    for word, power in every:
        summed[word] += power
    return frozenset((word, power) for word, power in summed.items() if power)
