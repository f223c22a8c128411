"""Classes and functions by their place, loaded where they are asked for: most runs need one of many."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def load(place: str) -> Any:
    """What a place "room.module:name" of this package names."""
    module, name = place.split(":")
    return getattr(import_module(f"imgda_mpi.{module}"), name)
