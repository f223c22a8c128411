"""Analyses by commands that stand for the program's."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgda_mpi.cycling.analysis_commands import AnalysisCommand, ResidentAnalysis
from imgda_mpi.faults import ImgdaError

# Launchers that do the work themselves: it is done where the settings file is there for them.
ONCE = """bash -c 'test -e "${@: -1}"' bash"""
RESIDENT = """bash -c 'while read -r file; do test -e "$file"; echo "analysed with status $?"; done' bash"""


def test_the_settings_file_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file, log = Path("run/cycle/analysis.toml"), Path("run/cycle/log.txt")
    file.parent.mkdir(parents=True)
    file.touch()
    AnalysisCommand(ONCE)(file, log)  # raises where the launcher does not find the file
    assert log.exists()
    log.unlink()
    resident = ResidentAnalysis(RESIDENT, Path("run"))
    resident(file, log)
    resident.close()
    assert log.exists()


@pytest.mark.parametrize(
    ("launcher", "status"),
    [
        ("echo 'error: a.nc: no such file'; exit 2;", 2),
        ("echo 'error: a.nc: no such file'; exit 5;", 5),
        ("echo 'Traceback (most recent call last):'; exit 1;", 1),
        ("nowhere", 2),
        ("exit 1;", 4),
        ("exit 195;", 4),
        ("exit 137;", 4),
        ("kill -KILL $$;", 4),
    ],
)
def test_what_a_launcher_makes_of_a_lost_rank_is_no_fault_of_anybody(
    tmp_path: Path, launcher: str, status: int
) -> None:
    with pytest.raises(ImgdaError) as raised:
        AnalysisCommand(launcher)(tmp_path / "analysis.toml", tmp_path / "log.txt")
    assert raised.value.status == status
    assert ("no such file" in str(raised.value)) == ("no such file" in launcher)
