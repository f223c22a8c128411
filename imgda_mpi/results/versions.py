"""Versions of what a result depends on."""

from __future__ import annotations

import platform
from importlib.metadata import version

PACKAGES = ("numpy", "scipy", "numba", "pyfftw", "mpi4py", "h5py", "netCDF4")


def package_versions() -> dict[str, str]:
    """Of python and of the packages, none of which is loaded."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def all_versions() -> dict[str, str]:
    """The same with the libraries that h5py and mpi4py have loaded."""
    import h5py
    from mpi4py import MPI

    return {
        **package_versions(),
        "hdf5": f"{h5py.version.hdf5_version}{' with MPI' if h5py.get_config().mpi else ''}",
        "mpi": MPI.Get_library_version().strip("\x00").splitlines()[0].strip(),
    }
