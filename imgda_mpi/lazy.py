"""Classes and functions by their place, loaded where they are asked for: most runs need one of many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


def load(place: str) -> Any:
    """What a place "room.module:name" of this package names."""
    module, name = place.split(":")
    return getattr(import_module(f"imgda_mpi.{module}"), name)


@contextmanager
def left_out(module: str) -> Iterator[None]:
    """Within it, whoever tries to load a module that is not loaded yet finds it missing, and does without."""
    is_new = sys.modules.setdefault(module, None) is None  # type: ignore[arg-type]
    try:
        yield
    finally:
        if is_new:
            del sys.modules[module]


@contextmanager
def without(package: ModuleType, *parts: str) -> Iterator[None]:
    """Within it, parts of a package that are not loaded yet, and that it would load when asked for them, are None."""
    missing = [part for part in parts if part not in vars(package)]
    for part in missing:
        setattr(package, part, None)
    try:
        yield
    finally:
        for part in missing:
            if vars(package).get(part) is None:  # else it has been loaded meanwhile
                delattr(package, part)
