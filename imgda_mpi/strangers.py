"""Modules of somebody else's in the place of those that the program has been installed with."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from pathlib import Path

from imgda_mpi.faults import ConfigError, fault


def told_from_own(error: Exception) -> Exception:
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


def _stranger(error: Exception) -> Path | None:
    """The file of a module on PYTHONPATH that is none of the program's, those in the error first."""
    paths = sysconfig.get_paths()
    own = [Path(__file__).parents[1], *(Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))]
    on_path = os.environ.get("PYTHONPATH", "")
    places = [Path(one).resolve() for one in on_path.split(os.pathsep)] if on_path else []
    in_error = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    loaded = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    for name in filter(None, (getattr(error, "filename", None), *in_error[::-1], *loaded)):
        file = Path(name).resolve()
        if any(map(file.is_relative_to, places)) and not any(file.is_relative_to(folder.resolve()) for folder in own):
            return file
    return None
