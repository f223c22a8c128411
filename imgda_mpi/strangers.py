"""Modules of somebody else's in the place of those that the program has been installed with."""

from __future__ import annotations

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imgda_mpi.faults import ConfigError, fault


@contextmanager
def told_from_own() -> Iterator[None]:
    """Turn what comes of a module that was found on PYTHONPATH, or in the working folder, into a `ConfigError`."""
    try:
        yield
    except (ImportError, AttributeError, SyntaxError) as err:
        found = _stranger(err)
        if found is None:
            raise
        file, do = found
        said = f"a module that imgda_mpi cannot work with ({type(err).__name__}: {err})"
        raise fault(file, found=said, expected=f"that of {sys.prefix}", do=do, kind=ConfigError) from err


def _stranger(error: Exception) -> tuple[Path, str] | None:
    """The file of a module from where none of the program's is, and what to do; None where there is none."""
    paths = sysconfig.get_paths()
    own = [Path(__file__).parents[1], *(Path(paths[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib"))]
    on_path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    places = dict.fromkeys((Path(one).resolve() for one in on_path), "unset PYTHONPATH: it is of another Python")
    if not sys.flags.safe_path:
        places |= {Path.cwd(): "start it in another folder, or with python -P"}
    loaded = [getattr(module, "__file__", None) for module in [*sys.modules.values()]]
    in_error = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    files = [Path(file).resolve() for file in (getattr(error, "filename", None), *in_error[::-1], *loaded) if file]
    for file in files:
        if not any(file.is_relative_to(folder.resolve()) for folder in own):
            for place, do in places.items():
                if file.is_relative_to(place):
                    return file, do
    return None
