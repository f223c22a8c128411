"""A group of a Fortran namelist: what it says, and the same file with other values for some of its keys.

A file is taken as one character per byte, for comments are in any encoding. Comments are lost where it is edited.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from contextlib import redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import f90nml

from imgda_mpi.faults import ImgdaError, fault, reading, writing

Value = TypeVar("Value", str, int, float, bool)

ENCODING = "latin-1"
WORDS = {str: "text", int: "a whole number", float: "a number", bool: ".true. or .false."}


@dataclass(frozen=True)
class Group:
    """A group in the file of a namelist.

    Parameters
    ----------
    path : of the file
    name : of the group
    groups : all that are in the file
    """

    path: Path
    name: str
    groups: f90nml.Namelist

    @property
    def values(self) -> dict[str, Any]:
        """By key in small letters; those in structures as ``def_simulation_time%start_year``."""
        return _flat(self.groups[self.name])

    def value(self, key: str, kind: type[Value], default: Value | None = None) -> Value:
        """The value of a key, whose case does not matter.

        Raises
        ------
        InputError
            Where it is of another kind, or not there and there is no default.
        """
        found = self.values.get(key.lower())
        if found is None:
            if default is None:
                raise self.fault(key, found="no such key", expected=WORDS[kind], do="give it, as the model wants it")
            return default
        if kind is float and type(found) is int:
            found = float(found)
        if type(found) is not kind:
            raise self.fault(key, found=f"{found!r}", expected=WORDS[kind], do="correct it")
        value: Value = os.fsdecode(found.encode(ENCODING)).strip() if isinstance(found, str) else found
        return value

    def edited(self, edits: Mapping[str, str | int]) -> Group:
        """The same group with other or further keys.

        Raises
        ------
        InputError
            Where it is written in a way in which single keys cannot be changed.
        """
        new = {key.lower(): _coded(value) for key, value in edits.items()}
        groups = deepcopy(self.groups)
        for key, value in new.items():
            *structures, component = key.split("%")
            place: Any = groups[self.name]
            for structure in structures:
                place = place.setdefault(structure, f90nml.Namelist())
                if not isinstance(place, f90nml.Namelist):
                    found, do = f"values of {structure} without their names", f"write {structure}%NAME = VALUE"
                    raise self.fault(structure, found=found, expected="each with its name", do=do)
            place[component] = value
        group = Group(self.path, self.name, _groups(self.path, self.name, _text(groups)))
        if group.values != {**self.values, **new}:
            found, expected = "values that change when they are written again", "numbers, texts and truth values"
            raise fault(self.path, f"&{self.name}", found=found, expected=expected, do="write them in a simpler way")
        return group

    def write(self, path: Path) -> None:
        """Put the file in the place of one of this name, whole or not at all.

        Raises
        ------
        OutputError
        """
        new = path.with_name(f".{path.name}.new")
        with writing(path):
            new.write_bytes(_text(self.groups).encode(ENCODING))
            new.replace(path)

    def fault(self, key: str, *, found: str, expected: str, do: str) -> ImgdaError:
        """The error of a key."""
        return fault(self.path, f"{self.name}, {key}", found=found, expected=expected, do=do)


def read_group(path: Path, name: str) -> Group:
    """A group of a namelist file.

    Raises
    ------
    InputError
        Where there is no such file or group, two of the name, or what is no namelist.
    """
    with reading(path, expected="the namelist of the model", do="correct its name"):
        text = path.read_bytes().decode(ENCODING)
    return Group(path, name, _groups(path, name, text))


def rename_folder(path: Path, name: str, was: Path, now: Path) -> None:
    """In a group of a file, name a folder that ``was`` another; do nothing where it is named nowhere.

    Raises
    ------
    InputError, OutputError
    """
    group = read_group(path, name)
    texts = {key: group.value(key, str) for key, value in group.values.items() if isinstance(value, str)}
    edits = {
        key: f"{now}{text.removeprefix(str(was))}"
        for key, text in texts.items()
        if text == str(was) or text.startswith(f"{was}/")
    }
    if edits:
        group.edited(edits).write(path)


def _groups(path: Path, name: str, text: str) -> f90nml.Namelist:
    """What is in a text that has a group of this name."""
    try:
        with redirect_stdout(io.StringIO()):  # where it does not understand a character it prints its tables
            groups = f90nml.Parser().reads(text)
    except Exception as err:  # of many kinds: it raises what it happens to meet
        raise fault(
            path,
            found=f"what is no Fortran namelist ({type(err).__name__}: {err})",
            expected=f"&{name} with KEY = VALUE, up to a slash",
            do="look for a missing slash, quotation mark or comma",
        ) from err
    if not isinstance(groups.get(name), f90nml.Namelist):
        found = "more than one" if name in groups else f"groups {', '.join(groups) or 'none'}"
        raise fault(
            path, f"&{name}", found=found, expected="one group of this name", do="give the model's own namelist"
        )
    return groups


def _text(groups: f90nml.Namelist) -> str:
    text = io.StringIO()
    groups.write(text)
    return text.getvalue()


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}%")
        else:  # a key that is there twice has the list of its last value
            flat[prefix + key] = value[0] if isinstance(value, list) and len(value) == 1 else value
    return flat


def _coded(value: str | int) -> str | int:
    return os.fsencode(value).decode(ENCODING) if isinstance(value, str) else value
