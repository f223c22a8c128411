"""Classes and functions by their place, loaded where they are asked for: most runs need one of many."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
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
