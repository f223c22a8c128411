"""Whether a folder holds the result of a case as it is now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cases import GLDAS, METHOD, run
from launch import imgda, python

from imgda_mpi.cli import main
from imgda_mpi.results.identity import digest
from imgda_mpi.settings.analysis import NOT_DECIDING, Settings
from imgda_mpi.settings.file import read_settings

DECIDING = """
[errors]
observation = 0.05
"""
NOT = """
[errors]
allow_few = true
[parallel]
wedge_groups = 2
"""


@pytest.fixture(scope="module")
def finished(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case beside its result."""
    case = Path(shutil.copytree(example, tmp_path_factory.mktemp("finished") / "case"))
    text = (case / "case.toml").read_text().replace(METHOD, 'method = "pointwise"')
    (case / "case.toml").write_text(text[: text.index("[output]")])
    text = (case / "case.toml").read_text()
    run(case, text)
    (case / "case.toml").write_text(f'{text}[output]\ndirectory = "analysis"\n')
    return case


@pytest.fixture
def case(finished: Path) -> Path:
    """The case, whose files are as they were when a test begins."""
    return finished


def asked(case: Path, capsys: pytest.CaptureFixture[str], settings: str = "case.toml") -> tuple[int, str]:
    status = main(["check", "--done", str(case / settings)])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_the_result_is_there(case: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    said = (0, f"the whole result is there already, in {case / 'analysis'}\n")
    assert asked(case, capsys) == said
    # From another folder, by another name of this one, with keys that do not decide.
    (case.parent / "link").symlink_to(case)
    monkeypatch.chdir(case.parent / "link")
    assert asked(Path(), capsys) == (0, "the whole result is there already, in analysis\n")
    (case / "other.toml").write_text((case / "case.toml").read_text() + NOT)
    assert asked(case, capsys, "other.toml") == said


def test_it_is_asked_without_mpi_and_without_hdf5(case: Path) -> None:
    done = python("-X", "importtime", "-m", "imgda_mpi", "check", "--done", str(case / "case.toml"))
    assert done.returncode == 0
    for name in ("mpi4py", "h5py", "netCDF4", "numpy"):
        assert f" {name}\n" not in done.stderr


@pytest.mark.parametrize("is_made", [False, True])
def test_there_is_no_result_yet(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_made: bool) -> None:
    text = (case / "case.toml").read_text().replace('"analysis"', f'"{tmp_path}/new"')
    if is_made:
        (tmp_path / "new").mkdir()
    (case / "new.toml").write_text(text)
    assert asked(case, capsys, "new.toml") == (3, f"no result yet in {tmp_path}/new\n")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda text: text.replace("06:00:00Z", "12:00:00Z"),
            '[model] time "2022-06-02T06:00:00Z" there and "2022-06-02T12',
        ),
        (lambda text: text.replace("pointwise", "analytic"), '[method] kind "pointwise" there and "analytic" here'),
        (lambda text: text + DECIDING, "[errors] observation 0.1 there and 0.05 here"),
        (lambda text: text.replace("observation/GLDAS", "elsewhere/GLDAS"), "/elsewhere/GLDAS_NOAH"),
        (lambda text: text.replace("[output]", "max_time_offset = inf\n[output]"), '3.0 there and "Infinity" here'),
    ],
)
def test_a_result_of_other_settings_is_another_analysis(
    case: Path, capsys: pytest.CaptureFixture[str], change: Callable[[str], str], said: str
) -> None:
    text = (case / "case.toml").read_text()
    assert change(text) != text
    (case / "changed.toml").write_text(change(text))
    status, output = asked(case, capsys, "changed.toml")
    assert status == 2
    assert output.startswith(f"error: {case / 'analysis'}: found another result: [")
    assert said in output
    assert output.endswith(
        "expected that of these settings; give another folder, or remove this one (see [output] directory)\n"
    )


def test_a_result_of_another_version_is_another_analysis(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = case / "analysis" / "manifest.json"
    kept = manifest.read_text()
    manifest.write_text(kept.replace('"imgda_mpi ', '"imgda_mpi 0.0.'))
    status, output = asked(case, capsys)
    manifest.write_text(kept)
    assert (status, "found another result: program" in output) == (2, True)


@pytest.mark.parametrize("change", [lambda b: b + b"x", lambda b: b[:-1] + bytes([b[-1] ^ 1]), None])
@pytest.mark.parametrize(
    "name", [GLDAS, "model/demo/restart/2022-153-21600", "analysis/restart", "analysis/diagnostics.nc"]
)
def test_files_that_have_changed_or_are_gone_are_named(
    case: Path, capsys: pytest.CaptureFixture[str], name: str, change: Callable[[bytes], bytes] | None
) -> None:
    path = case / name
    if path.is_dir():
        path = min(one for one in path.rglob("*") if one.is_file())
    kept = path.read_bytes()
    path.unlink()
    if change is not None:
        path.write_bytes(change(kept))
    status, output = asked(case, capsys)
    path.write_bytes(kept)
    assert status == 2
    of_result = name.startswith("analysis")
    where = path.relative_to(case / "analysis") if of_result else path
    what = "a result that is not whole any more" if of_result else "the result of other inputs"
    assert f"found {what}: {'no' if change is None else 'another'} {where}, expected" in output


def test_an_analysis_whose_restart_has_taken_the_place_of_its_background_is_done(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    background = next((case / "model/demo/restart").glob("2022-*"))
    kept = Path(shutil.copytree(background, tmp_path / "kept"))
    analysed = sorted((case / "analysis/restart" / background.name).iterdir())
    try:
        for number, path in enumerate(analysed, 1):
            shutil.copyfile(path, background / path.name)
            status, output = asked(case, capsys)
            if number < len(analysed):
                assert status == 2
                assert f"found {number} of {len(analysed)} files of the analysed restart in the place of" in output
                assert "copy all files of its folder restart/" in output
        assert status == 0
        (background / "added.nc").write_bytes(b"")
        status, output = asked(case, capsys)
        assert status == 2
        assert f"found a result without {background / 'added.nc'}" in output
    finally:
        shutil.rmtree(background)
        shutil.copytree(kept, background)


def test_a_file_that_was_put_beside_the_result_is_named(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    added = case / "analysis/restart/note.txt"
    added.write_text("")
    status, output = asked(case, capsys)
    added.unlink()
    assert status == 2
    assert f"{added} besides" in output


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"program": "imgda_mpi", "settings": {}, "inputs": [{}], "outputs": []}']
)
def test_a_manifest_that_is_none_is_refused(case: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    manifest = case / "analysis" / "manifest.json"
    kept = manifest.read_text()
    manifest.write_text(content)
    status, output = asked(case, capsys)
    manifest.write_text(kept)
    assert status == 2
    assert f"error: {manifest}: found no manifest of a result (" in output


def test_a_folder_that_holds_something_else_is_refused(
    case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (case / "mine.toml").write_text((case / "case.toml").read_text().replace('"analysis"', f'"{tmp_path}"'))
    status, output = asked(case, capsys, "mine.toml")
    assert status == 2
    assert output == (
        f"error: {tmp_path}: found a folder that is not empty, without manifest.json, expected a whole result, or "
        "nothing; give another folder (see [output] directory)\n"
    )
    # What an analysis would stop at is said by a check, and is no fault of what it checks.
    done = imgda("check", case / "mine.toml")
    assert done.returncode == 0
    assert done.stderr.endswith(f"warning: {output.removeprefix('error: ')}")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_job_that_was_killed_at_its_very_end_has_nothing_to_do(case: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in case.rglob("*")}
    done = imgda("analyse", case / "case.toml")
    assert done.returncode == 0
    assert done.stdout == f"nothing to do: the whole result is there already, in {case / 'analysis'}\n"
    assert {path: path.stat().st_mtime_ns for path in case.rglob("*")} == before


def test_settings_in_force_name_files_wherever_they_are_read(case: Path) -> None:
    settings = json.loads((case / "analysis" / "manifest.json").read_text())["settings"]
    assert settings["model"]["directory"] == str(case / "model" / "demo")
    assert settings["observation"]["file"] == str(case / GLDAS).replace("A20220602.0600", "A%Y%m%d.%H%M")


def test_a_digest_is_that_of_what_decides(case: Path, tmp_path: Path) -> None:
    base = (case / "case.toml").read_text()

    def of(text: str, folder: Path, content: str = "1") -> str:
        (folder / "d.toml").write_text(text)
        settings = read_settings(folder / "d.toml", Settings).model_dump_json()
        return digest(settings, {folder / "b.nc": "2", folder / "a.nc": content}, NOT_DECIDING)

    assert of(base, case) == of(base + NOT, tmp_path)
    assert of(base, case) == of(base.replace('"analysis"', '"elsewhere"'), case)
    assert len({of(base, case), of(base + DECIDING, case), of(base, case, "3")}) == 3
