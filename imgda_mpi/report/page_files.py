"""The files of a page take their places when all are there, and those of the page before that are not in it go."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from imgda_mpi.disk import make_whole
from imgda_mpi.faults import OutputError, fault, writing

PAGE, FILES = "report.html", "report"
"""The page, and the folder beside it with every picture as PNG, those of the paper's kind as PDF, numbers as CSV."""

BESIDE = "figure"
"""The picture whose PNG lies beside the page."""

STAGING = ".report.partial-"
"""How the names of folders begin in which files are made; a killed report leaves one, which anybody may remove."""

LINK = re.compile(r'<a href="([^"#][^"]*)">(?:PNG|CSV|PDF)</a>')
"""To a file of a picture, as `page.html` has it."""


@contextmanager
def together(directory: Path) -> Iterator[Path]:
    """A folder to write a page and its files into, which go to ``directory`` when the block has succeeded.

    The page comes last. Where the block ends otherwise, as by Ctrl-C or on a full disk, what was there is as it was.

    Raises
    ------
    OutputError
        Where ``directory`` cannot be made or written.
    """
    _make(directory)
    with writing(directory):
        staging = Path(tempfile.mkdtemp(prefix=STAGING, dir=directory))
    try:
        (staging / FILES).mkdir()
        yield staging
        _take_places(staging, directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        found, do = f"a folder that cannot be made ({err.strerror})", "give another one with --output"
        raise fault(directory, found=found, expected="a place for the report", do=do, kind=OutputError) from err


def _take_places(staging: Path, directory: Path) -> None:
    made = {path.relative_to(staging) for path in staging.rglob("*") if path.is_file()} - {Path(PAGE)}
    _make(directory / FILES)
    for file in sorted(made):
        with writing(directory / file):
            (staging / file).replace(directory / file)
    old = _files_of(directory / PAGE)
    make_whole(directory / PAGE, lambda path: (staging / PAGE).replace(path))
    for file in sorted(old - made):
        with writing(directory / file):
            (directory / file).unlink(missing_ok=True)


def _files_of(page: Path) -> set[Path]:
    """What a page links to and a report may have written; nothing where it is no page of a report."""
    text = page.read_text(encoding="utf-8", errors="replace") if os.access(page, os.R_OK) and page.is_file() else ""
    linked = {Path(unquote(link)) for link in LINK.findall(text)}
    return {file for file in linked if file.parent == Path(FILES) or file == Path(f"{BESIDE}.png")}
