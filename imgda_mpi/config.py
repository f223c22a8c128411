"""The settings of one analysis: a TOML file, checked in full before anything is computed."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo

from imgda_mpi.errors import ConfigError


def _utc(value: datetime) -> datetime:
    """Times without a zone are UTC, as in CoLM's file names."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError as err:
        raise ValueError(f"{value} is out of range") from err


def _below_settings_file(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    return base / _home(path)


def _pattern_below_settings_file(path: Path, info: ValidationInfo) -> Path:
    """A path with strftime fields; the folder of the settings file has none, whatever its name."""
    base = (info.context or {}).get("base", Path())
    return Path(str(base).replace("%", "%%")) / _home(path)


def _home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError as err:
        raise ValueError(f"{path}: {err}") from err


def _ascending(value: tuple[float, float] | None) -> tuple[float, float] | None:
    if value is not None and not value[0] < value[1]:
        raise ValueError("the first number must be below the second")
    return value


FilePath = Annotated[Path, Field(strict=False), AfterValidator(_below_settings_file)]
FilePattern = Annotated[Path, Field(strict=False), AfterValidator(_pattern_below_settings_file)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Range = Annotated[tuple[Number, Number], Field(strict=False), AfterValidator(_ascending)]
Depth = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Depths = Annotated[tuple[Depth, Depth], Field(strict=False), AfterValidator(_ascending)]
Instant = Annotated[datetime, AfterValidator(_utc)]


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, values do not change once read."""

    # Strict: true is no number, "1" is no seed. What TOML has no type for is converted: see Written and Range.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, ser_json_inf_nan="strings")


def key(description: str, unit: str | None = None, **limits: Any) -> Any:
    """One key with its line of documentation; without ``default`` it must be given."""
    return Field(description=f"{description} [{unit}]" if unit else description, **limits)


class Colm202x(Section):
    """A restart of CoLM202X: NetCDF files, one per block."""

    kind: Literal["colm202x"] = key("Version of the model: colm202x or colm2014")
    directory: FilePath = key("The case's output folder: holds restart/ and landdata/")
    case: str = key("Name of the case, as in <case>_restart_<stamp>_lc<year>_<block>.nc", min_length=1)
    time: Instant = key("Analysis time, that of the restart", "UTC")
    land_cover_year: int = key("Year in the file names (DEF_LC_YEAR)", default=2005, ge=1, le=9999)


class Colm2014(Section):
    """A restart of CoLM2014: one Fortran file for the state, one for the constants."""

    kind: Literal["colm2014"] = key("Version of the model: colm202x or colm2014")
    restart_file: FilePath = key("State, <site>-rstTimeVar-<stamp>")
    const_file: FilePath = key("Constants, <site>-rstTimeConst")
    time: Instant = key("Analysis time, that of the restart", "UTC")


class Observation(Section):
    """What every observed image has."""

    file: FilePattern = key("Observation file; %Y %m %d %H %M %j stand for the time of the observation")
    time: Instant | None = key(
        "Take the image of this time, whatever the analysis time (default: the analysis time)", "UTC", default=None
    )
    max_time_offset: float = key(
        "Largest distance of the image from the time wanted; inf takes the nearest, and files without time",
        "hours",
        default=3.0,
        ge=0,
    )
    regridding: Literal["bilinear", "conservative"] = key(
        "How pixels become cells: bilinear (the paper's) or conservative (area mean)", default="bilinear"
    )
    valid_range: Range = key("Soil moisture outside is rejected and counted", "m3 m-3", default=(0.0, 0.6))
    allow_empty: bool = key(
        "Without a single valid pixel over land, write the background unchanged instead of stopping", default=False
    )


class Gldas(Observation):
    """GLDAS-2.1 Noah 3-hourly files as distributed, variable SoilMoi0_10cm_inst."""

    kind: Literal["gldas"] = key("Kind of observation: gldas or cf")


class Cf(Observation):
    """Any CF NetCDF file on a rectilinear latitude-longitude grid."""

    kind: Literal["cf"] = key("Kind of observation: gldas or cf")
    variable: str = key("Name of the soil moisture variable", min_length=1)
    layer: Depths | None = key(
        "Top and bottom of the layer to take, where the variable has several or is in kg m-2", "m", default=None
    )


class FieldFile(Section):
    """A field of standard deviations in a CF NetCDF file; every soil cell must have a value."""

    file: FilePattern = key("CF NetCDF file")
    variable: str = key("Name of the variable")


StandardDeviation = Annotated[
    Annotated[float, Field(gt=0, le=1), Tag("number")] | Annotated[FieldFile, Tag("field")],
    Discriminator(lambda value: "field" if isinstance(value, dict | FieldFile) else "number"),
]


class Errors(Section):
    """Error standard deviations in physical space, and how their coefficients' variances are estimated."""

    background: StandardDeviation = key(
        "Of the background: a number, or {file, variable} for a field", "m3 m-3", default=0.15
    )
    observation: StandardDeviation = key(
        "Of the observation: a number, or {file, variable} for a field", "m3 m-3", default=0.10
    )
    n_members: int = key("Perturbed members for the background and as many for the observation", default=50, ge=2)
    seed: int = key("Of the perturbations; the same seed and time give the same analysis", default=0, ge=0, lt=2**64)


class Curvelet(Section):
    """The curvelet transform."""

    n_scales: int | None = key("Number of scales (default: ceil(log2(shorter side) - 3))", default=None, ge=2)
    n_angles: int = key("Wedges at the second coarsest scale, a multiple of 4", default=16, ge=8, multiple_of=4)
    finest: Literal["wavelets", "curvelets"] = key("Kind of the finest scale", default="wavelets")
    sampling: Literal["fast", "reference"] = key(
        "Sizes of the wedges: fast, or reference to compare with other codes", default="fast"
    )
    precision: Literal["double", "single"] = key(
        "Of images and coefficients: single halves memory and exchange, and draws other perturbations", default="double"
    )


class Soil(Section):
    """How the increment of the 0-10 cm image goes into the soil."""

    compensate: Literal["none", "aquifer"] = key(
        "aquifer takes the water added to a column out of its aquifer store", default="none"
    )


class Parallel(Section):
    """How the work is spread over the ranks; the result does not depend on it."""

    wedge_groups: int | None = key(
        "Groups that the wedges are divided among, with the same members each (default: chosen from the ranks)",
        default=None,
        ge=1,
    )


class Output(Section):
    """Where the result goes."""

    directory: FilePath = key(
        "New folder for the analysed restart, diagnostics and manifest; must not exist or be empty"
    )


class Settings(Section):
    """All settings of one analysis."""

    method: Literal["image", "pointwise", "insert", "none"] = key(
        "image (curvelet coefficients), pointwise (each cell alone), insert (observation replaces background), none",
        default="image",
    )
    error_model: Literal["paper"] = key(
        "How coefficient error variances are made: paper (white noise)", default="paper"
    )
    model: Annotated[Colm202x | Colm2014, Field(discriminator="kind")] = key("The restart to correct")
    observation: Annotated[Gldas | Cf, Field(discriminator="kind")] | None = key(
        "The observed image; optional for method none", default=None
    )
    errors: Errors = key("Error standard deviations", default=Errors())
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    soil: Soil = key("Increment in the soil", default=Soil())
    parallel: Parallel = key("Work on the ranks", default=Parallel())
    output: Output = key("Result")

    @model_validator(mode="after")
    def _observation_needed(self) -> Settings:
        if self.observation is None and self.method != "none":
            raise ValueError(f"method {self.method!r} needs an [observation] section")
        return self


def read_settings(path: Path) -> Settings:
    """Settings from a TOML file; relative paths in it are relative to the file.

    Raises
    ------
    ConfigError
        Listing everything that is wrong: unknown keys (with the nearest known one), types, ranges, missing keys.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror}); give the path of a settings file") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: is not valid TOML ({err})") from err
    return check_table(table, path)


def check_table(table: dict[str, Any], path: Path) -> Settings:
    """Settings from what the file ``path`` holds.

    Raises
    ------
    ConfigError
        As `read_settings`.
    """
    try:
        return Settings.model_validate(table, context={"base": path.parent})
    except ValidationError as err:
        faults = "\n  ".join(_explain(dict(fault), table) for fault in err.errors())
        raise ConfigError(f"{path}:\n  {faults}") from None


def _explain(fault: dict[str, Any], table: dict[str, Any]) -> str:
    """One line for one fault that pydantic found."""
    location = [str(part) for part in fault["loc"]]
    if not location:
        return str(fault["ctx"]["error"])
    fields = _section(location).model_fields
    # Pydantic puts the chosen member of a union into the location; the user's file has no such level.
    written = _written(location, table)
    if fault["type"] in ("extra_forbidden", "missing") and not location[-1].isdigit():
        name, above = location[-1], written[:-1] if written[-1:] == location[-1:] else written
    else:
        name, above = written[-1], written[:-1]
    where = f"[{'.'.join(above)}] " if above else ""
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, fields, n=1)
        return f"{where}unknown key {name!r}; " + (
            f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(fields))}"
        )
    if fault["type"] == "missing" and not location[-1].isdigit():
        return f"{where}key {name!r} is missing: {fields[name].description}"
    if fault["type"].startswith("union_tag"):
        return f"{where}[{name}] key 'kind' is missing or unknown: {fault['msg']}"
    said = (
        "needs two numbers, as [0.0, 0.1]" if fault["type"] in ("tuple_type", "missing", "too_long") else fault["msg"]
    )
    described = f" ({fields[name].description})" if name in fields else ""
    return f"{where}{name} = {fault['input']!r}: {said[0].lower()}{said[1:]}{described}"


def _written(location: list[str], table: Any) -> list[str]:
    """The parts of a location that are keys of the user's file."""
    parts = []
    for part in location:
        if isinstance(table, dict) and part in table:
            parts.append(part)
            table = table[part]
    return parts


def _section(location: list[str]) -> type[Section]:
    """The section that the last part of a location belongs to."""
    sections: list[type[Section]] = [Settings]
    for part in location[:-1]:
        chosen = [section for section in sections if _kind(section) == part]
        below = [sub for s in sections if part in s.model_fields for sub in _sections(s.model_fields[part].annotation)]
        sections = chosen or below or sections
    return sections[0]


def _sections(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a type annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _kind(section: type[Section]) -> str | None:
    return get_args(section.model_fields["kind"].annotation)[0] if "kind" in section.model_fields else None


def documented() -> str:
    """Every key with its documentation, unit and default, in the form of a settings file."""
    lines = [
        "# Settings of imgda_mpi. A key that is commented out shows its default; the others must be given.",
        "# Of two sections of one name choose one. Paths are relative to this file; times without a zone are UTC.",
    ]
    tables: list[str] = []
    for name, field in Settings.model_fields.items():
        sections = list(_sections(field.annotation))
        for section in sections:
            keys = sorted(section.model_fields.items(), key=lambda item: item[0] != "kind")
            tables += ["", f"# {(section.__doc__ or '').splitlines()[0]}", f"[{name}]"]
            tables += [line for key_name, key_field in keys for line in _document(key_name, key_field)]
        if not sections:
            lines += _document(name, field)
    return "\n".join(lines + tables) + "\n"


def _document(name: str, field: FieldInfo) -> list[str]:
    if not field.is_required():
        return [f"# {field.description}", f"# {name} = {_toml(field.default)}"]
    value = f'"{get_args(field.annotation)[0]}"' if name == "kind" else "..."
    return [f"# {field.description}", f"{name} = {value}"]


def _toml(value: Any) -> str:
    if value is None:
        return "(not set)"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
