"""A settings file to start from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from launch import python

from imgda_mpi.cli import main
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.document import documented, kind_of, sections_of
from imgda_mpi.settings.fields import Section
from imgda_mpi.settings.file import read_settings
from imgda_mpi.settings.verbs import KINDS


def kinds(section: str) -> list[str | None]:
    return [kind_of(one) for one in sections_of(Settings.model_fields[section].annotation)]


@pytest.mark.parametrize("model", kinds("model"))
@pytest.mark.parametrize("observation", kinds("observation"))
def test_a_file_to_start_from_is_one_that_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model: str, observation: str
) -> None:
    file = tmp_path / "case.toml"
    assert main(["init", str(file), "--model", model, "--observation", observation]) == 0
    settings = read_settings(file, Settings)
    assert (settings.model.kind, settings.observation.kind) == (model, observation)
    assert settings.output.directory == tmp_path / "analysis"
    # What it leaves commented out are the defaults.
    assert settings.errors == Settings.model_fields["errors"].default
    assert settings.method == Settings.model_fields["method"].default
    assert capsys.readouterr().out == f"wrote {file}: edit it, then run `imgda_mpi check {file}`\n"


def test_a_file_that_exists_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text("mine")
    done = python("-m", "imgda_mpi", "init", str(file), "--model", "colm202x", "--observation", "gldas")
    assert done.returncode == 2
    assert done.stderr == f"error: {file}: found a file that exists, expected a new one; give another name\n"
    assert file.read_text() == "mine"


def test_a_kind_that_nobody_has_is_refused_with_those_that_are_known() -> None:
    done = python("-m", "imgda_mpi", "init", "--model", "clm5", "--observation", "gldas")
    assert done.returncode == 2
    assert done.stderr == f"error: --model clm5: known are {', '.join(kinds('model'))}\n"


@pytest.mark.parametrize("settings", KINDS.values())
def test_a_key_that_is_commented_out_may_be_uncommented(settings: type[Section]) -> None:
    """Of one section after the other: all that stands there is TOML, and says what is done where a key is not given."""
    for block in documented(settings).split("\n\n"):
        lines = [line for line in block.splitlines() if re.match(r"(# )?(\w+ = |\[)", line)]
        written = [line.removeprefix("# ") for line in lines if not line.endswith(" = ...")]
        if written and written[0].startswith("["):
            tomllib.loads("\n".join(written))
    for section in sections_of(settings):
        for name, field in section.model_fields.items():
            if not field.is_required() and field.default is None and not any(sections_of(field.annotation)):
                assert "(default: " in str(field.description), name


def test_keys_are_the_same_where_documentation_is_stripped() -> None:
    done = python("-OO", "-m", "imgda_mpi", "settings")
    assert done.stdout == documented(Settings), done.stderr
