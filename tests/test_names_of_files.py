"""Names of files that a locale does not have, and that look as if they stood for a time."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from launch import finished

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.paths import check_working_folder, is_sayable
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings

TEXT = """
method = "none"
[model]
kind = "colm2014"
restart_file = "{restart}"
const_file = "c"
time = 2022-06-02T06:00:00Z
[output]
directory = "{output}"
"""


@pytest.mark.parametrize(
    ("restart", "output", "key"),
    [
        ("r-%Y-%j", "out", r'\[model\] restart_file = "r-%Y-%j"'),
        ("r", "%Y%m/out", r'\[output\] directory = "%Y%m/out"'),
    ],
)
def test_a_time_in_a_name_that_has_none_is_refused(tmp_path: Path, restart: str, output: str, key: str) -> None:
    file = tmp_path / "case.toml"
    file.write_text(TEXT.format(restart=restart, output=output))
    with pytest.raises(ConfigError, match=rf"{key}: %Y does not stand for a time here"):
        read_settings(file, Settings)


def test_a_folder_may_be_called_so(tmp_path: Path) -> None:
    folder = tmp_path / "%Y" / "%m"
    folder.mkdir(parents=True)
    (folder / "case.toml").write_text(TEXT.format(restart="r", output="100% out"))
    settings = read_settings(folder / "case.toml", Settings)
    assert settings.output.directory == folder / "100% out"
    # As it is written down, and read again.
    (tmp_path / "other.toml").write_text(TEXT.format(restart="r", output=folder / "out"))
    assert read_settings(tmp_path / "other.toml", Settings).output.directory == folder / "out"


@pytest.mark.program
def test_a_name_that_the_locale_does_not_have_is_said(tmp_path: Path) -> None:
    here, below = tmp_path / "土", tmp_path / "case.toml"
    here.mkdir()
    for file in (here / "case.toml", below):
        file.write_text(TEXT.format(restart="r", output="土/out"), encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "imgda_mpi", "analyse"]
    inside = finished(["bash", "-c", 'cd "$0" && exec "$@"', str(here), *command, "case.toml"], plain)
    assert (inside.returncode, inside.stderr.count("\n")) == (2, 1)
    assert "case.toml: found letters that the locale does not have, expected a name in UTF-8; set" in inside.stderr
    named = finished([*command, str(below)], plain)
    assert named.returncode == 2
    assert r'[output] directory = "\u571f/out": the locale has no such letters; set one of UTF-8' in named.stderr
    # Bytes that are no UTF-8, whatever the locale.
    assert not is_sayable(Path(os.fsdecode(b"la\xe9")))


def test_a_working_folder_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    check_working_folder()
    folder.rmdir()
    with pytest.raises(InputError, match=r"^working folder: found one that has been removed"):
        check_working_folder()
