"""Modules of somebody else's in the place of those that the program has been installed with."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType

from imgda_mpi.faults import ConfigError, fault


def told_from_own(error: BaseException) -> BaseException:
    """What to raise for an error: of a module that was found on PYTHONPATH a `ConfigError` that names it."""
    file = _stranger(error)
    if file is None:
        return error
    return fault(
        file,
        found=f"a module that imgda_mpi cannot work with ({type(error).__name__}: {error})",
        expected=f"that of {sys.prefix}",
        do="unset PYTHONPATH: it is for another Python",
        kind=ConfigError,
    )


def _stranger(error: BaseException) -> Path | None:
    """The file of a module on PYTHONPATH that an error comes from, where it is none of the program's."""
    paths = sysconfig.get_paths()
    own = [Path(__file__).parents[1], *(Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))]
    on_path = os.environ.get("PYTHONPATH", "")
    places = [Path(one).resolve() for one in on_path.split(os.pathsep)] if on_path else []
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    # What an import did not find it in, or what has no such attribute.
    package = (getattr(error, "name", None) or "").partition(".")[0]
    modules = sys.modules.get(package), getattr(error, "obj", None)
    lacking = [getattr(module, "__file__", None) for module in modules if isinstance(module, ModuleType)]
    for name in filter(None, (error.filename if isinstance(error, SyntaxError) else None, *lacking, *frames[::-1])):
        file = Path(name).resolve()
        if any(map(file.is_relative_to, places)) and not any(file.is_relative_to(folder.resolve()) for folder in own):
            return file
    return None
