"""Functions as numba compiles them, kept on disk from run to run where there is a place for that."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.lazy import left_out

try:
    with left_out("yaml"):  # with which numba would read settings from a file in the working folder
        import numba
        from numba.core.caching import FunctionCache, NullCache
        from numba.core.runtime.nrt import rtsys
except ValueError as err:
    if "Number of threads" not in str(err):  # as of packages that do not fit together
        raise
    raise fault(
        "NUMBA_NUM_THREADS",
        found=os.environ["NUMBA_NUM_THREADS"],
        expected="1 or more",
        do="unset it: nothing here has threads of numba's",
        kind=ConfigError,
    ) from err

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function, error_model: Literal["python", "numpy"] = "python") -> Function:
    """The function as numba compiles it, kept on disk; ``error_model`` is numba's."""
    made: Any = numba.njit(error_model=error_model)(function)
    if made is not function:  # as it is with NUMBA_DISABLE_JIT
        # Numba has no public name for it; tests/test_compiled.py sees that it works.
        try:
            made._cache = _Kept(function)
        except (RuntimeError, OSError) as err:  # no folder can be written, or even looked into
            made._cache = _Nowhere(err)
    return cast(Function, made)


class _Kept(FunctionCache):
    """What numba keeps of a function, which is compiled anew where that cannot be read, or written."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        # Numba takes it for good as long as the function's own file stays as it is, although functions that are called
        # from it may have changed. Here it is good as long as all files of the folder are.
        self._cache_file._source_stamp = _stamp(Path(function.__code__.co_filename).parent)

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            # Numba's own way makes all ready that it can compile with first, which takes longer than a short run.
            rtsys.initialize(target)
            with left_out("scipy.linalg.cython_blas"):  # which it looks for wherever arrays are worked with as a whole
                return self._load_overload(signature, target)  # type: ignore[no-untyped-call]
        except Exception:  # what can come out of a damaged file
            with suppress(OSError):
                self.flush()  # type: ignore[no-untyped-call]

    def save_overload(self, *which: Any) -> None:
        try:
            super().save_overload(*which)  # type: ignore[no-untyped-call]
        except Exception as err:  # also of what is there, damaged, and can be neither read nor replaced
            _say(str(err) or type(err).__name__)


class _Nowhere(NullCache):
    """In the place of what is kept, where nothing can be."""

    def __init__(self, reason: Exception) -> None:
        self._reason = str(reason)

    def load_overload(self, *_: Any) -> None:
        _say(self._reason)


@cache
def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    # An editor's mark on a file that it has open is a link to nothing.
    every = ((path.name, path.stat()) for path in sorted(folder.glob("*.py")) if path.exists())
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in every)


_said: list[str] = []


def _say(reason: str) -> None:
    """Say once why this run is slower, and not when functions are loaded, as not all of them are compiled."""
    if not _said:
        _said.append(reason)
        log.warning(
            "compiled code cannot be kept (%s): it is compiled anew, which takes seconds; set NUMBA_CACHE_DIR to a "
            "folder that can be written",
            reason,
            extra={"of_every_rank": True},
        )
