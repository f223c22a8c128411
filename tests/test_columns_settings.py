"""Settings of a run of soil columns: what is refused, in words that name the key, and what a file is for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from column_cases import START, settings_of

from imgda_mpi.cli import main
from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.columns import ColumnsRun, GeneratedWeather
from imgda_mpi.settings.comparison import Comparison
from imgda_mpi.settings.document import sections_of
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.verbs import WORDS


def faults(path: Path, kind: type[Section] = ColumnsRun) -> str:
    with pytest.raises(ConfigError) as caught:
        read_settings(path, kind)
    return str(caught.value)


def test_what_may_be_left_out_has_defaults(tmp_path: Path) -> None:
    settings = read_settings(settings_of(tmp_path / "case", tmp_path / "out"), ColumnsRun)
    assert settings.model.time == START
    assert settings.run.end == datetime(2022, 6, 2, 12, tzinfo=UTC)
    assert (settings.run.restart_every, settings.run.points) == (None, ())
    assert settings.weather == GeneratedWeather(kind="generated")
    assert settings.output.directory == tmp_path / "out"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'kind = "colm202x"',
            'kind = "colm2014"',
            '[model] kind = "colm2014": expected "colm202x"; did you mean "colm202x"? (Version',
        ),
        ("T12:00:00Z", "T12:30:00Z", "[run] end = 2022-06-02T12:30:00Z: needs a whole hour"),
        ("T06:00:00Z", "T06:00:01Z", "[model] time = 2022-06-02T06:00:01Z: needs a whole hour"),
        (
            "T12:00:00Z",
            "T06:00:00Z",
            "[run] end = 2022-06-02T06:00:00Z: needs a time after [model] time = 2022-06-02T06:00:00Z",
        ),
        ("[run]", "[run]\nrestart_every = 0", "[run] restart_every = 0: expected 1 or more"),
        ("[run]", "[run]\nrestart_evry = 1", "[run] unknown key 'restart_evry'; did you mean 'restart_every'?"),
        (
            "[run]",
            "[run]\npoints = 35.0",
            "[run] points = 35.0: expected a list of lists of two numbers, as [[...], ...]",
        ),
        ("[run]", "[run]\npoints = [35.0, 104.0]", "[run] points entry 1 = 35.0: expected a list of two numbers"),
        ("[run]", "[run]\npoints = [[35.0]]", "[run] points entry 1 = [35.0]: expected a list of two numbers"),
        ("[run]", '[run]\npoints = [["35", 1]]', '[run] points entry 1 entry 1 = "35": expected a number'),
        ("[run]", "[wether]\n[run]", "unknown key 'wether'; did you mean 'weather'?"),
        ("[run]", "[weather]\nseed = 1\n[run]", '[weather] key \'kind\' is missing: known are "generated" or "files"'),
        (
            "[run]",
            '[weather]\nkind = "generated"\nseed = -1\n[run]',
            "[weather] seed = -1: expected 0 or more",
        ),
        (
            "[run]",
            '[weather]\nkind = "era5"\n[run]',
            '[weather] kind = "era5": expected "generated" or "files"',
        ),
        ("[run]", '[weather]\nkind = "files"\n[run]', "[weather] key 'files' is missing: One file for all quantities"),
        (
            "[run]",
            '[weather]\nkind = "files"\nfiles = "a.nc"\n[run]',
            '[weather] files = "a.nc": expected a list of paths in quotes',
        ),
        (
            "[run]",
            '[weather]\nkind = "files"\nfiles = ["a"]\nvariables = {rian = "pr"}\n[run]',
            "[weather.variables] unknown key 'rian'; did you mean 'rain'?",
        ),
        (
            "[run]",
            '[weather]\nkind = "files"\nfiles = ["a"]\nvariables = {rain = 1}\n[run]',
            "[weather.variables] rain = 1: expected text in quotes",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = settings_of(tmp_path / "case", tmp_path / "out")
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    assert faults(path).startswith(f"{path}:\n  {expected}")


@pytest.mark.parametrize("kind", [Settings, Comparison])
def test_a_file_for_columns_is_no_other(tmp_path: Path, kind: type[Section]) -> None:
    path = settings_of(tmp_path / "case", tmp_path / "out")
    assert faults(path, kind).endswith("; `imgda_mpi columns` is what reads these")


@pytest.mark.parametrize(("name", "verb"), [("case.toml", "analyse"), ("compare.toml", "compare")])
def test_a_file_of_another_verb_is_not_for_columns(example: Path, name: str, verb: str) -> None:
    said = faults(example / name)
    assert said.startswith(f"{example / name}: found settings of {WORDS[verb]} (with ")
    assert said.endswith(f", expected those of a run of soil columns; `imgda_mpi {verb}` is what reads these")


def test_a_file_with_sections_of_two_verbs_is_explained_key_by_key(tmp_path: Path) -> None:
    path = settings_of(tmp_path / "case", tmp_path / "out", more='[observation]\nkind = "gldas"\n')
    assert "unknown key 'observation'; it is of the settings of `imgda_mpi analyse`, " in faults(path)
    assert "unknown key 'run'" in faults(path, Settings)


def test_every_key_is_printed_with_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "columns"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for section in sections_of(ColumnsRun):
        for name, field in section.model_fields.items():
            if any(sections_of(field.annotation)):
                assert f"[{name}]" in lines
                continue
            at = [n for n, line in enumerate(lines) if line.removeprefix("# ").startswith(f"{name} = ")]
            assert any(lines[n - 1] == f"# {field.description}" for n in at), name
