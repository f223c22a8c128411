"""Running again what failed: how often, and only where all who do it know."""

from __future__ import annotations

from pathlib import Path

import pytest
from mpi4py import MPI
from problems import COMMS, agree

from imgda_mpi.cycling.attempts import attempt, failures
from imgda_mpi.faults import ImgdaError, OutOfTime
from imgda_mpi.parallel.failure import Ranks, same_fate


class Fails:
    """Work that fails so often, in folders of its own for each attempt."""

    def __init__(self, folder: Path, comm: MPI.Intracomm, times: int, error: ImgdaError) -> None:
        self.folder, self.comm, self.times, self.error = comm.bcast(folder), comm, times, error
        self.tried: list[str] = []

    def another(self) -> Path:
        place: Path = self.folder / f"{len(self.tried)}"
        with same_fate(self.comm):
            if self.comm.rank == 0:
                place.mkdir(parents=True)
        return place

    def __call__(self, folder: Path) -> str:
        self.tried.append(folder.name)
        with same_fate(self.comm):
            if len(self.tried) <= self.times:
                raise self.error
        return "made"

    def run(self, retries: int) -> tuple[Path, str]:
        return attempt(self, "model", self.another(), self.another, retries, Ranks(self.comm))


@pytest.mark.parametrize("comm", COMMS)
def test_what_failed_is_run_again_in_a_folder_of_its_own(comm: MPI.Intracomm, tmp_path: Path) -> None:
    work = Fails(tmp_path, comm, 2, ImgdaError("no restart"))
    folder, made = work.run(retries=2)
    assert agree(comm, (folder.name, made, work.tried) == ("2", "made", ["0", "1", "2"]))
    assert agree(comm, [line.partition("Z ")[2] for line in failures(work.folder / "1")] == ["model: no restart"])


@pytest.mark.parametrize("comm", COMMS)
def test_it_is_run_again_as_often_as_asked_for_and_not_where_there_is_no_time(
    comm: MPI.Intracomm, tmp_path: Path
) -> None:
    for error, tried in ((ImgdaError("no restart"), 2), (OutOfTime("ended"), 1)):
        work = Fails(tmp_path / f"{tried}", comm, 9, error)
        with pytest.raises(type(error), match=str(error)):
            work.run(retries=1)
        assert agree(comm, len(work.tried) == tried)


@pytest.mark.mpi
def test_an_error_of_one_rank_alone_is_not_tried_again(tmp_path: Path) -> None:
    """The others may still be at work: whoever called has to end them all."""
    comm = MPI.COMM_WORLD

    def fails(folder: Path) -> None:
        raise ImgdaError(f"rank {comm.rank} alone")

    if comm.size == 1:
        pytest.skip("needs ranks that others are not")
    with pytest.raises(ImgdaError, match=f"^rank {comm.rank} alone$"):
        attempt(fails, "model", tmp_path, lambda: tmp_path, 1, Ranks(comm))
    assert failures(tmp_path) == []
