"""What an analysis of a case would take on so many ranks, predicted before it is queued."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.colm.colm202x import Colm202xRestart
from imgda_mpi.config import Parallel, Settings
from imgda_mpi.console import Stages
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.errors import ConfigError, reading
from imgda_mpi.fields import FieldFile
from imgda_mpi.method_config import Ensemble, Hybrid, Innovation, Paper
from imgda_mpi.parallel.rank_grid import choose_grid
from imgda_mpi.planning.case import REAL, Case, Cost
from imgda_mpi.planning.diagonal import MembersCost
from imgda_mpi.planning.full import ITERATIONS, STEP_ITERATIONS, FullCost
from imgda_mpi.workflow.diagnostics import memory_in_use
from imgda_mpi.workflow.preparation import Prepared, prepare, room

COLUMNS = {
    "ranks": "of the job",
    "groups": "member groups x wedge groups, or ranks that have rows of the image (full solver)",
    "idle": "ranks that have no part in the increment",
    "GB": "memory of a rank",
    "messages": "that a rank sends for the increment",
    "MB sent": "in all these messages",
    "kB each": "mean size of these messages",
    "GFlop": "FFTs of a rank",
    "MB files": "that a rank reads and writes",
}
"""Of the table, for the rank that has most."""


@dataclass(frozen=True)
class Volume:
    """Bytes of the files of an analysis.

    Parameters
    ----------
    inputs, restart, diagnostics : of all inputs, of those that are copied, and of the diagnostics at most
    shared : whether all ranks read and write, or rank 0 alone
    """

    inputs: int
    restart: int
    diagnostics: int
    shared: bool

    @property
    def read(self) -> int:
        """Inputs for their values and once more for checksums, the restart to copy it, and the result."""
        return 2 * self.inputs + 2 * self.restart + self.diagnostics

    @property
    def written(self) -> int:
        """Result."""
        return self.restart + self.diagnostics

    def of_rank(self, n_ranks: int) -> float:
        """Bytes that one of the ranks reads and writes."""
        return (self.read + self.written) / (n_ranks if self.shared else 1)


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
    method = settings.method
    if not isinstance(method, Paper) and not (isinstance(method, Innovation | Ensemble) and method.solver == "full"):
        raise ConfigError(f'method "{method.label}": plan is for paper, innovation/full, ensemble/full and hybrid/full')
    prepared = prepare(settings.model_copy(update={"parallel": Parallel()}), Stages(), comm)
    if prepared.transform is None:
        raise ConfigError(f'method "{method.label}" has no transform')
    case, volume = case_of(settings, prepared, prepared.transform), _volume(prepared)
    members = prepared.problem.members
    held = REAL * case.n_pixels * members.n_members if members else 0
    program = memory_in_use() - case.inputs_bytes(case.n_patch) - case.places_bytes - held
    costs = [cost_on(case, settings, prepared, n_ranks) for n_ranks in ranks]
    table = _table([(cost, program + float(cost.memory.max()), volume.of_rank(cost.n_ranks)) for cost in costs])
    return "\n".join([table, "", *_basis(case, costs[0], program, volume), *_warnings(costs, program, memory)])


def case_of(settings: Settings, prepared: Prepared, transform: CurveletTransform) -> Case:
    """The case as far as its cost depends on it."""
    method, problem = settings.method, prepared.problem
    given = [settings.errors.observation, getattr(method, "background_error", None)]
    return Case(
        layout=transform.layout,
        itemsize=transform.dtype.itemsize,
        n_members=method.n_members
        if isinstance(method, Paper)
        else problem.members.n_members
        if problem.members
        else 0,
        n_pixels=problem.land.size,
        n_patch=int(prepared.restart.offsets[-1]),
        n_fields=sum(isinstance(sd, FieldFile) for sd in given),
    )


def cost_on(case: Case, settings: Settings, prepared: Prepared, n_ranks: int) -> Cost:
    """What the method takes on a number of ranks.

    Raises
    ------
    ConfigError
        Where so many wedge groups are not possible.
    """
    method, grid = settings.method, prepared.problem.grid
    if not isinstance(method, Paper):
        ny, nx = grid.shape
        localised = (ny, nx if grid.is_periodic else 2 * nx) if isinstance(method, Ensemble) else None
        return FullCost(case, n_ranks, isinstance(method, Innovation | Hybrid), localised)
    try:
        return MembersCost(
            case, choose_grid(case.layout, case.n_members, n_ranks, settings.parallel.wedge_groups), n_ranks
        )
    except ValueError as err:
        raise ConfigError(f"[parallel] {err}; choose another, or leave it out") from None


def _volume(prepared: Prepared) -> Volume:
    def size(files: Sequence[Path]) -> int:
        return sum(file.stat().st_size for file in files)

    restart = prepared.restart
    shared = isinstance(restart, Colm202xRestart)
    with reading(prepared.files[0]):
        copied = size(restart.folder if isinstance(restart, Colm202xRestart) else restart.inputs[:1])
        return Volume(size(prepared.files), copied, room(restart) - restart.room(), shared)


def _table(rows: Sequence[tuple[Cost, float, float]]) -> str:
    """One line for each cost, with the bytes of memory and of files of a rank."""
    lines = [tuple(COLUMNS)]
    for cost, memory, moved in rows:
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
                f"{1e-6 * moved:.1f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


def _basis(case: Case, cost: Cost, program: float, volume: Volume) -> list[str]:
    """What the prediction is made of, in sentences."""
    ny, nx = case.layout.image_shape
    members = f", {case.n_members} members" if case.n_members else ""
    said = [
        f"{ny} x {nx} pixels, {case.layout.n_values} coefficients{members}, {case.n_patch} patches; "
        f"files: {1e-6 * volume.read:.1f} MB read, {1e-6 * volume.written:.1f} MB written",
        f"the program alone: {1e-9 * program:.2f} GB of a rank (measured here)",
    ]
    if isinstance(cost, FullCost):
        iterations = ITERATIONS + (STEP_ITERATIONS if cost.has_wedges else 0)
        said.append(
            f"messages and GFlop are those of {iterations} iterations in all; the real number depends on coverage and "
            "noise"
        )
    return said


def _warnings(costs: Sequence[Cost], program: float, memory: float | None) -> list[str]:
    """What speaks against a number of ranks, in sentences."""
    room_of_rank = memory_of_rank() if memory is None else 1e9 * memory
    whose = "a core of this machine has" if memory is None else "a rank has"
    said = []
    for cost in costs:
        said += [f"{cost.n_ranks} ranks: {remark}" for remark in cost.remarks]
        needed = program + float(cost.memory.max())
        if needed > room_of_rank:
            said.append(
                f"{cost.n_ranks} ranks: a rank's {1e-9 * needed:.2f} GB do not fit into the {1e-9 * room_of_rank:.2f} "
                f"GB that {whose}; leave cores idle, take more ranks, or set curvelet.precision to single"
            )
    return [f"warning: {sentence}" for sentence in said]


def memory_of_rank() -> float:
    """Bytes of this machine's memory for each of its cores."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (os.cpu_count() or 1)
