"""How all pictures look: colours that colour-blind eyes tell apart, limits, units, words."""

from __future__ import annotations

from datetime import datetime

import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from imgda_mpi.arrays import FloatArray
from imgda_mpi.observations.image import Layer

UNIT = "m³ m⁻³"
MINUS = "\N{MINUS SIGN}"

MOISTURE_LIMITS = (0.0, 0.5)
"""The same in all pictures, so that they can be compared, m3 m-3."""

MOISTURE_COLOURS = LinearSegmentedColormap.from_list(
    "soil moisture", ["#7f4b17", "#c08a45", "#e6cf9c", "#e8ecd0", "#9fd0cf", "#4a94c0", "#1f5a9e", "#0c2a63"]
)
CHANGE_COLOURS = "RdBu"
"""Drier is red, wetter is blue."""

WORSE_IS_RED = "RdBu"
"""Of changes of scores for which more is better."""

SIZE_COLOURS = "cividis"
"""Of what has no middle: errors, standard deviations."""

LINE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Of Okabe and Ito, told apart by all."""

MARKERS = "os^DvPX"
"""Of lines, beside their colours."""

LAYER_COLOURS = ("#d55e00", "#009e73", "#0072b2")
"""Red, green and blue as in the paper's Fig. 8, from the surface down."""

CONTROL_COLOUR, OBSERVED_COLOUR, RAIN_COLOUR = "#000000", "#0072b2", "#56b4e9"
QUIET = "#666666"
OCEAN, NOTHING, OUTLINE = "#d4d4d4", "#ffffff", "#555555"
"""Of what is no soil of the image, of land without a value, and of coasts."""

DOTS_PER_INCH = 150
SMALL, NORMAL = 8.0, 9.5
"""Sizes of letters, points."""


def letter(number: int) -> str:
    """Of a panel, from 0.

    >>> letter(0), letter(26)
    ('a', 'a')
    """
    return "abcdefghijklmnopqrstuvwxyz"[number % 26]


def layer_name(layer: Layer) -> str:
    """A layer in centimetres.

    >>> layer_name((0.0, 0.1))
    '0-10 cm'
    """
    return f"{100 * layer[0]:g}-{100 * layer[1]:g} cm"


def moment(time: datetime) -> str:
    """A time in UTC, as titles have it.

    >>> moment(datetime(2022, 6, 2, 6))
    '2 June 2022, 06:00 UTC'
    """
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def degrees(value: float, negative: str, positive: str) -> str:
    """A coordinate as on a map.

    >>> degrees(-97.5, "W", "E"), degrees(0.0, "S", "N")
    ('97.5°W', '0°')
    """
    side = "" if value in (0.0, -180.0) else negative if value < 0 else positive
    return f"{abs(value):g}°{side}"


def place_name(latitude: float, longitude: float) -> str:
    """A point of the Earth.

    >>> place_name(40.4, 254.8)
    '40.4°N 105.2°W'
    """
    east = (longitude + 180.0) % 360.0 - 180.0
    return f"{degrees(round(latitude, 2), 'S', 'N')} {degrees(round(east, 2), 'W', 'E')}"


def draw_log_axis(axis: Axis) -> None:
    """Plain numbers on a logarithmic axis, three in a power of ten."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def signed(value: float, n_digits: int) -> str:
    """A change with its sign, and so many digits.

    >>> signed(0.0312, 3), signed(float("nan"), 3)
    ('+0.031', '-')
    """
    return "-" if np.isnan(value) else f"{value:+.{n_digits}f}".replace("-", MINUS)


def symmetric_limits(changes: FloatArray, least: float = 0.01) -> tuple[float, float]:
    """Round limits of the colours, within which all but a hundredth of the changes lie; not less than the least."""
    sizes = np.abs(changes[np.isfinite(changes)])
    largest = max(least, float(np.quantile(sizes, 0.99))) if sizes.size else least
    limit = _round_up(largest)
    return -limit, limit


def limits_from_zero(sizes: FloatArray, least: float = 0.01) -> tuple[float, float]:
    """Zero, and a round limit within which all but a hundredth of the sizes lie; not less than the least."""
    known = sizes[np.isfinite(sizes)]
    return 0.0, _round_up(max(least, float(np.quantile(known, 0.99))) if known.size else least)


def _round_up(size: float) -> float:
    power = 10.0 ** np.floor(np.log10(size))
    steps = power * np.array([1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    return float(steps[steps >= size - 1e-9 * size].min())


def ends_beyond(values: FloatArray, limits: tuple[float, float]) -> str:
    """Which ends of the colour bar get an arrow, because there are values beyond."""
    below, above = bool((values < limits[0]).any()), bool((values > limits[1]).any())
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[below, above]
