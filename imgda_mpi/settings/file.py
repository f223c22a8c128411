"""Settings as a TOML file: read, and checked in full before anything is computed."""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.document import kind_of, sections_of, toml
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.methods import SECTIONS
from imgda_mpi.settings.old_keys import MOVED, renamed

log = logging.getLogger(__name__)

OWN_KEYS = {
    "twin": ("case",),
    "cycle": ("cycle",),
    "compare": ("methods",),
    "errors": ("third",),
    "columns": ("run",),
    "verify": ("runs", "images"),
}
"""What files of a verb have and no others, any of these."""

OF_METHODS = {name for section in SECTIONS.values() for name in section.model_fields} - {"kind"}
"""Keys that some method has."""

Kind = TypeVar("Kind", bound=Section)


def read_settings(path: Path, kind: type[Kind]) -> Kind:
    """Settings of a kind from a TOML file; relative paths in it are relative to the file.

    Raises
    ------
    ConfigError
        Listing everything that is wrong: unknown keys (with the nearest known one), types, ranges, missing keys.
    """
    try:
        with path.open("rb") as file:
            table = tomllib.load(file)
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read ({err.strerror}); give the path of a settings file") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise ConfigError(f"{path}: is not valid TOML ({err})") from err
    return check_table(table, path, kind)


def peek(path: Path, *keys: str) -> Any:
    """What stands in a settings file below some keys, before it is checked; None where nothing does."""
    try:
        with path.open("rb") as file:
            found: Any = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    for name in keys:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def kind_of_file(path: Path) -> str:
    """The verb that a settings file is for, by what is in none of the other verbs' files; analyse where nothing is."""
    return next(
        (verb for verb, keys in OWN_KEYS.items() if any(peek(path, key) is not None for key in keys)), "analyse"
    )


def check_table(table: dict[str, Any], path: Path, kind: type[Kind]) -> Kind:
    """Settings from what the file ``path`` holds.

    Raises
    ------
    ConfigError
        As `read_settings`.
    """
    table, moved, without = renamed(table)
    if moved or without:
        said = [f"write {name} = {toml(table[name])}" for name in ("method", "methods") if name in table and moved]
        said += [f"{name} has no effect" for name in without]
        log.warning("%s: keys of before: %s; %s", path, ", ".join(moved + without), ", ".join(said))
    try:
        return kind.model_validate(table, context={"base": path.parent})
    except ValidationError as err:
        _refuse_other_kind(table, path, kind)
        faults = "\n  ".join(_explain(dict(fault), table, kind) for fault in err.errors())
        raise ConfigError(f"{path}:\n  {faults}") from None


def _refuse_other_kind(table: dict[str, Any], path: Path, kind: type[Section]) -> None:
    """Say for which verb a file is whose sections are not of this kind but all of another one."""
    from imgda_mpi.settings.verbs import KINDS  # where it is needed: those of every verb

    strange = [name for name in table if name not in kind.model_fields]
    meant = [verb for verb, other in KINDS.items() if strange and table.keys() <= other.model_fields.keys()]
    if meant:
        sections = ", ".join(f"[{name}]" if isinstance(table[name], dict | list) else name for name in strange)
        raise ConfigError(f"{path}: has settings of another verb ({sections}); did you mean `imgda_mpi {meant[0]}`?")


def _explain(fault: dict[str, Any], table: dict[str, Any], kind: type[Section]) -> str:
    """One line for one fault that pydantic found."""
    location = [str(part) for part in fault["loc"]]
    if not location or (fault["type"] == "value_error" and isinstance(fault["input"], dict)):
        return str(fault["ctx"]["error"])  # of a section as a whole
    fields = _section(location, kind).model_fields
    # Pydantic puts the chosen member of a union into the location; the user's file has no such level.
    written, given = _written(fault["loc"], table)
    if fault["type"] in ("extra_forbidden", "missing") and not location[-1].isdigit():
        name, above = location[-1], written[:-1] if written[-1:] == location[-1:] else written
    else:
        name, above = written[-1], written[:-1]
    where = f"[{'.'.join(above)}] " if above else ""
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, fields, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(fields))}"
        moved = MOVED.get((".".join(above), name)) or (
            name if above and above[-1] != "method" and name in OF_METHODS else None
        )
        return f"{where}unknown key {name!r}; " + (f"it is {moved!r} in [method] now" if moved else known)
    if location[-1] == "[key]":  # of a table whose keys are values of a kind
        return f"{where}unknown key {name!r}; known are {fault['ctx']['expected']}"
    if fault["type"] == "missing" and not location[-1].isdigit():
        what = "section" if any(sections_of(fields[name].annotation)) else "key"
        return f"{where}{what} {name!r} is missing: {fields[name].description}"
    # A short form stands for a section that the file does not have.
    if fault["type"] == "union_tag_invalid" and isinstance(given, str):
        return f"{where}{name} = {given!r}: known are {fault['ctx']['expected_tags']}"
    if fault["type"].startswith("union_tag"):
        # An entry of a list has the sections of the list's key.
        below = fields[name] if name in fields else kind.model_fields[location[0]]
        kinds = ", ".join(repr(kind_of(section)) for section in sections_of(below.annotation))
        what = f"kind = {given['kind']!r} is unknown" if "kind" in given else "key 'kind' is missing"
        return f"{where}[{name}] {what}: known are {kinds}"
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in ("tuple_type", "missing", "too_long"):
        # Tuples of any length are written with dots.
        is_list = name in fields and "..." in str(fields[name].annotation) and location[-1] == name
        said = "needs a list, as [...]" if is_list else "needs two numbers, as [0.0, 0.1]"
    described = f" ({fields[name].description})" if name in fields else ""
    shown = given if isinstance(given, str) else fault["input"]
    return f"{where}{name} = {shown!r}: {said[0].lower()}{said[1:]}{described}"


def _written(location: Sequence[Any], table: Any) -> tuple[list[str], Any]:
    """The parts of a location that are keys of the user's file, and what stands there, as far as it goes."""
    keys = []
    tags: list[Any] = []  # of the union that the last section is of, which may be the name of one of its keys too
    for part in location:
        if part in tags:
            tags = []
        elif isinstance(table, dict | list) and part in (table if isinstance(table, dict) else range(len(table))):
            keys += [part] if isinstance(part, str) else []
            table = table[part]
            tags = [table["kind"]] if isinstance(table, dict) and "kind" in table else []
    return keys, table


def _section(location: list[str], kind: type[Section]) -> type[Section]:
    """The section that the last part of a location belongs to."""
    sections: list[type[Section]] = [kind]
    for part in location[:-1]:
        chosen = [section for section in sections if kind_of(section) == part]
        below = [
            sub for s in sections if part in s.model_fields for sub in sections_of(s.model_fields[part].annotation)
        ]
        sections = chosen or below or sections
    return sections[0]
