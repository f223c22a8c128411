"""Whether what a verb wrote can be: read with h5py, csv and by the layout of Fortran records, not by the package."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# As in the model's documentation: m, kg m-3.
NODE = 0.025 * (np.exp(0.5 * (np.arange(1, 11) - 0.5)) - 1.0)
THICKNESS = np.array([(NODE[0] + NODE[1]) / 2, *((NODE[2:] - NODE[:-2]) / 2), NODE[9] - NODE[8]])
WATER, ICE = 1000.0, 917.0
N_SNOW = 5

MAY_CHANGE = {"wliq_soisno", "wa"}
NOT_COMPARED = {"imgda_mpi_assimilated", "DIMENSION_LIST", "REFERENCE_LIST"}
"""Attributes that an analysis adds, and that point into the file."""

STATE = {"wliq_soisno": (25, 15), "wice_soisno": (40, 15), "wa": (93, 1)}
"""Of CoLM2014: reals per patch before a variable, and its own."""

UNTOUCHED = ((0, 25), (40, 93), (94, 128))
"""The reals per patch that an analysis leaves alone."""

CORRELATION, DISTANCE = (-1 - 1e-6, 1 + 1e-6), (0.0, 1.0)
LIMITS = {
    **dict.fromkeys(("scc", "correlation", "anomaly_correlation"), CORRELATION),
    **dict.fromkeys(("ubrmse", "rmse"), DISTANCE),
    "bias": (-1.0, 1.0),
}
"""Of scores, by how their names begin."""

MOST_INCREMENT = 0.6  # m3 m-3: from nothing to the wettest soil
MEMBERS = ("m1", "m2", "m3", "m4")
"""Folders whose files have the names of the background's."""

LARGEST_CHANGE_OF_AQUIFER = 2000.0  # mm, more than the pores of a column hold
ROUNDING = 1e-6  # kg m-2


def faults(case: Path, output: Path) -> list[str]:
    """What is wrong with the result of an analysis of a case, which itself may be damaged; nothing where all can be."""
    found = []
    try:
        json.loads((output / "manifest.json").read_text())
        found += _of_image(output / "diagnostics.nc")
        written = [path for path in (output / "restart").rglob("*") if path.is_file() and path.suffix != ".json"]
        found += [] if written else ["no restart was written"]
        for path in written:
            before = _same_name(case, output, path.name)
            found += [
                f"{path.name}: {text}" for text in (_of_block if path.suffix == ".nc" else _of_site)(before, path)
            ]
    except Exception as err:  # what cannot be read here is no result, whatever the reason
        found.append(f"cannot be judged: {type(err).__name__}: {err}")
    return found


def faults_of_scores(_: Path, output: Path) -> list[str]:
    """What is wrong with the tables of a verification."""
    try:
        json.loads((output / "manifest.json").read_text())
        tables = sorted(output.glob("*.csv"))
        found = [] if tables else ["no table was written"]
        for table in tables:
            with table.open(newline="") as file:
                found += [f"{table.name}: {text}" for row in csv.DictReader(file) for text in _of_row(row)]
    except Exception as err:
        return [f"cannot be judged: {type(err).__name__}: {err}"]
    return found[:5]


def _of_row(row: dict[str, str]) -> Iterator[str]:
    for name, text in row.items():
        score = next((score for score in LIMITS if name.startswith(score)), None)
        if score and text and not re.search("_low|_high|_minus_", name):
            least, most = LIMITS[score]
            if not (np.isnan(float(text)) or least <= float(text) <= most):
                yield f"{name} is {text}"


def faults_of_run(_: Path, output: Path) -> list[str]:
    """What is wrong with a run of soil columns."""
    try:
        json.loads((output / "run.json").read_text())
        histories = sorted(output.rglob("history.nc"))
        found = [] if histories else ["no history was written"]
        for path in histories:
            with h5py.File(path) as file:
                moisture = file["soil_moisture"][...]
            wet = moisture[np.isfinite(moisture)]
            if not wet.size or wet.min() < 0 or wet.max() > 1:
                found.append(f"{path.name}: soil moisture is no volume of water, or nowhere")
    except Exception as err:
        return [f"cannot be judged: {type(err).__name__}: {err}"]
    return found


def faults_of_page(_: Path, output: Path) -> list[str]:
    """What is wrong with a page."""
    page = output / "report.html"
    return [] if page.is_file() and "</html>" in page.read_text()[-100:] else [f"no whole page in {output}"]


FAULTS_OF = {"analyse": faults, "verify": faults_of_scores, "columns": faults_of_run, "report": faults_of_page}
"""By the verb."""


def distance(output: Path, undisturbed: Path) -> float:
    """Root mean square difference of two analyses, m3 m-3, where both have values; infinite where nowhere."""
    with h5py.File(output / "diagnostics.nc") as one, h5py.File(undisturbed / "diagnostics.nc") as other:
        first, second = one["analysis"][...], other["analysis"][...]
    if first.shape != second.shape:
        return np.inf
    both = np.isfinite(first) & np.isfinite(second)
    return float(np.sqrt(np.mean((first - second)[both] ** 2))) if both.any() else np.inf


def _same_name(case: Path, output: Path, name: str) -> Path:
    """The background of an analysed file."""
    found = [path for path in case.rglob(name) if output not in path.parents and path.parent.name not in MEMBERS]
    if len(found) != 1:
        raise LookupError(f"{len(found)} files {name}")
    return found[0]


def _of_image(diagnostics: Path) -> Iterator[str]:
    with h5py.File(diagnostics) as file:
        before, after, increment = (file[name][...] for name in ("background", "analysis", "increment"))
    land = np.isfinite(before)
    if not land.any():
        yield "the background has no value at all"
    if not np.isfinite(after[land]).all():
        yield f"{(~np.isfinite(after[land])).sum()} cells of the analysis are not finite"
    elif land.any() and not (after[land].min() >= 0 and after[land].max() <= max(1.0, before[land].max())):
        yield f"the analysis is {after[land].min():g} to {after[land].max():g} m3 m-3"
    if np.nanmax(np.abs(increment), initial=0.0) > MOST_INCREMENT:
        yield f"an increment of {np.nanmax(np.abs(increment)):g} m3 m-3"


def _of_block(before: Path, after: Path) -> Iterator[str]:
    with h5py.File(before) as old, h5py.File(after) as new:
        yield from _other_bits(old, new)
        liquid = [file["wliq_soisno"][...].astype("f8") for file in (old, new)]
        ice, aquifers = old["wice_soisno"][...].astype("f8"), [file["wa"][...] for file in (old, new)]
    const = next(before.parents[1].glob(f"const/*_{'_'.join(before.stem.rsplit('_', 2)[1:])}.nc"))
    with h5py.File(const) as file:
        porosity, is_soil = file["porsl"][...].astype("f8"), file["patchtype"][...] == 0
    yield from _of_water(*liquid, ice, porosity, is_soil)
    yield from _of_aquifer(*aquifers)


def _other_bits(old: h5py.File, new: h5py.File) -> Iterator[str]:
    """Variables and attributes that an analysis must not touch and has."""
    ours, theirs = ({name: file.get(name) for name in file} for file in (old, new))
    if ours.keys() != theirs.keys():
        yield f"other variables: {sorted(ours.keys() ^ theirs.keys())}"
    if _attributes(old) != _attributes(new):
        yield "other attributes"
    for name in ours.keys() & theirs.keys():
        one, other = ours[name], theirs[name]
        if type(one) is not type(other):
            yield f"{name}: another kind of thing"
        elif isinstance(one, h5py.Dataset):
            if (one.dtype, one.shape) != (other.dtype, other.shape):
                yield f"{name}: {one.dtype} {one.shape} became {other.dtype} {other.shape}"
            elif name not in MAY_CHANGE and _bits(one) != _bits(other):
                yield f"{name}: other bits"
            if _attributes(one) != _attributes(other):
                yield f"{name}: other attributes"


def _attributes(item: h5py.Dataset | h5py.Group) -> dict[str, str]:
    attributes = item.attrs
    return {key: str(attributes[key]) for key in attributes if key not in NOT_COMPARED}


def _bits(variable: h5py.Dataset) -> Any:
    if variable.shape is None:
        return None
    if variable.id.get_storage_size() == 0:
        return str(variable.fillvalue)  # of all of it: it may be larger than any memory
    values = variable[...]
    return values.tolist() if variable.dtype.hasobject else values.tobytes()


def _of_site(before: Path, after: Path) -> Iterator[str]:
    """Of CoLM2014: one record of three integers and 128 reals of every patch."""
    (old_marks, (old,)), (new_marks, (new,)) = _records(before), _records(after)
    if old_marks != new_marks or old[:12] != new[:12]:
        yield "another length or date, or other markers"
        return
    values = [np.frombuffer(record[12:], "<f8").reshape(128, -1) for record in (old, new)]
    n = values[0].shape[1]

    def of(state: np.ndarray, name: str) -> np.ndarray:
        start, width = STATE[name]
        return state[start : start + width].reshape(n, width)

    for first, last in UNTOUCHED:
        if values[0][first:last].tobytes() != values[1][first:last].tobytes():
            yield f"other bits in reals {first} to {last} of the patches"
    _, (_, properties) = _records(before.with_name("S-rstTimeConst"))
    latitudes = (len(properties) - 8 * 14 - n * (8 * (2 + 20 + 1 + 10 + 4 + 80 + 24) + 4)) // 8  # of rows and columns
    types_at = 16 * n + 8 * latitudes
    types = np.frombuffer(properties, "<i4", n, types_at)
    porosity = np.frombuffer(properties, "<f8", 10 * n, types_at + 4 * n + 8 * n * (20 + 1 + 10 + 4)).reshape(n, 10)
    yield from _of_water(
        *(of(state, "wliq_soisno") for state in values), of(values[0], "wice_soisno"), porosity, types == 0
    )
    yield from _of_aquifer(*(of(state, "wa") for state in values))


def _records(path: Path) -> tuple[list[int], list[bytes]]:
    """Markers and records of a Fortran file; a negative marker says that the record goes on in the next part."""
    data, at, marks, records, goes_on = path.read_bytes(), 0, [], [], False
    while at < len(data):
        mark = int.from_bytes(data[at : at + 4], "little", signed=True)
        end = at + 4 + abs(mark)
        marks += [mark, int.from_bytes(data[end : end + 4], "little", signed=True)]
        part = data[at + 4 : end]
        records[-1:] = [records[-1] + part] if goes_on else [*records[-1:], part]
        at, goes_on = end + 4, mark < 0
    return marks, records


def _of_water(
    before: np.ndarray, after: np.ndarray, ice: np.ndarray, porosity: np.ndarray, is_soil: np.ndarray
) -> Iterator[str]:
    """Of liquid water before and after, and ice, (n, 15) kg m-2."""
    if before[:, :N_SNOW].tobytes() != after[:, :N_SNOW].tobytes():
        yield "water in snow changed"
    old, new, ice = before[:, N_SNOW:], after[:, N_SNOW:], ice[:, N_SNOW:]
    changed = (old != new) & ~(np.isnan(old) & np.isnan(new))
    if changed[~is_soil].any():
        yield f"water of {changed[~is_soil].any(axis=1).sum()} patches that are no soil changed"
    # The model's own states lie outside the bounds here and there: an analysis must not go further.
    most = np.fmax(old, WATER * (porosity * THICKNESS - ice / ICE)) + ROUNDING
    wrong = changed & ~((new >= np.minimum(old, 0.0) - ROUNDING) & (new <= most))
    if wrong.any():
        patch, layer = np.argwhere(wrong)[0]
        was, most_there = old[patch, layer], most[patch, layer]
        yield f"{wrong.sum()} layers of water as {new[patch, layer]:g} kg m-2, {was:g} before, at most {most_there:g}"


def _of_aquifer(before: np.ndarray, after: np.ndarray) -> Iterator[str]:
    with np.errstate(all="ignore"):
        change = np.abs(after.astype("f8") - before.astype("f8"))
    is_other = ~((before == after) | (np.isnan(before) & np.isnan(after)))
    wrong = is_other & ~(change < LARGEST_CHANGE_OF_AQUIFER)
    if wrong.any():
        yield f"wa changed by {change[wrong].flat[0]:g} mm on {wrong.sum()} patches"
