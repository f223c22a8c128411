"""The first part of a page: sentences that say what the numbers say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from innovations_made import GRID, S_B, S_O, pointwise
from innovations_made import make_run as innovations_run
from runs import RUN, START, make_run

from imgda_mpi.faults import ConfigError, InputError
from imgda_mpi.report.material import Curves, Material, Ran, Wanted
from imgda_mpi.report.mending import to_mend
from imgda_mpi.report.summary import DID, MEND, SURE, WHAT, summary_section
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.truth_file import TruthFile
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.scores import Scores
from imgda_mpi.verify.status import FIT, INDEPENDENT
from imgda_mpi.workflow.report_material import open_material

LAYER = (0.0, 0.1)
HOURS = timedelta(hours=6)
NOTHING = Material(title="made up", folders=[], wanted=Wanted())


def curves(name: str = "truth", status: str = INDEPENDENT) -> Curves:
    """Scores of six moments; the run is better by 0.3 and forgets after the fourth."""
    rows = []
    for number in range(6):
        time = START + number * HOURS
        rows.append(ScoreRow("control", "truth", LAYER, time, "", Scores(9, 0.5, 0.1, 0.0)))
        if number < 4:
            rows.append(ScoreRow("blend", "truth", LAYER, time, "before", Scores(9, 0.1, 0.3, 0.0)))
        scc = 0.8 if number < 4 else 0.6
        rows.append(ScoreRow("blend", "truth", LAYER, time, "after", Scores(9, scc, (1 - scc) / 5, 0.0)))
    return Curves(name=name, status={LAYER: status}, rows=rows)


def two_runs(times: int = 4) -> list[Ran]:
    """A control and a run of which only times are known."""
    analysed = [START + number * HOURS for number in range(times)]
    control, blend = (
        Ran(name=name, directory=Path(name), run=Run(Path(name), RUN, {})) for name in ("control", "blend")
    )
    return [control, replace(blend, times=analysed, analyses=[Path("a")] * times)]


def test_scores_of_the_summary_are_means_after_analyses_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgda_mpi.report.summary._what", lambda material: [])
    monkeypatch.setattr("imgda_mpi.report.summary.to_mend", lambda material: [])
    monkeypatch.setattr("imgda_mpi.report.summary._of_water", lambda ran: "Water.")
    material = replace(NOTHING, runs=two_runs(), curves=[curves()])
    section = summary_section(material)
    (said,) = [sentence for sentence in section.terms[DID] if "Against" in sentence]
    assert said == (
        "Against truth (independent), in 0-10 cm, the correlation in space is 0.80 with blend and 0.50 with control, "
        "the ubRMSE 0.040 and 0.100 m³ m⁻³, on average while images are assimilated. 12 h after the last analysis "
        "the correlation is 0.60 and 0.50, the ubRMSE 0.080 and 0.100."
    )
    assert section.tables[0].rows[1:] == [
        ["0-10 cm", "control", "0.500", "0.500", "0.1000", "0.1000", "+0.0000", "+0.0000"],
        ["0-10 cm", "blend", "0.800", "0.600", "0.0400", "0.0800", "+0.0000", "+0.0000"],
    ]
    assert section.terms[MEND] == ["Nothing stands out."]
    assert not any("Nothing independent" in sentence for sentence in section.terms[SURE])
    assimilated = replace(material, curves=[curves("image", FIT)])
    assert "Nothing independent judges" in summary_section(assimilated).terms[SURE][-1]


def test_nothing_is_said_of_what_is_not_there() -> None:
    section = summary_section(NOTHING)
    assert section.terms[WHAT] == ["Nothing: there is no analysis in what was given."]
    assert section.terms[DID] == ["Nothing that was given says so: there are no scores."]
    assert section.terms[MEND] == ["Nothing stands out."]
    assert not section.tables


def test_wrong_errors_and_biases_are_named_with_what_to_do(tmp_path: Path) -> None:
    def biased(rng: np.random.Generator, number: int) -> np.ndarray:
        return 0.1 + np.hypot(S_B, S_O) * rng.standard_normal(GRID.shape)

    said = {}
    for name, factor, image in (("right", 1.0, None), ("narrow", 0.5, None), ("biased", 1.7, biased)):
        innovations_run(tmp_path / name, 12, settings=pointwise(factor * S_B, factor * S_O), image=image)
        found = open_material([tmp_path / name], Wanted(), None)
        said[name] = [sentence for sentence in to_mend_without_files(found) if name in sentence]
    assert said["right"] == []
    (narrow,), (biased_one,) = said["narrow"], said["biased"]
    assert narrow.startswith(
        "Innovations are larger than the errors used say (narrow 2 times): [errors] observation or"
    )
    assert biased_one.startswith("Observation minus background is biased (biased +0.1")


def to_mend_without_files(material: Material) -> list[str]:
    """Of the innovations alone: the made-up diagnostics have no counts."""
    return to_mend(replace(material, runs=[]))


def test_a_run_that_has_not_come_to_its_end_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    ran = Ran(name="run", directory=tmp_path / "run", run=run)
    assert to_mend(replace(NOTHING, runs=[replace(ran)])) == []
    last = run.cycles()[-1].directory
    last.rename(tmp_path / "elsewhere")
    (said,) = to_mend(replace(NOTHING, runs=[ran]))
    assert said == (
        "run has come to 2 June 2022, 12:00 UTC and ends on 3 June 2022, 00:00 UTC: the command that began it goes on."
    )


def test_runs_of_one_name_are_told_apart_and_the_control_comes_first(tmp_path: Path) -> None:
    for name in ("first", "second"):
        innovations_run(tmp_path / name / "run", 3)
    make_run(tmp_path / "control")
    without = tmp_path / "control" / "cycles" / "20220602T06" / "cycle.json"
    assert without.is_file()
    found = open_material([tmp_path / "first" / "run", tmp_path / "second" / "run"], Wanted(), None)
    assert [ran.name for ran in found.runs] == ["first/run", "second/run"]
    assert found.control is None
    assert found.main is found.runs[1]
    assert [run.name for run in found.innovations] == ["first/run", "second/run"]
    assert np.isfinite(found.innovations[0].values["chi2"]).all()


def test_a_folder_of_something_else_is_refused_with_the_runs_in_it(tmp_path: Path) -> None:
    make_run(tmp_path / "twin" / "control")
    with pytest.raises(InputError, match=r"twin: found no .* \(runs in it: control\), expected .* or a whole twin"):
        open_material([tmp_path / "twin"], Wanted(), None)
    with pytest.raises(InputError, match="nowhere: found no such folder"):
        open_material([tmp_path / "nowhere"], Wanted(), None)


def test_a_truth_is_of_an_analysis_alone(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    with pytest.raises(ConfigError, match="is for one analysis alone, and not for a run; leave it out"):
        open_material([tmp_path / "run"], Wanted(), TruthFile(tmp_path / "truth.nc"))
