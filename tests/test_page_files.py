"""The files of a page: all or none, those of the page before go, and names are whatever users call their folders."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from matplotlib.figure import Figure

from imgda_mpi.faults import InputError, OutputError
from imgda_mpi.report.page import Part, write_page
from imgda_mpi.report.picture import Numbers, Picture, Section


def picture(name: str, text: str = "a line") -> Picture:
    figure = Figure(figsize=(2.0, 1.0))
    figure.text(0.1, 0.5, text)
    return Picture(name=name, figure=figure, numbers=Numbers({"rain_mm": [1.0]}), alt=text, caption=text)


def write(folder: Path, *names: str, text: str = "a line", title: str = "A page") -> Path:
    parts = [Part[None]("part", "Part", lambda _: Section(pictures=[picture(name, text) for name in names]))]
    return write_page(folder, title, "Made by hand.", parts, None)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def links(page: Path) -> list[str]:
    return [link for link in re.findall(r'href="([^"]*)"', page.read_text()) if link[0] != "#" and link != "data:,"]


def test_what_an_earlier_page_showed_goes_and_files_of_the_user_stay(tmp_path: Path) -> None:
    write(tmp_path, "figure", "old", "both")
    (tmp_path / "report/mine.png").write_bytes(b"mine")
    (tmp_path / "note.csv").write_bytes(b"mine")
    write(tmp_path, "both", "new")
    of_page = {f"report/{name}.{kind}" for name in ("both", "new") for kind in ("png", "csv")}
    assert set(files(tmp_path)) == {"report.html", "note.csv", "report/mine.png"} | of_page


def test_only_files_that_a_report_may_have_written_are_removed(tmp_path: Path) -> None:
    (tmp_path / "page/report").mkdir(parents=True)
    for name in ("mine.csv", "page/mine.csv", "page/report/shown.csv"):
        (tmp_path / name).write_text("mine")
    hrefs = ["../mine.csv", "mine.csv", "report/../../mine.csv", "report/shown.csv", str(tmp_path / "mine.csv")]
    (tmp_path / "page/report.html").write_text("".join(f'<a href="{href}">CSV</a>' for href in hrefs))
    write(tmp_path / "page", "new")
    assert (tmp_path / "mine.csv").exists()
    assert (tmp_path / "page/mine.csv").exists()
    assert not (tmp_path / "page/report/shown.csv").exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_report_that_does_not_come_to_its_end_leaves_what_was_there(tmp_path: Path, error: type) -> None:
    write(tmp_path, "figure", "one")
    before = files(tmp_path)

    def stop(_: None) -> Section:
        raise error

    parts = [Part[None]("a", "A", lambda _: Section(pictures=[picture("one", "other")])), Part[None]("b", "B", stop)]
    with pytest.raises(error):
        write_page(tmp_path, "B", "Made by hand.", parts, None)
    assert files(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_place_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="--output"):
        write(tmp_path / "file/below", "one")


NAMES = ["box_a/b", "box_a b", "run <script>", "per%cent #1", "../up", "..", "x" * 300, "水", "box_a/b"]


def test_names_of_files_are_plain_and_told_apart_and_links_find_them(tmp_path: Path) -> None:
    page = write(tmp_path / "new #1/50% é", *NAMES)
    found = [page.parent / unquote(link) for link in links(page)]
    assert len(set(found)) == 2 * len(NAMES)
    assert all(file.is_file() and file.parent == page.parent / "report" for file in found)
    assert not [link for link in links(page) if re.search(r"[\s#<>]|^\w+:|^/", link)]
    ids = re.findall(r' id="(picture-[^"]*)"', page.read_text())
    assert len(set(ids)) == len(NAMES)
    assert not [one for one in ids if re.search(r"\s", one)]


def test_names_stand_in_the_page_and_its_pictures_as_they_are(tmp_path: Path) -> None:
    name = '<script>alert(1)</script> & "x^{$ $\\bad$'
    text = write(tmp_path, "one", text=name, title=name).read_text()
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 3


def test_a_name_that_is_no_text_does_not_stop_the_page(tmp_path: Path) -> None:
    assert write(tmp_path, "one", title="bad\udcff").read_text(encoding="utf-8").count("bad?") == 2


def test_one_damaged_file_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def damaged(_: None) -> Section:
        raise InputError("a.nc: found nothing")

    parts = [Part[None](name, name, damaged) for name in ("One", "Two")]
    with caplog.at_level("WARNING", "imgda_mpi"):
        page = write_page(tmp_path, "A", "By hand.", parts, None)
    assert [record.getMessage() for record in caplog.records] == ["left out: One, Two: a.nc: found nothing"]
    assert page.read_text().count("a.nc: found nothing") == 1


def test_settings_of_the_user_change_no_picture(tmp_path: Path) -> None:
    import matplotlib

    write(tmp_path / "a", "one")
    with matplotlib.rc_context({"savefig.bbox": "tight", "savefig.dpi": 30, "font.size": 30.0}):
        write(tmp_path / "b", "one")
    assert files(tmp_path / "a")["report/one.png"] == files(tmp_path / "b")["report/one.png"]
