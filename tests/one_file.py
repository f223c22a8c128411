"""Cases of CoLM202X in one file for all blocks, as VectorInOneFileS makes them: from files of blocks."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

BLOCK = re.compile(r"_([ew]\d{3}_[ns]\d{2})\.nc$")


def in_one_file(directory: Path) -> None:
    """Put what files of blocks hold into one for all, in the whole case, and remove them."""
    sets: dict[Path, dict[str, Path]] = {}
    for path in sorted(directory.rglob("*.nc")):
        block = BLOCK.search(path.name)
        if block is not None and "mesh" not in path.parts:
            sets.setdefault(path.with_name(f"{path.name[: block.start()]}.nc"), {})[block[1]] = path
    for whole, blocks in sets.items():
        vector = "landpatch" if whole.name == "landpatch.nc" else "patch"
        with h5py.File(whole, "a") as target:
            for block, path in blocks.items():
                with h5py.File(path) as file:
                    for name, variable in file.items():
                        group = target.require_group(name)
                        group.attrs["vector_name"] = np.bytes_(vector)
                        file.copy(variable, group, f"{vector}_{block}")
                path.unlink()


def values_of(path: Path) -> dict[tuple[str, str], bytes]:
    """Bytes of all variables of a file, by name and block."""
    with h5py.File(path) as file:
        if (block := BLOCK.search(path.name)) is not None:
            return {(name, block[1]): values[...].tobytes() for name, values in file.items()}
        groups = [(name, group) for name, group in file.items() if isinstance(group, h5py.Group)]
        vectors = [(name, vector) for name, group in groups for vector in group]
        return {(name, vector.partition("_")[2]): file[name][vector][...].tobytes() for name, vector in vectors}
