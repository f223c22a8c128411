"""The settings of each method: a section ``[method]`` with ``kind``, or the name alone where all keys have defaults."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from imgda_mpi.settings.fields import Positive, Section, StandardDeviation, key

Inflation = Annotated[
    Annotated[Positive, Tag("number")] | Annotated[Literal["innovation"], Tag("word")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "number"),
]
Scale = Annotated[int, Field(strict=True, ge=1)]
Scales = Annotated[tuple[Scale, ...], Field(strict=False, min_length=1)]


class MethodSettings(Section):
    """What every method has; ``needs_errors`` is of the observation."""

    needs_errors: ClassVar[bool] = True
    kind: str = key("Name of the method")

    @property
    def uses_features(self) -> bool:
        """Whether features of cells have an effect."""
        return False

    @property
    def label(self) -> str:
        """The name, with the solver where there is a choice."""
        return self.kind

    @property
    def full_label(self) -> str:
        """The label with the keys that were given."""
        given = {name: value for name, value in self.values().items() if name in self.model_fields_set - {"solver"}}
        keys = ",".join(f"{name}={list(v) if isinstance(v, tuple) else v}" for name, v in given.items())
        return f"{self.label}({keys.replace(' ', '')})" if keys else self.label


class Prescribed(Section):
    """Methods that are told the background errors."""

    background_error: StandardDeviation = key(
        "Standard deviation of the background errors: a number, or {file, variable, max_time_offset} for a field",
        "m3 m-3",
        default=0.15,
    )


class OfMembers(MethodSettings):
    """Methods that need members of the model."""


class NothingSettings(MethodSettings):
    """The background as it is."""

    needs_errors = False
    kind: Literal["none"] = key("Name of the method")


class InsertSettings(MethodSettings):
    """The observation in the place of the background."""

    needs_errors = False
    kind: Literal["insert"] = key("Name of the method")


class PointwiseSettings(Prescribed, MethodSettings):
    """Each cell alone, with a prescribed gain."""

    kind: Literal["pointwise"] = key("Name of the method")


class PointwiseFittedSettings(MethodSettings):
    """Each cell alone, with the constant gain that the innovation asks for."""

    kind: Literal["pointwise_fitted"] = key("Name of the method")


class LargeScaleSettings(Prescribed, MethodSettings):
    """The large scales of the image as a weak constraint (Shen et al. 2024)."""

    kind: Literal["large_scale"] = key("Name of the method")
    scales: Scales | None = key(
        "Scales of the constraint, 1 is the coarsest (default: the coarser half)", default=None, example="[1, 2]"
    )


class LetkfSettings(OfMembers):
    """The local ensemble transform Kalman filter, cell by cell; needs members."""

    kind: Literal["letkf"] = key("Name of the method")
    localisation: Positive = key(
        "Length of the Gaspari-Cohn correlation of the observations' weights", "km", default=1000.0
    )


class OfCoefficients(MethodSettings):
    """What the curvelet methods have: an error model each, and a solver."""

    solver: Literal["diagonal", "full"] = key(
        "diagonal (each coefficient alone) or full (exact for gaps; corrects unobserved land; not paper and analytic)",
        default="diagonal",
    )
    scales: Scales | None = key(
        "Scales that are updated, 1 is the coarsest (default: all)", default=None, example="[1, 2]"
    )

    @property
    def label(self) -> str:
        """Error model and solver."""
        return f"{self.kind}/{self.solver}"


class White(Prescribed, OfCoefficients):
    """Curvelet methods with white background errors, for the diagonal solver alone."""

    @property
    def label(self) -> str:
        """The error model."""
        return self.kind

    @model_validator(mode="after")
    def _diagonal(self) -> Self:
        if self.solver == "full":
            raise ValueError(f"{self.kind}/full would be a pointwise update: set method = 'pointwise'")
        return self


class PaperSettings(White):
    """Curvelet coefficients with white errors from perturbed members (Bai et al. 2026)."""

    kind: Literal["paper"] = key("Name of the method", default="paper")
    n_members: int = key(
        "Perturbed members for the background and as many for the observation", default=50, ge=2, le=100_000
    )


class AnalyticSettings(White):
    """The same without members, in closed form."""

    kind: Literal["analytic"] = key("Name of the method")


class FromInnovation(OfCoefficients):
    """Methods that take what is coherent in the innovation for errors of background and observation."""

    coherent_share: float | None = key(
        "Part of what is coherent in the innovation that is of the observation errors; the rest is of the background's "
        "(default: s_o^2 / (0.15^2 + s_o^2) for the s_o of [errors] observation, 0.31 for 0.10)",
        default=None,
        example="0.5",
        ge=0,
        le=1,
    )
    features: bool | None = key(
        "Whether errors also follow features of the cells: moisture, soil, cover, height, and [features.NAME]; with "
        "the solver full (default: from 3,000 observed cells on; below, if held-back cells are predicted better)",
        default=None,
        example="false",
    )

    @property
    def uses_features(self) -> bool:
        """With the full solver, unless they are off."""
        return self.solver == "full" and self.features is not False

    @model_validator(mode="after")
    def _features_in_full(self) -> Self:
        if self.solver == "diagonal" and self.features:
            raise ValueError(f"{self.kind}/diagonal has no features: remove features = true, or set solver = 'full'")
        return self


class InnovationSettings(FromInnovation):
    """Curvelet coefficients with one error variance for each scale and direction, from the innovation."""

    kind: Literal["innovation"] = key("Name of the method")
    solver: Literal["diagonal", "full"] = key(
        "diagonal (each coefficient alone) or full (exact for gaps; corrects unobserved land)", default="full"
    )


class EnsembleSettings(OfCoefficients, OfMembers):
    """Curvelet coefficients with the spread of members of the model."""

    kind: Literal["ensemble"] = key("Name of the method")
    localisation: Positive = key(
        "Length of the Gaspari-Cohn correlation, 0.21 there and 0 from twice the length on (solver full)",
        "km",
        default=1800.0,
    )
    inflation: Inflation = key(
        'Factor of the members\' variance, or "innovation" to take the one that the innovation asks for', default=1.0
    )


class HybridSettings(FromInnovation, EnsembleSettings):
    """The variances of ensemble and innovation, weighted."""

    kind: Literal["hybrid"] = key("Name of the method")  # type: ignore[assignment]
    innovation_weight: float = key("Share of the innovation's variances", default=0.1, ge=0, le=1)

    @property
    def uses_features(self) -> bool:
        """Where the innovation has a weight."""
        return super().uses_features and self.innovation_weight > 0


class OptimalInterpolationSettings(MethodSettings):
    """Exact optimal interpolation with a dense matrix, for comparisons alone."""

    kind: Literal["optimal_interpolation"] = key("Name of the method")
    length: Positive = key("Of the exponential correlation", "km", default=500.0)


def short_form(value: Any) -> Any:
    """The section that a name stands for: "innovation/full" is that of kind innovation with solver full.

    It may be the kind of a section, too.
    """
    if isinstance(value, dict) and isinstance(value.get("kind"), str) and "solver" not in value:
        return value | short_form(value["kind"])
    if not isinstance(value, str):
        return value
    kind, slash, solver = value.partition("/")
    return {"kind": kind} | ({"solver": solver} if slash else {})


OfAnalyses = (
    NothingSettings
    | InsertSettings
    | PointwiseSettings
    | PointwiseFittedSettings
    | LargeScaleSettings
    | LetkfSettings
    | PaperSettings
    | AnalyticSettings
    | InnovationSettings
    | EnsembleSettings
    | HybridSettings
)
DEFAULT_METHOD = InnovationSettings(kind="innovation", solver="full")
AnyMethod = Annotated[OfAnalyses, Field(discriminator="kind"), BeforeValidator(short_form)]
ComparedMethod = Annotated[
    OfAnalyses | OptimalInterpolationSettings, Field(discriminator="kind"), BeforeValidator(short_form)
]

SECTIONS: dict[str, type[MethodSettings]] = {
    get_args(section.model_fields["kind"].annotation)[0]: section
    for section in get_args(OfAnalyses | OptimalInterpolationSettings)
}
"""Every method's section by its kind."""
