"""Settings as they were written before each method had a section of its own: put where they belong now."""

from __future__ import annotations

from typing import Any, get_args

from imgda_mpi.method_config import ComparedMethod

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

KEYS = {
    get_args(section.model_fields["kind"].annotation)[0]: set(section.model_fields)
    for section in get_args(get_args(ComparedMethod)[0])
}
"""Keys of each kind of method."""


def renamed(table: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings with the keys of today, and what was moved: the key as it stands in the file, and the one of today.

    A key that the method has no use for, as before, is left out. A file that has a section ``[method]`` is left alone.

    Parameters
    ----------
    table : dict
        Of an analysis or a comparison.
    """
    given = table.get("method", "image") if "methods" not in table else table["methods"]
    compared = isinstance(given, list)
    if not compared and not isinstance(given, str):
        return table, {}
    moved, values = {}, {}
    result = {name: dict(part) if isinstance(part, dict) else part for name, part in table.items()}
    for (section, name), new in MOVED.items():
        part = result.get(section) if section else result
        # An error model and a solver were those of method image alone.
        if isinstance(part, dict) and name in part and (given == "image" or name not in ("error_model", "solver")):
            values[new] = part.pop(name)
            moved[f"[{section}] {name}" if section else name] = f"[method] {new}"
    if compared:
        result["methods"] = [_with(method, values) for method in given]
    elif given == "image":
        kind = values.pop("kind", "paper")
        result["method"] = _with(kind, values) if isinstance(kind, str) else {"kind": kind, **values}
        if "method" in table:
            moved['method = "image"'] = f'method = "{kind}"'
    elif values:
        result["method"] = _with(given, values)
    return (result, moved) if moved else (table, {})


def _with(method: Any, values: dict[str, Any]) -> Any:
    """The section of a method by its name, with those of the values that its kind has."""
    if not isinstance(method, str):
        return method
    kind, slash, solver = method.partition("/")
    section = {"kind": kind} | ({"solver": solver} if slash else {})
    return section | {name: value for name, value in values.items() if name in KEYS.get(kind, ())}
