"""What a launcher says of the processes that it has started."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, MutableMapping
from typing import TextIO

from imgda_mpi.faults import ConfigError, fault

OF_MPI = {
    "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK",
    "PMI_SIZE": "PMI_RANK",
    "MV2_COMM_WORLD_SIZE": "MV2_COMM_WORLD_RANK",
}
"""Variables with the number of processes that an mpirun has started, and with that of this one."""

OF_SLURM = {"SLURM_STEP_NUM_TASKS": "SLURM_PROCID"}
"""Of a step, as srun makes it; SLURM_NTASKS is there for the one process of a batch script too."""

OF_ONE_PROCESS = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self"}
"""With which an Open MPI starts that looks for no networks, which takes a quarter of a second."""


def leave_networks(environment: MutableMapping[str, str]) -> None:
    """Let an MPI that this process starts, and those of its children, look for no networks, unless it has a launcher.

    Settings that are there stay.
    """
    if not any(name in environment for name in (*OF_MPI, *OF_SLURM, "PMIX_RANK")):
        for name, value in OF_ONE_PROCESS.items():
            environment.setdefault(name, value)


def started_among(environment: Mapping[str, str], stdin: TextIO | None) -> tuple[str, int, int] | None:
    """The variable that says how many processes were started with this one, how many, and which of them it is.

    It starts no MPI. None where it was started alone: no launcher says otherwise, or one says so, as an mpirun within a
    step does, or it has a terminal, as a command that is typed into the shell of a step.
    """

    def counts(names: Mapping[str, str]) -> list[tuple[int, str]]:
        return [(int(environment[name]), name) for name in names if environment.get(name, "").isdecimal()]

    found = counts(OF_MPI) or counts(OF_SLURM)
    if not found or min(found)[0] <= 1 or (stdin is not None and stdin.isatty()):
        return None
    n_started, name = max(found)
    which = environment.get((OF_MPI | OF_SLURM)[name], "0")
    return name, n_started, int(which) if which.isdecimal() else 0


def check_alone(environment: Mapping[str, str]) -> None:
    """Refuse to be one of several processes each of which is all of its MPI, as of a launcher of another one.

    Each would do the whole work, and all write to one place. Not collective.

    Raises
    ------
    ConfigError
        With a message in the first of them alone.
    """
    from mpi4py import MPI  # which starts it

    from imgda_mpi.parallel.failure import PATIENCE

    found = started_among(environment, sys.stdin)
    if found is None:
        return
    name, n_started, which = found
    if which > 0:
        time.sleep(PATIENCE)  # launchers end all as soon as one has ended: the first one speaks before that
        raise ConfigError
    raise fault(
        "launcher",
        name,
        found=f"{n_started} processes, each of which is alone",
        expected=f"{n_started} that know each other",
        do=f"start them with the mpirun of the MPI of mpi4py ({MPI.get_vendor()[0]}), as run_ranks does, or with "
        f"srun --mpi=pmix; unset {name} where one process alone is meant",
        kind=ConfigError,
    )
