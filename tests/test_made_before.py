"""Settings that read what other settings have not made yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from imgda_mpi.faults import ConfigError
from imgda_mpi.workflow.made_before import check_made

CASE = '[model]\nkind = "colm2014"\n[output]\ndirectory = "out/analysis"\n'


@pytest.mark.parametrize("name", ["out/analysis/diagnostics.nc", "out/analysis", "out/analysis/restart/*.nc"])
def test_what_makes_it_is_named_until_it_is_there(tmp_path: Path, name: str) -> None:
    (tmp_path / "case.toml").write_text(CASE)
    (tmp_path / "damaged.toml").write_text("[output")
    said = (
        rf"no folder out/analysis, .* of {tmp_path}/case.toml, .*`imgda_mpi analyse {tmp_path}/case.toml` \(see \[a\] b"
    )
    with pytest.raises(ConfigError, match=said):
        check_made(tmp_path / name, "[a] b")
    for other in ("out/other.nc", 300 * "a", "a\0b"):  # of which nothing is known
        check_made(tmp_path / other, "[a] b")
    (tmp_path / "out" / "analysis").mkdir(parents=True)
    check_made(tmp_path / name, "[a] b")


def test_the_folder_is_known_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "case.toml").write_text(CASE.replace("out/analysis", str(tmp_path / "analysis")))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"`imgda_mpi analyse case\.toml`"):
        check_made(Path("analysis/diagnostics.nc"), "[background] file")
