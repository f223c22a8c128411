"""The page of a report: one HTML file that holds its pictures and needs no network."""

from __future__ import annotations

import base64
import io
import logging
import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib import style
from PIL import Image

from imgda_mpi.faults import InputError, writing
from imgda_mpi.report.page_files import BESIDE, FILES, PAGE, together
from imgda_mpi.report.picture import Picture, Section, Table, write_picture
from imgda_mpi.report.theme import UNIT

log = logging.getLogger(__name__)

MOST = 15e6
TEXT = 2e6
"""Bytes of a page, which mail and browsers take, and of what of it is no picture."""

SMALLER = (1.0, 0.75, 0.5)
"""What pictures in a page that would be too large are scaled to, with 256 colours; the files stay as they are."""

NUMBER = re.compile(r"[-+±\u2212>]?[\d.]*(e[-+]\d+)?(\s?[±%].*)?")
"""A cell that is set at the right."""

ODD, LONGEST = re.compile(r"[^\w.-]+"), 60
"""What names of files do without, and their letters, of up to four bytes each."""

LETTERS = {"text.parse_math": False}
"""Names of folders may have dollar signs. What a user's own settings change of pictures is not in reports."""

Of = TypeVar("Of")


@dataclass(frozen=True)
class Part(Generic[Of]):
    """A part that a page may have: its name in links, its title, and what makes it, or says why there is none."""

    anchor: str
    title: str
    make: Callable[[Of], Section | str]


def write_page(directory: Path, title: str, made_of: str, parts: Sequence[Part[Of]], material: Of) -> Path:
    """Make all parts one after the other, write their pictures, and the page; where it is. Not collective.

    A part whose files turn out to be damaged is left out with the message, and a warning is logged.

    Raises
    ------
    OutputError
        Where something cannot be written.
    """
    with together(directory) as staging, style.context(["default", LETTERS]):
        text = _rendered(staging, title, made_of, parts, material)
        with writing(directory / PAGE):
            (staging / PAGE).write_text(text, encoding="utf-8", errors="replace")  # names of folders may be no UTF-8
    return directory / PAGE


def _rendered(directory: Path, title: str, made_of: str, parts: Sequence[Part[Of]], material: Of) -> str:
    """The text of the page, with all files that it links to written into a folder."""
    sections: list[dict[str, Any]] = []
    left_out: dict[str, list[str]] = {}
    faults: dict[str, list[str]] = {}
    taken: set[str] = set()
    for part in parts:
        try:
            made = part.make(material)
        except InputError as err:
            made = str(err)
            faults.setdefault(made, []).append(part.title)
        if isinstance(made, str):
            left_out.setdefault(made, []).append(part.title)
        else:
            sections.append(_written(part, made, directory, taken))
    for said, titles in faults.items():
        log.warning("left out: %s: %s", ", ".join(titles), said)
    loader = FileSystemLoader(Path(__file__).parent)
    template = Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template("page.html")
    every = [picture for section in sections for picture in (*section["pictures"], *section["steps"])]
    _put_in(every, directory)
    text = template.render(title=title, made_of=made_of, sections=sections, left_out=left_out)
    return text.replace(UNIT, UNIT.replace(" ", "\N{NO-BREAK SPACE}"))


def _put_in(pictures: Sequence[dict[str, Any]], directory: Path) -> None:
    """Give every picture its data, as it is, or as small as all have to be for the page not to be too large."""
    found = [(directory / picture["files"]["PNG"]).read_bytes() for picture in pictures]
    for scale in SMALLER:
        if sum(map(len, found)) * 4 / 3 < MOST - TEXT:
            break
        found = [_smaller(directory / picture["files"]["PNG"], scale) for picture in pictures]
    for picture, data in zip(pictures, found, strict=True):
        picture["data"] = base64.b64encode(data).decode()


def _smaller(file: Path, scale: float) -> bytes:
    with Image.open(file) as image:
        size = int(image.width * scale), int(image.height * scale)
        small = io.BytesIO()
        image.convert("RGB").resize(size, Image.Resampling.LANCZOS).quantize().save(small, "PNG", optimize=True)
    return small.getvalue()


def _free_name(name: str, taken: Set[str]) -> str:
    """A name of files, whatever runs and boxes are called: letters, digits, _ - and dots within, and not taken yet.

    >>> _free_name("zoom_a/b <c>", {"zoom_a_b_c_"})
    'zoom_a_b_c__2'
    """
    plain = ODD.sub("_", name)[:LONGEST].strip(".") or "picture"
    others = (f"{plain}_{number}" for number in count(2))
    return next(one for one in chain([plain], others) if one not in taken)


def _written(part: Part[Of], section: Section, directory: Path, taken: set[str]) -> dict[str, Any]:
    """A section as the template takes it: its pictures are on disk by names not yet taken, and no figure is kept."""
    return {
        "anchor": part.anchor,
        "title": part.title,
        "text": section.text,
        "terms": section.terms,
        "tables": [_shown_table(table) for table in section.tables],
        "pictures": [_shown(picture, directory, taken) for picture in section.pictures],
        "steps": [_shown(picture, directory, taken) for picture in section.steps],
        "details": section.details,
    }


def _shown_table(table: Table) -> Mapping[str, Any]:
    head, *body = table.rows
    sides = ["number" if all(NUMBER.fullmatch(row[n]) for row in body) else "words" for n in range(len(head))]
    return {"caption": table.caption, "head": head, "body": body, "sides": sides}


def _shown(picture: Picture, directory: Path, taken: set[str]) -> dict[str, Any]:
    picture = replace(picture, name=_free_name(picture.name, taken))
    taken.add(picture.name)
    folder = directory / FILES
    png = (directory if picture.name == BESIDE else folder) / f"{picture.name}.png"
    files = write_picture(picture, folder, png)
    with Image.open(png) as image:
        width, height = image.size
    return {
        "name": picture.name,
        "alt": picture.alt,
        "caption": picture.caption,
        "label": picture.label,
        "width": width,
        "height": height,
        "files": {file.suffix[1:].upper(): file.relative_to(directory).as_posix() for file in files},
    }
