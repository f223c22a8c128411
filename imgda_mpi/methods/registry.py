"""Every method by its name: what analyses, comparisons, checks and plans choose from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.faults import ConfigError
from imgda_mpi.lazy import load
from imgda_mpi.methods.method import Method

# Modules are loaded where they are asked for: most runs need one of them.
METHODS = {
    "none": "methods.simple:Nothing",
    "insert": "methods.simple:Insert",
    "pointwise": "methods.simple:Pointwise",
    "pointwise_fitted": "methods.simple:PointwiseFitted",
    "large_scale": "methods.simple:LargeScale",
    "letkf": "methods.letkf:Letkf",
    "optimal_interpolation": "methods.optimal_interpolation:OptimalInterpolation",
}
"""Methods of their own."""

ERROR_MODELS = {
    "paper": "covariances.paper:PaperErrors",
    "analytic": "covariances.analytic:AnalyticErrors",
    "innovation": "covariances.innovation:InnovationErrors",
    "ensemble": "covariances.ensemble:EnsembleErrors",
    "hybrid": "covariances.hybrid:HybridErrors",
}
"""Error models of the curvelet methods, each with a solver."""


def needs_transform(kind: str) -> bool:
    """Whether `make_method` needs a transform for methods of a kind."""
    return kind in ERROR_MODELS or bool(load(METHODS[kind]).needs_transform)


def scales_by_size(kind: str) -> bool:
    """Whether the transform of a kind has scales by the extent of the grid: see `TransformKind.on`."""
    return kind in ERROR_MODELS and bool(load(ERROR_MODELS[kind]).scales_by_size)


def make_method(
    kind: str,
    parameters: Mapping[str, Any],
    transform: CurveletTransform | None = None,
    n_ranks: int = 1,
    wedge_groups: int | None = None,
    *,
    diagnose: bool = True,
) -> Method:
    """The method of a kind.

    Parameters
    ----------
    kind : str
        Of `METHODS` or `ERROR_MODELS`.
    parameters : mapping
        Of the method by their names, see its class; of an error model with ``solver``, "diagonal" or "full", and
        ``scales`` beside its own.
    transform : CurveletTransform
        Where `needs_transform` says so.
    n_ranks : int
        Of the communicator that increments are made on.
    wedge_groups : int, optional
        Groups that the wedges are divided among; chosen unless given.
    diagnose : bool
        See `FullUpdate`.

    Raises
    ------
    ConfigError
        Where so many wedge groups are not possible, or the error model is not one of the full solver.
    ValueError
        Where the transform is missing.
    """
    if kind not in ERROR_MODELS:
        made_with = {"transform": transform} if needs_transform(kind) else {}
        method: Method = load(METHODS[kind])(**made_with, **parameters)
        return method
    if transform is None:
        raise ValueError(f"method {kind} needs a transform")
    own = dict(parameters)
    solver, scales = own.pop("solver"), own.pop("scales")
    errors = load(ERROR_MODELS[kind])(**own)
    if solver == "full" and not hasattr(errors, "covariance"):
        raise ConfigError(f"{kind} has no covariance of images for the full solver; take the diagonal solver")
    if solver == "full":
        from imgda_mpi.methods.full import FullUpdate

        return FullUpdate(errors, transform, scales, diagnose=diagnose)
    from imgda_mpi.methods.diagonal import DiagonalUpdate

    return DiagonalUpdate(errors, transform, errors.rectangle(transform.layout, n_ranks, wedge_groups), scales)
