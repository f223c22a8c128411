"""Settings as a TOML file: read, and checked in full before anything is computed."""

from __future__ import annotations

import logging
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.settings.document import toml
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.old_keys import renamed

log = logging.getLogger(__name__)

LARGEST = 1_000_000  # bytes of a settings file: names of thousands of files
MOST_FAULTS = 20  # that are said of one file: a thousand have one cause

DEEP = re.compile(r"""(?:\.[ \t]*[\w"'-]+[ \t]*){100}""")
"""A dotted key of more than a hundred parts, for which tomllib takes the square of their number."""

OTHER_TEXTS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""Encodings by the byte order marks that they begin with, the longer ones first."""

Kind = TypeVar("Kind", bound=Section)


def read_settings(path: Path, kind: type[Kind], command: str | None = None) -> Kind:
    """Settings of a kind from a TOML file; relative paths in it are relative to the file.

    ``command`` is the one that reads them, where it is not the verb that they are of.

    Raises
    ------
    ConfigError
        Where the file cannot be read, or listing everything that is wrong: unknown keys (with the nearest known one),
        types, ranges, missing keys.
    """
    return check_table(read_table(path), path, kind, command)


def read_any_settings(path: Path) -> tuple[str, Section]:
    """The verb that a TOML file has settings of, which knows most of what is in it, and the settings.

    Raises
    ------
    ConfigError
        As `read_settings`.
    """
    from imgda_mpi.settings.verbs import KINDS  # where it is needed: those of every verb

    table = read_table(path)
    verb = verb_of(table)
    return verb, check_table(table, path, KINDS[verb])


def read_table(path: Path) -> dict[str, Any]:
    """What a settings file holds, unchecked.

    Raises
    ------
    ConfigError
        Where it cannot be read, is not TOML, or has no key.
    """
    if path.is_fifo():
        do = "write it into a file: it is read more than once"
        raise fault(path, found="a pipe", expected="a settings file", do=do, kind=ConfigError)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as err:  # the latter where the name cannot be one of a file
        said = err.strerror if isinstance(err, OSError) else err
        raise ConfigError(f"{path}: cannot be read ({said}); give the path of a settings file") from err
    text = _decoded(content, path)
    if deep := DEEP.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        found, do = f"a key of more than 100 parts with dots in line {line}", "remove it: no key has more than four"
        raise fault(path, found=found, expected="settings", do=do, kind=ConfigError)
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{path}: is not valid TOML (lists or tables nested hundreds deep)") from None
    except ValueError as err:  # TOMLDecodeError is one, numbers of thousands of digits give another
        from imgda_mpi.settings.syntax import not_toml  # where something is wrong

        raise ConfigError(f"{path}: {not_toml(str(err), text)}") from err
    if not table:
        do = "`imgda_mpi init` writes a file to start from, `imgda_mpi settings VERB` prints the keys"
        raise fault(path, found="a file without a key", expected="settings", do=do, kind=ConfigError)
    return table


def _decoded(content: bytes, path: Path) -> str:
    """The text of a settings file, without a byte order mark."""
    expected, do = "a settings file, which is text in UTF-8", "give the path of a settings file"
    if len(content) > LARGEST:
        found = f"more than {LARGEST / 1e6:.0f} MB"
        expected = f"{expected}, of at most {LARGEST / 1e6:.0f} MB"
        raise fault(path, found=found, expected=expected, do=do, kind=ConfigError)
    for mark, name in OTHER_TEXTS.items():
        if content.startswith(mark):
            found, do = f"text in {name}", "save it as UTF-8 in the editor"
            raise fault(path, found=found, expected=expected, do=do, kind=ConfigError)
    if b"\0" in content:
        found = "binary data, or text in UTF-16"
        raise fault(path, found=found, expected=expected, do=do, kind=ConfigError)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as err:
        line = content.count(b"\n", 0, err.start) + 1
        found = f"byte 0x{content[err.start]:02x} in line {line}, which is no UTF-8"
        do = "save it as UTF-8 in the editor"
        raise fault(path, found=found, expected=expected, do=do, kind=ConfigError) from None


def peek(path: Path, *keys: str) -> Any:
    """What stands in a settings file below some keys, before it is checked; None where nothing does."""
    try:
        found: Any = read_table(path)
    except ConfigError:
        return None
    for name in keys:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def verb_of(table: dict[str, Any]) -> str:
    """The verb that settings are of, which knows most of what is there; analyse where several do."""
    from imgda_mpi.settings.verbs import KINDS  # where it is needed: those of every verb

    return max(KINDS, key=lambda verb: len(table.keys() & KINDS[verb].model_fields.keys()))


def check_table(table: dict[str, Any], path: Path, kind: type[Kind], command: str | None = None) -> Kind:
    """Settings from what the file ``path`` holds; ``command`` as of `read_settings`.

    Raises
    ------
    ConfigError
        As `read_settings`.
    """
    table, moved, without = renamed(table)
    if moved or without:
        said = [f"write {name} = {toml(table[name])}" for name in ("method", "methods") if name in table and moved]
        said += [f"{name} has no effect" for name in without]
        log.warning("%s: keys of before: %s; %s", path, ", ".join(moved + without), ", ".join(said))
    try:
        return kind.model_validate(table, context={"base": path.parent})
    except ValidationError as err:
        from imgda_mpi.settings.words import in_words  # where something is wrong

        _refuse_other_kind(table, path, kind, command)
        faults: list[dict[str, Any]] = [dict(fault) for fault in err.errors()]
        # A list with an entry that is wrong has too few that are right.
        inside = {fault["loc"][:end] for fault in faults for end in range(len(fault["loc"]))}
        faults = [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in inside]
        lines = [*dict.fromkeys(in_words(fault, table, kind) for fault in faults[:MOST_FAULTS])]
        if len(faults) > MOST_FAULTS:
            lines.append(f"and {len(faults) - MOST_FAULTS} more")
        raise ConfigError("\n  ".join([f"{path}:", *lines])) from None


def _refuse_other_kind(table: dict[str, Any], path: Path, kind: type[Section], command: str | None) -> None:
    """Say of which verb a file is that knows more of its sections than the one of this kind, or lacks nothing."""
    from imgda_mpi.settings.verbs import KINDS, READ_BY, WORDS, instead  # where it is needed: those of every verb

    strange, verb = [name for name in table if name not in kind.model_fields], verb_of(table)
    if len(table.keys() & KINDS[verb].model_fields.keys()) > len(table) - len(strange):
        of = f"with {', '.join(_heading(name, table[name]) for name in strange)}"
    else:
        lacking = {
            verb: _lacking(table, other) for verb, other in KINDS.items() if table.keys() <= other.model_fields.keys()
        }
        whole = [verb for verb, names in lacking.items() if not names]
        if not (whole and _lacking(table, kind)):
            return
        verb, of = whole[0], f"without {', '.join(f'[{name}]' for name in _lacking(table, kind))}"
    own = next(name for name, other in KINDS.items() if other is kind)
    expected = " or of ".join(WORDS[name] for name in READ_BY.get(command or own, (own,)))
    raise fault(
        path,
        found=f"settings of {WORDS[verb]} ({of})",
        expected=f"those of {expected}",
        do=instead(command or own, verb, path),
        kind=ConfigError,
    )


def _heading(name: str, value: Any) -> str:
    """A key, or a section, as it stands in the file."""
    is_section = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return f"[{name}]" if is_section else name


def _lacking(table: dict[str, Any], kind: type[Section]) -> list[str]:
    """What a file of a kind has to have and this one has not."""
    return [name for name, field in kind.model_fields.items() if field.is_required() and name not in table]
