"""A stand-in for the executable of CoLM2014: `ulimit -s unlimited; python tests/colm2014.py < clmexp.nml`.

Its namelist is the model's, on standard input; so are the names of its files, which are put together from the folders
as they stand (they end with a slash) and cut after 256 characters, and the dates in them: a restart at midnight is that
of the next day, fluxes are those of second 86400 of the old one. Nothing is written up to the time of ``p_year``,
``p_julian`` and ``p_seconds``, and no restart at the end unless it is a time for one.

What the model is built to do is here in the environment: COLM_RESTART_HOURS and COLM_FLUX_HOURS (3 each). The physics
are soil columns with the const file's hydraulics in made-up weather, whose seed is the number at the end of
``dir_forcing``. Full aquifers have 4800 mm in ``wa``.

Its ends are those that the model's source and a Fortran compiler give it:

* a namelist that cannot be read or a file that is not there or too short: an error of the runtime, status 2;
* a date in the restart that is not the start: ``abort``, signal SIGABRT;
* no weather: ``stop``, which is **status 0**, without the last line, restarts and fluxes;
* a stack that is not as large as it may be: signal SIGSEGV.

What it does wrong on request is in `colm_faults`.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import f90nml
from colm_faults import fault_of, unwanted_environment

DATES = [f"{when}_{part}" for when in "sep" for part in ("year", "julian", "seconds")]
KEYS: dict[str, type] = {
    **dict.fromkeys(("site", "dir_model_landdata", "dir_forcing", "dir_output", "dir_restart_hist"), str),
    **dict.fromkeys(("lon_points", "lat_points", "numpatch", *DATES), int),
    **{"deltim": float, "solarin_all_band": bool, "greenwich": bool},
}


def say(*words: object) -> None:
    sys.stdout.write(f" {' '.join(map(str, words))}\n")
    sys.stdout.flush()


def runtime_error(what: str) -> NoReturn:
    sys.stderr.write(f"At line 153 of file CLM.F90 (unit = 5, file = 'stdin')\nFortran runtime error: {what}\n")
    sys.exit(2)


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft not in (hard, resource.RLIM_INFINITY):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)
    if wrong := unwanted_environment():
        runtime_error(wrong)
    settings = read_namelist(sys.stdin.read())
    begin = tuple(settings[f"s_{part}"] for part in ("year", "julian", "seconds"))
    start, end, spun_up = (instant(settings, when) for when in "sep")
    fault = fault_of("{:04d}-{:03d}-{:05d}".format(*begin))
    if fault.kind == "fails":
        runtime_error("failed on request")

    sys.path.insert(0, str(Path(__file__).parents[1]))  # the package beside this file
    from colm2014_run import Site

    site = Site(settings, begin)
    seed = re.search(r"(\d+)/*$", settings["dir_forcing"])
    if seed is None:
        say("the data required is out of range! stop!")
        sys.exit(0)
    site.prepare(int(seed[1]))
    step = timedelta(seconds=settings["deltim"])
    every = {name: int(os.environ.get(f"COLM_{name}_HOURS", "3")) for name in ("RESTART", "FLUX")}
    now, half, number = start, start + (end - start) / 2, 0
    while now < end:
        number += 1
        say("TIMELOOP =", number)
        if now <= half < now + step:
            fault.in_the_middle()
        site.advance(now, step)
        now += step
        if is_multiple(now, every["FLUX"]):
            site.write_fluxes(now, written=now > spun_up)
        if is_multiple(now, every["RESTART"]) and now > spun_up:
            is_last = end - now < timedelta(hours=every["RESTART"])
            if not (is_last and fault.kind == "no_restart"):
                site.write_restart(now, fault if is_last else None)
    say("CLM Execution Completed")


def read_namelist(given: str) -> dict[str, Any]:
    """The group clmexp, which has to have all keys: the model gives none a value of its own."""
    try:
        found = f90nml.reads(given)
    except Exception:  # f90nml has no error of its own
        runtime_error("End of file")
    if "clmexp" not in found:
        runtime_error("End of file")
    for name, value in found["clmexp"].items():
        if name not in KEYS:
            runtime_error(f"Cannot match namelist object name {name}")
        if not (type(value) is KEYS[name] or (KEYS[name] is float and type(value) is int)):
            runtime_error(f"Bad data for namelist object {name}")
    if missing := KEYS.keys() - found["clmexp"].keys():
        runtime_error(f"not in the namelist, and then any value in the model: {', '.join(sorted(missing))}")
    return dict(found["clmexp"])


def instant(settings: dict[str, Any], when: str) -> datetime:
    """A date of the namelist."""
    year, day, second = (settings[f"{when}_{part}"] for part in ("year", "julian", "seconds"))
    return datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day - 1, seconds=second)


def is_multiple(at: datetime, hours: int) -> bool:
    """Whether so many hours, counted from midnight, end at a time."""
    return (at.hour * 3600 + at.minute * 60 + at.second) % (3600 * hours) == 0


if __name__ == "__main__":
    main()
