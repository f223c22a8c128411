"""In what two settings differ, in words."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

MOST_NAMED = 3


def differences(there: Mapping[str, Any], here: Mapping[str, Any], without: Collection[str]) -> list[str]:
    """Values by which tables of settings differ, as ``[model] time "..." there and "..." here``.

    ``without`` are sections and keys, as ``observation.allow_empty``, that do not count. Paths are the same where they
    name the same files.
    """
    before, now = flat(there, without), flat(here, without)
    return [
        f"{_key(key)} {_word(before.get(key))} there and {_word(now.get(key))} here"
        for key in sorted(before.keys() | now.keys())
        if not _same(before.get(key), now.get(key))
    ]


def flat(table: Mapping[str, Any], without: Collection[str], above: str = "") -> dict[str, Any]:
    """Values of nested tables by keys as ``model.time``; none of those that are not given."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{above}{name}"
        if key in without or value is None:
            continue
        found |= flat(value, without, f"{key}.") if isinstance(value, Mapping) else {key: value}
    return found


def is_path(value: Any) -> bool:
    """Whether a value names files, as settings in force do: by absolute paths."""
    every = value if isinstance(value, list) else [value]
    return any(isinstance(one, str) and Path(one).is_absolute() for one in every)


def some(said: list[str]) -> str:
    """The first few of some differences, and how many more there are."""
    more = len(said) - MOST_NAMED
    return ", ".join(said[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _same(a: Any, b: Any) -> bool:
    """Whether two values are the same, or name the same files."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return bool(a == b) or (is_path(a) and is_path(b) and os.path.realpath(a) == os.path.realpath(b))


def _key(key: str) -> str:
    section, dot, name = key.partition(".")
    return f"[{section}] {name}" if dot else section


def _word(value: Any) -> str:
    return "not given" if value is None else json.dumps(value, default=str)
