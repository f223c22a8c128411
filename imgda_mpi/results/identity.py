"""What a result is of: what decides it, and whether a folder holds the whole result of a case as it is now.

Without MPI and without HDF5: a job asks before its ranks are started.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from imgda_mpi import PROGRAM
from imgda_mpi.disk import checksum, listing
from imgda_mpi.faults import ImgdaError, OutputError, fault, reading
from imgda_mpi.results.differences import differences, flat, is_path, some
from imgda_mpi.results.run_records import FileSet


def digest(settings: str, inputs: Mapping[Path, str], without: Collection[str]) -> str:
    """SHA-256 of what decides a result, hexadecimal: the same wherever the files are.

    Parameters
    ----------
    settings : in force, JSON, with absolute paths
    inputs : checksum of each
    without : sections and keys, as ``observation.allow_empty``, that do not decide
    """
    deciding = {key: value for key, value in flat(json.loads(settings), without).items() if not is_path(value)}
    files = sorted((path.name, of_file) for path, of_file in inputs.items())
    return hashlib.sha256(json.dumps([PROGRAM, deciding, files], sort_keys=True).encode()).hexdigest()


def holds_result(directory: Path, settings: str, without: Collection[str]) -> bool:
    """Whether a folder holds the whole result of these settings and of the inputs as they are now. Not collective.

    It does too where the analysed restart has taken the place of its background. Parameters as of `digest`. False where
    there is nothing yet.

    Raises
    ------
    OutputError
        Where the folder holds something else; it says what differs.
    InputError
        Where a file cannot be read.
    """
    with reading(directory):
        if not directory.exists() or (directory.is_dir() and not any(directory.iterdir())):
            return False
    there = _read_manifest(directory)
    now = {"program": PROGRAM, **json.loads(settings)}
    differing = differences({"program": there["program"], **there["settings"]}, now, without)
    do = "give another folder, or remove this one"
    if differing:
        raise _other(directory, f"another result: {some(differing)}", "that of these settings", do)
    lost = [*_changed(there["outputs"], directory).values(), *_added(there["outputs"], directory)]
    if lost:
        is_analysis = any(entry["file"].startswith("restart/") for entry in there["outputs"])
        how = " (a restart is copied into the model's folder, not moved)" if is_analysis else ""
        mend = f"put back what was moved{how}, or remove the folder"
        raise _other(directory, f"a result that is not whole any more: {some(lost)}", "all of it", mend)
    changed = _changed(there["inputs"], Path())
    others = [] if not changed or _has_taken_place(changed, there, directory) else [*changed.values()]
    others += _listed_otherwise(there["listed"])
    if others:
        said = f"the result of other inputs: {some(others)}"
        raise _other(directory, said, "that of the inputs of now", do)
    added = _added_inputs(there)
    if added:
        raise _other(directory, f"a result without {some(added)}", "that of the inputs of now", do)
    return True


def analysed_set(directory: Path) -> tuple[list[Path], FileSet, dict[str, str]]:
    """The restart files of a whole result, the set they are, and checksums of its inputs by name. Not collective.

    Raises
    ------
    OutputError
        Where the folder holds no result.
    """
    there = _read_manifest(directory)
    files = {directory / entry["file"]: entry["sha256"] for entry in there["outputs"]}
    restart = {path: of_file for path, of_file in files.items() if path.relative_to(directory).parts[0] == "restart"}
    inputs = {Path(entry["file"]).name: entry["sha256"] for entry in there["inputs"]}
    return list(restart), FileSet.of(restart), inputs


def _has_taken_place(changed: Mapping[str, str], there: Mapping[str, Any], directory: Path) -> bool:
    """Whether the analysed restart is in the place of its background, and nothing else has changed.

    Raises
    ------
    OutputError
        Where a part of it is.
    """
    analysed = {Path(entry["file"]).name: entry["sha256"] for entry in there["outputs"]}
    backgrounds = {
        entry["file"]
        for entry in there["inputs"]
        if analysed.get(Path(entry["file"]).name) not in (None, entry["sha256"])
    }
    swapped = {
        file
        for file in changed.keys() & backgrounds
        if Path(file).is_file() and checksum(Path(file)) == analysed[Path(file).name]
    }
    if swapped and swapped < backgrounds:
        raise _other(
            directory,
            f"{len(swapped)} of {len(backgrounds)} files of the analysed restart in the place of their background",
            "all of them or none",
            "copy all files of its folder restart/, or put the background back",
        )
    return swapped == backgrounds == changed.keys()


def _listed_otherwise(listed: Mapping[str, str]) -> list[str]:
    """Names of inputs that stand for other files than they did, in words."""
    return [f"other files {name}" for name, before in listed.items() if listing([Path(name)]) != {name: before}]


def _added(outputs: Sequence[Mapping[str, Any]], directory: Path) -> list[str]:
    """Files of the restart that the manifest does not name."""
    known = {directory / entry["file"] for entry in outputs}
    there = (path for path in sorted((directory / "restart").rglob("*")) if path.is_file())
    return [f"{path} besides" for path in there if path not in known]


def _added_inputs(there: Mapping[str, Any]) -> list[str]:
    """Files beside those of a folder that was copied whole, as the restart of an instant is."""
    whole: dict[str, set[str]] = {}
    for path in (Path(entry["file"]) for entry in there["outputs"]):
        if path.parent.parent.name == "restart":
            whole.setdefault(path.parent.name, set()).add(path.name)
    inputs = (Path(entry["file"]) for entry in there["inputs"])
    folders = {path.parent for path in inputs if path.name in whole.get(path.parent.name, ())}
    return [
        str(path)
        for folder in sorted(folders)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in whole[folder.name]
    ]


def _read_manifest(directory: Path) -> dict[str, Any]:
    path = directory / "manifest.json"
    with reading(path):
        text = path.read_text() if path.is_file() else None
    if text is None:
        there = "a folder that is not empty, without manifest.json" if directory.is_dir() else "a file"
        raise _other(directory, there, "a whole result, or nothing", "give another folder")
    try:
        found: dict[str, Any] = {"listed": {}} | json.loads(text)
        is_one = isinstance(found["program"], str) and isinstance(found["settings"], dict)
        is_one = is_one and isinstance(found["listed"], dict)
        for entry in (*found["inputs"], *found["outputs"]):
            is_one = is_one and isinstance(entry["file"], str) and isinstance(entry["sha256"], str)
            is_one = is_one and isinstance(entry["bytes"], int)
        if not is_one:
            raise ValueError("other entries")
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        found_there = f"no manifest of a result ({type(err).__name__}: {err})"
        raise _other(path, found_there, "what a run of the program wrote there", "give another folder") from err
    return found


def _other(where: Path, found: str, expected: str, do: str) -> ImgdaError:
    return fault(where, found=found, expected=expected, do=do, kind=OutputError)


def _changed(entries: list[dict[str, Any]], base: Path) -> dict[str, str]:
    """Files of a manifest that are gone or not what they were, in words; sizes first, which cost nothing."""
    found, same_size = {}, []
    for entry in entries:
        path = base / entry["file"]
        with reading(path):
            size = path.stat().st_size if path.is_file() else None
        if size is None:
            found[entry["file"]] = f"no {entry['file']}"
        elif size != entry["bytes"]:
            found[entry["file"]] = f"another {entry['file']}"
        else:
            same_size.append(entry)
    different = (entry["file"] for entry in same_size if checksum(base / entry["file"]) != entry["sha256"])
    return found | {file: f"another {file}" for file in different}
