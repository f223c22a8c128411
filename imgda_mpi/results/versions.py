"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

PACKAGES = ("numpy", "scipy", "numba", "pyfftw", "mpi4py", "h5py", "netCDF4")


@cache
def package_versions() -> dict[str, str]:
    """Of python and of the packages, none of which is loaded."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}
