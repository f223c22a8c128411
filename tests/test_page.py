"""Pages of reports as people see them: opened from disk in a real browser, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from browser import Browser, browser
from launch import imgda
from matplotlib.figure import Figure
from real_comparisons import write_region
from stations_made import made_stations
from test_report import REGION, write_case
from twins import twin_settings

from imgda_mpi.report.material import Material, Wanted
from imgda_mpi.report.page import MOST, Part, write_page
from imgda_mpi.report.picture import Numbers, Picture, Section, Table
from imgda_mpi.workflow.report import PARTS, report

# The command of all tests installs the browser beside its first stages.
pytestmark = pytest.mark.program

WIDTHS = (400, 1200)


def made_picture(name: str, label: str = "", width: float = 10.0) -> Picture:
    figure = Figure(figsize=(width, 4.0), dpi=100)
    figure.add_axes((0.1, 0.1, 0.8, 0.8)).plot([0, 1], [0, 1])
    return Picture(
        name=name,
        figure=figure,
        numbers=Numbers({"rain_mm": [0.0, 1.0]}),
        alt=f"A line called {name}, from 0 to 1 mm of rain.",
        caption=f"What {name} shows, in mm.",
        is_papers=True,
        label=label,
    )


def made_section(_: None) -> Section:
    rows = [["run", *(f"column {n}" for n in range(20))], *([f"run {n}", *(["0.123"] * 20)] for n in range(4))]
    return Section(
        text=["A paragraph with a_very_long_name_that_no_browser_breaks_" * 4],
        tables=[Table("Scores of many columns", rows)],
        pictures=[made_picture("figure"), made_picture("narrow", width=3.0)],
        steps=[made_picture(f"day_{n}", f"{n} June") for n in range(1, 13)],
        details={"Settings": "\n".join(f"key_{n} = {'x' * 300}" for n in range(50))},
    )


def made_up(folder: Path) -> Path:
    """A page with everything that a page may have."""
    parts = [
        Part[None]("summary", "Summary", lambda _: Section(text=["What it did."])),
        Part[None]("table", 'Made up, with <signs> & "quotes"', made_section),
        Part[None]("gone", "Nowhere", lambda _: "there is no such thing"),
        Part[None]("end", "The end", lambda _: Section(text=["Nothing. " * 400])),
    ]
    return write_page(folder, "A page", "Made by hand.", parts, None)


def of_an_analysis(folder: Path) -> Path:
    write_case(folder, REGION)
    report([folder], Wanted())
    return folder / "report.html"


def of_a_comparison(folder: Path) -> Path:
    write_region(folder).compared("stations")
    report([folder / "out"], Wanted())
    return folder / "out/report.html"


def of_stations(folder: Path) -> Path:
    material = Material(title="", folders=(), wanted=Wanted(), stations=[made_stations(folder)])
    return write_page(folder, "Stations", "Made by hand.", PARTS, material)


def of_a_twin(folder: Path) -> Path:
    shorter = ("2022-06-02T18", "2022-06-02T06"), ("2022-06-03T12", "2022-06-02T12")
    done = imgda("twin", twin_settings(folder, "twin", *shorter), ranks=2)
    assert done.returncode == 0, done.stderr
    # It says again what came of it.
    assert report([folder / "twin"], Wanted()) + "\n" == done.stdout
    return folder / "twin/report.html"


PAGES: dict[str, Callable[[Path], Path]] = {
    "made up": made_up,
    "analysis": of_an_analysis,
    "comparison": of_a_comparison,
    "stations": of_stations,
    "twin": of_a_twin,
}


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture(scope="module", params=PAGES)
def page(request: pytest.FixtureRequest, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return PAGES[request.param](tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def whole(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up(tmp_path_factory.mktemp("whole"))


def test_it_needs_nothing_but_itself_and_nothing_goes_wrong(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    assert chromium.complaints() == []
    assert chromium.requests() == []
    assert page.stat().st_size < MOST


def test_every_picture_has_a_size_and_words_instead(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    images = chromium.run("[...document.images].map(i => [i.naturalWidth, i.naturalHeight, i.alt])")
    assert images
    for width, height, alt in images:
        assert min(width, height) > 100
        assert len(alt.split()) >= 5


def test_links_lead_somewhere(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    links = chromium.run("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
    inner = [link[1:] for link in links if link.startswith("#")]
    assert all(chromium.run("document.getElementById(arguments[0]) !== null", target) for target in inner)
    files = [page.parent / unquote(urlparse(link).path) for link in links if not link.startswith("#")]
    assert files
    assert all(file.stat().st_size > 0 for file in files)
    sections = chromium.run("[...document.querySelectorAll('main h2')].map(h => h.id)")
    assert chromium.run("[...document.querySelectorAll('nav a')].map(a => a.getAttribute('href').slice(1))") == sections
    assert chromium.run("new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size") == chromium.run(
        "document.querySelectorAll('[id]').length"
    )


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_scrolls_sideways_but_wide_pictures_and_tables(page: Path, chromium: Browser, width: int) -> None:
    chromium.open(page, width)
    assert chromium.run("window.innerWidth") == width
    chromium.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert chromium.run("document.documentElement.scrollWidth") <= width
    within = "[...document.querySelectorAll('main *')].filter(e => !e.closest('.picture, .table, pre, .steps > input'))"
    assert chromium.run(f"Math.max(...{within}.map(e => e.getBoundingClientRect().right))") <= width


def test_sections_are_reached_with_tab_and_enter(whole: Path, chromium: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(whole)
    for anchor in chromium.run("[...document.querySelectorAll('main h2')].map(h => h.id)"):
        chromium.open(whole)
        chromium.tab_to(f"document.activeElement.getAttribute('href') === '#{anchor}'")
        assert chromium.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        chromium.press(Keys.ENTER)
        top = f"document.getElementById('{anchor}').getBoundingClientRect().top"
        chromium.wait_for(lambda top=top: -1 < chromium.run(top) < 900)
        assert chromium.run("location.hash") == f"#{anchor}"


def test_the_first_link_skips_the_navigation(whole: Path, chromium: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(whole)
    chromium.press(Keys.TAB)
    assert chromium.run("document.activeElement.textContent") == "Skip to the report"
    assert chromium.run("document.activeElement.getBoundingClientRect().left") >= 0
    chromium.press(Keys.ENTER)
    chromium.press(Keys.TAB)
    assert chromium.run("document.activeElement.closest('main') !== null")


def shown_steps(chromium: Browser) -> list[str]:
    return chromium.run(
        "[...document.querySelectorAll('.shown > figure')].filter(f => f.offsetHeight)"
        ".map(f => f.id.replace('picture-', ''))"
    )


def test_steps_are_chosen_with_the_arrow_keys_and_the_mouse(whole: Path, chromium: Browser) -> None:
    from selenium.webdriver.common.keys import Keys

    chromium.open(whole)
    assert shown_steps(chromium) == ["day_1"]
    chromium.tab_to("document.activeElement.type === 'radio'")
    for key, expected in ((Keys.ARROW_RIGHT, "day_2"), (Keys.ARROW_RIGHT, "day_3"), (Keys.ARROW_LEFT, "day_2")):
        chromium.press(key)
        assert shown_steps(chromium) == [expected]
    style = "getComputedStyle(document.activeElement.nextElementSibling)"
    assert chromium.run(f"{style}.outlineStyle") == "solid"
    chromium.driver.find_element("xpath", "//label[text()='12 June']").click()
    assert shown_steps(chromium) == ["day_12"]


def test_the_menu_is_closed_where_the_window_is_narrow(whole: Path, chromium: Browser) -> None:
    links = "document.querySelector('nav ol').checkVisibility()"
    chromium.open(whole, 400)
    assert not chromium.run(links)
    chromium.driver.find_element("css selector", ".menu > summary").click()
    assert chromium.run(links)
    chromium.open(whole, 400)
    chromium.resize(1200)
    chromium.wait_for(lambda: chromium.run(links))


def test_print_has_every_step_and_no_navigation(whole: Path, chromium: Browser) -> None:
    chromium.open(whole)
    chromium.print_media(True)
    assert shown_steps(chromium) == [f"day_{n}" for n in range(1, 13)]
    assert chromium.run("document.querySelector('nav').offsetHeight") == 0
    assert chromium.run("document.querySelector('.steps > label').offsetHeight") == 0


CONTRASTS = """
(function () {
  const part = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * part(c[0]) + 0.7152 * part(c[1]) + 0.0722 * part(c[2]);
  const colour = (element, what) => getComputedStyle(element)[what].match(/[\\d.]+/g).map(Number);
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const found = colour(one, 'backgroundColor');
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const has_text = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  const texts = [...document.querySelectorAll('body *')].filter(one => has_text(one) && !one.closest('script, style'));
  return texts.map(one => {
    const lights = [light(colour(one, 'color')), light(behind(one))];
    return [(Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05), one.textContent.slice(0, 40)];
  });
})()
"""


def test_letters_stand_out_from_what_is_behind(whole: Path, chromium: Browser) -> None:
    chromium.open(whole)
    contrasts = chromium.run(CONTRASTS.strip())
    assert len(contrasts) > 50
    assert [text for contrast, text in contrasts if contrast < 4.5] == []


def test_what_is_said_to_those_who_hear_the_page(whole: Path, chromium: Browser) -> None:
    chromium.open(whole)
    assert chromium.run("document.documentElement.lang") == "en"
    levels = chromium.run("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert np.diff(levels).max() <= 1
    assert chromium.run("document.querySelectorAll('main').length") == 1
    assert chromium.run("document.querySelector('nav').getAttribute('aria-label').length > 0")
    scopes = chromium.run("[...document.querySelectorAll('th')].map(h => h.scope)")
    assert scopes.count("col") == 21
    assert scopes.count("row") == 4
    names = chromium.run("[...document.querySelectorAll('section')].map(s => s.getAttribute('aria-labelledby'))")
    assert names == ["summary", "table", "end", "left-out"]
    assert "there is no such thing" in chromium.run("document.querySelector('#left-out').parentElement.textContent")
