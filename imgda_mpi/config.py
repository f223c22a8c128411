"""The settings of one analysis."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)


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
    estimate_observation: bool = key(
        "Estimate the observation's from the finest scales of the innovation; the log warns where the given one "
        "is off by more than a factor of two (method image)",
        default=False,
    )
    n_members: int = key("Perturbed members for the background and as many for the observation", default=50, ge=2)
    seed: int = key("Of all random numbers; the same seed and time give the same analysis", default=0, ge=0, lt=2**64)


Inflation = Annotated[
    Annotated[float, Field(gt=0, allow_inf_nan=False), Tag("number")] | Annotated[Literal["innovation"], Tag("word")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "number"),
]


class Ensemble(Section):
    """Members of the model, for the error models ensemble and hybrid."""

    localisation: float = key(
        "Length of the Gaspari-Cohn correlation, 0.21 there and 0 from twice the length on (solver full)",
        "km",
        default=1800.0,
        gt=0,
        allow_inf_nan=False,
    )
    inflation: Inflation = key(
        'Factor of the members\' variance, or "innovation" to take the one that the innovation asks for', default=1.0
    )
    innovation_weight: float = key("Share of the innovation's variances in error model hybrid", default=0.1, ge=0, le=1)


class MemberRestarts(Ensemble):
    """Restarts of the same case and time as the model's, one folder for each member."""

    kind: Literal["restarts"] = key("What holds the members: restarts or images")
    directories: tuple[FilePath, ...] = key(
        "Folders of the members: each stands in the place of model.directory (colm202x), or holds a file named as "
        "model.restart_file (colm2014)",
        strict=False,
        min_length=2,
    )


class MemberImages(Ensemble):
    """A CF NetCDF file with an image of the model's soil moisture for each member."""

    kind: Literal["images"] = key("What holds the members: restarts or images")
    file: FilePattern = key(
        "CF NetCDF file, regridded bilinearly where its grid is not the model's; %Y %m %d %H %M %j stand for the "
        "analysis time"
    )
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key("Top and bottom of the layer to take, where the variable has several", "m", default=None)


Members = Annotated[MemberRestarts | MemberImages, Field(discriminator="kind")]


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
        "Groups that the wedges are divided among, with the same members each, in error model paper (default: chosen "
        "from the ranks)",
        default=None,
        ge=1,
    )


class Output(Section):
    """Where the result goes."""

    directory: FilePath = key(
        "New folder for the analysed restart, diagnostics and manifest; must not exist or be empty"
    )


ErrorModel = Literal["paper", "analytic", "innovation", "ensemble", "hybrid"]
Solver = Literal["diagonal", "full"]
Scale = Annotated[int, Field(strict=True, ge=1)]
Scales = Annotated[tuple[Scale, ...], Field(strict=False, min_length=1)]

WITH_MEMBERS = ("ensemble", "hybrid")
"""Error models that need members of the model."""


class Settings(Section):
    """All settings of one analysis."""

    method: Literal["image", "pointwise", "large_scale", "insert", "none"] = key(
        "image (curvelet coefficients), pointwise (each cell alone), large_scale (weak constraint, Shen et al. 2024), "
        "insert (observation replaces background), none",
        default="image",
    )
    error_model: ErrorModel = key(
        "Where error variances come from: paper (white noise, N members), analytic (the same without members), "
        "innovation (one variance for each scale and direction, from the data), ensemble, hybrid (these two)",
        default="paper",
    )
    solver: Solver = key(
        "diagonal (each coefficient alone) or full (exact for gaps; corrects unobserved land too)",
        default="diagonal",
    )
    scales: Scales | None = key(
        "Scales that are updated, 1 is the coarsest; for large_scale those of the weak constraint (default: all; for "
        "large_scale the coarser half)",
        default=None,
    )
    model: Annotated[Colm202x | Colm2014, Field(discriminator="kind")] = key("The restart to correct")
    observation: Annotated[Gldas | Cf, Field(discriminator="kind")] | None = key(
        "The observed image; optional for method none", default=None
    )
    errors: Errors = key("Error standard deviations", default=Errors())
    ensemble: Members | None = key("Members, for the error models ensemble and hybrid", default=None)
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    soil: Soil = key("Increment in the soil", default=Soil())
    parallel: Parallel = key("Work on the ranks", default=Parallel())
    output: Output = key("Result")

    @model_validator(mode="after")
    def _observation_needed(self) -> Settings:
        if self.observation is None and self.method != "none":
            raise ValueError(f"method {self.method!r} needs an [observation] section")
        return self

    @model_validator(mode="after")
    def _of_images_alone(self) -> Settings:
        given = [name for name in ("error_model", "solver") if name in self.model_fields_set]
        if self.method != "image" and given:
            raise ValueError(f"{' and '.join(given)}: for method 'image' only, found method {self.method!r}; remove")
        return self

    @model_validator(mode="after")
    def _members_needed(self) -> Settings:
        if self.method == "image" and self.error_model in WITH_MEMBERS and self.ensemble is None:
            raise ValueError(f"error_model {self.error_model!r} needs an [ensemble] section")
        return self
