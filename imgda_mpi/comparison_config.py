"""The settings of a comparison of methods."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from imgda_mpi.config import Cf, Curvelet, Depths, FilePattern, Gldas, Instant, Output, Section, key

Method = Literal[
    "none",
    "insert",
    "pointwise",
    "pointwise_fitted",
    "large_scale",
    "paper",
    "analytic",
    "innovation/diagonal",
    "innovation/full",
    "ensemble/diagonal",
    "ensemble/full",
    "hybrid/diagonal",
    "hybrid/full",
    "letkf",
    "optimal_interpolation",
]

OF_MEMBERS = ("ensemble/diagonal", "ensemble/full", "hybrid/diagonal", "hybrid/full", "letkf")
"""Methods that need members of the model."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
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


class Members(Section):
    """Images of members of the model: one is the background, every other in turn the truth and left out."""

    file: FilePattern = key("CF NetCDF file; %Y %m %d %H %M %j stand for the time")
    variable: str = key("Name of the soil moisture variable, one dimension of which is named member", min_length=1)
    layer: Depths | None = key("Top and bottom of the layer to take, where the variable has several", "m", default=None)
    background_member: int = key("Number of the member that is the background, from 0", default=0, ge=0)
    localisation: float = key(
        "Length of the Gaspari-Cohn correlation of ensemble/full and hybrid/full", "km", default=1800.0, gt=0
    )
    innovation_weight: float = key("Share of the innovation's variances in hybrid", default=0.1, ge=0, le=1)
    letkf_lengths: Lengths = key(
        "Lengths that letkf is tried with; the best is found with the truth, and marked",
        "km",
        default=(600.0, 800.0, 1000.0, 1200.0, 1400.0),
    )


class AssumedErrors(Section):
    """What the methods assume of the errors."""

    background: float = key("Standard deviation of the background errors", "m3 m-3", default=0.15, gt=0, le=1)
    observation: float | None = key(
        "Standard deviation of the observation errors (default: that of the noise)", "m3 m-3", default=None, gt=0, le=1
    )
    estimate_observation: bool = key("Estimate it from the innovation instead, for methods with wedges", default=False)
    n_members: int = key("Perturbed members of each kind for paper", default=50, ge=2)


class Comparison(Section):
    """All settings of one comparison."""

    methods: Annotated[tuple[Method, ...], Field(strict=False, min_length=1)] = key("Methods to compare, see README")
    time: Instant = key("Of the images, and part of the key of all random numbers", "UTC")
    noise: float = key("Standard deviation of the noise in the observations", "m3 m-3", gt=0, le=1)
    seeds: int = key("Draws of the noise, for each truth", default=10, ge=1)
    grid: Annotated[tuple[Size, Size], Field(strict=False)] = key(
        "Rows and columns of the global grid", default=(128, 256)
    )
    interpolation_lengths: Lengths = key(
        "Lengths that optimal_interpolation is tried with; the best is found with the truth, and marked",
        "km",
        default=(500.0, 650.0, 800.0, 1000.0),
    )
    background: Annotated[Gldas | Cf, Field(discriminator="kind")] | None = key(
        "The background; not with [members]", default=None
    )
    truth: Annotated[Gldas | Cf, Field(discriminator="kind")] | None = key(
        "What is taken for the truth; not with [members]", default=None
    )
    members: Members | None = key("Background, truths and members in one file", default=None)
    coverage: Swaths = key("Pixels that are observed", default=Swaths())
    errors: AssumedErrors = key("Assumed errors", default=AssumedErrors())
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    output: Output = key("Result")

    @model_validator(mode="after")
    def _each_once(self) -> Comparison:
        for name in ("methods", "interpolation_lengths"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name} = {list(given)}: each may be given once")
        return self

    @model_validator(mode="after")
    def _one_kind_of_truth(self) -> Comparison:
        given = (self.background is not None, self.truth is not None, self.members is not None)
        if given not in ((True, True, False), (False, False, True)):
            raise ValueError("needs either [background] and [truth], or [members]")
        needing = [method for method in self.methods if method in OF_MEMBERS]
        if needing and self.members is None:
            raise ValueError(f"methods {', '.join(needing)} need [members]")
        return self
