"""What an analysis of a case would take on so many ranks, predicted before it is queued."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mpi4py import MPI

from imgda_mpi.colm.colm202x import Colm202xRestart
from imgda_mpi.config import FieldFile, Parallel, Settings
from imgda_mpi.console import Stages
from imgda_mpi.errors import ConfigError, reading
from imgda_mpi.parallel.cost import REAL, Problem, RankCost
from imgda_mpi.parallel.rank_grid import choose_grid
from imgda_mpi.workflow.calibration import Calibration, calibrate, load_program
from imgda_mpi.workflow.inputs import Inputs, read_inputs, room

COLUMNS = {
    "ranks": "of the job",
    "groups": "member groups x wedge groups",
    "idle": "ranks that have no part in the coefficients",
    "GB": "memory of a rank",
    "messages": "that a rank sends in the exchange of coefficients",
    "MB sent": "in all these messages",
    "kB each": "mean size of these messages",
    "GFlop": "FFTs of a rank",
    "MB files": "that a rank reads and writes",
    "increment s": "seconds for the coefficients, from the perturbations to the increment",
    "total s": "seconds from start to end",
    "efficiency": "against the first row",
}
"""Of the table, for the rank that has most."""

LATENCY = 2e-6  # s, of a message between nodes as usual today


@dataclass(frozen=True)
class Machine:
    """The machine that the analysis is to run on; None: as measured on this one.

    Parameters
    ----------
    fft_rate : GFlop/s of a core, all it does for a member counted as the FFTs alone
    latency : microseconds of a message
    bandwidth : GB/s from a rank to another
    file_system : GB/s for all ranks together
    memory : GB of a rank
    """

    fft_rate: float | None = None
    latency: float | None = None
    bandwidth: float | None = None
    file_system: float | None = None
    memory: float | None = None


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

    def of_rank(self, amount: float, n_ranks: int) -> float:
        """Part of an amount of work with files that one of the ranks has to do."""
        return amount / n_ranks if self.shared else amount


@dataclass(frozen=True)
class Forecast:
    """The prediction for one number of ranks.

    Parameters
    ----------
    cost : RankCost
    memory : bytes of the rank that has most
    seconds : wall time by stage
    """

    cost: RankCost
    memory: float
    seconds: dict[str, float]

    @property
    def total(self) -> float:
        """Seconds from start to end."""
        return sum(self.seconds.values())


def plan(settings: Settings, ranks: Sequence[int], machine: Machine, comm: MPI.Intracomm) -> str:
    """Table of what the analysis would take on each number of ranks, and what speaks against it.

    Reads and checks all inputs as the analysis does, on this process, and times a part of each step.

    Parameters
    ----------
    settings : Settings
    ranks : sequence of int
        Each 1 or more.
    machine : Machine
    comm : MPI.Intracomm
        Of this process alone.

    Returns
    -------
    str
        Without a newline at its end.

    Raises
    ------
    ImgdaError
        What the analysis would stop at, or where its method is not ``image``.
    """
    if settings.method != "image":
        raise ConfigError(f'method = "{settings.method}": plan is for "image", the others have no work to share out')
    if (settings.error_model, settings.solver) != ("paper", "diagonal"):
        raise ConfigError(
            f'error_model = "{settings.error_model}", solver = "{settings.solver}": plan predicts '
            '"paper" with "diagonal" alone'
        )
    start, stages = load_program(settings), Stages()
    inputs = read_inputs(settings.model_copy(update={"parallel": Parallel()}), stages, comm)
    problem, volume = problem_of(settings, inputs), _volume(inputs)
    here = calibrate(settings, inputs, problem, {"start": start, **stages.seconds}, comm)
    forecasts = [_forecast(problem, n_ranks, settings, here, machine, volume) for n_ranks in ranks]
    notes = [*_basis(problem, here, volume, machine), *_warnings(forecasts, machine)]
    return "\n".join([_table(forecasts, volume), "", *notes])


def problem_of(settings: Settings, inputs: Inputs) -> Problem:
    """The case as far as its cost depends on it."""
    assert inputs.transform is not None
    return Problem(
        layout=inputs.transform.layout,
        itemsize=inputs.transform.dtype.itemsize,
        n_members=settings.errors.n_members,
        n_pixels=inputs.background.size,
        n_patch=int(inputs.restart.offsets[-1]),
        n_fields=sum(isinstance(sd, FieldFile) for sd in (settings.errors.background, settings.errors.observation)),
    )


def _forecast(
    problem: Problem, n_ranks: int, settings: Settings, here: Calibration, machine: Machine, volume: Volume
) -> Forecast:
    try:
        grid = choose_grid(problem.layout, problem.n_members, n_ranks, settings.parallel.wedge_groups)
    except ValueError as err:
        raise ConfigError(f"[parallel] {err}; choose another, or leave it out") from None
    cost = RankCost(problem, grid, n_ranks)
    memory = here.program + float(cost.memory.max())
    return Forecast(cost, memory, predicted_seconds(cost, here, machine, volume))


def predicted_seconds(cost: RankCost, here: Calibration, machine: Machine, volume: Volume) -> dict[str, float]:
    """Wall time by stage: of the rank that has most to do in it, and of what rank 0 does alone."""
    problem, n_ranks = cost.problem, cost.n_ranks
    slower = 1.0 if machine.fft_rate is None else fft_rate(problem, here) / machine.fft_rate
    per_byte = here.copy if machine.bandwidth is None else 1e-9 / machine.bandwidth
    # An image goes to all ranks along a tree.
    image = REAL * problem.n_pixels * math.ceil(math.log2(n_ranks)) * per_byte

    def files(seconds: float, n_bytes: int) -> float:
        at_most = 0.0 if machine.file_system is None else n_bytes * 1e-9 / machine.file_system
        return max(volume.of_rank(seconds, n_ranks), at_most)

    # Restart variables are edited and read again in about the time in which all of them were read.
    n_summed = volume.inputs + volume.written
    edit = files(here.restart, 3 * volume.restart) + files(here.checksum * n_summed, n_summed)
    return {
        "start": slower * here.start,
        "restart": files(here.restart, volume.inputs) + image,
        "observation": here.observation + image,
        "transform": slower * here.setup,
        "increment": slower * _work(cost, here) + _exchange(cost, per_byte, machine) + image,
        "soil": slower * here.soil * problem.n_patch / n_ranks + image,
        "write": edit + here.deflate * volume.diagnostics,
    }


def _work(cost: RankCost, here: Calibration) -> float:
    """Seconds of the busiest rank for members, innovation and increments, and of rank 0 for the inverse."""
    of, n_blocks = here.members, sum(map(len, cost.blocks))
    work = cost.perturbed * of.perturb + cost.members * of.transform * cost.transformed_share
    work = work + cost.own * (n_blocks * of.add + of.update)
    innovation = of.perturb + of.transform * cost.transformed_share.max() / cost.grid.member_groups
    return float(work.max() + innovation + of.inverse)


def _exchange(cost: RankCost, per_byte: float, machine: Machine) -> float:
    """Seconds of the busiest rank for its messages, and of rank 0 to get all increments."""
    if cost.n_ranks == 1:
        return 0.0
    latency = LATENCY if machine.latency is None else 1e-6 * machine.latency
    messages, n_bytes = cost.sent
    busiest = float((messages * latency + n_bytes * per_byte).max())
    to_root = cost.problem.itemsize * cost.problem.layout.n_values * per_byte + messages.size * latency
    return float(busiest + to_root)


def fft_rate(problem: Problem, here: Calibration) -> float:
    """GFlop/s of a core of this machine: FFTs of a member over the time of all that is done for it."""
    flops = problem.image_flops + sum(problem.chunk_flops(chunk) for chunk in problem.layout.chunks)
    return 1e-9 * flops / here.members.member


def _volume(inputs: Inputs) -> Volume:
    def size(files: Sequence[Path]) -> int:
        return sum(file.stat().st_size for file in files)

    restart = inputs.restart
    shared = isinstance(restart, Colm202xRestart)
    with reading(inputs.files[0]):
        copied = size(restart.folder if isinstance(restart, Colm202xRestart) else restart.inputs[:1])
        return Volume(size(inputs.files), copied, room(restart) - restart.room(), shared)


def _table(forecasts: Sequence[Forecast], volume: Volume) -> str:
    first = forecasts[0]
    lines = [tuple(COLUMNS)]
    for forecast in forecasts:
        cost, grid = forecast.cost, forecast.cost.grid
        messages, n_bytes = (int(of_rank.max()) for of_rank in cost.sent)
        moved = volume.of_rank(volume.read + volume.written, cost.n_ranks)
        efficiency = first.total * first.cost.n_ranks / (forecast.total * cost.n_ranks)
        lines.append(
            (
                f"{cost.n_ranks}",
                f"{grid.member_groups} x {grid.wedge_groups}",
                f"{cost.n_ranks - grid.size}",
                f"{1e-9 * forecast.memory:.2f}",
                f"{messages}",
                f"{1e-6 * n_bytes:.1f}",
                f"{1e-3 * n_bytes / max(messages, 1):.1f}",
                f"{1e-9 * cost.flops.max():.1f}",
                f"{1e-6 * moved:.1f}",
                f"{forecast.seconds['increment']:.1f}",
                f"{forecast.total:.1f}",
                f"{efficiency:.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True)) for line in lines)


def _basis(problem: Problem, here: Calibration, volume: Volume, machine: Machine) -> list[str]:
    """What the prediction is made of, in sentences."""
    ny, nx = problem.layout.image_shape

    def known(given: float | None, here: float, how: str = "measured here") -> str:
        return f"{here:.2g} ({how})" if given is None else f"{given:.2g} (given)"

    limit = "" if machine.file_system is None else f", at most {machine.file_system:g} GB/s"
    return [
        f"{ny} x {nx} pixels, {problem.layout.n_values} coefficients, {problem.n_members} members of each kind, "
        f"{problem.n_patch} patches; files: {1e-6 * volume.read:.1f} MB read, {1e-6 * volume.written:.1f} MB written",
        f"GFlop/s of a core: {known(machine.fft_rate, fft_rate(problem, here))}; "
        f"GB/s from rank to rank: {known(machine.bandwidth, 1e-9 / here.copy)}; "
        f"latency in us: {known(machine.latency, 1e6 * LATENCY, 'assumed')}; files as fast as here{limit}",
        f"the program alone: {1e-9 * here.program:.2f} GB of a rank, {here.start:.1f} s to start (measured here)",
    ]


def _warnings(forecasts: Sequence[Forecast], machine: Machine) -> list[str]:
    """What speaks against a number of ranks, in sentences."""
    room_of_rank = memory_of_rank() if machine.memory is None else 1e9 * machine.memory
    whose = "a core of this machine has" if machine.memory is None else "a rank has"
    said = []
    for forecast in forecasts:
        cost = forecast.cost
        n, idle, pause = cost.n_ranks, cost.n_ranks - cost.grid.size, cost.idle_in_last_round
        if idle:
            said.append(
                f"{n} ranks: {idle} of them have no part in the coefficients; {cost.grid.size} ranks do as well"
            )
        if pause:
            said.append(
                f"{n} ranks: in the last of {cost.n_rounds} rounds {pause} of {cost.grid.member_groups} member "
                "groups have no members"
            )
        if forecast.memory > room_of_rank:
            said.append(
                f"{n} ranks: a rank's {1e-9 * forecast.memory:.2f} GB do not fit into the {1e-9 * room_of_rank:.2f} GB "
                f"that {whose}; leave cores idle, take more ranks, or set curvelet.precision to single"
            )
    for fewer, more in pairwise(sorted(forecasts, key=lambda forecast: forecast.cost.n_ranks)):
        if more.total > 0.95 * fewer.total:
            said.append(f"{more.cost.n_ranks} ranks: hardly faster than {fewer.cost.n_ranks}, or not at all")
    return [f"warning: {sentence}" for sentence in said]


def memory_of_rank() -> float:
    """Bytes of this machine's memory for each of its cores."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (os.cpu_count() or 1)
