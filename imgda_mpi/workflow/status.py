"""How far a run of cycles is."""

from __future__ import annotations

import json

from imgda_mpi.cycling.status import status_of
from imgda_mpi.faults import settled_by
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.workflow.cycle_parts import existing_run, windows_of


def status(settings: CycleRun, *, as_json: bool) -> str:
    """What is complete, under way and left of a run, as text or as JSON. Not collective.

    Raises
    ------
    InputError
        Where the folder of the run, or a complete cycle in it, cannot be read.
    OutputError
        Where it is a run of other settings; it says what differs.
    """
    directory, windows = settings.output.directory, windows_of(settings)
    with settled_by("[output] directory"):
        run = existing_run(settings)
    if run is None:
        nothing = {"state": "not begun", "cycles": {"done": 0, "left": len(windows)}}
        return json.dumps(nothing) if as_json else f"not begun: {len(windows)} cycles to make in {directory}"
    found = status_of(run, windows)
    return json.dumps(found.as_json(), indent=1) if as_json else found.as_text()
