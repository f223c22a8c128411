"""The settings of features of cells that files hold."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator

from imgda_mpi.settings.fields import FilePath, Section, key
from imgda_mpi.settings.methods import MethodSettings

NAME = "[A-Za-z][A-Za-z0-9_]{,39}"
"""Of a group of features: it is a part of names in diagnostics."""

TAKEN = {"moisture": "is the background's own, from no file", "distance": "is what no features carry"}
"""Names that are something else."""


class FeatureFile(Section):
    """A map of a property that cells can have in common, for methods with features (names are your own)."""

    file: FilePath = key(
        "CF NetCDF file on a rectilinear latitude-longitude grid; a time is not needed", example='"soil_type.nc"'
    )
    variable: str = key("Name of the variable, which has no layers", min_length=1, example='"slt"')
    kind: Literal["classes", "values"] = key(
        "What the variable holds: classes (a cell has fractions of its pixels), or values"
    )


def _names(sections: dict[str, FeatureFile]) -> dict[str, FeatureFile]:
    for name in sections:
        if not re.fullmatch(NAME, name):
            raise ValueError(f"[features.{name}]: needs a name of at most 40 letters, digits and _, a letter first")
        if name in TAKEN:
            raise ValueError(f"[features.{name}]: {TAKEN[name]}: give another name")
    return sections


FeatureFiles = Annotated[dict[str, FeatureFile], AfterValidator(_names)]

OF_CELLS = "Features of cells by names of your own: [features.NAME] with file, variable and kind"


def check_use(features: dict[str, FeatureFile], *methods: MethodSettings) -> None:
    """Refuse, by a ValueError, sections of features that none of the methods uses."""
    if features and not any(method.uses_features for method in methods):
        names = ", ".join(f"[features.{name}]" for name in features)
        labels = ", ".join(method.label for method in methods)
        if any(method.values().get("features") is False for method in methods):
            raise ValueError(f"{names}: no effect with features = false in [method]: remove one of them")
        raise ValueError(f"{names}: no effect with {labels}: remove it, or take innovation/full or hybrid/full")
