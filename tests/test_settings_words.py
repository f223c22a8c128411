"""What is wrong in settings is said in the words of a settings file, whatever pydantic calls it."""

from __future__ import annotations

import datetime as dt
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from test_settings import CYCLE

from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.document import kind_of
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.file import check_table, read_settings, read_table, verb_of
from imgda_mpi.settings.verbs import KINDS
from imgda_mpi.settings.words import _alternatives

ANALYSIS = """
[model]
kind = "colm202x"
directory = "model/demo"
case = "demo"
time = 2022-06-02T06:00:00Z
[observation]
kind = "cf"
file = "a.nc"
variable = "sm"
[output]
directory = "out"
"""
COMPARISON = """
methods = ["paper", "pointwise"]
time = 2022-06-02T06:00:00Z
noise = 0.1
[background]
kind = "cf"
file = "a.nc"
variable = "sm"
[truth]
kind = "cf"
file = "b.nc"
variable = "sm"
[output]
directory = "out"
"""
NOT_TOML = re.compile(
    r"[Ii]nput should|Input tag|valid dictionary|value_error|\b(tuple|dict|datetime|None|True)\b|<|\(\)"
)
"""What only somebody who knows Python or pydantic understands."""

WRONG: list[Any] = [
    *(True, -1, 10**400, float("nan"), "a\0b", [], [[1, 2, 3]], ["a"], {}, {"kind": "a"}, {"zzz": {"a": [[]]}}),
    *(dt.date(2022, 6, 2), dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(dt.timedelta(hours=-5)))),
]


def places(kind: Any, seen: set[Any], keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every key of each section below a type once, with what stands beside it."""
    for part in _alternatives(kind):
        if get_origin(part) is dict:
            yield from places(get_args(part)[1], seen, (*keys, "own"))
        elif isinstance(part, type) and issubclass(part, Section) and part not in seen:
            seen.add(part)
            for name, field in part.model_fields.items():
                yield (*keys, name), {} if kind_of(part) is None else {"kind": kind_of(part)}
                yield from places(field.annotation, seen, (*keys, name))


def test_every_key_with_every_wrong_value_is_said_in_words_of_the_file() -> None:
    n_messages, seen = 0, set()
    every = [(kind, *place) for kind in KINDS.values() for place in places(kind, seen)]
    for kind, keys, section in every:
        for value in WRONG:
            table: dict[str, Any] = {}
            here = table
            for name in keys[:-1]:
                here[name] = {}
                here = here[name]
            here |= section | {keys[-1]: value}
            try:
                check_table(table, Path("case.toml"), kind)
            except ConfigError as err:
                n_messages += 1
                # What the documentation says of a key comes after its name, or in brackets at the end.
                lines = [re.split(r" \(| is missing: ", line)[0] for line in str(err).splitlines()]
                assert not [line for line in lines if NOT_TOML.search(line)]
    assert n_messages > 1000


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            {"times": dt.datetime(2022, 6, 2, tzinfo=dt.UTC)},
            "times = 2022-06-02T00:00:00Z: expected a list of dates and times, as [2022-06-02T06:00:00Z, "
            "2022-06-03T06:00:00Z] or a section with first, last, step",
        ),
        ({"grid": 3}, 'grid = 3: expected a list of two whole numbers or "background"'),
        ({"grid": [3]}, "grid = [3]: expected a list of two whole numbers"),
        ({"grid": [3, 1]}, "grid entry 2 = 1: expected 2 or more"),
        ({"methods": ["papr"]}, 'methods entry 1 = "papr": expected "none", "insert"'),
        ({"methods": [{"kind": "paper", "n_members": 0}]}, "[methods] entry 1: n_members = 0: expected 2 or more"),
        ({"noise": {"white": 0.1}}, "[noise] key 'red' is missing"),
        ({"window": 6}, 'window = 6: expected a length of time in quotes, as "6 h"'),
        ({"coverage": {"kind": "swaths", "width": 30}}, "[coverage] width = 30: at most the period, 22"),
        ({"n_scales": 3}, "unknown key 'n_scales'; it belongs in [curvelet]"),
        ({"cycle": {}}, "unknown key 'cycle'; it is of the settings of `imgda_mpi cycle` and `imgda_mpi twin`"),
        ({"soil": 1}, "unknown key 'soil'; it is of the settings of `imgda_mpi analyse` and `imgda_mpi cycle`"),
        ({"truth": []}, 'truth = []: expected a section with kind = "gldas", "cf" or "points"'),
        ({"seeds": "1"}, 'seeds = "1": expected a whole number'),
    ],
)
def test_key_found_expected(written: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_table(tomllib.loads(COMPARISON) | written, Path("case.toml"), KINDS["compare"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"  {said}")


@pytest.mark.parametrize("without", ["methods", "noise", "time", "truth"])
def test_a_comparison_is_known_without_one_of_its_keys(without: str, tmp_path: Path) -> None:
    path = tmp_path / "compare.toml"
    text = re.sub(rf"^{without} = .*\n|^\[{without}\]\n([a-z].*\n)*", "", COMPARISON, flags=re.MULTILINE)
    assert len(text) < len(COMPARISON)
    path.write_text(text)
    assert verb_of(read_table(path)) == "compare"
    with pytest.raises(ConfigError, match=r"found settings of a comparison .*, expected those of an analysis; "):
        read_settings(path, KINDS["analyse"])


def test_settings_are_not_waited_for_in_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "case.toml")
    with pytest.raises(ConfigError, match=r"case.toml: found a pipe, expected a settings file; write it into a file"):
        read_settings(tmp_path / "case.toml", KINDS["analyse"])


def test_an_analysis_is_no_run_of_cycles(tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(ANALYSIS)
    with pytest.raises(ConfigError, match=r"found settings of an analysis \(without \[cycle\]\), expected those of a "):
        read_settings(path, KINDS["cycle"])


@pytest.mark.parametrize(
    ("command", "own", "text", "said"),
    [
        ("plan", "analyse", COMPARISON, "or of a run of cycles; there is no plan of a comparison, whose settings"),
        ("check --done", "analyse", COMPARISON, "`imgda_mpi check FILE` tells what is in the output folder of a comp"),
        ("status", "cycle", ANALYSIS, "; ask `imgda_mpi check --done FILE`"),
        ("check --done", "analyse", CYCLE, "expected those of an analysis; ask `imgda_mpi status FILE`"),
        (None, "analyse", COMPARISON, "`imgda_mpi compare` is what reads these"),
    ],
)
def test_what_tells_of_other_settings_is_named_and_nothing_that_computes(
    command: str | None, own: str, text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_settings(path, KINDS[own], command)
    assert said.replace("FILE", str(path)) in str(caught.value)
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing yet\n\n"])
def test_a_file_without_a_key_is_said_to_be_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"a.toml: found a file without a key, expected settings; `imgda_mpi init`"):
        read_settings(tmp_path / "a.toml", KINDS["verify"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbf" + ANALYSIS.encode(), None),
        (ANALYSIS.replace("\n", "\r\n").encode(), None),
        (ANALYSIS.replace("\n", "\r").encode(), None),
        (ANALYSIS.encode("utf-16"), "found text in UTF-16, expected a settings file, which is text in UTF-8; save it"),
        (ANALYSIS.encode("utf-16-be"), "found binary data, or text in UTF-16"),
        (ANALYSIS.encode("utf-32"), "found text in UTF-32"),
        (ANALYSIS.replace("demo", "d\u00e9mo").encode("latin-1"), "found byte 0xe9 in line 4, which is no UTF-8"),
        (b"\x89HDF\r\n\x1a\n\0\0", "found binary data"),
        (b"#" * 1_100_000, "found more than 1 MB, expected a settings file, which is text in UTF-8, of at most 1 MB"),
        (b"\n[" + b".".join(20_000 * [b"a"]) + b"]", "found a key of more than 100 parts with dots in line 2"),
    ],
)
def test_the_bytes_of_a_settings_file(content: bytes, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_bytes(content)
    if said is None:
        assert read_settings(path, KINDS["analyse"]).model_dump()["model"]["case"] == "demo"
        return
    with pytest.raises(ConfigError) as caught:
        read_settings(path, KINDS["analyse"])
    assert str(caught.value).startswith(f"{path}: {said}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"cf"', "cf", "(at line 8, column 8)): found `kind = cf`; write text and paths in straight quotes"),
        ('"cf"', '"CF"', '[observation] kind = "CF": expected "gldas", "cf" or "points"; did you mean "cf"?'),
        (
            '"colm202x"',
            '"colm"',
            'kind = "colm": expected "colm202x" or "colm2014"; did you mean "colm202x" or "colm2014"',
        ),
        ("[output]", '[features]\nkind = "a"\n[output]', '[features] kind = "a": expected sections with names of your'),
        ("time = 2022-06-02", "time = 2022-06-31", "found `time = 2022-06-31T06:00:00Z`; correct the date"),
        (
            "[output]",
            "[model]\n[output]",
            "(Cannot declare [model] twice (at line 11, column 7)): found `[model]`; a sec",
        ),
        ('"a.nc"', '"data\\a.nc"', "; write paths with /, or in single quotes"),
        ("case =", "case:", '): found `case: "demo"`; write each key as key = value'),
    ],
)
def test_a_line_that_is_not_understood_is_shown_with_how_to_write_it(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "case.toml").write_text(ANALYSIS.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        read_settings(tmp_path / "case.toml", KINDS["analyse"])
    assert said in str(caught.value)


def test_of_many_faults_the_first_are_said(tmp_path: Path) -> None:
    (tmp_path / "case.toml").write_text("".join(f"k{number} = 1\n" for number in range(20_000)) + ANALYSIS)
    with pytest.raises(ConfigError) as caught:
        read_settings(tmp_path / "case.toml", KINDS["analyse"])
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("\n  and 19980 more")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ('method = {kind = "paper", n_members = 1_000_000_000_000_000_000}', "[method] n_members = 1000"),
        ("[curvelet]\nn_scales = 1_000_000_000_000_000_000_000", None),
        ("[parallel]\nwedge_groups = 1_000_000_000_000_000_000_000", None),
    ],
)
def test_integers_beyond_those_of_a_machine_are_read_or_refused(change: str, said: str | None, tmp_path: Path) -> None:
    path = tmp_path / "case.toml"
    path.write_text(ANALYSIS + change if change.startswith("[") else change + ANALYSIS)
    if said is None:
        read_settings(path, KINDS["analyse"])  # the image decides
        return
    with pytest.raises(ConfigError) as caught:
        read_settings(path, KINDS["analyse"])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "first", "end", "said"),
    [
        ("cycle", "0001-01-01", "9999-12-31", r"\[cycle\] window: more than 1000000 windows: take a longer one"),
        ("twin", "2022-01-01", "2222-01-01", r"\[cycle\] end = 2222-01-01.*within a hundred years from the start"),
        ("columns", "2022-01-01", "9999-01-01", r"\[run\] end = 9999-01-01.*within a hundred years from the start"),
    ],
)
def test_runs_without_end_are_refused(verb: str, first: str, end: str, said: str) -> None:
    start, last = (dt.datetime.fromisoformat(f"{day}T00:00:00Z") for day in (first, end))
    case = {"kind": "colm202x", "directory": "a", "case": "b"}
    times = {"first_analysis": start, "last_analysis": start, "end": last}
    table: dict[str, Any] = {
        "cycle": {
            "method": "none",
            "cycle": times | {"start": start},
            "model": {"kind": "colm202x", "namelist": "a.nml", "command": "./x {namelist}"},
        },
        "twin": {"case": case, "cycle": times},
        "columns": {"model": case | {"time": start}, "run": {"end": last}},
    }[verb]
    with pytest.raises(ConfigError, match=said):
        check_table(table | {"output": {"directory": "out"}}, Path("case.toml"), KINDS[verb])
