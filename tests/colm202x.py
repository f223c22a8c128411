"""A stand-in for the executable of CoLM202X: `mpirun -n 3 python tests/colm202x.py case.nml`.

Command line, namelists, files and their names, dates and what is written when are the model's, as far as it matters to
a program that starts it. The physics are the soil columns, in steps of an hour, in made-up weather: its seed is the
number at the end of ``DEF_dir_forcing``. Rank 0 does all the work; the others are there because the model wants them.

As the model it writes in place under final names, makes a history file anew where another run has left one, dates
what it makes (``create_time``; by SOURCE_DATE_EPOCH where that is set), takes paths as relative to its working folder
and cuts them after 256 characters. With ``greenwich = .false.`` its clock goes `EAST` hours after the namelist's, and
its dates are those of Greenwich. What it cannot do (windows of parts of an hour, other frequencies and history grids)
it refuses. What it does wrong on request is in `colm_faults`.
"""

from __future__ import annotations

import sys
import time
import traceback
from datetime import timedelta
from pathlib import Path

from colm202x_namelist import (
    DEFAULTS,
    TIME,
    Stopped,
    frequency,
    instant,
    is_end_of,
    read_group,
    read_seed,
    stamp,
    text,
)
from colm_faults import fault_of, unwanted_environment
from mpi4py import MPI

HOUR = timedelta(hours=1)
EAST = 8
FEWEST_RANKS = 3


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def main() -> None:
    world = MPI.COMM_WORLD
    if world.rank == 0:
        try:
            run(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(), world.size)
        except Stopped as why:
            say(f" ***** ERROR: {why}")
            world.Abort(1)
        except BaseException:
            traceback.print_exc()
            world.Abort(2)
    # Not a barrier: ranks that wait there take the cores from the one that works.
    together = world.Ibarrier()
    while not together.Test():
        time.sleep(0.005)


def run(namelist: Path, n_ranks: int) -> None:
    """From one start to one end."""
    if wrong := unwanted_environment():
        raise Stopped(wrong)
    settings = read_group(namelist, "nl_colm")
    given = TIME | settings.get("def_simulation_time", {})
    domain = {"edges": -90.0, "edgen": 90.0, "edgew": -180.0, "edgee": 180.0} | settings.get("def_domain", {})
    settings = DEFAULTS | settings
    seed = read_seed(Path(text(settings, "def_forcing_namelist")))
    directory = Path(text(settings, "def_dir_output")) / text(settings, "def_case_name").strip()
    for folder in ("landdata", "restart", "history"):
        (directory / folder).mkdir(parents=True, exist_ok=True)
    if given["timestep"] > 3600.0:
        raise Stopped("timestep should be less than or equal to 3600 seconds.")
    if n_ranks < FEWEST_RANKS:
        raise Stopped(f"{n_ranks} processes: needs a master, an IO process and a worker.")
    start, end, spun_up = (instant(given, name) for name in ("start", "end", "spinup"))
    if start is None or end is None:
        raise Stopped("no such date in DEF_simulation_time.")
    if spun_up is not None and start < spun_up and given["spinup_repeat"] > 1:
        raise Stopped("this stand-in does not repeat a spin-up.")
    if any(at.minute or at.second for at in (start, end)):
        raise Stopped("this stand-in takes whole hours.")
    fault = fault_of(stamp(start))
    if fault.kind == "fails":
        raise Stopped("failed on request.")

    sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file
    from colm202x_files import Case, History

    case = Case(directory, text(settings, "def_case_name").strip(), settings["def_lc_year"], start)
    if missing := case.missing():
        raise Stopped(f"Netcdf error: No such file or directory: {missing}")
    case.open(seed)
    clock = timedelta(hours=0 if given["greenwich"] else -EAST)
    history = History(case, settings, domain) if frequency(settings, "def_hist_freq") != "NONE" else None
    now, half = start, start + (end - start) / 2
    while now < end:
        say(f"\nTIMELOOP = {now:%Y-%m-%d}-{now.hour * 3600:05d}")
        if now <= half < now + HOUR:
            fault.in_the_middle()
        before = case.state()
        fluxes = case.hour()
        now += HOUR
        if spun_up is not None and now <= spun_up:
            continue
        if history is not None:
            history.add(now + clock, before, case.state(), fluxes, at_end=now >= end)
        if now < end and is_end_of(frequency(settings, "def_wrst_freq"), now + clock):
            case.write(now + clock, settings["def_rest_compresslevel"])
    if end > start and fault.kind != "no_restart":
        later = timedelta(days=1 if fault.kind == "other_date" else 0)
        case.write(now + clock + later, settings["def_rest_compresslevel"], fault)
    say("\nCoLM Execution Completed.")


if __name__ == "__main__":
    main()
