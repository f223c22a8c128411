#!/usr/bin/env python3
"""How fast the curvelet transform is, as ratios measured in one run on one thread, and how fast soil columns are.

    taskset -c 0 python tools/benchmark.py                        the tables of docs/scaling.md and docs/columns.md
    taskset -c 0 python tools/benchmark.py --columns              that of soil columns alone
    taskset -c 0 python tools/benchmark.py --grids 128x256        other sizes
    python -m pip install --no-deps curvelets daspy-toolbox       to compare with these packages as well

The FFT limit is the time that pyfftw with measured plans takes for one rfft2 of the image and the inverse FFTs of the
stored wedges, all at the sizes of `sampling="fast"`, each wedge in memory of its own. Functions that are compared run
in turn, and their times are medians.

Soil columns are those of the embedded case in the weather of seed 0 for 30 days, an hour at a time, all compiled
before. Campbell's are the same with a potential at air entry of -200 mm. Of three months the fastest counts, for
weather, evaporation and water apart.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib.util
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyfftw
from mpi4py import MPI

from imgda_mpi.colm.colm202x import open_restart
from imgda_mpi.colm.hdf5 import Columns as Variable
from imgda_mpi.colm.soil_layers import thickness
from imgda_mpi.columns.generator import GeneratedWeather
from imgda_mpi.columns.hydraulics import CONDUCTIVITY, FULL, RESIDUAL, WATER, campbell
from imgda_mpi.columns.model import HOUR, places_of
from imgda_mpi.columns.reference_evaporation import reference_evaporation
from imgda_mpi.columns.restart import OwnColumns, read_columns
from imgda_mpi.columns.water import N_FLUXES, Columns, Processes, advance, make_columns, make_state
from imgda_mpi.curvelet import CurveletTransform, Layout
from imgda_mpi.example.case import write_example
from imgda_mpi.example.files import CASE, LAND_COVER_YEAR, TIME
from imgda_mpi.fourier import NO_WISDOM

GRIDS = [(128, 256), (256, 512), (512, 1024), (720, 1440), (1800, 3600)]
STACK = 50

MONTH = 30 * 24  # hours
N_COLUMNS = 17_000  # of a restart on 256 x 128 cells
CAMPBELL_ENTRY = -200.0  # mm: the file's is that of the other relation


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grids", type=lambda text: [grid(part) for part in text.split(",")], default=GRIDS)
    parser.add_argument("--seconds", type=float, default=6.0, help="of measuring for each row")
    parser.add_argument("--columns", action="store_true", help="the table of soil columns alone")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        say(json.dumps(CHILDREN[arguments.child](*arguments.grids)))
        return
    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "pyfftw"))
    say(f"{processor()}; Python {platform.python_version()}, {versions} (FFTW {pyfftw.fftw_version})\n")
    if not arguments.columns:
        speeds(arguments.grids, arguments.seconds)
        others(arguments.grids, arguments.seconds)
        builds(arguments.grids)
        say("")
    soil_columns()


def speeds(grids: list[tuple[int, int]], seconds: float) -> None:
    """Table of forward and inverse against the FFT limit, a stack against single calls, float32 against float64."""
    say("| grid | finest | forward / FFT limit | inverse / FFT limit | stack / single calls | float32 / float64 |")
    say("|---|---|---|---|---|---|")
    for shape in grids:
        for finest in ("wavelets", "curvelets"):
            ratios = speed_ratios(shape, finest, seconds)
            columns = " | ".join("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
            say(f"| {shape[0]} x {shape[1]} | {finest} | {columns} |")
    say("")


def speed_ratios(shape: tuple[int, int], finest: str, seconds: float) -> list[float | None]:
    """One row of the table; no stack where it would not fit into memory."""
    transform, single = (measured(shape, finest, dtype) for dtype in (np.float64, np.float32))
    image = np.random.default_rng(1).standard_normal(shape)
    values, back = transform.forward(image), np.empty(shape)
    image32 = image.astype(np.float32)
    values32 = single.forward(image32)
    forward, inverse, limit, short = medians(
        seconds,
        lambda: transform.forward(image, out=values),
        lambda: transform.inverse(values, out=back),
        fft_limit(transform.layout),
        lambda: single.forward(image32, out=values32),
    )
    stack = stack_ratio(transform, seconds) if image.size * STACK < 30e6 else None
    return [forward / limit, inverse / limit, stack, short / forward]


def stack_ratio(transform: CurveletTransform, seconds: float) -> float:
    """Time of a stack over that of as many single calls, new arrays for each result."""
    images = np.random.default_rng(2).standard_normal((STACK, *transform.layout.image_shape))
    together, alone = medians(
        seconds, lambda: transform.forward(images), lambda: [transform.forward(image) for image in images]
    )
    return together / alone


def others(grids: list[tuple[int, int]], seconds: float) -> None:
    """Table of other packages: forward and inverse together, in multiples of ours."""
    rows = []
    for shape in grids:
        ours = measured(shape, "wavelets", np.float64)
        for name, make in (("curvelets (UDCT)", udct), ("daspy-toolbox (FDCT)", daspy)):
            with suppress(ImportError):
                redundancy, ratio = compared(ours, make, seconds)
                rows.append(f"| {shape[0]} x {shape[1]} | {name} | {redundancy:.1f} | {ratio:.1f} |")
    if rows:
        say("| grid | package | its real numbers per pixel (ours 3.0 to 3.2) | its time / ours |\n|---|---|---|---|")
        say("\n".join(rows) + "\n")


def compared(ours: CurveletTransform, make: Other, seconds: float) -> tuple[float, float]:
    """Redundancy of another package, and the time of its round trip over ours."""
    image = np.random.default_rng(1).standard_normal(ours.layout.image_shape)
    round_trip, redundancy = make(image, ours.layout.n_values / image.size)
    own, other = medians(seconds, lambda: ours.inverse(ours.forward(image)), round_trip)
    return redundancy, other / own


Other = Callable[[Any, float], tuple[Callable[[], object], float]]
"""From an image and our redundancy to a round trip of another package and its redundancy."""


def udct(image: Any, redundancy: float) -> tuple[Callable[[], object], float]:
    """Round trip of the UDCT in the mode whose redundancy is nearest to ours."""
    from curvelets.numpy import UDCT

    found = []
    for mode in ("curvelet", "wavelet"):
        for wedges in (3, 6):
            other = UDCT(image.shape, num_scales=3, wedges_per_direction=wedges, high_frequency_mode=mode)
            found.append((abs(reals(other.forward(image)) / image.size - redundancy), other))
    other = min(found, key=lambda pair: pair[0])[1]
    return lambda: other.backward(other.forward(image)), reals(other.forward(image)) / image.size


def daspy(image: Any, _redundancy: float) -> tuple[Callable[[], object], float]:
    """Round trip of the wrapping transform of daspy-toolbox, finest scale as wavelets."""
    found = importlib.util.find_spec("daspy")
    if found is None or found.origin is None:
        raise ImportError("daspy")
    # The module alone: the package asks for much that is not needed here.
    spec = importlib.util.spec_from_file_location("fdct", Path(found.origin).parent / "advanced_tools" / "fdct.py")
    assert spec is not None
    assert spec.loader is not None
    fdct = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fdct)

    def round_trip() -> object:
        return fdct.ifdct_wrapping(fdct.fdct_wrapping(image, is_real=True, finest=2), is_real=True)

    return round_trip, reals(fdct.fdct_wrapping(image, is_real=True, finest=2)) / image.size


def reals(coefficients: Any) -> int:
    """Real numbers in nested lists of arrays."""
    if isinstance(coefficients, list | tuple):
        return sum(reals(part) for part in coefficients)
    return int(coefficients.size * (2 if np.iscomplexobj(coefficients) else 1))


def builds(grids: list[tuple[int, int]]) -> None:
    """Table of the time to build a transform and its memory, each in a process of its own."""
    say(
        "| grid | build, plans measured | build, plans kept | build, plans estimated | memory beyond image and result |"
    )
    say("|---|---|---|---|---|")
    for shape in grids:
        times = " | ".join(f"{seconds:.2f} s" for seconds in child("build", shape))
        (memory,) = child("memory", shape)
        say(f"| {shape[0]} x {shape[1]} | {times} | {memory:.0f} MB |")


def child(what: str, shape: tuple[int, int]) -> list[float]:
    """What a new process measures."""
    command = [sys.executable, __file__, "--child", what, "--grids", "{}x{}".format(*shape)]
    found: list[float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def build_times(shape: tuple[int, int]) -> list[float]:
    """Seconds to build a transform: plans measured, kept from before, and estimated."""
    small = CurveletTransform((32, 32))  # what is loaded on first use
    small.inverse(small.forward(np.ones((32, 32))))
    first = timed(lambda: measured(shape, "wavelets", np.float64))
    wisdom = first[1].wisdom
    kept = timed(lambda: CurveletTransform(shape, wisdom=wisdom))
    estimated = timed(lambda: CurveletTransform(shape))
    return [first[0], kept[0], estimated[0]]


def timed(make: Callable[[], CurveletTransform]) -> tuple[float, CurveletTransform]:
    """Seconds that it takes to make something, and that."""
    start = time.perf_counter()
    made = make()
    return time.perf_counter() - start, made


def extra_memory(shape: tuple[int, int]) -> list[float]:
    """MB that building a transform, its forward and its inverse take beyond image and coefficients."""
    image = np.ones(shape)
    small = CurveletTransform((64, 64))
    small.inverse(small.forward(np.ones((64, 64))))
    before = peak()
    transform = CurveletTransform(shape)
    values = transform.forward(image)
    transform.inverse(values, out=image)
    return [(peak() - before - values.nbytes) / 1e6]


def soil_columns() -> None:
    """Table of what soil columns take in a month of made-up weather."""
    with tempfile.TemporaryDirectory() as folder:
        write_example(Path(folder))
        directory = Path(folder) / "model" / CASE
        own = read_columns(open_restart(directory, CASE, TIME, LAND_COVER_YEAR, MPI.COMM_SELF))
        exponent = own.restart.read_const([Variable("bsw", 0, thickness.size)])["bsw"]
    say("| soil | columns | substeps in an hour | weather | evaporation | water | all | 17,000 columns for 30 days |")
    say("|---|---|---|---|---|---|---|---|")
    for name, columns in ((own.hydraulics, own.columns), ("Campbell", as_campbell(own, exponent))):
        month(own, columns, hours=24)
        months = [month(own, columns, MONTH) for _ in range(3)]
        seconds, n_substeps = np.min([found[0] for found in months], axis=0), months[0][1]
        n = columns.moves.sum()
        each = [*seconds, seconds.sum()] / (n * MONTH)
        times = " | ".join(f"{1e6 * time:.2f} us" for time in each)
        whole = N_COLUMNS * MONTH * each[-1]
        say(f"| {name} | {n} | {n_substeps / (n * MONTH):.2f} | {times} | {whole:.1f} s |")


def as_campbell(own: OwnColumns, exponent: Any) -> Columns:
    """The same columns with the other relation."""
    columns = own.columns
    layers, moves = columns.layers, columns.moves
    porosity, residual = (layers[..., part] / columns.thickness for part in (FULL, RESIDUAL))
    entry, b = np.full(porosity.shape, CAMPBELL_ENTRY), np.where(moves[:, None], exponent, 5.0)
    found = campbell(porosity, residual, layers[..., CONDUCTIVITY], entry, b, thickness)
    rest = (columns.depth, columns.thickness, columns.cover, columns.roots, columns.pond, moves)
    return make_columns(found.is_campbell, found.layers, *rest)


def month(own: OwnColumns, columns: Columns, hours: int) -> tuple[list[float], int]:
    """Seconds that weather, evaporation and water of the columns take in so many hours, and substeps in all."""
    state = make_state(columns, own.state.kept[:, WATER], own.state.pond, own.state.aquifer, own.state.table)
    weather = GeneratedWeather(*places_of(own), seed=0)
    fluxes, (rain, demand) = np.zeros((columns.moves.size, N_FLUXES)), np.zeros((2, columns.moves.size))
    seconds, n_substeps = np.zeros(3), 0
    for hour in range(hours):
        times = [time.perf_counter()]
        of_hour = weather.hour(TIME + hour * HOUR)
        times.append(time.perf_counter())
        rain[columns.moves], demand[columns.moves] = of_hour.rain, reference_evaporation(of_hour)
        times.append(time.perf_counter())
        n_substeps += advance(columns, state, rain, demand, 3600.0, Processes(), fluxes)[1]
        times.append(time.perf_counter())
        seconds += np.diff(times)
    return seconds.tolist(), n_substeps


CHILDREN = {"build": build_times, "memory": extra_memory}


def measured(shape: tuple[int, int], finest: str, dtype: Any) -> CurveletTransform:
    """A transform with measured plans."""
    return CurveletTransform(shape, finest=finest, dtype=dtype, wisdom=NO_WISDOM)


def fft_limit(layout: Layout) -> Callable[[], None]:
    """One rfft2 of the image and the inverse FFTs of the stored wedges, with plans that pyfftw has measured."""
    effort = ("FFTW_MEASURE",)
    image, spectrum = real_pair(layout.image_shape)
    plans = [pyfftw.FFTW(image, spectrum, axes=(0, 1), flags=effort)]
    shapes: dict[tuple[tuple[int, int], bool], int] = {}
    for wedge in layout.wedges:
        shapes[wedge.shape, wedge.is_real] = shapes.get((wedge.shape, wedge.is_real), 0) + 1
    for (shape, is_real), count in shapes.items():
        if is_real:
            real, half = real_pair(shape)
            plans.append(pyfftw.FFTW(half, real, axes=(0, 1), direction="FFTW_BACKWARD", flags=effort))
        else:
            boxes = pyfftw.zeros_aligned((count, *shape), np.complex128)
            plans.append(pyfftw.FFTW(boxes, boxes, axes=(1, 2), direction="FFTW_BACKWARD", flags=effort))
            boxes[...] = 0
    image[...] = np.random.default_rng(1).standard_normal(image.shape)

    def run() -> None:
        for plan in plans:
            plan.execute()

    return run


def real_pair(shape: tuple[int, int]) -> tuple[Any, Any]:
    """A real array and one for its half spectrum."""
    return pyfftw.zeros_aligned(shape), pyfftw.zeros_aligned((shape[0], shape[1] // 2 + 1), np.complex128)


def medians(seconds: float, *functions: Callable[[], object]) -> list[float]:
    """Median time of each function, all of them in turn, five turns at least."""
    for function in functions:
        function()
    times: list[list[float]] = []
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        times.append([])
        for function in functions:
            start = time.perf_counter()
            function()
            times[-1].append(time.perf_counter() - start)
    return [float(np.median(of_function)) for of_function in zip(*times, strict=True)]


def say(text: str) -> None:
    """One line of output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def peak() -> int:
    """Most memory that this process has held so far, bytes (what getrusage says may be that of its parent)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def processor() -> str:
    """Name of the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def grid(text: str) -> tuple[int, int]:
    """Rows and columns from "720x1440"."""
    ny, nx = text.split("x")
    return int(ny), int(nx)


if __name__ == "__main__":
    main()
