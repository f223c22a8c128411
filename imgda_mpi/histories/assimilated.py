"""Whether a run has assimilated a product that it is held against."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from imgda_mpi.disk import checksum
from imgda_mpi.faults import fault, reading
from imgda_mpi.netcdf import resolve
from imgda_mpi.results.manifest import read_inputs
from imgda_mpi.results.run_folder import MEND_RUN, SETTINGS_FILE, Cycle, Run, open_run
from imgda_mpi.results.run_records import ANALYSIS


def assimilated_by(directory: Path, file: Path | str) -> bool:
    """Whether one of the analyses of a run was given a file of a product. Not collective.

    The product's file at the time of each analysis is looked for among what that has read: by its path, or, under
    another name, by its content. Where an analysis does not say what it has read, the settings of the run do.

    Parameters
    ----------
    directory : of the run
    file : of the product, may contain strftime fields

    Raises
    ------
    InputError
        Where the folder is that of no run, or what it says cannot be understood.
    """
    run = open_run(directory)
    contents: dict[tuple[Path, int], str] = {}
    for cycle in run.cycles():
        if cycle.record.analysis is None:
            continue
        own = resolve(file, cycle.record.time).resolve()
        inputs = read_inputs(cycle.directory / ANALYSIS)
        if own in {path.resolve() for path in inputs or _settings_file(run, cycle)}:
            return True
        if not own.is_file():
            continue
        size = own.stat().st_size
        for of_size, digest in inputs.values():
            if of_size == size:
                contents.setdefault((own, size), checksum(own))
                if contents[own, size] == digest:
                    return True
    return False


def _settings_file(run: Run, cycle: Cycle) -> Iterator[Path]:
    """The observation that a run's settings name for a cycle; nothing where they name none."""
    path = run.directory / SETTINGS_FILE
    with reading(path, expected="the settings of a run", do=MEND_RUN):
        text = path.read_text()
    try:
        file = tomllib.loads(text).get("observation", {}).get("file")
    except (tomllib.TOMLDecodeError, AttributeError) as err:
        raise fault(path, found=str(err), expected="the settings of a run", do=MEND_RUN) from err
    if isinstance(file, str):
        yield resolve(run.directory / file, cycle.record.time)
