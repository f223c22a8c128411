"""The settings of a comparison of methods."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from imgda_mpi.settings.analysis import Curvelet, Output
from imgda_mpi.settings.fields import Depths, FilePattern, Instant, Positive, Section, key
from imgda_mpi.settings.methods import ComparedMethod, MethodSettings, OfMembers
from imgda_mpi.settings.observations import AnyObservation, NoiseEstimate, Observation

Lengths = Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]
Size = Annotated[int, Field(strict=True, ge=2)]


class Swaths(Section):
    """Which pixels are observed: column i of row j where (i + floor(slope j)) mod period < width."""

    kind: Literal["full", "swaths"] = key("full (all land) or swaths", default="full")
    period: int = key("Columns from swath to swath", default=22, ge=1)
    width: int = key("Columns of a swath", default=9, ge=1)
    slope: float = key("Columns that a swath moves to the left from row to row", default=0.35, allow_inf_nan=False)

    @model_validator(mode="after")
    def _with_gaps(self) -> Swaths:
        if self.width > self.period:
            raise ValueError(f"width = {self.width}: at most the period, {self.period}; all land is kind = 'full'")
        return self

    @property
    def pattern(self) -> dict[str, Any]:
        """Period, width and slope; of all land a swath that is as wide as its period."""
        return self.values() if self.kind == "swaths" else {"period": 1, "width": 1, "slope": 0.0}


class MembersInFile(Section):
    """Images of members of the model: one is the background, every other in turn the truth and left out."""

    file: FilePattern = key("CF NetCDF file; %Y %m %d %H %M %j stand for the time")
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key(
        "Top and bottom of the layer to take (default: the only one)", "m", default=None, example="[0.0, 0.1]"
    )
    background_member: int = key("Number of the member that is the background, from 0", default=0, ge=0)
    letkf_lengths: Lengths = key(
        "Lengths that letkf is tried with if it is given by its name; the best is found with the truth, and marked",
        "km",
        default=(600.0, 800.0, 1000.0, 1200.0, 1400.0),
    )


class AssumedErrors(NoiseEstimate):
    """What the methods assume of the observation's errors."""

    observation: float | None = key(
        "Standard deviation (default: that of the noise)", "m3 m-3", default=None, example="0.1", gt=0, le=1
    )


class Comparison(Section):
    """All settings of one comparison."""

    methods: Annotated[tuple[ComparedMethod, ...], Field(strict=False, min_length=1)] = key(
        "Methods to compare, each by its name, as innovation/full, or with keys of its own, as "
        '{kind = "paper", n_members = 20}'
    )
    time: Instant = key("Of the images, and part of the key of all random numbers", "UTC")
    noise: float = key("Standard deviation of the noise in the observations", "m3 m-3", gt=0, le=1)
    seeds: int = key("Draws of the noise, for each truth", default=10, ge=1)
    grid: Annotated[tuple[Size, Size], Field(strict=False)] = key(
        "Rows and columns of the global grid", default=(128, 256)
    )
    interpolation_lengths: Lengths = key(
        "Lengths that optimal_interpolation is tried with if it is given by its name; the best is found with the "
        "truth, and marked",
        "km",
        default=(500.0, 650.0, 800.0, 1000.0),
    )
    background: AnyObservation | None = key("The background; not with [members]", default=None)
    truth: AnyObservation | None = key("What is taken for the truth; not with [members]", default=None)
    members: MembersInFile | None = key("Background, truths and members in one file", default=None)
    coverage: Swaths = key("Pixels that are observed", default=Swaths())
    errors: AssumedErrors = key("Assumed errors", default=AssumedErrors())
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    output: Output = key("Result")

    @property
    def labels(self) -> list[str]:
        """Of the methods: their keys are named where several have the same name."""
        labels = [method.label for method in self.methods]
        return [
            label if labels.count(label) == 1 else method.full_label
            for label, method in zip(labels, self.methods, strict=True)
        ]

    @property
    def tried(self) -> list[tuple[str | None, MethodSettings]]:
        """Sections to run with their labels; those given by their name that have lengths to try once for each.

        Those have no label: their name tells the length.
        """
        lengths = {"optimal_interpolation": ("length", self.interpolation_lengths)}
        if self.members is not None:
            lengths["letkf"] = ("localisation", self.members.letkf_lengths)
        tried: list[tuple[str | None, MethodSettings]] = []
        for label, section in zip(self.labels, self.methods, strict=True):
            name, several = lengths.get(section.kind, ("", ()))
            if several and name not in section.model_fields_set:
                tried += [(None, section.model_copy(update={name: length})) for length in several]
            else:
                tried.append((label, section))
        return tried

    @property
    def noise_of_draws(self) -> dict[str, Any]:
        """What decides the noise, and what methods are told of it."""
        assumed, estimate = self.errors.observation or self.noise, self.errors.estimate_observation
        return {
            "time": self.time,
            "noise": self.noise,
            "n_seeds": self.seeds,
            "assumed": assumed,
            "estimate": estimate,
        }

    @model_validator(mode="after")
    def _each_once(self) -> Comparison:
        lists = (("methods", self.methods), ("interpolation_lengths", self.interpolation_lengths))
        for name, given in lists:
            if any(given.count(one) > 1 for one in given):
                raise ValueError(f"{name}: each may be given once")
        return self

    @model_validator(mode="after")
    def _one_kind_of_truth(self) -> Comparison:
        given = (self.background is not None, self.truth is not None, self.members is not None)
        if given not in ((True, True, False), (False, False, True)):
            raise ValueError("needs either [background] and [truth], or [members]")
        for name, meant in (("background", ()), ("truth", ("allow_unlike_background",))):
            given_keys = getattr(getattr(self, name), "model_fields_set", ())
            for without in (one for one in Observation.ALLOWANCES if one in given_keys and one not in meant):
                raise ValueError(f"[{name}] {without} has no effect in a comparison: remove it")
        needing = [method.label for method in self.methods if isinstance(method, OfMembers)]
        if needing and self.members is None:
            raise ValueError(f"methods {', '.join(needing)} need [members]")
        return self
