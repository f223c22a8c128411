"""Processes of a launcher whose MPI is another one: each is alone, and none may work."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from launch import ENVIRONMENT

from imgda_mpi.cli import _leave_out_tmpdir
from imgda_mpi.parallel.launcher import leave_networks, started_among

HYDRA = {"PMI_SIZE": "2", "PMI_RANK": "1"}
STEP = {"SLURM_NTASKS": "64", "SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "3"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        (HYDRA, ("PMI_SIZE", 2, 1)),
        ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "0"}, ("OMPI_COMM_WORLD_SIZE", 4, 0)),
        (STEP, ("SLURM_STEP_NUM_TASKS", 8, 3)),
        # A launcher of its own in the job's only step on a node.
        ({**HYDRA, "SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, ("PMI_SIZE", 2, 1)),
        # One process: in a batch script, by a launcher of its own, and by one within a step.
        ({"SLURM_NTASKS": "64", "SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}, None),
        ({"PMI_SIZE": "1", "PMI_RANK": "0"}, None),
        ({**STEP, "OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, None),
        ({}, None),
    ],
)
def test_the_launcher_says_how_many_processes_there_should_be(
    environment: dict[str, str], found: tuple[str, int, int] | None
) -> None:
    assert started_among(environment, io.StringIO()) == found
    assert started_among(environment, Terminal()) is None  # typed into the shell of a step
    assert started_among(environment, None) == found


def test_one_process_looks_for_no_networks_and_ranks_of_a_launcher_for_what_there_is() -> None:
    for launched in (HYDRA, STEP, {"PMIX_RANK": "0"}, {"OMPI_COMM_WORLD_SIZE": "1"}):
        environment = dict(launched)
        leave_networks(environment)
        assert environment == launched
    environment = {"OMPI_MCA_pml": "ucx"}
    leave_networks(environment)
    assert environment == {"OMPI_MCA_pml": "ucx", "OMPI_MCA_btl": "self"}


def test_a_tmpdir_in_which_no_mpi_would_start_is_left_out(tmp_path: Path) -> None:
    for folder in ("/proc", str(tmp_path / "gone"), __file__):
        environment = {"TMPDIR": folder}
        assert _leave_out_tmpdir(environment) == folder
        assert environment == {}
    assert _leave_out_tmpdir({}) is _leave_out_tmpdir({"TMPDIR": str(tmp_path)}) is None


@pytest.mark.program
def test_copies_of_one_process_end_before_anything_is_read_and_the_first_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mpi4py", "-m", "imgda_mpi", "analyse", str(tmp_path / "nothing.toml")]
    copies = [
        subprocess.Popen(
            command,
            env=ENVIRONMENT | HYDRA | {"PMI_RANK": rank},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    ]
    first, second = (copy.communicate(timeout=60)[1] for copy in copies)
    assert [copy.returncode for copy in copies] == [2, 2]
    assert first.startswith("error: launcher: PMI_SIZE: found 2 processes, each of which is alone, expected 2 that")
    assert first.count("\n") == 1  # nothing of MPI's own
    assert second == ""
