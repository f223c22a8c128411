"""Fig. 5: the maps of an analysis in boxes."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from analyses_made import GLOBE, REGION, material_of, write_made_analysis
from matplotlib.collections import QuadMesh
from pictures import touching

from imgda_mpi.report.picture import Section, write_picture
from imgda_mpi.report.theme import MINUS
from imgda_mpi.report.zoom_maps import zooms_section
from imgda_mpi.results.analysis_file import read_analysis
from imgda_mpi.verify.regions import BOXES, cells_of
from imgda_mpi.verify.scores import scores
from imgda_mpi.verify.status import FIT

IMAGES = ("background", "observation", "analysis", "increment")


def section_of(folder: Path, **boxes: tuple[float, float, float, float]) -> Section:
    section = zooms_section(material_of(folder, boxes=boxes))
    assert isinstance(section, Section)
    return section


def test_boxes_stand_beside_each_other_with_the_same_colours(tmp_path: Path) -> None:
    section = section_of(write_made_analysis(tmp_path / "one", GLOBE))
    (picture,) = section.pictures
    panels = picture.figure.axes[:8]
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles[:2] == ["(a) Background, China", "(b) Background, US"]
    assert titles[-1] == "(h) Increment, US"
    for axes, box in zip(panels[:2], BOXES.values(), strict=True):
        south, north, west, east = box
        assert axes.get_ylim() == (south, north)
        np.testing.assert_allclose(axes.get_xlim(), (west, east))
    limits = [[one for one in axes.collections if isinstance(one, QuadMesh)][-1].get_clim() for axes in panels]
    assert limits[:6] == [(0.0, 0.5)] * 6
    assert limits[6] == limits[7] == (-limits[6][1], limits[6][1])
    assert len(picture.figure.axes) == 10
    assert touching(picture.figure) == []


def test_the_table_has_the_cells_of_each_box_and_the_words_its_means(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", GLOBE)
    section, saved = section_of(folder), read_analysis(folder / "diagnostics.nc")
    (picture,) = section.pictures
    write_picture(picture, tmp_path, tmp_path / "zooms.png")
    with (tmp_path / "zooms.csv").open(encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    said = [float(number.replace(MINUS, "-")) for number in re.findall(rf"[+{MINUS}]0\.\d{{3}}", picture.alt)]
    for box, mean, line in zip(BOXES, said, section.tables[0].rows[1:], strict=True):
        of_box = [row for row in rows if row["region"] == box]
        soil = cells_of(saved.grid, BOXES[box]) & np.isfinite(saved.background)
        assert len(of_box) == soil.sum()
        columns = {name: np.array([float(row[f"{name}_m3_m-3"] or "nan") for row in of_box]) for name in IMAGES}
        for name, values in columns.items():
            np.testing.assert_allclose(values, getattr(saved, name)[soil], rtol=1e-6)
        assert mean == pytest.approx(columns["increment"].mean(), abs=6e-4)
        before, after = (scores(columns[name], columns["observation"]) for name in ("background", "analysis"))
        assert line[:3] == (box, str(before.n_cells), f"{before.scc:.2f} → {after.scc:.2f}")
    assert FIT in section.tables[0].caption


def test_own_boxes_replace_those_of_the_paper(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION)
    boxes = {"tall": (30.0, 45.0, -120.0, -110.0), "east": (30.0, 38.0, -95.0, -80.0), "none": (0.0, 5.0, 0.0, 9.0)}
    section = section_of(folder, **boxes, south=(26.0, 30.0, -110.0, -90.0))
    assert [picture.name for picture in section.pictures] == ["zooms", "zooms_1"]
    pair, tall = (
        [axes.get_title(loc="left").replace("\n", " ") for axes in one.figure.axes] for one in section.pictures
    )
    assert pair[:2] == ["(a) Background, east", "(b) Background, south"]
    assert tall[:4] == [f"({letter}) {name.capitalize()}, tall" for letter, name in zip("abcd", IMAGES, strict=True)]
    tops = [axes.get_position().y1 for axes in section.pictures[1].figure.axes[:4]]
    assert np.ptp(tops) < 1e-6
    assert section.text == ["The grid has no soil in none."]
    for picture in section.pictures:
        assert touching(picture.figure) == []


def test_a_region_without_the_boxes_or_within_one_says_so(tmp_path: Path) -> None:
    folder = write_made_analysis(tmp_path / "one", REGION)
    assert zooms_section(material_of(folder)) == "all soil of the grid lies in US: the maps of the analysis show it"
    far = zooms_section(material_of(folder, boxes={"Sahel": (10.0, 20.0, -10.0, 30.0)}))
    assert isinstance(far, str)
    assert "no soil in Sahel" in far


def test_without_observation_there_are_maps_and_no_scores(tmp_path: Path) -> None:
    section = section_of(write_made_analysis(tmp_path / "one", GLOBE, is_observed=False))
    assert section.tables == []
    assert len(section.pictures) == 1
