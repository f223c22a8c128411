"""Settings of twin experiments: presets, what each run gets, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from twins import twin_settings

from imgda_mpi.cli import main
from imgda_mpi.faults import ConfigError
from imgda_mpi.settings.columns import GeneratedWeather
from imgda_mpi.settings.file import read_settings, read_table, verb_of
from imgda_mpi.settings.presets import PRESETS
from imgda_mpi.settings.twin import CONTROL, NATURE, Embedded, Twin
from imgda_mpi.settings.verbs import KINDS
from imgda_mpi.workflow.cycle_parts import windows_of

MODEL = {"directory": Path("case/demo"), "case": "demo"}


@pytest.mark.parametrize(("name", "rows", "analyses", "days"), [("quick", 64, 25, 10), ("paper", 128, 241, 90)])
def test_presets_are_experiments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, rows: int, analyses: int, days: int
) -> None:
    file = tmp_path / "twin.toml"
    assert main(["init", str(file), "--twin", name]) == 0
    assert f"wrote {file}" in capsys.readouterr().out
    settings = read_settings(file, Twin)
    assert verb_of(read_table(file)) == "twin"
    assert settings.case == Embedded(kind="embedded", rows=rows)
    assert settings.runs == ("control", "paper", "pointwise", "innovation")
    assert settings.cycle.end - settings.cycle.first_analysis == timedelta(days=days)
    windows = windows_of(settings.run("paper", MODEL, tmp_path / "%Y"))
    assert sum(window.is_analysed for window in windows) == analyses
    assert settings.variants["paper"].method.n_members == 50
    assert set(PRESETS) == {"quick", "paper"}


def test_runs_share_weather_and_times_and_the_nature_has_another_weather(tmp_path: Path) -> None:
    settings = read_settings(twin_settings(tmp_path, "a"), Twin)
    runs = {name: settings.run(name, MODEL, tmp_path / "%Y.nc") for name in (NATURE, CONTROL, "paper", "innovation")}
    weather = GeneratedWeather(kind="generated", seed=1)
    assert all(run.weather == weather for name, run in runs.items() if name != NATURE)
    changed = {"displacement": 1000.0, "strength": 1.0, "change": 1}
    assert runs[NATURE].weather == weather.model_copy(update=changed)
    assert [run.assimilates for run in runs.values()] == [False, False, True, True]
    assert {run.cycle.end for run in runs.values()} == {settings.cycle.end}
    assert {run.output.directory for run in runs.values()} == {tmp_path / "a" / name for name in runs}
    assert [run.errors.seed for run in runs.values()][2:] == [1, 1]
    assert runs["innovation"].errors.observation == 0.04
    assert runs[CONTROL].observation is None


def test_a_variant_may_have_a_seed_of_its_own(tmp_path: Path) -> None:
    file = twin_settings(tmp_path, "a", ("errors = {observation = 0.04}", "errors = {observation = 0.04, seed = 7}"))
    settings = read_settings(file, Twin)
    assert settings.run("innovation", MODEL, tmp_path / "%Y.nc").errors.seed == 7


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "[variants.paper]",
            "[variants.Innovation]",
            "Innovation is a folder of the experiment",
        ),
        ("[variants.paper]", "[variants.nature]", "nature is a folder of the experiment; give another name"),
        ("[variants.paper]", '[variants."a/b"]', "[variants.a/b]: needs a name of at most 40 letters"),
        ('"innovation/full"', '"letkf"', "[variants.innovation] method 'letkf' needs members: there are none"),
        ('"innovation/full"', '"none"', "[variants.innovation] method 'none' is the control run"),
        ('"innovation/full"', '"inovation"', '[variants.innovation] method = "inovation": expected'),
        ("observation = 0.04", "observaton = 0.04", "unknown key 'observaton'; did you mean 'observation'?"),
        ("errors =", "error =", "[variants.innovation] unknown key 'error'; did you mean 'errors'?"),
        ("white = 0.03", "white = -0.03", "[instrument] white = -0.03: expected 0 or more"),
        ("rows = 32", "rows = 33", "[case] rows = 33: expected a multiple of 2"),
        ("02T18:00:00Z", "02T17:00:00Z", "[cycle] last_analysis: is not a whole number of windows"),
        (
            "last_analysis = 2022-06-02T18",
            "last_analysis = 2022-06-04T00",
            "[cycle] end = 2022-06-03T12:00:00Z: is",
        ),
        ("end = 2022-06-03T12:00:00Z", "end = 2022-06-03T12:30:00Z", "needs a whole hour"),
        ('kind = "embedded"', 'kind = "colm2014"', 'expected "embedded" or "colm202x"'),
        ("[cycle]", "[times]", "section 'cycle' is missing"),
        ("[instrument]", 'window = "1 h"\n[instrument]', "[cycle] window: there are images every three hours"),
        ('"innovation/full"', '{kind = "paper", coherent_share = 0.1}', "[variants.innovation.method] unknown key"),
    ],
)
def test_what_cannot_be_an_experiment_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_settings(twin_settings(tmp_path, "a", (before, after)), Twin)
    assert said in str(error.value)


def test_init_needs_to_know_what_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "case.toml")]) == 2
    assert "needs --model and --observation, for an analysis, or --twin" in capsys.readouterr().err


@pytest.mark.parametrize("verb", KINDS)
def test_settings_of_every_verb_are_printed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", verb]) == 0
    assert "[output]" in capsys.readouterr().out


def test_init_of_two_things_at_once_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path / "case.toml"), "--twin", "quick", "--model", "colm202x"]) == 2
    assert "--twin: is for an experiment" in capsys.readouterr().err
