"""Analyses by commands that stand for the program's."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgda_mpi.cycling.analysis_commands import AnalysisCommand, ResidentAnalysis

# Launchers that do the work themselves: it is done where the settings file is there for them.
ONCE = """bash -c 'test -e "${@: -1}"' bash"""
RESIDENT = """bash -c 'while read -r file; do test -e "$file"; echo "analysed with status $?"; done' bash"""


def test_the_settings_file_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file, log = Path("run/cycle/analysis.toml"), Path("run/cycle/log.txt")
    file.parent.mkdir(parents=True)
    file.touch()
    AnalysisCommand(ONCE)(file, log)
    resident = ResidentAnalysis(RESIDENT, Path("run"))
    resident(file, log)
    resident.close()
