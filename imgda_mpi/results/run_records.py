"""What a run and its cycles are, as ``run.json`` and ``cycle.json`` have it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BACKGROUND, ANALYSIS, RESTART = "background", "analysis", "restart"
"""Keys of the sets in ``cycle.json``, and their folders."""

STAMP = "%Y%m%dT%H"


@dataclass(frozen=True)
class Description:
    """What a run is.

    Parameters
    ----------
    model : what ran, in words, and what drove it
    seed : of all random numbers; None where there are none
    start, end : of the run
    first_analysis, last_analysis : None where nothing is assimilated
    columns : numbers of soil columns by what they are, as "in all"
    """

    model: str
    seed: int | None
    start: datetime
    end: datetime
    first_analysis: datetime | None = None
    last_analysis: datetime | None = None
    columns: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {
            "model": self.model,
            "seed": self.seed,
            "start": time_text(self.start),
            "first_analysis": self.first_analysis and time_text(self.first_analysis),
            "last_analysis": self.last_analysis and time_text(self.last_analysis),
            "end": time_text(self.end),
            "columns": dict(self.columns),
        }

    @staticmethod
    def of_json(found: Mapping[str, Any]) -> Description:
        """From ``run.json``; KeyError, TypeError or ValueError where it is none."""
        first, last = found["first_analysis"], found["last_analysis"]
        return Description(
            model=of_type(found["model"], str),
            seed=None if found["seed"] is None else of_type(found["seed"], int),
            start=_time(found["start"]),
            end=_time(found["end"]),
            first_analysis=None if first is None else _time(first),
            last_analysis=None if last is None else _time(last),
            columns={name: of_type(number, int) for name, number in found["columns"].items()},
        )


@dataclass(frozen=True)
class FileSet:
    """The restart files of an instant: checksum by name, in the order of names. Without files it was never written."""

    files: Mapping[str, str]

    @staticmethod
    def of(checksums: Mapping[Path, str]) -> FileSet:
        """From checksums by path: folders do not count.

        Raises
        ------
        ValueError
            Where two files have the same name.
        """
        files = {path.name: of_file for path, of_file in sorted(checksums.items(), key=lambda item: item[0].name)}
        if len(files) < len(checksums):
            raise ValueError(f"files of one name in a set: {', '.join(map(str, checksums))}")
        return FileSet(files)

    @property
    def digest(self) -> str | None:
        """SHA-256 over sorted names and checksums, hexadecimal; None of a set that was never written."""
        if not self.files:
            return None
        return hashlib.sha256(json.dumps(sorted(self.files.items())).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """For ``cycle.json``."""
        return {"digest": self.digest, "files": dict(self.files)}

    @staticmethod
    def of_json(found: Mapping[str, Any]) -> FileSet:
        """From ``cycle.json``; KeyError, TypeError or ValueError where it is none."""
        files = {name: of_type(of_file, str) for name, of_file in found["files"].items()}
        if FileSet(files).digest != found["digest"]:
            raise ValueError("a digest that is not that of its files")
        return FileSet(files)


NEVER_WRITTEN = FileSet({})


@dataclass(frozen=True)
class Origin:
    """What a background came from: the cycle by its stamp, and the digest of the set its window began with."""

    cycle: str
    digest: str | None


@dataclass(frozen=True)
class Record:
    """What a cycle was, as ``cycle.json`` has it.

    Parameters
    ----------
    time : of the analysis, and the start of the window; a whole hour
    end : of the window
    background : the set that was there
    origin : of the background; None of the first cycle of a run
    analysis : the corrected background; None where there was no analysis and the model went on from the background
    restart : the set at the end of the window
    seconds : wall time by what took it
    reasons : in words, as why nothing was assimilated
    """

    time: datetime
    end: datetime
    background: FileSet = NEVER_WRITTEN
    origin: Origin | None = None
    analysis: FileSet | None = None
    restart: FileSet = NEVER_WRITTEN
    seconds: Mapping[str, float] = field(default_factory=dict)
    reasons: Sequence[str] = ()

    @property
    def as_origin(self) -> Origin:
        """What the background of the next cycle came from."""
        began_with = self.background if self.analysis is None else self.analysis
        return Origin(stamp(self.time), began_with.digest)

    @property
    def sets(self) -> dict[str, FileSet]:
        """Sets by the name of their folder in the cycle's, but those that were never written."""
        every = {BACKGROUND: self.background, ANALYSIS: self.analysis or NEVER_WRITTEN, RESTART: self.restart}
        return {name: files for name, files in every.items() if files.files}

    def as_json(self) -> dict[str, Any]:
        """For ``cycle.json``."""
        origin = self.origin and {"cycle": self.origin.cycle, "digest": self.origin.digest}
        corrected = self.analysis and {"corrected": self.background.digest, **self.analysis.as_json()}
        return {
            "time": time_text(self.time),
            "end": time_text(self.end),
            BACKGROUND: {"came_from": origin, **self.background.as_json()},
            ANALYSIS: corrected,
            RESTART: self.restart.as_json(),
            "seconds": dict(self.seconds),
            "reasons": list(self.reasons),
        }

    @staticmethod
    def of_json(found: Mapping[str, Any]) -> Record:
        """From ``cycle.json``; KeyError, TypeError or ValueError where it is none."""
        origin, analysis = found[BACKGROUND]["came_from"], found[ANALYSIS]
        record = Record(
            time=_time(found["time"]),
            end=_time(found["end"]),
            background=FileSet.of_json(found[BACKGROUND]),
            origin=None if origin is None else Origin(of_type(origin["cycle"], str), origin["digest"]),
            analysis=None if analysis is None else FileSet.of_json(analysis),
            restart=FileSet.of_json(found[RESTART]),
            seconds={name: float(number) for name, number in found["seconds"].items()},
            reasons=tuple(of_type(reason, str) for reason in found["reasons"]),
        )
        if analysis is not None and analysis["corrected"] != record.background.digest:
            raise ValueError("the analysis of another background")
        if record.end <= record.time:
            raise ValueError("an end that is not after the start")
        return record


def stamp(time: datetime) -> str:
    """The name of the cycle of a time, in UTC.

    >>> stamp(datetime(2022, 6, 2, 6, tzinfo=UTC))
    '20220602T06'
    """
    return f"{in_utc(time):{STAMP}}"


def json_text(content: Mapping[str, Any]) -> str:
    """The text of ``run.json`` and ``cycle.json``."""
    return json.dumps(content, indent=1) + "\n"


def time_text(time: datetime) -> str:
    """A time as the files have it."""
    return f"{in_utc(time):%Y-%m-%dT%H:%M:%SZ}"


def _time(text: Any) -> datetime:
    return in_utc(datetime.fromisoformat(text))


def in_utc(time: datetime) -> datetime:
    """A time in UTC; ValueError where it has no time zone."""
    if time.tzinfo is None:
        raise ValueError(f"time {time} must have a time zone")
    return time.astimezone(UTC)


def of_type(value: Any, *kinds: type) -> Any:
    """The value; TypeError where it is of another type."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not what it should be")
    return value
