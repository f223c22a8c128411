"""The settings of one analysis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from imgda_mpi.fields import Depths, FilePath, FilePattern, Instant, Range, Section, StandardDeviation, key
from imgda_mpi.method_config import Method, OfMembers, Paper


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


class NoiseEstimate(Section):
    """What the errors of the observation are taken to be."""

    estimate_observation: bool = key(
        "Estimate the observation's from the finest scales of the innovation, for methods with an error model; the log "
        "warns where the given one is off by more than a factor of two",
        default=False,
    )


class Errors(NoiseEstimate):
    """Errors of the observation, and the seed of all random numbers."""

    observation: StandardDeviation = key(
        "Standard deviation of the observation's: a number, or {file, variable} for a field", "m3 m-3", default=0.10
    )
    seed: int = key("Of all random numbers; the same seed and time give the same analysis", default=0, ge=0, lt=2**64)


class MemberRestarts(Section):
    """Restarts of the same case and time as the model's, one folder for each member."""

    kind: Literal["restarts"] = key("What holds the members: restarts or images")
    directories: tuple[FilePath, ...] = key(
        "Folders of the members: each stands in the place of model.directory (colm202x), or holds a file named as "
        "model.restart_file (colm2014)",
        strict=False,
        min_length=2,
    )


class MemberImages(Section):
    """A CF NetCDF file with an image of the model's soil moisture for each member."""

    kind: Literal["images"] = key("What holds the members: restarts or images")
    file: FilePattern = key(
        "CF NetCDF file, regridded bilinearly where its grid is not the model's; %Y %m %d %H %M %j stand for the "
        "analysis time"
    )
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key("Top and bottom of the layer to take, where the variable has several", "m", default=None)


MemberFiles = Annotated[MemberRestarts | MemberImages, Field(discriminator="kind")]


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
        "Groups that the wedges are divided among, with the same members each, in method paper (default: chosen "
        "from the ranks)",
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

    method: Method = key(
        "Name of a method, as innovation/full, or a section [method] with kind and keys of its own", default=Paper()
    )
    model: Annotated[Colm202x | Colm2014, Field(discriminator="kind")] = key("The restart to correct")
    observation: Annotated[Gldas | Cf, Field(discriminator="kind")] | None = key(
        "The observed image; optional for method none", default=None
    )
    errors: Errors = key("Errors of the observation", default=Errors())
    ensemble: MemberFiles | None = key("Members of the model, for the methods that need them", default=None)
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    soil: Soil = key("Increment in the soil", default=Soil())
    parallel: Parallel = key("Work on the ranks", default=Parallel())
    output: Output = key("Result")

    @model_validator(mode="after")
    def _observation_needed(self) -> Settings:
        if self.observation is None and self.method.kind != "none":
            raise ValueError(f"method {self.method.kind!r} needs an [observation] section")
        return self

    @model_validator(mode="after")
    def _members_needed(self) -> Settings:
        if isinstance(self.method, OfMembers) and self.ensemble is None:
            raise ValueError(f"method {self.method.kind!r} needs an [ensemble] section")
        return self
