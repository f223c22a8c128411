"""How HDF5 stores a variable: written fast where it is deflated, and whether it keeps what is written to it."""

from __future__ import annotations

import zlib
from itertools import product

import numpy as np
from h5py import h5d, h5f, h5o, h5p, h5s, h5t, h5z

from imgda_mpi.arrays import FloatArray
from imgda_mpi.faults import LIBRARY
from imgda_mpi.in_hdf5 import filters, filters_in_words

EXACT = {h5z.FILTER_DEFLATE, h5z.FILTER_SHUFFLE, h5z.FILTER_FLETCHER32}


def is_deflated(dataset: h5d.DatasetID) -> bool:
    """Whether a variable is of float64 and deflated, and no other filter but the shuffle comes before."""
    found = list(filters(dataset))
    return found in ([h5z.FILTER_DEFLATE], [h5z.FILTER_SHUFFLE, h5z.FILTER_DEFLATE]) and dataset.dtype == np.float64


def store_at_level_0(dataset: h5d.DatasetID, values: FloatArray) -> None:
    """Put all values into a deflated variable at level 0: every reader inflates it as what it was."""
    made = dataset.get_create_plist()
    chunk, is_shuffled = made.get_chunk(), made.get_nfilters() > 1
    for corner in product(*(range(0, n, of_chunk) for n, of_chunk in zip(values.shape, chunk, strict=True))):
        part = values[tuple(slice(at, at + n) for at, n in zip(corner, chunk, strict=True))]
        whole = np.zeros(chunk)  # at the edge of a variable a chunk is longer than it
        whole[tuple(map(slice, part.shape))] = part
        content = whole.view(np.uint8).reshape(-1, whole.itemsize).T.tobytes() if is_shuffled else whole.tobytes()
        dataset.write_direct_chunk(corner, zlib.compress(content, 0))


def not_kept(dataset: h5d.DatasetID, file: h5f.FileID) -> str | None:
    """Why a variable of a file would not hold what is written to it, bit for bit, in words; None where it would.

    Filters and types that may round are tried on numbers in memory.
    """
    made = dataset.get_create_plist()
    layout = made.get_layout()
    is_outside = layout == h5d.VIRTUAL or (layout == h5d.CONTIGUOUS and made.get_external_count() > 0)
    if is_outside or h5o.get_info(dataset).fileno != h5o.get_info(file).fileno:
        return "values that are in another file"
    found = filters(dataset)
    if EXACT.issuperset(found) and dataset.get_type().equal(h5t.NATIVE_DOUBLE):
        return None
    by = filters_in_words({number: name for number, name in found.items() if number not in EXACT}) or "its type"
    try:
        kept = _tried(dataset, made.get_chunk() if layout == h5d.CHUNKED else dataset.shape)
    except LIBRARY as err:
        return f"{by}, with which the library cannot write ({err})"
    return None if kept else f"{by}, which rounds what is written"


def _tried(dataset: h5d.DatasetID, shape: tuple[int, ...]) -> bool:
    """Whether numbers that are stored like a variable, in memory, come back as they were."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(backing_store=False)
    memory = h5f.create(b"tried", h5f.ACC_TRUNC, fapl=access)
    numbers, found = np.random.default_rng(0).random(shape), np.empty(shape)
    tried = h5d.create(memory, b"x", dataset.get_type(), h5s.create_simple(shape), dataset.get_create_plist())
    tried.write(h5s.ALL, h5s.ALL, numbers)
    del tried  # with which what has not been packed so far is
    h5d.open(memory, b"x").read(h5s.ALL, h5s.ALL, found)
    return bool(np.array_equal(numbers, found))
