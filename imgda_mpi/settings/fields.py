"""What settings are made of: sections, keys, and the types of their values."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationInfo,
)

from imgda_mpi.paths import UTF_8, is_sayable


def _utc(value: datetime) -> datetime:
    """Times without a zone are UTC, as in CoLM's file names."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as err:
        raise ValueError(f"{value} is out of range") from err


def _below_settings_file(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    return _named(base / _home(path))


def _pattern_below_settings_file(path: Path, info: ValidationInfo) -> Path:
    """A path with strftime fields; the folder of the settings file has none, whatever its name."""
    base = (info.context or {}).get("base", Path())
    return _sayable(Path(str(base).replace("%", "%%")) / _home(path))


def _named(path: Path) -> Path:
    """The path, in which a folder may be called as a strftime field, and nothing that is to be made."""
    for part in (*reversed(path.parents), path):
        field = FIELDS.search(part.name)
        if field and not part.exists():
            raise ValueError(f"{field[0]} does not stand for a time here, as it does in file names of images")
    return _sayable(path)


def _sayable(path: Path) -> Path:
    if not is_sayable(path):
        raise ValueError(f"the locale has no such letters; set one of UTF-8 ({UTF_8}), or rename it")
    return path


def _home(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("no path has a character of number 0: remove it")
    try:
        return path.expanduser()
    except RuntimeError as err:
        raise ValueError(f"{path}: {err}") from err


def _ascending(value: tuple[float, float] | None) -> tuple[float, float] | None:
    if value is not None and not value[0] < value[1]:
        raise ValueError("the first number must be below the second")
    return value


FIELDS = re.compile("%[YymdHMj]")

UNITS = {"day": 86400, "days": 86400, "h": 3600, "hour": 3600, "hours": 3600, "min": 60, "minutes": 60, "s": 1}


def _duration(value: Any) -> Any:
    """A length of time from a number and a unit, as "6 h"."""
    if not isinstance(value, str):
        return value
    number, _, unit = value.strip().partition(" ")
    if not number.isdecimal() or unit.strip() not in UNITS:
        raise ValueError(
            f'needs a whole number, a blank and a unit, as "6 h", "1 day" or "30 min"; units are {", ".join(UNITS)}'
        )
    try:
        return timedelta(seconds=int(number) * UNITS[unit.strip()])
    except OverflowError as err:
        raise ValueError(f"{value} is out of range") from err


def _lasting(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be more than nothing")
    return value


def duration_text(length: timedelta) -> str:
    """A length of time as it stands in a settings file.

    >>> duration_text(timedelta(hours=6)), duration_text(timedelta(days=30))
    ('6 h', '30 days')
    """
    seconds = round(length.total_seconds())
    unit = next(unit for unit in ("days", "h", "min", "s") if not seconds % UNITS[unit])
    number = seconds // UNITS[unit]
    return f"{number} {'day' if unit == 'days' and number == 1 else unit}"


def _absolute(path: Path) -> str:
    return str(path.absolute())


def _absolute_pattern(path: Path) -> str:
    return str(Path(str(Path.cwd()).replace("%", "%%")) / path)


# What is kept of settings in force names files wherever it is read.
FilePath = Annotated[
    Path,
    Field(strict=False),
    AfterValidator(_below_settings_file),
    PlainSerializer(_absolute),
]
FilePattern = Annotated[
    Path,
    Field(strict=False),
    AfterValidator(_pattern_below_settings_file),
    PlainSerializer(_absolute_pattern),
]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Range = Annotated[tuple[Number, Number], Field(strict=False), AfterValidator(_ascending)]
Depth = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Depths = Annotated[tuple[Depth, Depth], Field(strict=False), AfterValidator(_ascending)]
Instant = Annotated[datetime, AfterValidator(_utc)]
Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    AfterValidator(_lasting),
    PlainSerializer(lambda length: duration_text(length)),
]


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, values do not change once read."""

    # Strict: true is no number, "1" is no seed. What TOML has no type for is converted: see Written and Range.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")

    def values(self, *without: str) -> dict[str, Any]:
        """Values by their keys, but for the kind and some others: the arguments of what the section chooses."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in ("kind", *without)}


def key(description: str, unit: str | None = None, *, example: str | None = None, **limits: Any) -> Any:
    """One key with its line of documentation; without ``default`` it must be given, as in the ``example``, TOML."""
    described = f"{description} [{unit}]" if unit else description
    return Field(description=described, examples=[example] if example else None, **limits)


def units_key() -> Any:
    """The key of the units that a variable has, whatever its file says."""
    return key(
        "Units of the variable, as m3 m-3, percent or kg m-2, whatever its file says: for one that has none, or wrong "
        "ones. Percent are by volume (default: what the file says)",
        default=None,
        min_length=1,
        example='"m3 m-3"',
    )


class FieldFile(Section):
    """Standard deviations in a file, on a grid or of points, with a value wherever one is needed."""

    file: FilePattern = key("CF NetCDF file, or a table .csv of points")
    variable: str = key("Name of the variable")
    max_time_offset: float | None = key(
        "Largest distance of the field from the time wanted (default: that of the observation, else 3); inf takes the "
        "nearest. Files without time are taken",
        "hours",
        default=None,
        ge=0,
    )

    units: str | None = units_key()

    def __str__(self) -> str:
        return f"{self.file.name}:{self.variable}"


LEAST_DEVIATION = 1e-6
"""Least standard deviation of errors of soil moisture, m3 m-3: far below any instrument, and its square is a number."""

DeviationNumber = Annotated[float, Field(ge=LEAST_DEVIATION, le=1), Tag("number")]
StandardDeviation = Annotated[
    DeviationNumber | Annotated[FieldFile, Tag("field")],
    Discriminator(lambda value: "field" if isinstance(value, dict | FieldFile) else "number"),
]
