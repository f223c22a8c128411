"""The model's NetCDF-4 files through HDF5: what is read is as expected, or an `InputError` says what is wrong.

Through h5py's low-level interface, because with thousands of small files its objects for files and variables take
longer than reading the values.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt
from h5py import h5a, h5d, h5f, h5g, h5o, h5p, h5s, h5t

from imgda_mpi.arrays import FloatArray
from imgda_mpi.colm.storage import is_deflated, not_kept, store_at_level_0
from imgda_mpi.faults import LIBRARY, ImgdaError, fault, not_finite, reading
from imgda_mpi.in_hdf5 import members, type_in_words, unpacking
from imgda_mpi.paths import check_file

if TYPE_CHECKING:
    from mpi4py import MPI  # whoever has no MPI reads files too

in_library = partial(reading, kinds=LIBRARY)
"""`reading` around one call into h5py where it may come upon parts of a file that are damaged."""

EXPECTED = "a whole NetCDF-4 file"


def has_parallel_hdf5() -> bool:
    """Whether h5py was built with MPI."""
    return bool(h5py.get_config().mpi)


@dataclass(frozen=True)
class Columns:
    """A float64 variable with dimensions (patch,), or the columns ``first:last`` of one with (patch, last)."""

    name: str
    first: int = 0
    last: int | None = None

    def shape(self, n_patch: int) -> tuple[int, ...]:
        """Of the variable in a file with so many patches."""
        return (n_patch,) if self.last is None else (n_patch, self.last)

    def empty(self, n_rows: int) -> FloatArray:
        """Array for so many patches."""
        return np.empty(n_rows if self.last is None else (n_rows, self.last - self.first))


VECTORS = b"vector_name"
"""Attribute of a group of vectors that says how their names begin, before that of the block."""

LARGEST = 1.001e36
"""The model has -1e36 where it has no value, and no larger number."""


class Shape(NamedTuple):
    """Type and shape of a variable."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OpenFile:
    """A file that is open, for one rank alone or for a group, whose ranks then read and write together.

    Where one file holds all ``block``s, a variable is a group that has a vector for each: ``wa/patch_e100_n30``. It is
    opened for one of them, whose variables then have their names, and ``path`` says which.
    """

    path: Path
    file: h5f.FileID
    transfer: h5p.PropDXID
    block: str | None = None

    def vector(self, name: str, size: int | None = None, *, whole: bool = False) -> npt.NDArray[Any]:
        """All values of a variable with one dimension, of this size where it is given; fractions in double precision.

        Numbers that are to be ``whole`` must have a type of whole numbers.

        Raises
        ------
        InputError
        """
        dataset, shape, dtype = self._find(name)
        self._check_shape(name, shape, shape[:1] if size is None else (size,))
        if whole and dtype.kind == "f":
            raise self._fault(name, f"type {dtype}", "whole numbers")
        with in_library(self.path, name):
            values = np.empty(shape, np.float64 if dtype.kind == "f" else dtype)
            dataset.read(h5s.ALL, h5s.ALL, values, dxpl=self.transfer)
        return values

    def number(self, name: str) -> float:
        """The value of a variable that is one number.

        Raises
        ------
        InputError
        """
        dataset, shape, dtype = self._find(name)
        if shape not in ((), (1,)):
            raise self._fault(name, f"{dtype} {shape}", "one number")
        values = np.empty(shape)
        with in_library(self.path, name), unpacking(dataset):
            dataset.read(h5s.ALL, h5s.ALL, values, dxpl=self.transfer)
        return float(values.ravel()[0])

    def read(self, variable: Columns, patches: slice, n_patch: int) -> FloatArray:
        """Rows of a variable that has values for ``n_patch`` patches.

        Raises
        ------
        InputError
        """
        rows = variable.empty(patches.stop - patches.start)
        dataset, shape, dtype = self._find(variable.name)
        self._check_shape(variable.name, shape, variable.shape(n_patch))
        if dtype != np.float64:
            raise self._fault(variable.name, f"{dtype}", "float64")
        with in_library(self.path, variable.name), unpacking(dataset):
            dataset.read(*_selection(dataset, variable, patches, rows), rows, dxpl=self.transfer)
        return rows

    def write(self, variable: Columns, patches: slice, rows: FloatArray) -> None:
        """Put rows into a variable.

        Raises
        ------
        OSError, RuntimeError
        """
        dataset = h5d.open(self.file, self._at(variable.name))
        rows = np.ascontiguousarray(rows)
        dataset.write(*_selection(dataset, variable, patches, rows), rows, dxpl=self.transfer)

    def store(self, variable: Columns, patches: slice, rows: FloatArray) -> None:
        """Put rows into a variable of a file that one rank has alone: what is deflated is stored at level 0.

        To deflate would take most of the time that a restart takes. And the file does not grow however often it is
        copied and edited: a chunk that keeps its size keeps its place.

        Raises
        ------
        OSError, RuntimeError
        """
        dataset = h5d.open(self.file, self._at(variable.name))
        if not is_deflated(dataset):
            self.write(variable, patches, rows)
            return
        values = np.empty(dataset.shape)
        dataset.read(h5s.ALL, h5s.ALL, values)
        values[(patches, slice(variable.first, variable.last))[: rows.ndim]] = rows
        store_at_level_0(dataset, values)

    def text(self, name: str, do: str) -> str | None:
        """A global attribute that is text; None where the file has none of this name.

        Raises
        ------
        InputError
            Which says what to ``do`` where it is something else.
        """
        with reading(self.path, name, do=do, kinds=LIBRARY):
            if not h5a.exists(self.file, name.encode()):
                return None
            found = h5py.Group(h5g.open(self.file, b"/")).attrs[name]
            text = found.decode() if isinstance(found, bytes) else found
        if not isinstance(text, str):
            raise fault(self.path, name, found=f"{type(text).__name__}", expected="text", do=do)
        return text

    def write_text(self, name: str, text: str) -> None:
        """Give the file a global attribute, in the place of one of this name. Of a file that one rank has alone.

        Raises
        ------
        OSError, RuntimeError
        """
        # Of fixed length, as NetCDF writes it.
        h5py.Group(h5g.open(self.file, b"/")).attrs[name] = np.bytes_(text.encode())

    def remove_text(self, name: str) -> None:
        """Take a global attribute away, if there is one of this name. Of a file that one rank has alone.

        Raises
        ------
        OSError, RuntimeError
        """
        if h5a.exists(self.file, name.encode()):
            h5a.delete(self.file, name.encode())

    def length(self, name: str) -> int:
        """Of the first dimension of a variable.

        Raises
        ------
        InputError
        """
        _, shape, dtype = self._find(name)
        if not shape:
            raise self._fault(name, f"{dtype} {shape}", "values of patches")
        return shape[0]

    def has(self, name: str) -> bool:
        """Whether there is a variable of a name.

        Raises
        ------
        InputError
        """
        with in_library(self.path, name):
            if not self.file.links.exists(name.encode()):
                return False
            return self.block is None or (self._vectors(name) is not None and self.file.links.exists(self._at(name)))

    def blocks(self, name: str) -> list[str]:
        """Sorted names of the blocks that a variable has a vector for, in a file that holds all blocks.

        Raises
        ------
        InputError
        """
        with in_library(self.path, name):
            vectors = self._vectors(name) if self.file.links.exists(name.encode()) else None
            found = [] if vectors is None else members(h5g.open(self.file, name.encode()))
        blocks = [one.removeprefix(f"{vectors}_") for one in found if one.startswith(f"{vectors}_")]
        if not blocks:
            raise fault(
                self.path,
                name,
                found="no group with a vector for each block",
                expected="the one file of a model built with VectorInOneFileS or VectorInOneFileP",
                do="copy it again from the model run, or give files of blocks: of a model built without these macros",
            )
        return blocks

    def _vectors(self, name: str) -> str | None:
        """How the names of a variable's vectors begin in a file that holds all blocks; None where it has none."""
        item = h5o.open(self.file, name.encode())
        if not isinstance(item, h5g.GroupID) or not h5a.exists(item, VECTORS):
            return None
        found = h5py.Group(item).attrs[VECTORS.decode()]
        return found.decode() if isinstance(found, bytes) else str(found)

    def _at(self, name: str) -> bytes:
        """Where a variable that is there is in the file."""
        return (name if self.block is None else f"{name}/{self._vectors(name)}_{self.block}").encode()

    def check_values(self, unless: Collection[str] = (), edited: Collection[str] = ()) -> dict[str, Shape]:
        """Read every variable once, and refuse one that cannot be read, was never written, or holds impossible numbers.

        And one that is to be ``edited`` and would not keep what is written to it, bit for bit.

        What HDF5 keeps of a variable (its header, its checksums, its deflated chunks) shows damage when it is read.
        Variables named in ``unless`` may hold any number. Gives type and shape of all, of
        those in groups by ``group/variable``.

        Raises
        ------
        InputError
        """
        with in_library(self.path):
            names = members(self.file)
        shapes = {}
        for name in names:
            with in_library(self.path, name):
                item = h5o.open(self.file, os.fsencode(name))
                if isinstance(item, h5g.GroupID):
                    names += [f"{name}/{member}" for member in members(item)]
                if not isinstance(item, h5d.DatasetID):
                    continue
                why = not_kept(item, self.file) if name.partition("/")[0] in edited else None
                # NetCDF-4 has dimensions without a variable: scales that nothing was written to.
                size = item.get_storage_size()
                if size == 0 and h5a.exists(item, b"CLASS"):
                    continue
                shape, dtype = item.shape, item.dtype  # which take as long to find out as a few values to read
                values = np.empty(shape, dtype) if size and shape is not None else np.empty(0)
                if size:
                    with in_library(self.path, name), unpacking(item):
                        item.read(h5s.ALL, h5s.ALL, values)
            if why is not None:
                do = "repack the file with `h5repack -f NONE`, which takes filters away"
                raise fault(self.path, name, found=why, expected="numbers in it that keep every bit", do=do)
            if (not size and shape not in ((0,), None)) or shape is None:
                raise self._fault(name, "no values", "what the model wrote")
            # A NaN is not within them.
            holds = np.abs(values) <= LARGEST if values.dtype.kind == "f" else np.ones(1, bool)
            if not holds.all() and name.partition("/")[0] not in unless:
                raise not_finite(self.path, name, int(np.count_nonzero(~holds)), values.size)
            shapes[name] = Shape(_in_words(dtype), shape)
        return shapes

    def _find(self, name: str) -> tuple[h5d.DatasetID, tuple[int, ...], np.dtype[Any]]:
        """A variable, its shape and type."""
        if not self.has(name):
            raise self._fault(name, "no such variable", "it in every block")
        with in_library(self.path, name):
            dataset = h5d.open(self.file, self._at(name))
            if dataset.get_type().get_class() in (h5t.INTEGER, h5t.FLOAT) and dataset.shape is not None:
                return dataset, dataset.shape, dataset.dtype
            found = type_in_words(dataset)
        raise self._fault(name, f"type {found}", "numbers")

    def _check_shape(self, name: str, found: tuple[int, ...], expected: tuple[int, ...]) -> None:
        if found != expected:
            raise fault(
                self.path,
                name,
                found=f"shape {found}",
                expected=f"{expected} as in the landpatch file of this block",
                do="state, const and landdata must come from one and the same case",
            )

    def _fault(self, name: str, found: str, expected: str) -> ImgdaError:
        return fault(self.path, name, found=found, expected=expected, do="use the model's own files")


_in_words = cache(str)
"""Of types, of which a restart has few."""


def _selection(
    dataset: h5d.DatasetID, variable: Columns, patches: slice, rows: FloatArray
) -> tuple[h5s.SpaceID, h5s.SpaceID]:
    """Where the rows are in memory and in the file."""
    space = dataset.get_space()
    space.select_hyperslab((patches.start, variable.first)[: rows.ndim], rows.shape)
    return h5s.create_simple(rows.shape), space


def shown(path: Path, block: str | None) -> Path:
    """What messages name: a file, or one of the blocks in it."""
    return path if block is None else path.with_name(f"{path.name} (block {block})")


@contextmanager
def opened(
    path: Path, mode: str = "r", group: MPI.Intracomm | None = None, block: str | None = None
) -> Iterator[OpenFile]:
    """A file to read (``r``) or to edit (``r+``), for one ``block`` where it holds all. Collective over the group.

    Raises
    ------
    InputError
        Where it cannot be opened for reading.
    """
    access, transfer = h5p.create(h5p.FILE_ACCESS), h5p.create(h5p.DATASET_XFER)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    if group is not None:
        info = group.Get_info()
        access.set_fapl_mpio(group, info)
        info.Free()
        transfer.set_dxpl_mpio(h5py.h5fd.MPIO_COLLECTIVE)
    check_file(path, EXPECTED, "copy it from the case")
    if mode == "r":
        do = "it is truncated or of another format: copy it again from the model run"
        with reading(path, found="a file that cannot be opened", expected=EXPECTED, do=do):
            file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, access)
    else:
        file = h5f.open(os.fsencode(path), h5f.ACC_RDWR, access)
    try:
        yield OpenFile(shown(path, block), file, transfer, block)
    except BaseException:
        # With a group not after an error: closing waits for the others, who may be waiting for this rank elsewhere.
        if group is None:
            file.close()
        raise
    file.close()
