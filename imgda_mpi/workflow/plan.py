"""What an analysis of a case would take on so many ranks, predicted before it is queued."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.colm.colm202x import Colm202xRestart
from imgda_mpi.config import Parallel, Settings
from imgda_mpi.console import Stages, columns
from imgda_mpi.errors import ConfigError, reading
from imgda_mpi.fields import FieldFile
from imgda_mpi.method_config import Paper
from imgda_mpi.parallel.rank_grid import choose_grid
from imgda_mpi.planning.case import Case
from imgda_mpi.planning.diagonal import MembersCost
from imgda_mpi.planning.full import ITERATIONS, FullCost
from imgda_mpi.workflow.diagnostics import memory_in_use
from imgda_mpi.workflow.preparation import Prepared, prepare, room

Cost = MembersCost | FullCost

COLUMNS = ("ranks", "groups", "idle", "GB", "messages", "MB sent", "kB each", "GFlop", "MB files")
"""Of the table, for the rank that has most; groups are member groups x wedge groups, or for the full solver the ranks
that have rows of the image, messages those for the increment, GFlop those of FFTs."""


def plan(settings: Settings, ranks: Sequence[int], memory: float | None, comm: MPI.Intracomm) -> str:
    """Table of what the analysis would take on each number of ranks, and what speaks against it.

    Reads and checks all inputs as the analysis does, on this process.

    Parameters
    ----------
    settings : Settings
    ranks : sequence of int
        Each 1 or more.
    memory : float or None
        Of a rank, GB; that of a core of this machine unless given.
    comm : MPI.Intracomm
        Of this process alone.

    Returns
    -------
    str
        Without a newline at its end.

    Raises
    ------
    ImgdaError
        What the analysis would stop at, or where its method is not one that plan knows.
    """
    if settings.method.label not in ("paper", "innovation/full"):
        raise ConfigError(f'method "{settings.method.label}": plan is for paper and innovation/full')
    prepared = prepare(settings.model_copy(update={"parallel": Parallel()}), Stages(), comm)
    case = case_of(settings, prepared)
    program = memory_in_use() - case.inputs_bytes(case.n_patch) - case.places_bytes
    costs = [cost_on(n_ranks, case, settings.parallel.wedge_groups) for n_ranks in ranks]
    needed = [program + float(cost.memory.max()) for cost in costs]
    read, written, shared = _files(prepared)
    ny, nx = case.layout.image_shape
    said = [
        _table(costs, needed, (read + written, shared)),
        "",
        f"{ny} x {nx} pixels, {case.layout.n_values} coefficients, {case.n_patch} patches; "
        f"files: {1e-6 * read:.1f} MB read, {1e-6 * written:.1f} MB written",
        f"the program alone: {1e-9 * program:.2f} GB of a rank (measured here)",
    ]
    if not case.n_members:
        said.append(f"messages and GFlop are those of {ITERATIONS} iterations in all systems; the data decide how many")
    return "\n".join([*said, *_warnings(costs, needed, memory)])


def case_of(settings: Settings, prepared: Prepared) -> Case:
    """The case as far as its cost depends on it; without members for the full solver.

    Raises
    ------
    ValueError
        Where its method has no transform.
    """
    method, transform = settings.method, prepared.transform
    if transform is None:
        raise ValueError(f"method {method.label} has no transform")
    deviations = [settings.errors.observation, method.parameters.get("background_error")]
    return Case(
        layout=transform.layout,
        itemsize=transform.dtype.itemsize,
        n_members=method.n_members if isinstance(method, Paper) else 0,
        n_pixels=prepared.problem.land.size,
        n_patch=int(prepared.restart.offsets[-1]),
        n_fields=sum(isinstance(sd, FieldFile) for sd in deviations),
    )


def cost_on(n_ranks: int, case: Case, wedge_groups: int | None) -> Cost:
    """What the analysis takes on a number of ranks; a `ConfigError` where so many wedge groups are not possible."""
    if not case.n_members:
        return FullCost(case, n_ranks)
    return MembersCost(case, choose_grid(case.layout, case.n_members, n_ranks, wedge_groups), n_ranks)


def _files(prepared: Prepared) -> tuple[int, int, bool]:
    """Bytes that are read and written, and whether all ranks do it, or rank 0 alone."""

    def size(files: Iterable[Path]) -> int:
        total = 0
        for file in files:
            with reading(file):
                total += file.stat().st_size
        return total

    restart = prepared.restart
    shared = isinstance(restart, Colm202xRestart)
    copied = size(restart.folder if isinstance(restart, Colm202xRestart) else restart.inputs[:1])
    written = copied + room(restart) - restart.room()
    # Inputs for their values and once more for checksums, the restart to copy it, and the result.
    return 2 * size(prepared.files) + copied + written, written, shared


def _table(costs: Sequence[Cost], needed: Sequence[float], files: tuple[int, bool]) -> str:
    """One line for each number of ranks."""
    lines = [COLUMNS]
    for cost, memory in zip(costs, needed, strict=True):
        messages, n_bytes = (int(of_rank.max()) for of_rank in cost.sent)
        lines.append(
            (
                f"{cost.n_ranks}",
                cost.groups,
                f"{cost.idle}",
                f"{1e-9 * memory:.2f}",
                f"{messages}",
                f"{1e-6 * n_bytes:.1f}",
                f"{1e-3 * n_bytes / max(messages, 1):.1f}",
                f"{1e-9 * cost.flops.max():.1f}",
                f"{1e-6 * files[0] / (cost.n_ranks if files[1] else 1):.1f}",
            )
        )
    return columns(lines, ">" * len(COLUMNS))


def _warnings(costs: Sequence[Cost], needed: Sequence[float], memory: float | None) -> list[str]:
    """What speaks against a number of ranks, in sentences."""
    room_of_rank = memory_of_rank() if memory is None else 1e9 * memory
    whose = "a core of this machine has" if memory is None else "a rank has"
    said = []
    for cost, bytes_needed in zip(costs, needed, strict=True):
        said += [f"{cost.n_ranks} ranks: {remark}" for remark in cost.remarks]
        if bytes_needed > room_of_rank:
            said.append(
                f"{cost.n_ranks} ranks: a rank's {1e-9 * bytes_needed:.2f} GB do not fit into the "
                f"{1e-9 * room_of_rank:.2f} GB that {whose}; leave cores idle, take more ranks, or set "
                "curvelet.precision to single"
            )
    return [f"warning: {sentence}" for sentence in said]


def memory_of_rank() -> float:
    """Bytes of this machine's memory for each of its cores."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (os.cpu_count() or 1)
