"""What pydantic finds wrong in settings, in the words of a settings file: key, found, expected, what to do."""

from __future__ import annotations

import difflib
import json
import types
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Tag
from pydantic.fields import FieldInfo

from imgda_mpi.settings.document import kind_of, sections_of, toml
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.methods import SECTIONS
from imgda_mpi.settings.old_keys import MOVED

OF_METHODS = {name for section in SECTIONS.values() for name in section.model_fields} - {"kind"}
"""Keys that some method has."""

LIMITS = {
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "multiple_of": "a multiple of {multiple_of}",
    "finite_number": "a finite number",
    "string_too_short": "text that is not empty",
    "too_short": "{min_length} or more entries",
}
"""What is expected where the type is right, by pydantic's types of errors; else it follows from the key's type."""

OF_TYPES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
    Path: "a path in quotes",
    datetime: "a date and a time without quotes, as 2022-06-02T06:00:00Z",
    timedelta: 'a length of time in quotes, as "6 h"',
}
MANY = {
    int: "whole numbers",
    float: "numbers",
    str: "texts in quotes",
    Path: "paths in quotes",
    datetime: "dates and times, as [2022-06-02T06:00:00Z, 2022-06-03T06:00:00Z]",
}
COUNTS = {2: "two ", 3: "three ", 4: "four "}

LONGEST = 60  # characters of a value that are shown
MOST_PLACES = 3  # where a key belongs: more of them say nothing


def in_words(fault: dict[str, Any], table: dict[str, Any], kind: type[Section]) -> str:
    """One line for one fault that pydantic found.

    Parameters
    ----------
    fault : of ``ValidationError.errors()``
    table : what the settings file holds
    kind : of the settings
    """
    location, what = fault["loc"], fault["type"]
    if what == "missing" and isinstance(location[-1], int):  # of a list that is too short
        location, what = location[:-1], "tuple_type"
    place = _place(location, kind)
    if what == "value_error" and (not place.keys or isinstance(fault["input"], dict | Section)):
        said = str(fault["ctx"]["error"])  # of a section as a whole
        return said if said.startswith("[") else f"{_section(place.keys)}{said}"
    if what == "extra_forbidden" or location[-1] == "[key]":
        return _unknown(place, kind)
    where, name = _where(place.keys)
    if what == "missing" and place.field is not None:
        is_section = any(sections_of(place.field.annotation)) and get_origin(place.field.annotation) is not tuple
        return f"{where}{'section' if is_section else 'key'} {name!r} is missing: {place.field.description}"
    keys = _written(place.keys, table)
    where, name = _where(keys)
    given = _given(keys, table, fault["input"])
    if what.startswith("union_tag"):
        kinds = [str(kind_of(section)) for section in sections_of(place.annotation)]
        if isinstance(given, dict):  # else a short form stands for a section that the file does not have
            where, name, given = _section(place.keys), "kind", given.get("kind")
        if given is None:
            return f"{where}key 'kind' is missing: known are {_one_of(kinds)}"
        return f"{where}{name} = {shown(given)}: expected {_one_of(kinds)}{_meant(given, kinds)}"
    if what == "value_error":
        said = str(fault["ctx"]["error"])
    elif what in LIMITS:
        limits = {limit: _plain(number) for limit, number in fault.get("ctx", {}).items()}
        said = f"expected {LIMITS['finite_number' if given != given else what].format(**limits)}"
        if limits.get("le") == 1 and isinstance(given, int | float) and given <= 100:
            said += f" ({shown(given)} % is {given / 100:g})"
    else:
        if get_origin(place.section) is dict and any(sections_of(place.annotation)):
            above = where.strip(" []")
            return f"{where}{name} = {shown(given)}: expected sections with names of your own, as [{above}.NAME]"
        words = [word for word in _words(place.annotation) if isinstance(word, str)]
        said = f"expected {type_in_words(place.annotation)}{_meant(given, words)}"
    described = f" ({place.field.description})" if place.field is not None else ""
    return f"{where}{name} = {shown(given)}: {said}{described}"


def shown(value: Any, *, inside: bool = False) -> str:
    """A value as it stands in a settings file, shortened.

    >>> shown([1, "two", {"three": 3}])
    '[1, "two", {...}]'
    """
    if isinstance(value, dict | Section):
        return "{...}"
    if isinstance(value, list | tuple):
        parts = [shown(part, inside=True) for part in value[:4]] + (["..."] if len(value) > 4 else [])
        return "[...]" if inside and value else f"[{', '.join(parts)}]"
    is_time = isinstance(value, date | time)
    text = value.isoformat().replace("+00:00", "Z") if is_time else _number_or_text(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _number_or_text(value: Any) -> str:
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        return repr(value) if abs(value) < 10**LONGEST or isinstance(value, float) else "a number too large to show"
    return json.dumps(value, ensure_ascii=False, default=str)


def _plain(limit: Any) -> Any:
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def type_in_words(annotation: Any) -> str:
    """What a type of settings takes.

    >>> type_in_words(tuple[float, float] | Literal["background"])
    'a list of two numbers or "background"'
    """
    said = [part for part in _alternatives(annotation) if part is not type(None)]
    words = [word for part in said if get_origin(part) is Literal for word in get_args(part)]
    sections = [part for part in said if isinstance(part, type) and issubclass(part, Section)]
    phrases = [_phrase(part) for part in said if get_origin(part) is not Literal and part not in sections]
    if len(sections) > 1:
        phrases.append(f"a section with kind = {_one_of([str(kind_of(section)) for section in sections])}")
    elif sections:
        keys = [name for name, field in sections[0].model_fields.items() if field.is_required()]
        phrases.append(f"a section with {', '.join(keys)}" if keys else "a section")
    return " or ".join([*phrases, *([_one_of(words)] if words else [])])


def _phrase(part: Any) -> str:
    """Of a type that is neither a section nor a choice of words."""
    form, arguments = get_origin(part), get_args(part)
    if form is dict:
        return "a section with names of your own"
    if form is not tuple:
        return OF_TYPES[part]
    item = next(_alternatives(arguments[0]))
    count = "" if Ellipsis in arguments else COUNTS[len(arguments)]
    if get_origin(item) is tuple:
        return f"a list of {count}{_phrase(item).replace('a list of', 'lists of')}, as [[...], ...]"
    return f"a list of {count}{MANY.get(item, 'sections or names')}"


def _alternatives(annotation: Any) -> Iterator[Any]:
    """Types that an annotation has the choice of."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _alternatives(part)
    else:
        yield annotation


def _words(annotation: Any) -> Iterator[Any]:
    for part in _alternatives(annotation):
        yield from get_args(part) if get_origin(part) is Literal else ()


def _one_of(words: Sequence[str]) -> str:
    """Words as they stand in a settings file.

    >>> _one_of(["a", "b", "c"])
    '"a", "b" or "c"'
    """
    return _listed([toml(word) for word in words], "or")


def _listed(parts: Sequence[str], last: str) -> str:
    return f" {last} ".join([*filter(None, [", ".join(parts[:-1])]), parts[-1]])


def _meant(given: Any, known: Collection[str]) -> str:
    word = given.partition("/")[0].lower() if isinstance(given, str) else ""
    begun = [one for one in known if word and one.startswith(word)]
    near = begun or difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {_one_of(near)}?" if near else ""


@dataclass(frozen=True)
class _Place:
    """Where in the settings a fault is: keys and numbers of entries as in the file, and what belongs there.

    ``section`` is the one that the last key is of, ``field`` that key, None where it is unknown or a name of the
    user's own.
    """

    keys: list[str | int]
    section: Any
    field: FieldInfo | None
    annotation: Any


def _place(location: Sequence[str | int], kind: type[Section]) -> _Place:
    """The place of a location, which beside the keys of the file has pydantic's names of members of unions."""
    keys: list[str | int] = []
    field: FieldInfo | None = None
    section: Any = kind
    here: Any = kind
    whole: Any = kind
    for part in location:
        here = _without_none(here)
        form, arguments = get_origin(here), get_args(here)
        if _is_union(here):  # a member of it, which the file has no level for
            here = next((one for one in arguments if part in _tags(one)), here)
        elif part != "[key]":
            keys.append(part)
            if isinstance(part, int) and form is tuple:
                here = arguments[0 if Ellipsis in arguments else min(part, len(arguments) - 1)]
            elif form is dict:
                section, field, here = here, None, arguments[1]
            elif isinstance(here, type) and issubclass(here, Section):
                section, field = here, here.model_fields.get(str(part))
                here = None if field is None else field.annotation
            whole = here
    return _Place(keys, section, field, whole)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _without_none(annotation: Any) -> Any:
    """A type without what is said of it, and without None where it is optional."""
    while True:
        members = [one for one in get_args(annotation) if one is not type(None)]
        if get_origin(annotation) is not Annotated and not (_is_union(annotation) and len(members) == 1):
            return annotation
        annotation = members[0]


def _tags(member: Any) -> list[Any]:
    """What pydantic calls a member of a union."""
    if get_origin(member) is Annotated:
        return [one.tag for one in get_args(member)[1:] if isinstance(one, Tag)] or _tags(get_args(member)[0])
    return [kind_of(member)] if isinstance(member, type) and issubclass(member, Section) else []


def _where(keys: Sequence[str | int]) -> tuple[str, str]:
    """The section of a key, and the key, with the number of the entry of a list."""
    last = max(number for number, key in enumerate(keys) if isinstance(key, str))
    return _section(keys[:last]), f"{keys[last]}{_entries(keys[last + 1 :])}"


def _section(keys: Sequence[str | int]) -> str:
    """A section by its keys, and the entry of a list of sections; nothing before all sections."""
    names, entries = [key for key in keys if isinstance(key, str)], _entries(keys)
    return f"[{'.'.join(names)}]{entries}{':' if entries else ''} " if names else ""


def _entries(keys: Sequence[str | int]) -> str:
    return "".join(f" entry {key + 1}" for key in keys if isinstance(key, int))


def _written(keys: Sequence[str | int], table: Any) -> Sequence[str | int]:
    """The keys up to one with text in the place of a section, as ``method = "innovation/full"``."""
    for number in range(1, len(keys)):
        if isinstance(_given(keys[:number], table, None), str):
            return keys[:number]
    return keys


def _given(keys: Sequence[str | int], table: Any, otherwise: Any) -> Any:
    """What stands in the file, where the keys go that far."""
    for key in keys:
        here = dict(enumerate(table)) if isinstance(table, list) else table
        if not isinstance(here, dict) or key not in here:
            return otherwise
        table = here[key]
    return table


def _unknown(place: _Place, kind: type[Section]) -> str:
    """Of a key that its section has not: the nearest one, or where it belongs."""
    where, name = _where(place.keys)
    above = [key for key in place.keys[:-1] if isinstance(key, str)]
    moved = MOVED.get((".".join(above), name)) or (
        name if above and above[-1] != "method" and name in OF_METHODS else None
    )
    if moved:
        return f"{where}unknown key {name!r}; it is {moved!r} in [method] now"
    # A section of names has those of a choice.
    is_section = get_origin(place.section) is None
    own = list(place.section.model_fields if is_section else _words(get_args(place.section)[0]))
    near = difflib.get_close_matches(name, own, n=1)
    said = [f"did you mean {near[0]!r}?"] if near else []
    said += _elsewhere(name, kind, where) if not near or not above else []
    return f"{where}unknown key {name!r}; {'; '.join(said) or 'known are ' + ', '.join(sorted(own))}"


def _elsewhere(name: str, kind: type[Section], where: str) -> list[str]:
    """In words, where a key belongs that is unknown in a section: in others, or in the settings of other verbs."""
    from imgda_mpi.settings.verbs import KINDS  # where it is needed: those of every verb

    if places := [place for place in places_of(name, kind) if place != f"in {where.strip()}"]:
        return [f"it belongs {' or '.join(places)}"] if len(places) <= MOST_PLACES else []
    verbs = [f"`imgda_mpi {verb}`" for verb, other in KINDS.items() if any(places_of(name, other))]
    return [f"it is of the settings of {_listed(verbs, 'and')}"] if verbs else []


def places_of(name: str, kind: type[Section]) -> Iterator[str]:
    """Where settings of a kind have a key of a name, in words."""
    if name in kind.model_fields:
        yield "before all sections"
    for above, field in kind.model_fields.items():
        if any(name in section.model_fields for section in sections_of(field.annotation)):
            yield f"in [{above}{'.NAME' if get_origin(field.annotation) is dict else ''}]"
