"""What the command line says of words that it does not know."""

from __future__ import annotations

import pytest

from imgda_mpi.arguments import parser


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["analyze", "case.toml"], "; did you mean 'analyse'?"),
        (["settings", "comparison"], "; did you mean 'compare'?"),
        (["settings", "plan"], "argument VERB: 'plan' has no keys of its own: it reads those of analyse or cycle"),
        (["settings", "case.toml"], "; a verb comes first, as `imgda_mpi check case.toml`"),
        (["case.toml"], "; a verb comes first, as `imgda_mpi check case.toml`"),
        (
            ["report", "out", "--truht", "a.nc"],
            "imgda_mpi report: error: unknown argument --truht; did you mean --truth?",
        ),
        (
            ["cycle", "a.toml", "--until-waltime=3"],
            "unknown argument --until-waltime=3; did you mean --until-walltime?",
        ),
        (["check", "a.toml", "b.toml"], "imgda_mpi check: error: unknown argument b.toml\n"),
        (["plan", "a.toml", "--ranks", "four"], "--ranks: 'four': needs whole numbers from 1 to 9999999"),
        (["plan", "a.toml", "--ranks", "9" * 30], "needs whole numbers from 1 to 9999999"),
        (["plan", "a.toml", "--ranks", "4", "--memory", "much"], "--memory: 'much': needs a number above 0"),
        (["report", "out", "--time", "9999-12-31T23:00-05:00"], "needs a time, as 2022-06-02T06:00Z"),
        (["report", "out", "--truth-layer", "0.1,0.0"], "needs a top from 0 and a bottom below it, m, as 0.0,0.1"),
    ],
)
def test_a_word_that_is_not_known_is_said_with_the_nearest(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        parser().parse_args(words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_nothing_is_suggested_where_nothing_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["frobnicate"])
    assert "did you mean" not in capsys.readouterr().err
