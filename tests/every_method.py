"""Every method of the registry by its name, and the section and object of a name."""

from __future__ import annotations

from pydantic import TypeAdapter

from imgda_mpi.covariances.covariance import CovarianceErrors
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.grid import Grid
from imgda_mpi.lazy import load
from imgda_mpi.methods.method import Method
from imgda_mpi.methods.registry import ERROR_MODELS, METHODS, make_method, needs_transform
from imgda_mpi.settings.methods import ComparedMethod, MethodSettings

NAMES = [
    *METHODS,
    *(f"{kind}/diagonal" for kind in ERROR_MODELS),
    *(f"{kind}/full" for kind, place in ERROR_MODELS.items() if issubclass(load(place), CovarianceErrors)),
]


def check_method(value: object) -> MethodSettings:
    """The section of a name, or of a table."""
    return TypeAdapter(ComparedMethod).validate_python(value)


def method(name: str, grid: Grid, n_ranks: int = 1) -> Method:
    section = check_method(name)
    transform = CurveletTransform(grid.transform_shape()) if needs_transform(section.kind) else None
    return make_method(section.kind, section.values(), transform, n_ranks=n_ranks)
