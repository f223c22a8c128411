"""What an analysis of a case would take on so many ranks, predicted before it is queued."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from mpi4py import MPI

from imgda_mpi.colm.colm202x import Colm202xRestart
from imgda_mpi.console import Stages
from imgda_mpi.covariances.innovation import groups_of
from imgda_mpi.faults import ConfigError, reading
from imgda_mpi.parallel.memory import memory_in_use
from imgda_mpi.planning.case import Case, FeatureCounts
from imgda_mpi.planning.full import FullCost
from imgda_mpi.planning.machine import Machine
from imgda_mpi.planning.table import cost_on, cost_table, warnings
from imgda_mpi.settings.analysis import Parallel, Settings
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.settings.methods import PaperSettings
from imgda_mpi.workflow.prepare import Prepared, prepare, room


def plan(
    settings: Settings, ranks: Sequence[int], memory: float | None, machine: Machine | None, comm: MPI.Intracomm
) -> str:
    """Table of what the analysis would take on each number of ranks, and what speaks against it.

    Reads and checks all inputs as the analysis does, on this process.

    Parameters
    ----------
    ranks : each 1 or more
    memory : of a rank, GB; that of a core of this machine unless given
    machine : whose times are to be said too, of none unless given
    comm : of this process alone

    Raises
    ------
    ImgdaError
        What the analysis would stop at, or where its method is not one that plan knows.
    """
    if settings.method.label not in ("paper", "innovation/full"):
        raise ConfigError(f'method "{settings.method.label}": plan is for paper and innovation/full (see [method])')
    prepared = prepare(settings.model_copy(update={"parallel": Parallel()}), Stages(), comm, will_write=False)
    case = case_of(settings, prepared)
    program = memory_in_use() - case.inputs_bytes(case.n_patch) - case.places_bytes
    costs = [cost_on(n_ranks, case, settings.parallel.wedge_groups) for n_ranks in ranks]
    needed = [program + float(cost.memory.max()) for cost in costs]
    read, written, shared = _files(prepared)
    ny, nx = case.layout.image_shape
    said = [
        cost_table(costs, needed, (read + written, shared), machine),
        "",
        f"{ny} x {nx} pixels, {case.layout.n_values} coefficients, {case.n_patch} patches; "
        f"files: {1e-6 * read:.1f} MB read, {1e-6 * written:.1f} MB written",
        f"the program alone: {1e-9 * program:.2f} GB of a rank (measured here)",
    ]
    if case.features.n_features:
        said.append(f"with {case.features.n_features} features of the cells in {case.features.n_groups} groups")
    if isinstance(costs[0], FullCost):
        said.append(
            f"{costs[0].iterations} iterations of conjugate gradients in all systems, {costs[0].n_pairs:.0f} FFT pairs "
            "(of an image and back); the data decide how many"
        )
    return "\n".join([*said, *warnings(costs, needed, memory)])


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
    deviations = [settings.errors.observation, method.values().get("background_error")]
    return Case(
        layout=transform.layout,
        itemsize=transform.dtype.itemsize,
        n_members=method.n_members if isinstance(method, PaperSettings) else 0,
        n_pixels=prepared.problem.land.size,
        n_patch=int(prepared.restart.offsets[-1]),
        n_fields=sum(isinstance(sd, FieldFile) for sd in deviations),
        features=_features(prepared) if prepared.method.uses_features else FeatureCounts(),
        has_gaps=_n_observed(prepared) < math.prod(transform.layout.image_shape),
    )


def _features(prepared: Prepared) -> FeatureCounts:
    """Of a method that uses them, as if it did not have to decide whether to do so."""
    groups = groups_of(prepared.problem).values()
    return FeatureCounts(
        n_features=sum(one.shape[1] for one in groups),
        n_groups=len(groups),
        n_entries=sum(one.nnz for one in groups),
        n_observed=_n_observed(prepared),
    )


def _n_observed(prepared: Prepared) -> int:
    return int(np.count_nonzero(prepared.problem.observations.observed))


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
    copied = size(restart.copied if isinstance(restart, Colm202xRestart) else restart.inputs[:1])
    written = copied + room(restart) - restart.room()
    # Inputs for their values and once more for checksums, the restart to copy it, and the result.
    return 2 * size(prepared.files) + copied + written, written, shared
