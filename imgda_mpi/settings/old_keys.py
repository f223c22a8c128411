"""Settings as they were written before each method had a section of its own: put where they belong now."""

from __future__ import annotations

from typing import Any

from imgda_mpi.settings.methods import SECTIONS, short_form

MOVED = {
    ("", "error_model"): "kind",
    ("", "solver"): "solver",
    ("", "scales"): "scales",
    ("errors", "background"): "background_error",
    ("errors", "n_members"): "n_members",
    ("ensemble", "localisation"): "localisation",
    ("ensemble", "inflation"): "inflation",
    ("ensemble", "innovation_weight"): "innovation_weight",
    ("members", "localisation"): "localisation",
    ("members", "innovation_weight"): "innovation_weight",
}
"""Section and name of a key that is one of the method's now, and its name there."""

METHODS = ("image", "pointwise", "large_scale", "insert", "none")
ERROR_MODELS = ("paper", "analytic", "innovation", "ensemble", "hybrid")
"""Those that were, and of ``image``."""


def renamed(table: dict[str, Any]) -> tuple[dict[str, Any], list[str], list[str]]:
    """Settings with the keys of today; the keys that were moved and those without effect, as they stand in the file.

    A key that the method has no use for had no effect before, and is left out. A file that has a section of a method,
    or a name that is one of today, is left alone.

    Parameters
    ----------
    table : dict
        Of an analysis or a comparison.
    """
    given = table["methods"] if "methods" in table else [table.get("method", "image")]
    if not isinstance(given, list) or not all(isinstance(method, str) for method in given):
        return table, [], []
    if "methods" not in table and given[0] not in METHODS:
        return table, [], []
    # An error model and a solver were those of method image alone.
    of_image = given == ["image"] and table.get("error_model", "paper") in ERROR_MODELS
    result = {name: dict(part) if isinstance(part, dict) else part for name, part in table.items()}
    moved, values = {}, {}
    for (section, name), new in MOVED.items():
        part = result.get(section) if section else result
        if isinstance(part, dict) and name in part and (of_image or name not in ("error_model", "solver")):
            values[new] = part.pop(name)
            moved[f"[{section}] {name}" if section else name] = new
    if of_image:
        given = [values.pop("kind", "paper")]
        moved |= {'method = "image"': "kind"} if "method" in table else {}
    methods = [_with(method, values) for method in given]
    if moved:
        result |= {"methods": methods} if "methods" in table else {"method": methods[0]}
    without = [old for old, new in moved.items() if not any(new in section for section in methods)]
    return result, [old for old in moved if old not in without], without


def _with(method: str, values: dict[str, Any]) -> dict[str, Any]:
    """The section of a method by its name, with those of the values that its kind had."""
    section: dict[str, Any] = short_form(method)
    known = SECTIONS[section["kind"]].model_fields if section["kind"] in SECTIONS else {}
    # The length of the LETKF was a list of its own.
    own = {name: value for name, value in values.items() if name in known and section["kind"] != "letkf"}
    return section | own
