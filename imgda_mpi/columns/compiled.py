"""Compiled functions that call each other across the files of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])

# What numba keeps of a function it takes for good as long as the function's own file stays as it is, although the
# functions that are called from it may have changed. Here it is good as long as all files of the room are.
_ROOM = tuple(
    (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(Path(__file__).parent.glob("*.py"))
)


def compiled(function: Function) -> Function:
    """The function as numba compiles it, kept on disk; with the IEEE's infinities for divisions by 0."""
    made = numba.njit(cache=True, error_model="numpy")(function)
    kept = getattr(made, "_cache", None)  # not there with NUMBA_DISABLE_JIT
    if kept is not None:
        # Numba has no public name for it; tests/test_compiled.py sees that it works.
        kept._cache_file._source_stamp = _ROOM
    return cast(Function, made)
