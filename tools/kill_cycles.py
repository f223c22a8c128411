#!/usr/bin/env python3
"""Kills processes of runs of cycles at random moments, and compares what they come to with a run that was left alone.

    . tools/env.sh
    python tools/kill_cycles.py                              100 kills, half of them around each stand-in of CoLM
    python tools/kill_cycles.py --kills 10 --model colm2014  fewer, around one of them
    python tools/kill_cycles.py --seed 7                     other moments

A run has 20 cycles of 6 hours around a stand-in of tests/. Moments are uniform in the wall time that its driver runs,
some ten in a run; a quarter of them then waits until a restart, an analysis or a cycle is in the middle of being
written. By SIGKILL end: the driver, a rank of the model or of the analysis, their launchers, or all at once as with a
node. After each the same command is given again. Analyses are on one rank, on two, and resident in turn. Then a run
fills a small file system and goes on with more space, where one may be mounted.

Ends with status 1 where a cycle was lost, made again or differs, or where anything is left over.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]
os.environ["PATH"] += f":{ROOT / 'bin'}"

import numpy as np  # noqa: E402
from cycles import Setup, imgda, kept, setup202x, setup2014, started  # noqa: E402
from kills import Kill, Trial, faults_of, fill_up, small_disk, tally  # noqa: E402

from imgda_mpi.example.case import write_example  # noqa: E402

MODELS = ("colm2014", "colm202x")
CYCLES, KEEP = 20, "1 day"
KILLS_OF_A_RUN = 10
DISK, FILLS = 100_000_000, 8
AIMED = 0.25
MOST_SAID = 8
ANALYSES = ("", 'launch = "run_ranks 2"\n', 'launch = "run_ranks 2"\nresident = true\n')
WRITES_SLOWLY = {"COLM_FAULT": "slow_restart 50"}  # so that half a restart is there for some time, as of a large model


def main() -> int:
    """Status 0 where all runs came out as they should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100, help="in all (default: 100)")
    parser.add_argument("--model", choices=MODELS, action="append", help="stand-in (default: both)")
    parser.add_argument("--cycles", type=int, default=CYCLES, help=f"of a run (default: {CYCLES})")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of moments and victims (default: new)")
    asked = parser.parse_args()
    models = asked.model or MODELS
    say(f"seed {asked.seed}")
    rng, failed, kills = np.random.default_rng(asked.seed), False, []
    folder = Path(tempfile.mkdtemp(prefix="kill_cycles-"))
    for number, model in enumerate(models):
        goal = asked.kills * (number + 1) // len(models)
        setup = set_up(folder / model, model, asked.cycles)
        failed |= disturb(setup, asked.cycles, goal - len(kills), kills, rng)
    say(tally(kills))
    if failed:
        say(f"runs that did not come out as they should are in {folder}")
        return 1
    shutil.rmtree(folder)
    say("all cycles as undisturbed")
    return 0


def say(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def set_up(folder: Path, model: str, n_cycles: int) -> Setup:
    """The case of a stand-in, in a new folder."""
    folder.mkdir()
    if model == "colm2014":
        return setup2014(folder, n_cycles)
    return setup202x(folder, write_example(folder / "example"), n_cycles)


def disturb(setup: Setup, n_cycles: int, n_kills: int, kills: list[Kill], rng: np.random.Generator) -> bool:
    """Runs until there have been so many kills; whether one of them went wrong."""
    began = time.monotonic()
    alone = imgda("cycle", setup.settings("alone", n=n_cycles, keep=KEEP), **WRITES_SLOWLY)
    if alone.returncode:
        raise SystemExit(alone.stdout + alone.stderr)
    seconds = time.monotonic() - began
    undisturbed, wanted, number = kept(setup.folder / "alone"), len(kills) + n_kills, 0
    say(f"{setup.kind}: {n_cycles} cycles in {seconds:.0f} s, {len(undisturbed)} files to compare")
    failed = False
    while len(kills) < wanted:
        began, how = time.monotonic(), ANALYSES[number % len(ANALYSES)]
        settings = setup.settings(f"run{number}", n=n_cycles, keep=KEEP, cycle=how)
        trial = Trial(setup, settings, rng, seconds / KILLS_OF_A_RUN, AIMED, WRITES_SLOWLY)
        trial.until_done(wanted - len(kills))
        trial.faults += [] if trial.faults else faults_of(trial.run, undisturbed)
        kills += trial.kills
        failed |= bool(trial.faults)
        said = "\n".join(trial.faults[:MOST_SAID]) or "as undisturbed"
        say(f"  run {number}: {len(trial.kills)} kills, {time.monotonic() - began:.0f} s, {said}")
        number += 1
    return fill(setup, n_cycles, seconds, undisturbed, rng) or failed


def fill(setup: Setup, n_cycles: int, seconds: float, undisturbed: dict[str, object], rng: np.random.Generator) -> bool:
    """A run on a file system that is full again and again; whether it went wrong."""
    folder, faults, said = setup.folder / "full", [], []
    settings = setup.settings("full", n=n_cycles, keep=KEEP)
    settings.write_text(settings.read_text().replace('"full"', '"full/run"'))
    with small_disk(folder, DISK) as is_mounted:
        if not is_mounted:
            say("  no file system can be mounted here: none was filled")
            return False
        status = None
        while status != 0 and not faults:
            with started("cycle", settings, **WRITES_SLOWLY) as driver:
                with suppress(subprocess.TimeoutExpired):
                    driver.wait(rng.exponential(seconds / FILLS) if len(said) < FILLS else None)
                is_full = driver.poll() is None
                while driver.poll() is None:
                    fill_up(folder / "other")
                    time.sleep(0.001)
                answer, status = driver.communicate()[0], driver.returncode
            if status not in ((0, 2) if is_full else (0,)):
                faults.append(f"status {status} on a disk that is {'' if is_full else 'not '}full:\n{answer}")
            said += [line for line in answer.splitlines() if line.startswith("error: ")][:1]
            (folder / "other").unlink(missing_ok=True)
        faults += faults_of(folder / "run", undisturbed)
    say("\n    ".join([f"  full {len(said)} times:", *faults[:MOST_SAID], *sorted(set(said))]))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
