"""Opens what a report is made of: every folder by what lies in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mpi4py import MPI
from pydantic import ValidationError

from imgda_mpi.arrays import BoolArray
from imgda_mpi.colm.soil_layers import LAYERS
from imgda_mpi.faults import ConfigError, InputError, fault, settled_by
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.histories.read import open_series
from imgda_mpi.histories.run import open_run_folder
from imgda_mpi.report.material import Beside, Curves, Material, Ran, Wanted
from imgda_mpi.report.theme import UNIT
from imgda_mpi.report.twin_table import twin_table
from imgda_mpi.results.analysis_file import DIAGNOSTICS, read_analysis, read_innovation
from imgda_mpi.results.comparison_file import SavedComparison, read_comparison
from imgda_mpi.results.field_scores_file import FieldScores, read_field_scores
from imgda_mpi.results.innovations_file import read_innovations
from imgda_mpi.results.manifest import MANIFEST
from imgda_mpi.results.propagation_file import read_propagation
from imgda_mpi.results.run_folder import RUN_FILE, open_run
from imgda_mpi.results.run_records import ANALYSIS
from imgda_mpi.results.scores_file import read_scores
from imgda_mpi.results.station_scores_file import StationVerification, read_station_scores
from imgda_mpi.results.truth_file import TruthFile, read_truth
from imgda_mpi.results.twin_folder import TwinPaths
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.observations import Gldas
from imgda_mpi.settings.twin import CONTROL, NATURE, Instrument, Twin
from imgda_mpi.settings.verify import Fluxes2014, History202x, OfRun, Verification
from imgda_mpi.verify.innovations import RunInnovations
from imgda_mpi.verify.propagation import Propagation
from imgda_mpi.verify.regions import BOXES, cells_of
from imgda_mpi.verify.status import FIT, INDEPENDENT, SAME_PRODUCT
from imgda_mpi.workflow.report_scores import curves_of_twin, curves_of_verification
from imgda_mpi.workflow.verify_covers import covers_of_runs
from imgda_mpi.workflow.verify_innovations import innovations_of
from imgda_mpi.workflow.verify_inputs import Inputs

log = logging.getLogger(__name__)

Read = TypeVar("Read")

COMPARISON, VERIFICATION = "comparison.nc", "verification.txt"


@dataclass(eq=False)
class _Found:
    """What has been opened so far."""

    kinds: list[str] = field(default_factory=list)
    preface: str = ""
    runs: dict[Path, Ran] = field(default_factory=dict)
    beside: dict[str, Beside] = field(default_factory=dict)
    curves: list[Curves] = field(default_factory=list)
    fields: list[FieldScores] = field(default_factory=list)
    score_maps: list[Path] = field(default_factory=list)
    stations: list[StationVerification] = field(default_factory=list)
    innovations: list[RunInnovations] = field(default_factory=list)
    reach: list[Propagation] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    comparison: SavedComparison | None = None
    notes: list[str] = field(default_factory=list)

    def read(self, read: Callable[[], Read]) -> Read | None:
        """What is read; None, with a note, where it is damaged: a report goes without it."""
        try:
            return read()
        except InputError as err:
            log.warning("left out: %s", err)
            self.notes.append(f"Left out: {err}.")
            return None

    def read_each(self, read: Callable[[Path], Read], files: Iterable[Path]) -> list[Read]:
        """Of files, those that are not damaged."""
        every = [self.read(partial(read, file)) for file in files]
        return [one for one in every if one is not None]


def open_material(folders: Sequence[Path], wanted: Wanted, truth: TruthFile | None) -> Material:
    """Open folders of analyses, runs, twin experiments, comparisons and verifications. Not collective.

    Histories and images are opened where they are looked at.

    Raises
    ------
    InputError
        Where a folder holds none of these, or what describes it is damaged.
    ConfigError
        Where ``truth`` is given and there is not one analysis alone.
    """
    found = _Found()
    for folder in folders:
        _opener(folder)(folder, found)
    runs = _named(found.runs)
    if truth is not None and (len(runs) != 1 or runs[0].run is not None):
        what = found.kinds[0] if len(folders) == 1 else f"{len(folders)} folders"
        raise ConfigError(f"--truth {truth.path}: is for one analysis alone, and not for {what}; leave it out")
    image = None
    if truth is not None:
        with settled_by("--truth"):
            image = read_truth(truth, read_analysis(runs[0].analyses[0] / DIAGNOSTICS))
    return Material(
        title=_title(found.kinds, folders),
        folders=folders,
        wanted=wanted,
        preface=found.preface,
        runs=runs,
        beside=sorted(found.beside.values(), key=_is_no_judge),
        curves=sorted(found.curves, key=_is_no_judge),
        fields=found.fields,
        score_maps=found.score_maps,
        stations=found.stations,
        innovations=[*found.innovations, *(found.read(lambda: _innovations(runs, found.innovations, wanted)) or [])],
        reach=found.reach,
        table="\n\n".join(found.tables),
        comparison=found.comparison,
        covers=_covers(runs),
        truth=image,
        notes=found.notes,
    )


def _opener(folder: Path) -> Callable[[Path, _Found], None]:
    """What opens a folder, by what is in it."""
    kinds = {
        COMPARISON: _comparison,
        VERIFICATION: _verification,
        TwinPaths(folder).scores.name: _twin,
        RUN_FILE: _run,
        DIAGNOSTICS: _analysis,
    }
    for file, opener in kinds.items():
        if (folder / file).is_file():
            return opener
    *others, last = kinds
    runs = ", ".join(sorted(file.parent.name for file in folder.glob(f"*/{RUN_FILE}")))
    there = f"no {', '.join(others)} or {last}{f' (runs in it: {runs})' * bool(runs)}"
    raise fault(
        folder,
        found=there if folder.is_dir() else "a file" if folder.exists() else "no such folder",
        expected="the output folder of an analysis, a comparison, a verification, a run or a whole twin experiment",
        do="give the output directory of its settings",
    )


def _analysis(folder: Path, found: _Found) -> None:
    saved = read_analysis(folder / DIAGNOSTICS)
    found.kinds.append("an analysis")
    found.runs[folder.resolve()] = Ran(name=_name(folder), directory=folder, times=[saved.time], analyses=[folder])


def _run(folder: Path, found: _Found, name: str = "") -> None:
    run = open_run(folder)
    every = [cycle for cycle in run.cycles() if cycle.record.analysis is not None]
    # Where all are gone, none is left out: a run without analyses is a control.
    analysed = [cycle for cycle in every if (cycle.directory / ANALYSIS / DIAGNOSTICS).is_file()] or every
    if len(analysed) < len(every):
        found.notes.append(f"{len(every) - len(analysed)} of {len(every)} analyses of {folder} have no {DIAGNOSTICS}.")
    found.kinds.append("a run")
    found.runs.setdefault(
        folder.resolve(),
        Ran(
            name=name or _name(folder),
            directory=folder,
            run=run,
            times=[cycle.record.time for cycle in analysed],
            analyses=[cycle.directory / ANALYSIS for cycle in analysed],
            opened=lambda: open_run_folder(folder, layers=LAYERS),
        ),
    )


def _twin(folder: Path, found: _Found) -> None:
    there = TwinPaths(folder)
    settings = read_settings(there.settings, Twin)
    for name in settings.runs:
        _run(folder / name, found, name)
    found.kinds[:] = [*found.kinds[: -len(settings.runs)], "a twin experiment"]
    found.preface = _of_twin(settings.instrument)
    layers = dict.fromkeys(LAYERS, INDEPENDENT)
    nature = folder / NATURE
    found.beside["truth"] = Beside(name="truth", status=layers, opened=lambda: open_run_folder(nature, layers=LAYERS))
    rows = read_scores(there.scores)
    if not rows:
        do = "run the twin experiment again, which goes on"
        raise fault(there.scores, found="no scores", expected="scores of the runs", do=do)
    times = sorted({row.time for row in rows})
    how = Gldas(kind="gldas", file=there.images, max_time_offset=0.0).values()
    found.beside["image"] = Beside(
        name="image",
        status={layer: FIT if layer == LAYERS[0] else SAME_PRODUCT for layer in LAYERS},
        opened=lambda: _gldas(how, times),
    )
    found.curves += curves_of_twin(rows)
    found.reach += found.read(lambda: read_propagation(there.propagation)) or []
    analyses = settings.cycle.first_analysis, settings.cycle.last_analysis
    found.tables.append(twin_table(rows, found.reach, CONTROL, analyses))


def _of_twin(instrument: Instrument) -> str:
    return (
        "This is a twin experiment: all of it is made up. Soil columns stand in for the model; the truth is another "
        "run of them, with other soils, rain and start; the images are that truth with errors, "
        f"{instrument.white:g} {UNIT} of each pixel alone and {instrument.coherent:g} {UNIT} alike over about "
        f"{instrument.length:g} km."
    )


def _gldas(how: Mapping[str, Any], times: Sequence[Any]) -> ImageSeries:
    kept = {name: how[name] for name in ("file", "max_time_offset", "valid_range", "mask")}
    return open_series("gldas", layers=LAYERS, times=times, **kept)


def _comparison(folder: Path, found: _Found) -> None:
    if found.comparison is not None:
        raise ConfigError(f"{folder}: is a second comparison; report one at a time")
    found.kinds.append("a comparison")
    found.comparison = read_comparison(folder / COMPARISON)


def _verification(folder: Path, found: _Found) -> None:
    found.kinds.append("a verification")
    fields = found.read_each(read_field_scores, sorted(folder.glob("scores_field_*.nc")))
    found.fields += fields
    curves = [curves_of_verification(scores) for scores in fields]
    found.curves += [one for one in curves if one.rows]
    found.score_maps += sorted(folder.glob("scores_map_*.nc"))
    found.stations += found.read_each(read_station_scores, sorted(folder.glob("scores_stations_*.nc")))
    for runs in found.read_each(read_innovations, folder.glob("innovations.nc")):
        found.innovations += runs
    settings = found.read(lambda: _settings_of(folder))
    if settings is None:
        return
    times = settings.all_times or sorted({time for scores in fields for time in scores.times})
    statuses = {scores.name: dict(zip(scores.layers, scores.status[0], strict=True)) for scores in fields}
    for name, section in settings.runs.items():
        if isinstance(section, OfRun):
            found.read(partial(_of_verification, section.directory, found, name))
            continue
        opened = _series(section, settings, times)
        path = Path(section.files if isinstance(section, History202x | Fluxes2014) else section.file)
        found.runs.setdefault(path, Ran(name=name, directory=path, opened=opened))
    for name, of_images in settings.images.items():
        status = statuses.get(name, {})
        opened = _series(of_images, settings, times)
        found.beside[name] = Beside(name=name, status=status, opened=opened, regridding=of_images.regridding)


def _of_verification(folder: Path, found: _Found, name: str) -> None:
    _run(folder, found, name)
    found.kinds.pop()  # the kind is that of the verification


def _series(section: Any, settings: Verification, times: Sequence[Any]) -> Callable[[], ImageSeries]:
    how = section.values("assimilated", "regridding")
    return lambda: open_series(section.kind, layers=settings.layers, times=times, **how)


def _settings_of(folder: Path) -> Verification:
    """The settings in force of a verification."""
    path = folder / MANIFEST
    do = "verify again"
    try:
        text = json.dumps(json.loads(path.read_text())["settings"])
        return Verification.model_validate_json(text, context={"base": folder})
    except (OSError, ValueError, KeyError, ValidationError) as err:
        found = f"settings that cannot be understood ({type(err).__name__})"
        raise fault(path, found=found, expected="the manifest of a verification", do=do) from err


def _name(folder: Path) -> str:
    return folder.resolve().name


def _named(runs: Mapping[Path, Ran]) -> list[Ran]:
    """Runs with a name each: of those of one name also that of the folder above; the control first."""
    names = [ran.name for ran in runs.values()]
    for path, ran in runs.items():
        if names.count(ran.name) > 1:
            object.__setattr__(ran, "name", f"{path.parent.name}/{ran.name}")
    return sorted(runs.values(), key=lambda ran: bool(ran.analyses) or not (ran.run is None or ran.is_free))


def _is_no_judge(one: Beside | Curves) -> bool:
    """What is independent comes first."""
    return INDEPENDENT not in one.status.values()


def _folders(runs: Sequence[Ran]) -> dict[str, Path]:
    return {ran.name: ran.directory for ran in runs if ran.run is not None}


def _innovations(runs: Sequence[Ran], known: Sequence[RunInnovations], wanted: Wanted) -> list[RunInnovations]:
    """Of all analyses of run folders whose innovations are not known yet."""
    names = {run.name for run in known}
    analysed = [ran for ran in runs if ran.run is not None and ran.analyses and ran.name not in names]
    if not analysed:
        return []
    grid = read_innovation(analysed[0].analyses[0] / DIAGNOSTICS).grid
    boxes = {name: box for name, box in {**BOXES, **wanted.boxes}.items() if cells_of(grid, box).any()}
    inputs = Inputs(runs={}, grid=grid, times=(), window=None, periods={}, boxes=boxes, layers=LAYERS)
    return innovations_of(_folders(analysed), inputs, MPI.COMM_SELF) or []


def _covers(runs: Sequence[Ran]) -> Callable[[Grid], Mapping[str, BoolArray]]:
    return lambda grid: covers_of_runs(_folders(runs), grid)


def _title(kinds: Sequence[str], folders: Sequence[Path]) -> str:
    names = ", ".join(_name(folder) for folder in folders)
    what = kinds[0][2:].capitalize() if len(folders) == 1 and kinds[0].startswith("a ") else "Analysis"
    return f"{what}: {names}" if len(folders) == 1 else f"Report of {names}"
