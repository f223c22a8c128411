"""What an analysis takes on numbers of ranks, as a table, and what speaks against them."""

from __future__ import annotations

import os
from collections.abc import Sequence

from imgda_mpi.console import columns
from imgda_mpi.distributed.rectangle import choose_rectangle
from imgda_mpi.parallel.memory import memory_of_machine
from imgda_mpi.planning.case import Case
from imgda_mpi.planning.diagonal import MembersCost
from imgda_mpi.planning.full import FullCost
from imgda_mpi.planning.machine import Machine

Cost = MembersCost | FullCost

COLUMNS = ("ranks", "groups", "idle", "GB", "messages", "MB sent", "kB each", "GFlop", "MB files")
"""Of the table, for the rank that has most; groups are member groups x wedge groups, or for the full solver the ranks
that have rows of the image, messages those for the increment, GFlop those of FFTs."""

SECONDS = ("s work", "s exchange")
"""Columns more where the machine is known: what a rank computes for the increment, and its messages."""


def cost_on(n_ranks: int, case: Case, wedge_groups: int | None) -> Cost:
    """What the analysis takes on a number of ranks; a `ConfigError` where so many wedge groups are not possible."""
    if not case.n_members:
        return FullCost(case, n_ranks)
    return MembersCost(case, choose_rectangle(case.layout, case.n_members, n_ranks, wedge_groups), n_ranks)


def cost_table(
    costs: Sequence[Cost], needed: Sequence[float], files: tuple[int, bool], machine: Machine | None = None
) -> str:
    """One line for each number of ranks.

    Parameters
    ----------
    costs : sequence
    needed : sequence of float
        Bytes of the rank that needs most memory, the program included.
    files : (int, bool)
        Bytes read and written, and whether all ranks do it.
    machine : Machine, optional
        Whose times are to be said too.
    """
    lines: list[tuple[str, ...]] = [COLUMNS + (SECONDS if machine else ())]
    for cost, memory in zip(costs, needed, strict=True):
        messages, n_bytes = (int(of_rank.max()) for of_rank in cost.sent)
        line: tuple[str, ...] = (
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
        if machine:
            exchange = machine.exchange_seconds((messages, n_bytes), cost.rounds, cost.n_ranks)
            line += (f"{cost.work.max() / machine.fft_rate:.3g}", f"{exchange:.2g}")
        lines.append(line)
    return columns(lines, ">" * len(lines[0]))


def warnings(costs: Sequence[Cost], needed: Sequence[float], memory: float | None) -> list[str]:
    """What speaks against a number of ranks, in sentences."""
    room_of_rank = memory_of_rank() if memory is None else 1e9 * memory
    whose = "a core of this machine has" if memory is None else "a rank has"
    said = []
    for cost, bytes_needed in zip(costs, needed, strict=True):
        said += [f"{cost.n_ranks} ranks: {remark}" for remark in cost.remarks]
        if bytes_needed > room_of_rank:
            said.append(
                f"{cost.n_ranks} ranks: a rank's {1e-9 * bytes_needed:.2f} GB do not fit into the "
                f"{1e-9 * room_of_rank:.2f} GB that {whose}; leave cores idle, take more ranks, or "
                "compute in single precision"
            )
    return [f"warning: {sentence}" for sentence in said]


def memory_of_rank() -> float:
    """Bytes of this machine's memory for each of its cores."""
    return memory_of_machine() / (os.cpu_count() or 1)
