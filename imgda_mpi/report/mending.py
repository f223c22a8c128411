"""What a user should look at or mend of what a report is made of, each in a sentence that says what to do."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from imgda_mpi.report.innovations_words import APPLIED, BIAS, CHI2_LIMITS, SURE
from imgda_mpi.report.material import Material, Ran
from imgda_mpi.report.theme import UNIT, moment
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis
from imgda_mpi.results.run_folder import LOG
from imgda_mpi.results.run_records import ANALYSIS
from imgda_mpi.verify.innovations import RunInnovations

REFUSED = 0.1
"""Of the cells of an analysis, from which on those that could not follow the increment are named."""

REJECTED = 0.1
"""Of the pixels with a value, from which on those that are rejected are named."""

WARNING, NUMBER = "warning: ", re.compile(r"[-+]?\d[\d.]*")
"""Before the words of a warning in the log of an analysis, and what differs in those of one kind."""

ALL = 0
"""Number of the region, and of the period, that have everything."""

TOO_SMALL = (
    "Innovations are larger than the errors used say ({}): [errors] observation or the background's errors should be "
    "larger."
)
TOO_LARGE = (
    "Innovations are smaller than the errors used say ({}): [errors] observation or the background's errors should be "
    "smaller."
)
HELD_BACK = (
    "Bounds of the soil and frozen ground let only part of the increments through ({}): where it is not frost, the "
    "observation's level or noise is not the model's."
)
BIASED = (
    "Observation minus background is biased ({} on average): bring the observations to the model's climate before, "
    "nothing removes a bias."
)


def to_mend(material: Material) -> list[str]:
    """Sentences; none where nothing stands out.

    Raises
    ------
    InputError
        Where the diagnostics of an analysis are damaged.
    """
    said = [*material.notes]
    for ran in material.runs:
        said += _of_run(ran)
    warned = _warnings(material.assimilations)
    said += warned + _of_innovations(material.innovations, has_warnings=bool(warned))
    if material.assimilations and material.control is None and any(ran.run for ran in material.runs):
        said.append('There is no run without analyses to hold this beside: make one with method = "none".')
    for stations in material.stations:
        said += [f"Stations {stations.name}: {lag}." for lag in stations.lags if lag.doubtful]
    return said


def _of_run(ran: Ran) -> list[str]:
    """Whether a run is whole, and what its analyses refused."""
    said = []
    if ran.run is not None:
        end = ran.cycles[-1].record.end if ran.cycles else ran.run.description.start
        if end < ran.run.description.end:
            until, whole = moment(end), moment(ran.run.description.end)
            said.append(f"{ran.name} has come to {until} and ends on {whole}: the command that began it goes on.")
        return said + _of_pixels(ran)
    return _of_bounds(ran) + _of_pixels(ran)


def _warnings(runs: Sequence[Ran]) -> list[str]:
    """What analyses of run folders warned of as they ran, each kind with its first words, and how often it came."""
    words: dict[str, str] = {}
    numbers: dict[str, Counter[str]] = {}
    for ran in runs:
        for folder in ran.analyses if ran.run is not None else ():
            log = folder.parent / LOG / f"{ANALYSIS}.txt"
            lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
            for warning in {line.removeprefix(WARNING) for line in lines if line.startswith(WARNING)}:
                kind = NUMBER.sub("#", warning)
                words.setdefault(kind, warning)
                numbers.setdefault(kind, Counter())[ran.name] += 1
    n_analyses = {ran.name: len(ran.analyses) for ran in runs}
    return [
        f"Warned of in {', '.join(f'{n} of {n_analyses[name]} analyses of {name}' for name, n in often.items())}: "
        f"{words[kind].replace('m3 m-3', UNIT)}."
        for kind, often in numbers.items()
    ]


def _of_bounds(ran: Ran) -> list[str]:
    """Where many cells of an analysis alone could not follow the increment; of runs the innovations say it."""
    said = []
    for folder, account in zip(ran.analyses, ran.accounts, strict=True):
        n_cells = int(np.isfinite(read_analysis(folder / DIAGNOSTICS).background).sum())
        n_refused = account.cells.get("refused", 0)
        if n_refused > REFUSED * n_cells:
            said.append(
                f"{ran.name}: in {n_refused} of {n_cells} cells all layers of some soil came to a bound: the "
                "observation's level is not the model's, or its noise went into the soil."
            )
    return said


def _of_pixels(ran: Ran) -> list[str]:
    """Where many pixels of the images that have a value were rejected."""
    pixels: Counter[str] = Counter()
    for account in ran.accounts:
        pixels.update(account.pixels)
    n_known = pixels["source pixels"] - pixels["missing"]
    reasons = {reason: pixels[reason] for reason in ("masked", "below range", "above range") if pixels[reason]}
    if not sum(reasons.values()) > REJECTED * n_known:
        return []
    named = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    return [f"{ran.name}: of {n_known} pixels with a value are {named}: see valid_range and mask of [observation]."]


def _of_innovations(runs: Sequence[RunInnovations], *, has_warnings: bool) -> list[str]:
    """Errors that the innovations surely contradict, biases, and analyses that are missing.

    What bounds hold back is left out where the analyses have warned of it themselves.
    """
    missing = [f"{run.name} {run.n_passed}" for run in runs if run.n_passed]
    said = [f"Analyses are missing between the first and the last ({', '.join(missing)}): see `status`."] * bool(
        missing
    )
    judged = [run for run in runs if run.times.size and run.gain not in ("none", "whole")]
    found: dict[str, list[str]] = {}
    for run in judged:
        for advice, number in _doubtful(run):
            if advice == HELD_BACK and has_warnings:
                continue
            found.setdefault(advice, []).append(f"{run.name} {number}")
    return said + [advice.format(", ".join(numbers)) for advice, numbers in found.items()]


def _doubtful(run: RunInnovations) -> Iterator[tuple[str, str]]:
    """What is to be done about a run, with a gap for numbers, and its number."""
    values = {name: float(of[ALL, ALL]) for name, of in run.values.items()}
    errors = {name: float(np.nan_to_num(of[ALL, ALL])) for name, of in run.errors.items()}
    chi2, margin = values["chi2"], SURE * errors["chi2"]
    if chi2 - margin > CHI2_LIMITS[1]:
        yield TOO_SMALL, f"{math.sqrt(chi2):.2g} times"
    if chi2 + margin < CHI2_LIMITS[0]:
        yield TOO_LARGE, f"{math.sqrt(chi2):.2g} times"
    if values["applied"] < APPLIED:
        yield HELD_BACK, f"{100 * values['applied']:.0f}\N{NO-BREAK SPACE}%"
    mean, sd = values["mean_ob"], values["sd_ob"]
    if abs(mean) - SURE * errors["mean_ob"] > BIAS * sd:
        yield BIASED, f"{mean:+.3f} {UNIT}"
