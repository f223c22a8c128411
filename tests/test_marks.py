"""What an analysed restart says of itself, and what is refused because of it."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from cases import GLDAS, demo, run, settings_file
from colm2014_files import SmallCase
from image_files import write_grid
from launch import differing, imgda, restart_files, same_restart
from mpi4py import MPI
from problems import TIME, agree

from imgda_mpi.colm.block_files import mark_of_set
from imgda_mpi.colm.marks import (
    ATTRIBUTE,
    Assimilated,
    Mark,
    parse,
    read_sidecar,
    sidecar,
    write_attribute,
    write_sidecar,
)
from imgda_mpi.faults import ImgdaError, InputError
from imgda_mpi.grid import Grid
from imgda_mpi.observations.image import ObservedImage
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.check import check

POINTWISE, INSERT, NONE = 'method = "pointwise"', 'method = "insert"', 'method = "none"'
STATES = Path("restart/2022-153-21600")
SKETCH = (0.25, -0.125)
FIRST = Mark(
    "a" * 64,
    (Assimilated("b" * 64, "one.nc: sm at 2022-06-02 06:00 UTC", "2022-06-02T06:00:00Z", 225, SKETCH),),
)
OTHER = Mark("c" * 64, FIRST.observations)


@pytest.fixture(scope="module")
def analysed(example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output of an analysis of the embedded case."""
    return run(tmp_path_factory.mktemp("analysed"), demo(example_case, before=POINTWISE))


@pytest.fixture
def swapped(example_case: Path, analysed: Path, tmp_path: Path) -> Path:
    """A copy of the embedded case whose restart is the analysed one."""
    case = Path(shutil.copytree(example_case.parent, tmp_path / "case"))
    shutil.copytree(analysed / STATES, case / "model/demo" / STATES, dirs_exist_ok=True)
    return case


def refused(folder: Path, text: str) -> str:
    """What `check` stops at."""
    with pytest.raises(ImgdaError) as caught:
        check(read_settings(settings_file(folder, text, "refused"), Settings), MPI.COMM_SELF)
    return str(caught.value)


def other_observation(case: Path) -> None:
    """The observation of the case becomes another one."""
    with netCDF4.Dataset(case / GLDAS, "r+") as file:
        file["SoilMoi0_10cm_inst"][:] = file["SoilMoi0_10cm_inst"][:] + 1.0


def attribute(path: Path) -> str:
    with netCDF4.Dataset(path) as file:
        return str(file.getncattr(ATTRIBUTE))


def test_every_state_file_is_marked_alike_and_else_only_its_soil_water_differs(
    example_case: Path, analysed: Path
) -> None:
    marks = {attribute(path) for path in restart_files(analysed).values()}
    assert len(marks) == 1
    mark = parse(marks.pop(), Path())
    assert [one.time for one in mark.observations] == ["2022-06-02T06:00:00Z"]
    assert mark.observations[0].source == f"{Path(GLDAS).name}: SoilMoi0_10cm_inst at 2022-06-02 06:00 UTC (instant)"
    for name, path in restart_files(analysed).items():
        assert differing(example_case.parent / "model/demo" / name, path) <= {"wliq_soisno", f"/{ATTRIBUTE}"}


def test_the_mark_depends_on_the_analysis_and_not_on_where_and_on_how_many_ranks_it_was_made(
    example_case: Path, analysed: Path, tmp_path: Path
) -> None:
    elsewhere = Path(shutil.copytree(example_case.parent, tmp_path / "elsewhere")) / "case.toml"
    assert same_restart(analysed, run(tmp_path, demo(elsewhere, before=POINTWISE), "again", ranks=3))
    inserted = run(tmp_path, demo(example_case, before=INSERT), "inserted")
    first, second = (
        parse(attribute(next(iter(restart_files(output).values()))), output) for output in (analysed, inserted)
    )
    assert first.observations == second.observations
    assert first.analysis != second.analysis


@pytest.mark.parametrize("verb", ["check", "analyse"])
def test_an_observation_is_not_assimilated_twice(swapped: Path, tmp_path: Path, verb: str) -> None:
    done = imgda(verb, settings_file(tmp_path, demo(swapped / "case.toml", before=POINTWISE), "again"))
    assert done.returncode == 2
    first = "e000_n00"
    assert f"demo_restart_2022-153-21600_lc2005_{first}.nc: {ATTRIBUTE}: found {Path(GLDAS).name}: Soil" in done.stderr
    assert "at 2022-06-02 06:00 UTC (instant) assimilated already, expected an observation that" in done.stderr
    assert done.stderr.rstrip().endswith("allow it to be repeated (see [observation] allow_repeated)")
    assert not (tmp_path / "again").exists()


def test_an_observation_is_known_under_another_name(swapped: Path, tmp_path: Path) -> None:
    (swapped / GLDAS).rename(swapped / "copy.nc4")
    text = demo(swapped / "case.toml", before=POINTWISE)
    line = next(line for line in text.splitlines() if line.startswith("file = "))
    said = refused(tmp_path, text.replace(line, f'file = "{swapped}/copy.nc4"'))
    assert "assimilated already, which has the values of copy.nc4: SoilMoi0_10cm_inst at 2022-06-02" in said


def test_a_repeated_observation_is_listed_twice_where_it_is_allowed(swapped: Path, tmp_path: Path) -> None:
    text = demo(swapped / "case.toml", before=POINTWISE).replace(
        'kind = "gldas"', 'kind = "gldas"\nallow_repeated = true'
    )
    output = run(tmp_path, text)
    mark = parse(attribute(next(iter(restart_files(output).values()))), output)
    assert len(mark.observations) == 2
    assert mark.observations[0] == mark.observations[1]


def test_another_observation_is_appended(swapped: Path, tmp_path: Path) -> None:
    other_observation(swapped)
    output = run(tmp_path, demo(swapped / "case.toml", before=POINTWISE))
    mark = parse(attribute(next(iter(restart_files(output).values()))), output)
    assert len({one.fingerprint for one in mark.observations}) == 2


def test_method_none_does_not_mind_and_keeps_the_mark(swapped: Path, tmp_path: Path) -> None:
    output = run(tmp_path, demo(swapped / "case.toml", before=NONE))
    for name, path in restart_files(output).items():
        assert path.read_bytes() == (swapped / "model/demo" / name).read_bytes()


def swap_back(case: Path, example: Path, analysed_blocks: int) -> list[Path]:
    states = sorted((case / "model/demo" / STATES).iterdir())
    for path in states[analysed_blocks:]:
        shutil.copyfile(example / "model/demo" / STATES / path.name, path)
    return states


def test_a_set_half_swapped_is_refused(swapped: Path, example: Path, tmp_path: Path) -> None:
    states = swap_back(swapped, example, 3)
    other_observation(swapped)
    said = refused(tmp_path, demo(swapped / "case.toml", before=POINTWISE))
    assert said.startswith(f"{states[0].parent}: {ATTRIBUTE}: found 3 of analysis ")
    assert f"({states[0].name}) and {len(states) - 3} not analysed ({states[3].name}) of {len(states)} blocks" in said
    assert said.endswith("copy all blocks from the one folder or from the other (see [model])")


def test_blocks_of_two_analyses_of_one_observation_are_refused(swapped: Path, example: Path, tmp_path: Path) -> None:
    inserted = run(tmp_path, demo(example / "case.toml", before=INSERT), "inserted")
    name = sorted(path.name for path in (inserted / STATES).iterdir())[-1]
    shutil.copyfile(inserted / STATES / name, swapped / "model/demo" / STATES / name)
    said = refused(tmp_path, demo(swapped / "case.toml", before=NONE))
    assert said.count(f"with {Path(GLDAS).name}") == 2
    assert " and 1 of analysis " in said
    assert f"({name}) of 8 blocks" in said


def test_an_empty_image_leaves_the_restart_without_a_mark(example_case: Path, tmp_path: Path) -> None:
    text = demo(example_case, before=POINTWISE)
    text = text.replace('kind = "gldas"', 'kind = "gldas"\nallow_empty = true\nvalid_range = [0.0, 0.6]')
    observation = tmp_path / "empty.nc4"
    shutil.copyfile(example_case.parent / GLDAS, observation)
    with netCDF4.Dataset(observation, "r+") as file:
        file["SoilMoi0_10cm_inst"][:] = -9999.0
    line = next(line for line in text.splitlines() if line.startswith("file = "))
    output = run(tmp_path, text.replace(line, f'file = "{observation}"'))
    for name, path in restart_files(output).items():
        assert path.read_bytes() == (example_case.parent / "model/demo" / name).read_bytes()


def damage(path: Path, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[ATTRIBUTE] = value


@pytest.mark.parametrize(
    "value",
    [
        FIRST.text[:-5],
        "",
        "{}",
        "[" * 100_000,
        "null",
        np.arange(3),
        b"\xff\xfe",
        FIRST.text.replace("b" * 64, "b" * 63),
        json.dumps({"analysis": "a" * 64, "observations": []}),
        FIRST.text.replace('"time"', '"date"'),
        json.dumps({"analysis": 5, "observations": [{"fingerprint": 1, "source": 2, "time": 3}]}),
    ],
)
def test_a_damaged_mark_is_refused(tmp_path: Path, value: object) -> None:
    path = tmp_path / "block.nc"
    netCDF4.Dataset(path, "w").close()
    damage(path, np.bytes_(value) if isinstance(value, bytes) else value if len(value) < 60_000 else value[:60_000])
    with pytest.raises(InputError, match=f"block.nc: {ATTRIBUTE}: found .*, expected "):
        mark_of_set([path], MPI.COMM_SELF)


@pytest.mark.parametrize("text", ["ascii", "höher.nc ☔ " * 40, "\udcff.nc"])
def test_a_mark_is_read_as_it_was_written_also_in_the_place_of_another(tmp_path: Path, text: str) -> None:
    path = tmp_path / "block.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.title = "kept"
    assert mark_of_set([path], MPI.COMM_SELF) is None
    for mark in (FIRST, Mark("d" * 64, (*FIRST.observations, Assimilated("e" * 64, text, "t", 1, SKETCH)))):
        write_attribute(path, mark)
        assert mark_of_set([path], MPI.COMM_SELF) == mark
        with netCDF4.Dataset(path) as file:
            assert file.title == "kept"
            assert file.getncattr(ATTRIBUTE) == mark.text
    # A string of variable length, as other tools write it.
    damage(path, FIRST.text)
    assert mark_of_set([path], MPI.COMM_SELF) == FIRST


@pytest.mark.mpi
def test_any_number_of_ranks_finds_the_same_of_a_set(mpi_tmp_path: Path) -> None:
    comm = MPI.COMM_WORLD
    files = [mpi_tmp_path / f"{number}.nc" for number in range(7)]
    if comm.rank == 0:
        for path in files:
            netCDF4.Dataset(path, "w").close()
            write_attribute(path, FIRST)
    comm.barrier()
    assert agree(comm, mark_of_set(files, comm) == FIRST)
    comm.barrier()
    if comm.rank == 0:
        write_attribute(files[5], OTHER)
        with h5py.File(files[6], "r+") as file:
            del file.attrs[ATTRIBUTE]
    comm.barrier()
    said = ""
    try:
        mark_of_set(files, comm)
    except InputError as err:
        said = str(err)
    assert agree(comm, "(0.nc) and 1 of analysis cccccccc with one.nc" in said)
    assert agree(comm, "found 5 of analysis aaaaaaaa" in said and "and 1 not analysed (6.nc) of 7 blocks" in said)


class Case2014:
    """A small case of CoLM2014 with an observation of all its cells."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        small = SmallCase(4, 6)
        self.folder = folder
        self.state, self.const = small.write(folder)
        with netCDF4.Dataset(folder / "obs.nc", "w") as file:
            write_grid(file, Grid(small.lats, small.lons))
            file.createVariable("sm", "f8", ("lat", "lon"))[:] = 0.3
            file["sm"].units = "m3 m-3"

    def text(self, method: str = INSERT, **keys: str) -> str:
        more = "".join(f"{name} = {value}\n" for name, value in keys.items())
        return (
            f'{method}\n[model]\nkind = "colm2014"\nrestart_file = "{self.state}"\nconst_file = "{self.const}"\n'
            f'time = 2022-06-04T00:00:00Z\n[observation]\nkind = "cf"\nfile = "{self.folder}/obs.nc"\nvariable = "sm"\n'
            f"max_time_offset = inf\n{more}"
        )

    def swap(self, output: Path) -> None:
        for path in (output / "restart").iterdir():
            shutil.copyfile(path, self.state.with_name(path.name))


@pytest.fixture
def case_2014(tmp_path: Path) -> Case2014:
    return Case2014(tmp_path / "case")


def test_a_sidecar_marks_a_restart_of_colm2014(case_2014: Case2014, tmp_path: Path) -> None:
    output = run(tmp_path, case_2014.text(), ranks=2)
    written = output / "restart" / case_2014.state.name
    assert {path.name for path in written.parent.iterdir()} == {written.name, f"{written.name}.imgda.json"}
    manifest = json.loads((output / "manifest.json").read_text())
    assert {entry["file"] for entry in manifest["outputs"]} == {*restart_files(output), "diagnostics.nc"}
    alone = run(tmp_path, case_2014.text(), "alone")
    assert sidecar(alone / "restart" / written.name).read_bytes() == sidecar(written).read_bytes()
    case_2014.swap(output)
    said = refused(tmp_path, case_2014.text())
    assert said.startswith(f"{sidecar(case_2014.state)}: {ATTRIBUTE}: found obs.nc: sm at ")
    again = run(tmp_path, case_2014.text(allow_repeated="true"), "repeated")
    assert len(json.loads(sidecar(again / "restart" / written.name).read_text())["mark"]["observations"]) == 2
    assert str(sidecar(case_2014.state)) in (again / "manifest.json").read_text()


def test_method_none_keeps_the_sidecar_and_makes_none(case_2014: Case2014, tmp_path: Path) -> None:
    output = run(tmp_path, case_2014.text(NONE), "unmarked")
    assert [path.name for path in (output / "restart").iterdir()] == [case_2014.state.name]
    case_2014.swap(run(tmp_path, case_2014.text(), "marked"))
    output = run(tmp_path, case_2014.text(NONE), "kept")
    for name in (case_2014.state.name, sidecar(case_2014.state).name):
        assert (output / "restart" / name).read_bytes() == case_2014.state.with_name(name).read_bytes()


def test_a_sidecar_of_another_file_is_passed_over(
    case_2014: Case2014, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    background = case_2014.state.read_bytes()
    case_2014.swap(run(tmp_path, case_2014.text()))
    case_2014.state.write_bytes(background)  # as the model does that starts anew
    with caplog.at_level(logging.WARNING, "imgda_mpi"):
        output = run(tmp_path, case_2014.text(), "again")
    assert f"{sidecar(case_2014.state)}: is of another file than {case_2014.state.name} beside it" in caplog.text
    written = output / "restart" / case_2014.state.name
    assert len(json.loads(sidecar(written).read_text())["mark"]["observations"]) == 1


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"sha256": "0"}', b'{"sha256": 1, "mark": {}}'])
def test_a_damaged_sidecar_is_refused(case_2014: Case2014, tmp_path: Path, content: bytes) -> None:
    sidecar(case_2014.state).write_bytes(content)
    said = refused(tmp_path, case_2014.text(NONE))
    assert said.startswith(f"{sidecar(case_2014.state)}")
    assert "found " in said
    assert "remove it where the restart has not been analysed" in said


def test_an_image_is_known_however_it_is_packed_and_cut() -> None:
    rng = np.random.default_rng(4)
    image, cells = rng.uniform(0.05, 0.45, (40, 60)), rng.random((40, 60)) < 0.5

    def held(values: np.ndarray, fingerprint: str, time: str = "2022-06-02T06:00:00Z") -> Assimilated:
        observed = ObservedImage(values, TIME, Path("a.nc"), "sm", fingerprint, (), [], {})
        return Assimilated(fingerprint, "a.nc: sm", time, int(cells.sum()), observed.sketch(cells))

    first = held(image, "a" * 64)
    beyond, noise = np.where(cells, image, np.nan), rng.standard_normal(image.shape)
    for same in (
        beyond,
        image.astype("f4").astype("f8"),
        np.round(image, 3),
        image + 5e-4 * noise,
    ):
        assert first.is_like(held(same, "b" * 64))
    for other in (image + 0.003, image + 0.002 * noise, image[::-1]):
        assert not first.is_like(held(other, "b" * 64))
    assert not first.is_like(held(image, "b" * 64, "2022-06-02T09:00:00Z"))
    assert first.is_like(held(image[::-1], "a" * 64, "2022-06-02T09:00:00Z"))


def test_a_member_that_holds_the_observation_is_refused(swapped: Path, example_case: Path, tmp_path: Path) -> None:
    members = f'"{example_case.parent / "model/demo"}", "{swapped / "model/demo"}"'
    after = f'[ensemble]\nkind = "restarts"\ndirectories = [{members}]\n'
    said = refused(tmp_path, demo(example_case, before='method = "letkf"', after=after))
    assert f"{swapped / 'model/demo'}" in said
    assert "assimilated already" in said


def test_a_link_to_a_marked_restart_is_marked(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    state, const = SmallCase(4, 6).write(tmp_path / "there")
    write_sidecar(state, FIRST)
    link = tmp_path / "link"
    link.symlink_to(state)
    assert read_sidecar(link) == FIRST
    lost = link.with_name("link.imgda.json")
    lost.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"link.imgda.json"):
        read_sidecar(link)
    assert const.exists()


def test_a_sidecar_without_a_checksum_is_refused(tmp_path: Path) -> None:
    state, _ = SmallCase(4, 6).write(tmp_path)
    write_sidecar(state, FIRST)
    path = sidecar(state)
    for damaged in ('"' + "0" * 65 + '"', "[1]", "null"):
        whole = json.loads(path.read_text()) | {"sha256": json.loads(damaged)}
        path.write_text(json.dumps(whole))
        with pytest.raises(InputError, match="found no mark"):
            read_sidecar(state)
