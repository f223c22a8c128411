#!/usr/bin/env python3
"""Feeds damaged input of every kind to `check` and the verb that it is for, and looks at what they make of it.

    . tools/env.sh
    python tools/fuzz.py FOLDER                   1000 mutants of small cases; given again it goes on
    python tools/fuzz.py FOLDER --mutants 3000    more of them
    python tools/fuzz.py FOLDER --seed 2          others
    python tools/fuzz.py FOLDER --only 17         one alone: what is said in full, and its inputs are kept

A mutant is a case with one file changed: its bytes, what it holds, or settings. Mutant i of a seed is always the same.
FOLDER gets the cases, which the program writes itself, and a line of results-SEED.jsonl for each mutant.

What becomes of a mutant is, the worst first,

    signal       the process was killed, as by a segmentation fault
    hang         no end after --limit seconds
    traceback    instead of a message
    absurd       a result that cannot be: not finite, outside the soil's bounds, other bits where nothing is to change,
                 an increment or a score beyond any; inputs changed, or files left over
    disagree     `check` finds nothing and the verb refuses, or the other way round
    unnamed      a refusal that names neither a file nor a setting
    stray        a warning of Python or of a library among the messages
    moved        done without a new warning, and the analysis is another one (0.05 m3 m-3 root mean square)
    warned       done, with warnings that the undisturbed case has not
    done         done, as the undisturbed case
    refused      an error for the user, status 2 to 5
    library      as the first two, inside of the NetCDF or HDF5 library: nobody can mend it here

Ends with status 1 where there is any of the first four.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import hashlib
import io
import json
import linecache
import multiprocessing
import os
import re
import resource
import shutil
import signal
import stat
import sys
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from fuzz_bytes import BYTES, RECORDS, SETTINGS, TABLE, WHOLE, Rng, pick
from fuzz_cases import CHECKED_ALONE, VERB, Input, inputs, linked, write_cases
from fuzz_judge import FAULTS_OF, distance
from fuzz_structure import STRUCTURE

from imgda_mpi import cli

OUTCOMES = (
    *("signal", "hang", "traceback", "absurd", "disagree", "unnamed", "stray", "moved", "warned", "done", "refused"),
    "library",
)
FAULTS = OUTCOMES[:4]
TOLD = (*OUTCOMES[:8], "library")
"""Of which every mutant is listed."""

LIMIT = 30.0  # s
MEMORY = 4 << 30  # bytes that a worker may have
LARGEST_FILE = 1 << 30  # bytes
FAR = 0.05  # m3 m-3
STRAY = re.compile(r"^.*(\w+Warning: |HDF5-DIAG|ctypes|Exception ignored).*$", re.MULTILINE)
NUMBER = re.compile(r"[-+]?\d[\d.,]*(e[-+]?\d+)?|\b(nan|inf)\b")
IN_LIBRARY = re.compile(r"\b((Dataset|File|read_direct)\(|(variable|dataset|file)\[|attrs\b|variables\b)|\[\.\.\.\]")
"""A line of Python whose call has not come back from one of the libraries."""

BY_BYTES, BY_WHOLE = 0.25, 0.08
"""Shares of mutants whose bytes are changed, and that are something else."""

WEIGHT = {"settings": 8, "observation": 8, "result": 1}
"""How often an input is chosen, else 4: users write or choose the first anew each time; pages take long."""

Record = dict[str, Any]


def main() -> int:
    """Status 1 where there are faults."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for cases and results; made if it is not there")
    parser.add_argument("--mutants", type=int, default=1000, metavar="N", help="in all (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of all mutants (default: 1)")
    parser.add_argument("--only", type=int, metavar="N", help="one mutant alone, whether or not it has been run")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"seconds for a mutant (default: {LIMIT:g})")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    folder = asked.folder.resolve()
    results = folder / f"results-{asked.seed}.jsonl"
    if asked.only is not None:
        record = next(run(folder, asked.seed, [asked.only], asked.limit))
        say(json.dumps(record, indent=1, ensure_ascii=False).replace("\\n", "\n  "))
        say(f"its inputs: {folder / 'work' / str(asked.only)}")
        return int(record["outcome"] in FAULTS)
    done = {record["number"]: record for record in read(results)}
    with results.open("a") as file:
        for record in run(folder, asked.seed, [n for n in range(asked.mutants) if n not in done], asked.limit):
            file.write(json.dumps(record) + "\n")
            file.flush()
            done[record["number"]] = record
    say(report([record for number, record in sorted(done.items()) if number < asked.mutants]))
    return int(any(record["outcome"] in FAULTS for record in done.values()))


def say(text: str) -> None:
    """Lines of the report."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def read(results: Path) -> list[Record]:
    """What has been run before; the last line may have been cut off."""
    found = []
    for line in results.read_text().splitlines() if results.is_file() else ():
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return found


def report(records: list[Record]) -> str:
    """Tables of outcomes by input and by kind of mutation, and the mutants that someone has to look at."""
    in_all = Counter(record["outcome"] for record in records)
    shown = [outcome for outcome in OUTCOMES if in_all[outcome]]
    lines = []
    for by in ("role", "kind"):
        counts = Counter((record[by], record["outcome"]) for record in records)
        lines.append("".join([f"{by:24}", *(f"{outcome:>10}" for outcome in shown)]))
        for row in sorted({record[by] for record in records}):
            lines.append("".join([f"{row:24}", *(f"{counts[row, outcome] or '':>10}" for outcome in shown)]))
    lines.append("".join([f"{f'{len(records)} mutants':24}", *(f"{in_all[outcome]:>10}" for outcome in shown)]))
    for outcome in TOLD:
        for record in (record for record in records if record["outcome"] == outcome):
            lines += [f"{outcome}, --only {record['number']}: {record['case']}/{record['file']}, {record['kind']}:"]
            lines += [f"    {record['what']}", f"    {record['why'][:300]}"]
    return "\n".join(lines)


def run(folder: Path, seed: int, numbers: list[int], limit: float):  # type: ignore[no-untyped-def]
    """Results of mutants, from one process after the other; the next one begins where one had to be killed."""
    log = folder / "worker.log"
    left = list(numbers)
    while left:
        here, there = multiprocessing.Pipe()
        worker = multiprocessing.get_context("spawn").Process(target=work, args=(there, folder, seed, left, log))
        worker.start()
        there.close()
        record: Record = {}
        try:
            while left:
                # The first message tells that the cases are there.
                if not here.poll(limit if record else 10 * limit):
                    break
                record |= here.recv()
                if "outcome" in record:
                    yield record
                    left.remove(record["number"])
                    record = {"ready": True}
        except EOFError:
            worker.join()
        if left:
            if "number" not in record:
                raise SystemExit(f"the process ended before the first mutant: see {log}")
            path = folder / "work" / str(record["number"]) / record["file"]
            yield record | _ended(worker, path, log, limit)
            left.remove(record["number"])
        worker.kill()
        worker.join()


def _ended(worker: Any, path: Path, log: Path, limit: float) -> Record:
    """What became of a mutant, whose changed file is ``path``, that did not come to its end."""
    how, name = "hang", f"after {limit:g} s"
    if worker.exitcode is None:
        os.kill(worker.pid, signal.SIGUSR1)
        time.sleep(0.5)
    else:
        how, name = (
            "signal",
            signal.Signals(-worker.exitcode).name if worker.exitcode < 0 else f"status {worker.exitcode}",
        )
    stack = log.read_text(errors="replace").rpartition("Current thread")[2]
    frames = re.findall(r'File "(.+)", line (\d+)', stack) or [("", "0")]
    line = linecache.getline(frames[0][0], int(frames[0][1])).strip()
    # What waits for a pipe is no fault of a library.
    if path.is_file() and (re.search(r"/(h5py|netCDF4)/|fuzz_judge", frames[0][0]) or IN_LIBRARY.search(line)):
        how = "library"
    where = ", ".join(f"{Path(file).name}:{number}" for file, number in frames[:5])
    return {"outcome": how, "why": f"{name} in {line!r} ({where})"}


def work(pipe: Connection, folder: Path, seed: int, numbers: list[int], log: Path) -> None:
    """Run mutants in this process, telling before each what it is and after it what became of it."""
    errors = log.open("a")
    os.dup2(errors.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    warnings.simplefilter("always")
    from mpi4py import MPI

    MPI.Finalize = lambda: None  # a verb that fails may end it: the next mutant needs it
    cases = folder / "cases"
    if not cases.is_dir():
        write_cases(cases)
    started = inputs(cases)
    pipe.send({"ready": True})
    for number in numbers:
        errors.truncate(0)
        mutant = folder / "work" / str(number)
        shutil.rmtree(mutant, ignore_errors=True)
        began = time.monotonic()
        said = make(seed, number, started, cases, mutant)
        pipe.send(said)
        ended = outcome(said, cases, mutant)
        pipe.send(ended | {"seconds": round(time.monotonic() - began, 2)})
        if len(numbers) > 1:
            shutil.rmtree(mutant, ignore_errors=True)


def make(seed: int, number: int, started: list[Input], cases: Path, mutant: Path) -> Record:
    """Lay out a mutant in a new folder, and say what it is."""
    rng = np.random.default_rng([seed, number])
    roles = sorted({source.role for source in started})
    role = pick(rng, [role for role in roles for _ in range(WEIGHT.get(role, 4))])
    source = pick(rng, [source for source in started if source.role == role])
    for _ in linked(cases / source.case, mutant):
        pass
    path, done = mutant / source.path, None
    while done is None:
        path.unlink(missing_ok=True)
        shutil.copy(cases / source.case / source.path, path)
        with contextlib.suppress(LookupError, OSError, RuntimeError, TypeError, ValueError):  # not of every file
            done = mutated(rng, path)
    kind, what = done
    return {
        "number": number,
        "case": source.case,
        "file": str(source.path),
        "role": role,
        "kind": kind,
        "what": what,
    }


def mutated(rng: Rng, path: Path) -> tuple[str, str]:
    """Change a file in place; the kind of mutation, and what it did."""
    chance = rng.random()
    if path.suffix in (".nc", ".nc4"):
        own = STRUCTURE if h5py.is_hdf5(path) else BYTES
    else:
        own = {".toml": SETTINGS, ".csv": TABLE, ".json": BYTES}.get(path.suffix, RECORDS)
    mutation = pick(rng, WHOLE if chance < BY_WHOLE else BYTES if chance < BY_WHOLE + BY_BYTES else own)
    name = mutation.__name__.replace("_", " ")
    if mutation not in STRUCTURE:
        return name, mutation(rng, path)
    with h5py.File(path, "r+") as file:
        return name, mutation(rng, file)


def outcome(mutant: Record, cases: Path, folder: Path) -> Record:
    """Check a mutant, do what it is for, and judge both."""
    name = VERB.get(mutant["case"], "analyse")
    settings = folder / (mutant["file"] if mutant["case"] == CHECKED_ALONE else "case.toml")
    if name == "report":
        commands = [(name, folder / Path(mutant["file"]).parts[0], "--output", folder / "page")]
    elif mutant["case"] == CHECKED_ALONE:
        commands = [("check", settings)]
    else:
        commands = [("check", settings), (name, settings)]
    before, why, status, said = state(folder), [], [], ""
    for command in commands:
        code, told = ran(*command)
        status.append(code)
        said += f"{told}\n"
        if command[0] == "check" and state(folder) != before:
            why.append("check changed or left files")
    record: Record = {"status": status, "said": said[-6000:]}
    refusals = [line for line in said.splitlines() if line.startswith("error: ")]
    if "Traceback (most recent call last)" in said or not {*status} <= {0, 2, 3, 4, 5}:
        lines = [line for line in said.splitlines() if re.match(r"\w+(\.\w+)*(Error|Exception|Interrupt)\b", line)]
        return record | {"outcome": "traceback", "why": f"status {status}: {'; '.join(dict.fromkeys(lines))}"}
    result = re.search(r"(?m)^(?:result in|all tables are in) (.+?)(?:/verification\.txt)?$", said)
    output = Path(result[1]) if result else folder / ("page" if name == "report" else "nothing")
    after = {path: kept for path, kept in state(folder).items() if output not in (path, *path.parents)}
    if status[-1] == 0:
        after = {path: kept for path, kept in after.items() if path not in output.parents or path in before}
    if after != before:
        why += [f"inputs changed or files left: {sorted(str(p) for p in after.keys() ^ before.keys())[:5]}"]
    if status[-1] == 0:
        judge = FAULTS_OF.get(commands[-1][0])
        why += judge(folder, output) if judge else []
    elif output.exists():
        why += [f"what was refused left {output}"]
    if why:
        return record | {"outcome": "absurd", "why": "; ".join(why)}
    if len({code == 0 for code in status}) > 1:
        return record | {"outcome": "disagree", "why": f"status {status}: {refusals[-1:]}"}
    stray = STRAY.search(said)
    if stray:
        return record | {"outcome": "stray", "why": stray[0]}
    if status[0]:
        named = all(str(folder) in line or "[" in line or mutant["role"] == "settings" for line in refusals)
        return record | {"outcome": "refused" if named and refusals else "unnamed", "why": (refusals or [said])[-1]}
    if mutant["case"] == CHECKED_ALONE or name == "report":  # a page says what of it could not be made
        return record | {"outcome": "done", "why": ""}
    undisturbed = cases / f"{mutant['case']}.analysis"
    new = kinds(said, folder) - kinds((undisturbed / "said.txt").read_text(), cases)
    if new:
        return record | {"outcome": "warned", "why": "; ".join(sorted(new))}
    if name != "analyse":
        return record | {"outcome": "done", "why": ""}
    far = distance(output, undisturbed)
    return record | {"outcome": "moved" if far > FAR else "done", "why": f"{far:.3f} m3 m-3 from the undisturbed"}


def ran(*command: object) -> tuple[int, str]:
    """Status and output of a verb in this process."""
    text = io.StringIO()
    with contextlib.redirect_stderr(text), contextlib.redirect_stdout(text):
        try:
            status = cli.main([str(word) for word in command])
        except BaseException:
            traceback.print_exc()
            status = 1
    return status, text.getvalue()


def kinds(said: str, folder: Path) -> set[str]:
    """Warnings without numbers and folders."""
    lines = [line for line in said.splitlines() if line.startswith("warning: ")]
    return {NUMBER.sub("#", re.sub(rf"{re.escape(str(folder))}\S*/", "", line))[:60] for line in lines}


def state(folder: Path) -> dict[Path, Any]:
    """All that lies in a folder, with checksums of files."""
    found: dict[Path, Any] = {}
    for path in folder.rglob("*"):
        mode = path.lstat().st_mode
        found[path] = hashlib.sha256(path.read_bytes()).digest() if stat.S_ISREG(mode) else stat.S_IFMT(mode)
    return found


if __name__ == "__main__":
    sys.exit(main())
