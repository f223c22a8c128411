#!/usr/bin/env python3
"""What an update of `innovation/full` takes on this machine: iterations, FFTs, time, memory, beside what `plan` says.

    taskset -c 0 python tools/benchmark_full.py                   the tables of docs/scaling.md
    python tools/benchmark_full.py --grids 128x256 --masks blocks,full
    python tools/benchmark_full.py --constants                    those of imgda_mpi/planning/full.py, measured here

Each row is measured in processes of its own, one thread for each rank: the shortest CPU time of the busiest rank over
a few updates, and the most memory of a rank. An FFT pair is an FFT of a real image and its inverse. The FFT rate is
that of such pairs in double precision as the solver makes them: what `imgda_mpi plan --machine` asks for. The finest
scale has curvelets. `paper` is the method of Bai et al. (2026) with 50 + 50 members and wavelets there, a yardstick.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from full_solver_problems import MASKS, SIGNAL, make_problem
from mpi4py import MPI
from synthetic_case import Shape, parse_grid

from imgda_mpi.covariances.features import Woodbury
from imgda_mpi.covariances.innovation import groups_of
from imgda_mpi.covariances.system import ObservedSystem
from imgda_mpi.curvelet import Layout
from imgda_mpi.distributed.cell_features import CellFeatures
from imgda_mpi.distributed.image_rows import ImageRows
from imgda_mpi.distributed.rectangle import choose_rectangle
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.methods import coefficients
from imgda_mpi.methods.registry import make_method, scales_by_size
from imgda_mpi.numerics.problem import Problem
from imgda_mpi.numerics.wave_kriging import WaveKriging
from imgda_mpi.parallel.memory import peak_memory
from imgda_mpi.planning import full
from imgda_mpi.planning.case import Case, FeatureCounts, complex_flops, real_flops
from imgda_mpi.planning.diagonal import MembersCost
from imgda_mpi.planning.full import FullCost

ROOT = Path(__file__).resolve().parents[1]
GRIDS = [(128, 256), (360, 720), (720, 1440)]
STUDIED = (720, 1440)  # with features, single precision, two ranks
PAPER = {"background_error": SIGNAL, "n_members": 50}
SMALL = (64, 128)  # of an update before, for what is loaded on first use

Found = dict[str, Any]


def main() -> None:
    """Print the tables, or constants; in a process of a row what it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", type=lambda text: [parse_grid(part) for part in text.split(",")], default=GRIDS)
    parser.add_argument("--masks", type=lambda text: text.split(","), default=list(MASKS))
    parser.add_argument("--repeat", type=int, default=3, help="updates of a row, the shortest of which counts (3)")
    parser.add_argument("--constants", action="store_true", help="of the plan, instead of the tables")
    parser.add_argument("--row", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row is not None:
        found = updated(**{"repeat": arguments.repeat, **arguments.row})
        if MPI.COMM_WORLD.rank == 0:
            say(json.dumps(found))
    elif arguments.constants:
        constants(arguments.grids, arguments.repeat)
    else:
        say(f"FFT rate: {1e-9 * fft_rate(STUDIED):.1f} GFlop/s\n")
        by_mask(arguments.grids, arguments.masks, arguments.repeat)
        variants(arguments.repeat)


def by_mask(grids: list[Shape], masks: list[str], repeat: int) -> None:
    """Table of grids and masks: what an update takes, beside its plan and the yardstick."""
    say("| grid | mask | iterations, update | all | FFT pairs | planned | CPU, s | / planned | / paper |")
    say("|---|---|---|---|---|---|---|---|---|")
    for shape in grids:
        paper = row(1, repeat, shape=shape, kind="paper")
        say(
            f"| {shape[0]} x {shape[1]} | `paper` | | | | | {paper['seconds']:.2f} | "
            f"{paper['seconds'] * paper['rate'] / paper['planned']['work']:.2f} | 1 |"
        )
        for mask in masks:
            found = row(1, repeat, shape=shape, mask=mask)
            iterations, planned, seconds = found["iterations"], found["planned"], found["seconds"]
            by_plan = planned["work"] / found["rate"]
            # The update's own system comes after those of the steps, before those of the expected errors.
            say(
                f"| {shape[0]} x {shape[1]} | {mask} | {iterations[full.N_SOLVED_BEFORE]} | {sum(iterations)} | "
                f"{pairs(found['calls']):.0f} | {planned['iterations']}, {planned['pairs']:.0f} | {seconds:.2f} | "
                f"{seconds / by_plan:.2f} | {seconds / paper['seconds']:.2f} |"
            )
        say("")


def variants(repeat: int) -> None:
    """Table of what features, single precision and a second rank change."""
    say("| 720 x 1440, blocks | ranks | CPU, s | / first | efficiency | / planned | GB of a rank | MB sent, planned |")
    say("|---|---|---|---|---|---|---|---|")
    first = None
    for name, n_ranks, options in (
        ("double precision, no features", 1, {}),
        ("single precision", 1, {"precision": "single"}),
        ("features", 1, {"features": True}),
        ("double precision, no features", 2, {}),
        ("features", 2, {"features": True}),
    ):
        found = row(n_ranks, repeat, shape=STUDIED, **options)
        seconds, planned = found["seconds"], found["planned"]
        first = first or {}
        alone = first.setdefault(name, seconds)
        ratio = seconds / first["double precision, no features"]
        say(
            f"| {name} | {n_ranks} | {seconds:.2f} | {ratio:.2f} | {alone / (n_ranks * seconds):.2f} | "
            f"{seconds * found['rate'] / planned['work']:.2f} | {1e-9 * found['memory']:.2f} | "
            f"{1e-6 * found['sent']:.0f}, {1e-6 * planned['sent']:.0f} |"
        )


def constants(grids: list[Shape], repeat: int) -> None:
    """Work beside FFTs in double precision, by its time in operations of these; see `imgda_mpi.planning.full`."""
    for shape in grids:
        alone, shared, featured = (
            row(n, repeat, shape=shape, features=features) for n, features in ((1, False), (2, False), (1, True))
        )
        n_pixels, rate = math.prod(shape), alone["rate"]
        pair, iterations = 2 * image_flops(shape), sum(alone["iterations"])

        def work(found: Found, part: str) -> float:
            return float(found["parts"][part] * found["rate"])

        rests = [work(found, "rest") for found in (alone, shared)]
        whole = 2 * rests[1] - rests[0]
        n_values = alone["planned"]["fine"]
        of_squares = complex_flops(n_pixels)
        n_entries, dense = featured["planned"]["features"]
        say(f"{shape[0]} x {shape[1]}, FFT rate {1e-9 * rate:.2f} GFlop/s, {alone['seconds']:.2f} s")
        say(f"  SINGLE_WORK {work(alone, 'single') / (alone['calls']['single'] * pair):.2f}")
        say(f"  spectra {work(alone, 'spectra') / (alone['calls']['spectra'] * pair / 2):.2f}")
        say(f"  double {work(alone, 'double') / (alone['calls']['double'] * pair):.2f}")
        say(f"  ITERATION_WORK {work(alone, 'solve') / (iterations * n_pixels):.1f}")
        say(f"  OWN_WORK {(rests[0] - whole) / n_pixels:.0f}, WHOLE_WORK {whole / n_pixels:.0f}")
        n_triples = alone["calls"]["kriging"] * alone["planned"]["waves"] ** 3
        say(f"  KRIGED_WORK {work(alone, 'kriging') / n_triples:.1f}")
        errors = work(alone, "errors")
        say(f"  errors {errors / of_squares:.2f} of an FFT, {errors / n_values:.0f} of a value")
        say(
            f"  SPARSE_WORK {work(featured, 'sparse') / (featured['calls']['sparse'] * n_entries):.1f}, "
            f"{featured['calls']['sparse'] - 2 * sum(featured['iterations'])} products beside iterations"
        )
        say(f"  DENSE_WORK {work(featured, 'woodbury') / (featured['calls']['woodbury'] * dense):.2f}")
        paper = row(1, repeat, shape=shape, kind="paper")
        say(f"  FFT_WORK of paper {paper['seconds'] * paper['rate'] / paper['planned']['flops']:.2f}")
        n_images = featured["calls"]["single"] - sum(featured["iterations"]) - full.N_NEAR
        say(f"  FEATURE_WORK {(work(featured, 'rest') - rests[0]) / (n_images * n_pixels):.0f}")
        turned = work(shared, "double") / shared["calls"]["double"] - work(alone, "double") / (
            2 * alone["calls"]["double"]
        )
        say(f"  TURNED_WORK {turned / (n_pixels / 2):.0f}")


def row(n_ranks: int, repeat: int, **options: Any) -> Found:
    """What so many new processes find."""
    command = [sys.executable, "-m", "mpi4py", __file__, "--repeat", f"{repeat}", "--row", json.dumps(options)]
    start = '. "$0/tools/env.sh"; run_ranks "$@"' if n_ranks > 1 else 'shift; exec "$@"'
    # MPI has put into this process's environment what new ranks must not take for theirs: they get that of its start.
    done = subprocess.run(
        ["bash", "-c", start, str(ROOT), f"{n_ranks}", *command],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: Found = json.loads(done.stdout)
    return found


def updated(
    shape: Shape,
    repeat: int,
    mask: str = "blocks",
    kind: str = "innovation",
    precision: str = "double",
    features: bool = False,
) -> Found:
    """What the shortest of a few updates takes of the busiest rank. Collective over all ranks."""
    comm = MPI.COMM_WORLD
    update_of(SMALL, mask, kind, precision, features)[1]()
    problem, update, layout = update_of(tuple(shape), mask, kind, precision, features)
    runs = []
    for _ in range(repeat):
        # Other processes slow both down: the rate is that of the same minute.
        parts, before, start = Parts(), fft_rate(STUDIED), time.process_time()
        with parts.measured():
            increment = update()
        seconds = comm.allreduce(time.process_time() - start, op=MPI.MAX)
        runs.append((seconds, parts, (before + fft_rate(STUDIED)) / 2))
    seconds, parts, rate = min(runs, key=lambda run: run[0])
    memory, sent = (comm.allreduce(one, op=MPI.MAX) for one in (peak_memory(), increment.sent.n_bytes))
    found = {"seconds": seconds, "rate": rate, "memory": memory, "sent": sent}
    if kind == "paper":
        case = Case(layout, 8, PAPER["n_members"], problem.land.size, 0, 0)
        cost = MembersCost(case, choose_rectangle(layout, case.n_members, comm.size), comm.size)
        return {**found, "planned": {"flops": float(cost.flops.max()), "work": float(cost.work.max())}}
    return {
        **found,
        "parts": parts.seconds,
        "calls": parts.calls,
        "iterations": parts.iterations,
        "planned": planned(problem, layout, comm.size, features),
    }


def update_of(
    shape: Shape, mask: str, kind: str, precision: str, features: bool
) -> tuple[Problem, Callable[[], Any], Layout]:
    """A problem, its update, and the layout of the transform."""
    comm, problem = MPI.COMM_WORLD, make_problem(shape, mask, features=features)
    finest = "wavelets" if kind == "paper" else "curvelets"
    made = TransformKind(precision=precision, finest=finest)
    wanted, larger = made.on(problem.grid, scales_by_size=scales_by_size(kind))
    transform = make_transform(wanted, larger, comm)
    own = {"solver": "full", "features": features}
    if kind == "paper":
        own = {"solver": "diagonal", **PAPER}
    method = make_method(kind, {"scales": None, **own}, transform, comm.size)
    return problem, lambda: method.increment(problem, comm), transform.layout


def planned(problem: Problem, layout: Layout, n_ranks: int, features: bool) -> Found:
    """What `plan` says of the busiest rank."""
    groups, n_observed = groups_of(problem).values(), int(np.count_nonzero(problem.observations.observed))
    counts = FeatureCounts(sum(one.shape[1] for one in groups), len(groups), sum(one.nnz for one in groups), n_observed)
    featured, has_gaps = counts if features else FeatureCounts(), n_observed < math.prod(layout.image_shape)
    cost = FullCost(Case(layout, 8, 0, problem.land.size, 0, 0, featured, has_gaps), n_ranks)
    return {
        "iterations": cost.iterations,
        "pairs": cost.n_pairs,
        "work": float(cost.work.max()),
        "sent": int(cost.sent[1].max()),
        "memory": int(cost.memory.max()),
        "waves": cost.n_waves,
        "fine": int(cost.fine[0]),
        "features": [counts.n_entries, counts.n_features * n_observed],
    }


def fft_rate(shape: Shape) -> float:
    """Operations a second of FFTs of real images in double precision, there and back, on one core."""
    rows, image = ImageRows(MPI.COMM_SELF, shape), np.random.default_rng(1).standard_normal(shape)
    factors, times = np.ones((shape[0], shape[1] // 2 + 1)), list[float]()
    while sum(times) < 1.0:
        start = time.process_time()
        rows.filter(image, factors)
        times.append(time.process_time() - start)
    return 2 * image_flops(shape) / float(np.median(times))


def image_flops(shape: Shape) -> float:
    """Of an FFT of a real image, as usually counted."""
    return shape[0] * real_flops(shape[1]) + (shape[1] // 2 + 1) * complex_flops(shape[0])


def pairs(calls: Found) -> float:
    """FFT pairs among the calls of an update."""
    return float(calls["double"] + calls["single"] + calls["spectra"] / 2)


class Parts:
    """CPU seconds and calls of parts of an update, each without the parts that it calls, and iterations by system."""

    def __init__(self) -> None:
        self.seconds, self.calls, self.iterations = Counter[str](), Counter[str](), list[int]()
        self._inner = [0.0]

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within it parts are measured; what is in none of them is the rest."""
        with ExitStack() as stack:
            for where, name, part in (
                (ImageRows, "filter", ""),
                (ImageRows, "_spectrum", "spectra"),
                (ObservedSystem, "solve", "solve"),
                (WaveKriging, "__init__", "kriging"),
                (CellFeatures, "of", "sparse"),
                (CellFeatures, "add", "sparse"),
                (Woodbury, "__call__", "woodbury"),
                (coefficients, "powers_of_finest_modes", "errors"),
            ):
                stack.enter_context(patch.object(where, name, self._timed(getattr(where, name), part)))
            start = time.process_time()
            yield
            self.seconds["rest"] = time.process_time() - start - self._inner[0]

    def _timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        def timed(*arguments: Any, **keys: Any) -> Any:
            name = part or ("double" if arguments[1].dtype == np.float64 else "single")
            self._inner.append(0.0)
            start = time.process_time()
            found = function(*arguments, **keys)
            taken, inner = time.process_time() - start, self._inner.pop()
            self._inner[-1] += taken
            self.seconds[name] += taken - inner
            self.calls[name] += 1
            if name == "solve":
                self.iterations.append(found.iterations)
            return found

        return timed


def say(text: str) -> None:
    """One line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
