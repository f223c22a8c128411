"""Which rank opens which of many block files: each just those in which it has a share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpi4py import MPI
from problems import agree

from imgda_mpi.colm import block_files, case_files, marks
from imgda_mpi.colm.block_files import BlockFile, parts_of_rank, share_of_blocks
from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.hdf5 import OpenFile, opened
from imgda_mpi.parallel.ownership import share

TIME = datetime(2022, 6, 2, 6, tzinfo=UTC)
N_ROWS, N_COLUMNS = 12, 24  # of the grid; a block is two by two cells, with one to three patches in each


def write_case(directory: Path) -> list[str]:
    """A case of 72 tiny blocks; their names in the order of the restart."""
    latitude = 90.0 - 180.0 / N_ROWS * (np.arange(N_ROWS) + 0.5)
    longitude = -180.0 + 360.0 / N_COLUMNS * (np.arange(N_COLUMNS) + 0.5)
    write(directory / "landdata/mesh/2005/mesh.nc", latitude=latitude, longitude=longitude)
    rng = np.random.default_rng(3)
    blocks = []
    for top in range(0, N_ROWS, 2):
        for west in range(0, N_COLUMNS, 2):
            row, column = np.divmod(np.repeat([0, 1, 2, 3], rng.integers(1, 4, 4)), 2) + np.array([[top], [west]])
            blocks.append(f"e{west:03d}_n{top:02d}")
            write_block(directory, blocks[-1], row * N_COLUMNS + column, latitude[row], longitude[column], rng)
    return sorted(blocks)


def write_block(
    directory: Path, block: str, cell: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, rng: np.random.Generator
) -> None:
    n = cell.size
    layers = {name: rng.uniform(1.0, 5.0, (n, 15)) for name in ("wliq_soisno", "wice_soisno")}
    patch_type = rng.choice([0, 0, 0, 4], n)
    patch_class = np.where(patch_type == 4, 17, 1)
    _, number, count = np.unique(cell, return_inverse=True, return_counts=True)
    write(directory / f"landdata/landpatch/2005/landpatch_{block}.nc", eindex=cell + 1, settyp=patch_class)
    write(directory / f"landdata/landpatch/2005/patchfrac_elm_{block}.nc", patchfrac_elm=1.0 / count[number])
    write(
        directory / f"restart/const/many_restart_const_lc2005_{block}.nc",
        patchtype=patch_type,
        patchclass=patch_class,
        patchlonr=np.radians(longitude),
        patchlatr=np.radians(latitude),
        porsl=np.full((n, 10), 0.45),
        theta_r=np.full((n, 10), 0.05),
    )
    write(
        directory / f"restart/2022-153-21600/many_restart_2022-153-21600_lc2005_{block}.nc",
        **layers,
        t_soisno=np.full((n, 15), 290.0),
        wa=np.zeros(n),
    )


def write(path: Path, **variables: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in variables.items():
            chunked = {"chunks": values.shape, "compression": 1} if values.ndim > 1 else {}
            file.create_dataset(name, data=values, **chunked)


class OpenedFiles:
    """Stands in for `opened` and remembers what this rank opened, and how."""

    def __init__(self) -> None:
        self.modes: dict[str, list[str]] = {}

    @contextmanager
    def __call__(
        self, path: Path, mode: str = "r", group: MPI.Intracomm | None = None, block: str | None = None
    ) -> Iterator[OpenFile]:
        self.modes.setdefault(path.name, []).append(mode)
        with opened(path, mode, group, block) as file:
            yield file

    def blocks(self, name: str) -> set[str]:
        """Blocks of which files with such names were opened."""
        return {file.removesuffix(".nc")[-8:] for file in self.modes if file.startswith(name)}


@pytest.mark.restart_io
@pytest.mark.mpi
def test_a_rank_opens_no_file_in_which_it_has_no_share(mpi_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comm = MPI.COMM_WORLD
    blocks = comm.bcast(write_case(mpi_tmp_path / "many") if comm.rank == 0 else None)
    files = OpenedFiles()
    for module in (case_files, block_files, marks):
        monkeypatch.setattr(module, "opened", files)

    restart = open_restart(mpi_tmp_path / "many", "many", TIME, 2005, comm)
    surveyed = files.blocks("landpatch")
    assert agree(comm, surveyed == files.blocks("patchfrac") == files.blocks("many_restart_const"))
    assert agree(comm, surveyed == files.blocks("many_restart_2022"))  # for their marks
    assert agree(comm, ("mesh.nc" in files.modes) == (comm.rank == 0))
    everywhere = Counter(block for part in comm.allgather(surveyed) for block in part)
    assert agree(comm, everywhere == Counter(blocks))
    assert agree(comm, len(surveyed) <= -(-len(blocks) // comm.size))

    files.modes.clear()
    soil, _ = restart.read_soil()
    first, last = restart.offsets[comm.rank : comm.rank + 2]
    own = {
        block
        for block, file in zip(blocks, restart.states, strict=True)
        if max(file.start, first) < min(file.stop, last)
    }
    assert agree(comm, own != set())
    assert agree(comm, files.blocks("many_restart_2022") == files.blocks("many_restart_const") == own)
    # Far more blocks than ranks: nobody shares one.
    assert agree(comm, sum(map(len, comm.allgather(own))) == len(blocks))

    files.modes.clear()
    liquid = soil.liquid + 1.0
    kept = restart.states[0]
    if comm.rank == 0:
        liquid[: kept.stop] = soil.liquid[: kept.stop]
    restart.write(mpi_tmp_path / "out", liquid, None)
    assert agree(comm, files.blocks("many_restart_2022") == own)
    assert agree(comm, all(modes == ["r+", "r"] for name, modes in files.modes.items() if name != kept.path.name))
    assert agree(comm, files.modes.get(kept.path.name, ["r"]) == ["r"])


def block_row(sizes: Sequence[int]) -> list[BlockFile]:
    ends = np.cumsum(sizes).tolist()
    return [BlockFile(Path(f"{end}.nc"), end - size, end) for size, end in zip(sizes, ends, strict=True)]


SIZES = st.lists(st.integers(1, 60), min_size=1, max_size=40)


@given(sizes=SIZES, n_ranks=st.integers(1, 50))
def test_a_share_of_blocks_is_off_the_even_share_by_a_quarter_at_most_and_then_at_an_edge(
    sizes: list[int], n_ranks: int
) -> None:
    offsets = share_of_blocks(sizes, n_ranks)
    even = share(sum(sizes), n_ranks)
    moved = offsets != even
    assert offsets[0] == 0
    assert offsets[-1] == sum(sizes)
    assert (np.diff(offsets) >= 0).all()
    assert (np.abs(offsets - even) <= sum(sizes) / n_ranks / 4).all()
    edges = np.cumsum([0, *sizes])
    assert np.isin(offsets[moved], edges).all()
    # Where an edge is near enough, it is taken.
    near = np.abs(even[:, None] - edges).min(axis=1) < sum(sizes) / n_ranks / 4
    assert np.isin(offsets[near], edges).all()


def test_with_many_blocks_no_block_is_shared_and_with_few_all_ranks_have_patches() -> None:
    rng = np.random.default_rng(1)
    many = rng.integers(600, 900, 2000).tolist()
    for n_ranks in (1, 2, 7, 100, 500):
        offsets = share_of_blocks(many, n_ranks)
        assert all(
            len(part.owners) == 1
            for rank in (0, n_ranks // 2)
            for part in parts_of_rank(block_row(many), offsets, rank)
        )
    assert np.diff(share_of_blocks([40, 50], 64)).min() >= 1


@given(sizes=SIZES, n_ranks=st.integers(1, 30), even=st.booleans())
def test_parts_of_all_ranks_make_up_every_file_and_own_rows_once(sizes: list[int], n_ranks: int, even: bool) -> None:
    files = block_row(sizes)
    offsets = share(sum(sizes), n_ranks) if even else share_of_blocks(sizes, n_ranks)
    found = [np.zeros(size, int) for size in sizes]
    for rank in range(n_ranks):
        rows = np.zeros(offsets[rank + 1] - offsets[rank], int)
        for part in parts_of_rank(files, offsets, rank):
            assert rank in part.owners
            rows[part.own] += 1
            found[part.file][part.in_file] += 1
            assert part.own.start + offsets[rank] == part.in_file.start + files[part.file].start
        assert (rows == 1).all()
    assert all((rows == 1).all() for rows in found)


@given(sizes=SIZES, n_ranks=st.integers(2, 30))
def test_all_shared_files_are_done_in_two_turns(sizes: list[int], n_ranks: int) -> None:
    # An even split shares the most files. A file's turn comes when it is the next of all its owners.
    files, offsets = block_row(sizes), share(sum(sizes), n_ranks)
    queues = [[part for part in parts_of_rank(files, offsets, rank) if len(part.owners) > 1] for rank in range(n_ranks)]
    for _ in range(2):
        heads = {queue[0].file: queue[0].owners for queue in queues if queue}
        ready = [
            file
            for file, owners in heads.items()
            if all(queues[rank] and queues[rank][0].file == file for rank in owners)
        ]
        queues = [queue[1:] if queue and queue[0].file in ready else queue for queue in queues]
    assert not any(queues)
