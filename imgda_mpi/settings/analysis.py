"""The settings of one analysis."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import model_validator

from imgda_mpi.settings.features import OF_CELLS, FeatureFiles, check_use
from imgda_mpi.settings.fields import FilePath, Section, key
from imgda_mpi.settings.methods import DEFAULT_METHOD, AnyMethod, OfMembers
from imgda_mpi.settings.model import AnyModel, MemberFiles
from imgda_mpi.settings.observations import AnyObservation, Errors, Observation

NOT_DECIDING = ("output", "parallel", "errors.allow_few", *(f"observation.{name}" for name in Observation.ALLOWANCES))
"""Sections and keys that a result does not depend on, once there is one."""


class Curvelet(Section):
    """The curvelet transform."""

    n_scales: int | None = key(
        "Number of scales (default: such that the coarsest has waves longer than 3,000 km, or than the region; "
        "for paper and large_scale ceil(log2(shorter side) - 3))",
        default=None,
        example="5",
        ge=2,
    )
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

    implausible: Literal["stop", "leave_out"] = key(
        "What becomes of soil patches, also of members, whose water, temperature or pore space is outside any physical "
        "range: stop, or leave_out of the analysis",
        default="stop",
    )
    compensate: Literal["none", "aquifer"] = key(
        "aquifer takes what a column gains out of its aquifer store wa and gives it what the column loses; a store at "
        "or below 0 comes to 0 at most",
        default="none",
    )


class Parallel(Section):
    """How the work is spread over the ranks; the result does not depend on it."""

    wedge_groups: int | None = key(
        "Groups that the wedges are divided among, with the same members each, in method paper (default: chosen "
        "from the ranks)",
        default=None,
        example="2",
        ge=1,
    )


class Output(Section):
    """Where the result goes."""

    directory: FilePath = key(
        "New folder for the analysed restart, diagnostics and manifest; must not exist or be empty",
        example='"analysis"',
    )


class Settings(Section):
    """All settings of one analysis."""

    method: AnyMethod = key(
        "Name of a method, as innovation/full, or a section [method] with kind and keys of its own",
        default=DEFAULT_METHOD,
    )
    model: AnyModel = key("The restart to correct")
    observation: AnyObservation | None = key("The observed image; optional for method none", default=None)
    errors: Errors = key("Errors of the observation", default=Errors())
    ensemble: MemberFiles | None = key("Members of the model, for the methods that need them", default=None)
    features: FeatureFiles = key(OF_CELLS, default={})
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    soil: Soil = key("Increment in the soil", default=Soil())
    parallel: Parallel = key("Work on the ranks", default=Parallel())
    output: Output = key("Result")

    @property
    def observed_at(self) -> datetime:
        """The time of the image that is wanted."""
        return (self.observation and self.observation.time) or self.model.time

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

    @model_validator(mode="after")
    def _features_used(self) -> Settings:
        check_use(self.features, self.method)
        return self
