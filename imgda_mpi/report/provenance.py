"""Where results come from: the program, versions, seed, settings in force, and inputs with checksums."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from imgda_mpi.console import columns
from imgda_mpi.faults import reading
from imgda_mpi.report.material import Material
from imgda_mpi.report.picture import Section, Table
from imgda_mpi.report.theme import moment
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.manifest import read_inputs, read_versions
from imgda_mpi.results.run_folder import RUN_FILE, SETTINGS_FILE, Run


def provenance_section(material: Material) -> Section | str:
    """Of every run, and of the analysis that is shown alone."""
    runs = {ran.name: ran.run for ran in material.runs if ran.run is not None}
    if material.shown is None and not runs:
        return "there is neither an analysis nor a run in what was given"
    tables, details = [], {}
    if runs:
        tables.append(_runs(runs))
        for name, run in runs.items():
            details[f"{name}: settings"] = _text(run.directory / SETTINGS_FILE)
            details[f"{name}: what it is, and versions"] = _text(run.directory / RUN_FILE)
    if material.shown is not None:
        folder, account = material.shown
        inputs, versions = read_inputs(folder), read_versions(folder)
        tables.append(_analysis(account, len(inputs)))
        details["The analysis: settings in force"] = json.dumps(account.settings, indent=1)
        if account.facts and runs:  # Those of an analysis alone are with its innovations.
            details["The analysis: numbers that the method found"] = _facts(account)
        if versions:
            details["The analysis: versions"] = columns(list(versions.items()), "<<")
        if inputs:
            lines = [(str(file), str(size), of_file) for file, (size, of_file) in inputs.items()]
            details["The analysis: inputs, bytes and SHA-256"] = columns([("file", "bytes", "sha256"), *lines], "<><")
    return Section(tables=tables, details=details)


def _runs(runs: Mapping[str, Run]) -> Table:
    lines: list[tuple[str, ...]] = [("run", "model", "start", "end", "first analysis", "last analysis", "seed")]
    for name, run in runs.items():
        what = run.description
        times = (what.start, what.end, what.first_analysis, what.last_analysis)
        said = ("-" if time is None else f"{time:%Y-%m-%d %H}" for time in times)
        lines.append((name, what.model, *said, "-" if what.seed is None else str(what.seed)))
    return Table("Runs; times in UTC, hours", lines)


def _analysis(account: Account, n_inputs: int) -> Table:
    said = {
        "program": account.program,
        "method": account.method,
        "scales": account.labels.get("scales", "-"),
        "restart": account.restart,
        "observation": account.observation_source,
        "seed": str(account.seed),
        "ranks": str(account.n_ranks),
        "FFT plans": account.fft_plans or "-",
        "inputs": f"{n_inputs} file{'' if n_inputs == 1 else 's'}",
    }
    return Table(f"The analysis of {moment(account.time)}", [("what", "value"), *said.items()])


def _facts(account: Account) -> str:
    """Numbers that the method found, with unit and meaning."""
    lines = [(name, f"{one.value:.5g}", one.unit, one.meaning) for name, one in account.facts.items()]
    return columns([("number", "value", "unit", "what it is"), *lines], "<><<")


def _text(path: Path) -> str:
    with reading(path, expected="what describes a run", do="give the whole folder of the run"):
        return path.read_text()
