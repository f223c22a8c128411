"""Settings files that are written: every key with its meaning, and a file to start from."""

from __future__ import annotations

import ast
import inspect
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.fields import Section, duration_text

STARTING = ("model", "observation", "errors", "output")
"""Sections of a file to start from."""


def documented(kind: type[Section]) -> str:
    """Every key with its documentation, unit and default, in the form of a settings file."""
    from imgda_mpi.settings.verbs import KINDS  # those of every verb

    others = ", ".join(verb for verb, other in KINDS.items() if other is not kind)
    lines = [
        "# Settings of imgda_mpi. A key that is commented out shows its default, or an example where the text says",
        "# what is done without it; the others must be given.",
        "# Of two sections of one name choose one. Paths are relative to this file; times without a zone are UTC.",
        f"# `imgda_mpi settings VERB` prints those of other verbs: {others}.",
    ]
    tables: list[str] = []
    for name, field in kind.model_fields.items():
        sections, form = list(sections_of(field.annotation)), get_origin(field.annotation)
        is_list = form is tuple
        for section in sections:
            optional = "" if field.is_required() else " May be left out."
            heading = f"[[{name}]]" if is_list else f"[{name}.NAME]" if form is dict else f"[{name}]"
            tables += ["", f"# {_summary(section)}{optional}", heading]
            tables += [line for key_name, key_field in _keys(section) for line in _document(key_name, key_field)]
        short = getattr(field.default, "label", None)
        if short is not None:
            lines += [f"# {field.description}", f"# {name} = {toml(short)}"]
        elif not sections or is_list or field.examples:
            lines += _document(name, field)
    return "\n".join(lines + tables) + "\n"


def starting(model: str, observation: str) -> str:
    """A settings file of an analysis to start from, with examples in the place of what must be given.

    Parameters
    ----------
    model, observation : str
        Kinds of the sections.

    Raises
    ------
    ConfigError
        Where there is no such kind.
    """
    chosen = {"model": model, "observation": observation}
    method = Settings.model_fields["method"]
    kinds = [kind_of(section) for section in sections_of(method.annotation)]
    lines = [
        "# Settings of an analysis. Edit what is not commented out. A key that is commented out shows its default, or",
        "# an example where the text says what is done without it.",
        "# `imgda_mpi settings` prints all keys and sections, `imgda_mpi check` says what is still wrong.",
        "",
        f"# {method.description}: {', '.join(map(str, kinds))}.",
        f"# method = {toml(method.default.label)}",
    ]
    for name in STARTING:
        sections = {kind_of(section): section for section in sections_of(Settings.model_fields[name].annotation)}
        kind = chosen.get(name)
        if kind not in sections:
            raise ConfigError(f"--{name} {kind}: known are {', '.join(map(str, sections))}")
        section = sections[kind]
        lines += ["", f"# {_summary(section)}", f"[{name}]"]
        lines += [line for key_name, field in _keys(section) for line in _document(key_name, field)]
    return "\n".join(lines) + "\n"


def in_force(settings: Section, *without: str) -> str:
    """A settings file with all values in force and absolute paths: it says the same wherever it is read.

    ``without`` are sections that it leaves out.
    """
    lines, tables = [], []
    for name, value in settings.model_dump(exclude_none=True, exclude=set(without)).items():
        if isinstance(value, dict):
            tables += ["", f"[{name}]", *(f"{key} = {toml(part)}" for key, part in value.items())]
        else:
            lines.append(f"{name} = {toml(value)}")
    return "\n".join(lines + tables).lstrip("\n") + "\n"


def _summary(section: type[Section]) -> str:
    """The first line on a section, which a Python that strips documentation (PYTHONOPTIMIZE=2) has in its source."""
    text = section.__doc__
    if text is None:
        (source,) = ast.parse(inspect.getsource(section)).body
        text = ast.get_docstring(source) if isinstance(source, ast.ClassDef) else None
    return (text or "").partition("\n")[0]


def _keys(section: type[Section]) -> list[tuple[str, FieldInfo]]:
    """The kind first, then what must be given."""
    return sorted(section.model_fields.items(), key=lambda item: (item[0] != "kind", not item[1].is_required()))


def _document(name: str, field: FieldInfo) -> list[str]:
    example = (field.examples or ["..."])[0]
    if name == "kind":
        return [f"# {field.description}", f'{name} = "{get_args(field.annotation)[0]}"']
    if field.is_required():
        return [f"# {field.description}", f"{name} = {example}"]
    return [f"# {field.description}", f"# {name} = {example if field.default is None else toml(field.default)}"]


def toml(value: Any) -> str:
    """A value as it stands in a settings file."""
    if isinstance(value, Section):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, timedelta):
        return json.dumps(duration_text(value))
    if isinstance(value, float) and math.isinf(value):
        return f"{value}"
    return json.dumps(value, default=str)


def sections_of(annotation: Any) -> Iterator[type[Section]]:
    """The sections that a type annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in get_args(annotation):
        yield from sections_of(argument)


def kind_of(section: type[Section]) -> str | None:
    """The kind that a section is of, where there are several of its name."""
    return get_args(section.model_fields["kind"].annotation)[0] if "kind" in section.model_fields else None
