from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from imgda_mpi.faults import ConfigError
from imgda_mpi.netcdf import resolve
from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.document import documented, in_force
from imgda_mpi.settings.fields import FieldFile
from imgda_mpi.settings.file import check_table, read_settings
from imgda_mpi.settings.methods import AnyMethod, PaperSettings
from imgda_mpi.settings.model import Colm202x

CASE = """
[model]
kind = "colm202x"
directory = "model/demo"
case = "demo"
time = 2022-06-02T06:00:00Z
[observation]
kind = "gldas"
file = "obs/GLDAS.A%Y%m%d.%H%M.nc4"
[output]
directory = "out"
"""
CYCLE = """
[cycle]
start = 2022-06-02T00:00:00Z
first_analysis = 2022-06-02T00:00:00Z
last_analysis = 2022-06-03T00:00:00Z
end = 2022-06-04T00:00:00Z
[model]
kind = "colm2014"
namelist = "timeloop.stdin"
command = "./clm.x"
restart_every = "6 h"
[observation]
kind = "gldas"
file = "obs/GLDAS.A%Y%m%d.%H%M.nc4"
[output]
directory = "run"
"""
PAPER = '[method]\nkind = "paper"\n'
FEATURES = '[features.soil]\nfile = "soil.nc"\nvariable = "slt"\nkind = "classes"\n'
MEMBERS = '[ensemble]\nkind = "restarts"\ndirectories = ["m1", "m2"]\n'


def settings_of(folder: Path, text: str) -> Settings:
    """As they are read from a file with this text."""
    path = folder / "case.toml"
    path.write_text(text)
    return read_settings(path, Settings)


def test_the_papers_scheme_is_a_word_with_the_papers_numbers(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, 'method = "paper"\n' + CASE)
    papers = PaperSettings(kind="paper", solver="diagonal", scales=None, background_error=0.15, n_members=50)
    assert settings.method == papers
    assert settings.errors.observation == 0.10


def test_a_kind_may_name_its_solver(tmp_path: Path) -> None:
    named = settings_of(tmp_path, CASE + '[method]\nkind = "innovation/full"\ncoherent_share = 0.5\n').method
    assert (named.label, named.coherent_share) == ("innovation/full", 0.5)
    assert settings_of(tmp_path, CASE + '[method]\nkind = "innovation"\n').method.label == "innovation/full"
    assert settings_of(tmp_path, CASE + '[method]\nkind = "innovation/diagonal"\n').method.solver == "diagonal"


def test_the_default_is_the_recommended_method(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CASE)
    assert settings.method == settings_of(tmp_path, 'method = "innovation/full"\n' + CASE).method
    assert settings.method.coherent_share is None
    assert settings.errors.observation == 0.10
    assert settings.observation is not None
    assert settings.observation.regridding == "bilinear"


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CASE)
    assert isinstance(settings.model, Colm202x)
    assert settings.model.directory == tmp_path / "model" / "demo"
    assert settings.output.directory == tmp_path / "out"


def test_times_are_utc_whatever_their_zone(tmp_path: Path) -> None:
    expected = datetime(2022, 6, 2, 6, tzinfo=UTC)
    for written in ("2022-06-02T06:00:00Z", "2022-06-02T06:00:00", "2022-06-02T14:00:00+08:00"):
        settings = settings_of(tmp_path, CASE.replace("2022-06-02T06:00:00Z", written))
        assert settings.model.time == expected
        assert settings.model.time.tzinfo == UTC
    assert expected.astimezone(timezone(timedelta(hours=8))).hour == 14


def test_a_field_of_standard_deviations_can_stand_for_a_number(tmp_path: Path) -> None:
    text = CASE + '[method]\nkind = "paper"\nbackground_error = {file = "sb.nc", variable = "sb"}\n'
    method = settings_of(tmp_path, text).method
    assert method.values()["background_error"] == FieldFile(file=tmp_path / "sb.nc", variable="sb")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('method = "image"', 'method = "paper"'),
        ('error_model = "innovation"\nsolver = "full"', 'method = "innovation/full"'),
        ('error_model = "analytic"\nscales = [1, 2]', 'method = {kind = "analytic", scales = [1, 2]}'),
        ('method = "pointwise"\n[errors]\nbackground = 0.2', 'method = {kind = "pointwise", background_error = 0.2}'),
        ('method = "large_scale"\nscales = [1]', 'method = {kind = "large_scale", scales = [1]}'),
        ("[errors]\nbackground = 0.2\nn_members = 7", 'method = {kind="paper", background_error=0.2, n_members=7}'),
        # What the method has no use for was passed over before, too.
        ('error_model = "innovation"\n[errors]\nbackground = 0.2\nn_members = 7', 'method = "innovation"'),
        ('method = "none"\n[errors]\nn_members = 7', 'method = "none"'),
        (
            f'error_model = "hybrid"\n{MEMBERS}localisation = 900.0\ninnovation_weight = 0.3\ninflation = "innovation"',
            'method = {kind="hybrid", localisation=900.0, innovation_weight=0.3, inflation="innovation"}\n' + MEMBERS,
        ),
        (f'error_model = "ensemble"\n{MEMBERS}innovation_weight = 0.3', f'method = "ensemble"\n{MEMBERS}'),
    ],
)
def test_settings_of_before_are_those_of_today(
    old: str, new: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before, today = (settings_of(tmp_path, f"{text}\n{CASE}") for text in (old, new))
    assert before == today
    (said,) = (record.message for record in caplog.records)
    assert "keys of before: " in said
    for name, new in (("background", "background_error"), ("n_members", "n_members")):
        used = new in type(today.method).model_fields
        assert (f"[errors] {name} has no effect" in said) == (f"\n{name} = " in old and not used)
    # What is said is what to write, where anything is left to be written.
    assert ("write method" in said) == ('"none"' not in old)
    if "write method" in said:
        section = tomllib.loads(said[said.index("method = {") :].split(";")[0].split(", [")[0])
        assert TypeAdapter(AnyMethod).validate_python(section["method"]) == today.method


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('error_model = "paper"\nsolver = "full"', "paper/full would be a pointwise update: set method = 'pointwise'"),
        ('method = "analytic/full"', "analytic/full would be a pointwise update: set method = 'pointwise'"),
        ('method = "pointwise"\nsolver = "full"', "unknown key 'solver'; it is 'solver' in [method] now"),
        ('[errors]\nn_members = 3\n[method]\nkind = "paper"', "unknown key 'n_members'; it is 'n_members' in [method]"),
        (
            '[errors]\nbackground = 3\n[method]\nkind = "paper"',
            "'background'; it is 'background_error' in [method] now",
        ),
        ('error_model = "paper"\n[method]\nkind = "paper"', "unknown key 'error_model'; it is 'kind' in [method] now"),
        (
            f'method = "letkf"\n{MEMBERS}localisation = 900.0',
            "[ensemble] unknown key 'localisation'; it is 'localisation' in",
        ),
        (
            'method = "innovation/full"\n[errors]\nbackground = 0.2',
            "'background'; it is 'background_error' in [method]",
        ),
        ('[method]\nkind = "inovation/full"', 'kind = "inovation/full": expected "none", "insert"'),
        (
            'method = "innovation/full"\n[errors]\ncoherent_share = 0.5',
            "'coherent_share'; it is 'coherent_share' in [method]",
        ),
        ('error_model = "none"', "unknown key 'error_model'; it is 'kind' in [method] now"),
        ('[method]\nsolver = "full"', "[method] key 'kind' is missing: known are"),
        ('[method]\nkind = "letkf"', "method 'letkf' needs an [ensemble] section"),
        ('method = "optimal_interpolation"', 'method = "optimal_interpolation": expected "none", "insert"'),
    ],
)
def test_settings_that_are_no_method_are_refused_with_those_to_use(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, f"{text}\n{CASE}")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", "[curvelet]\nnscales = 3\n"), r"\[curvelet\] unknown key 'nscales'; did you mean 'n_scales'\?"),
        (("", f"{PAPER}n_member = 3\n"), r"\[method\] unknown key 'n_member'; did you mean 'n_members'\?"),
        (
            ("", "[errors]\nxyz = 3\n"),
            r"\[errors\] unknown key 'xyz'; known are allow_few, estimate_observation, observation, seed",
        ),
        (("", f"{PAPER}n_members = 1\n"), r"\[method\] n_members = 1: expected 2 or more"),
        (("", f"{PAPER}n_members = 2.5\n"), r"\[method\] n_members = 2.5: expected a whole number"),
        (("", "[errors]\nobservation = 1e-200\n"), r"\[errors\] observation = 1e-200: expected 1e-06 or more"),
        (("", "[errors]\nobservation = 15\n"), r"\[errors\] observation = 15: expected 1 or less \(15 % is 0\.15\) "),
        (("", "[errors]\nobservation = {file = 'a.nc'}\n"), r"\[errors.observation\] key 'variable' is missing"),
        (
            ("", '[curvelet]\nfinest = "wavlets"\n'),
            r'finest = "wavlets": expected "wavelets" or "curvelets"; did you',
        ),
        (("[model]", 'methd = "none"\n[model]'), r"unknown key 'methd'; did you mean 'method'\?"),
        (("[model]", 'method = "enkf"\n[model]'), r'method = "enkf": expected "none", "insert", "pointwise"'),
        (('case = "demo"\n', ""), r"\[model\] key 'case' is missing: Name of the case"),
        (('kind = "colm202x"', 'kind = "clm"'), r'\[model\] kind = "clm": expected "colm202x" or "colm2014"'),
        (('kind = "gldas"\n', ""), r"\[observation\] key 'kind' is missing: known are \"gldas\", \"cf\" or \"points\""),
        (
            ("[output]\n", "[output]\ndirectoy = 'a'\n"),
            r"\[output\] unknown key 'directoy'; did you mean 'directory'\?",
        ),
        (
            ("2022-06-02T06:00:00Z", '"yesterday"'),
            r'\[model\] time = "yesterday": expected a date and a time without',
        ),
        (
            ("[observation]", "[observation]\nvalid_range = [0.6, 0.0]"),
            r"valid_range .* the first number must be below",
        ),
        (
            ("[observation]", "[observation]\nmax_time_offset = -1"),
            r"max_time_offset = -1: expected 0 or more",
        ),
        (
            ("", "[errors]\nobservation = true\n"),
            r"\[errors\] observation = true: expected a number or a section with",
        ),
        (("", '[errors]\nseed = "1"\n'), r'\[errors\] seed = "1": expected a whole number'),
        (("", f"[errors]\nseed = {2**64}\n"), r"\[errors\] seed = .*: expected less than"),
        (("time = 2022-06-02T06:00:00Z", "time = 2022"), r"\[model\] time = 2022: expected a date and a time"),
        (
            ("[observation]", "[observation]\nvalid_range = [0]"),
            r"\[observation\] valid_range = \[0\]: expected a list of two",
        ),
        (
            ("[observation]", "[observation]\nvalid_range = 0.6"),
            r"\[observation\] valid_range = 0.6: expected a list of two numbers",
        ),
        (('"out"', '"~nobody-of-this-name/out"'), r"\[output\] directory = .*: ~nobody-of-this-name/out"),
        (
            ('kind = "gldas"', 'kind = "cf"\nvariable = "sm"\nlayer = [-0.1, 0.1]'),
            r"layer entry 1 = -0.1: expected 0 or more",
        ),
        (("", FEATURES.replace("soil", "moisture")), r"\[features.moisture\]: is the background's own"),
        (("", FEATURES.replace("soil", "distance")), r"\[features.distance\]: is what no features carry: give another"),
        (("", FEATURES.replace("soil", "2.b")), r"unknown key 'b'; known are file, kind, variable"),
        (("", FEATURES.replace("soil", "so-il")), r"\[features.so-il\]: needs a name of at most 40 letters"),
        (
            ("", FEATURES.replace("classes", "class")),
            r'\[features.soil\] kind = "class": expected "classes" or',
        ),
        (
            ("", FEATURES + "layer = 1\n"),
            r"\[features.soil\] unknown key 'layer'; it belongs in \[observation\]",
        ),
        (("", FEATURES + PAPER), r"\[features.soil\]: no effect with paper: remove it"),
        (
            ("", FEATURES + '[method]\nkind = "innovation/full"\nfeatures = false\n'),
            r"\[features.soil\]: no effect with features = false in \[method\]: remove one of them",
        ),
        (
            ("", FEATURES + MEMBERS + '[method]\nkind = "hybrid/full"\ninnovation_weight = 0.0\n'),
            r"\[features.soil\]: no effect with hybrid/full",
        ),
        (
            ("", '[method]\nkind = "innovation/diagonal"\nfeatures = true\n'),
            r"innovation/diagonal has no features: remove features = true, or set solver = 'full'",
        ),
        (
            ("", MEMBERS + FEATURES + '[method]\nkind = "hybrid/full"\ninnovation_weight = 0\n'),
            r"\[features.soil\]: no effect with hybrid/full",
        ),
        (("", MEMBERS + '[method]\nkind = "hybrid"\nfeatures = true\n'), r"hybrid/diagonal has no features"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = CASE.replace(*change) if change[0] else CASE + change[1]
    with pytest.raises(ConfigError, match=message):
        settings_of(tmp_path, text)


def test_features_of_files_are_of_analyses_and_cycles(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, CASE + FEATURES)
    assert settings.features["soil"].file == tmp_path / "soil.nc"
    assert settings.method.uses_features
    off = settings_of(tmp_path, CASE + '[method]\nkind = "innovation/diagonal"\nfeatures = false\n')
    assert not off.method.uses_features
    path = tmp_path / "cycle.toml"
    path.write_text(CYCLE + FEATURES)
    run = read_settings(path, CycleRun)
    # As a cycle keeps its settings, and hands them to its analyses.
    path.write_text(in_force(run))
    assert read_settings(path, CycleRun) == run
    section = {"kind": "colm202x", "directory": tmp_path, "case": "demo", "time": datetime(2022, 6, 2, tzinfo=UTC)}
    of_analysis = run.of_analysis(section, tmp_path / "analysis")
    path.write_text(in_force(of_analysis))
    assert read_settings(path, Settings).features == settings.features
    assert "[features.NAME]" in documented(CycleRun)
    assert '\nfile = "soil_type.nc"\n' in documented(Settings)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        settings_of(tmp_path, CASE + f"{PAPER}n_members = 0\n[errors]\nseeds = 1\n[curvelet]\nangles = 3\n")
    assert len(str(caught.value).splitlines()) == 4


def test_a_method_that_observes_needs_an_observation(tmp_path: Path) -> None:
    without = CASE[: CASE.index("[observation]")] + CASE[CASE.index("[output]") :]
    with pytest.raises(ConfigError, match=r"method 'innovation' needs an \[observation\] section"):
        settings_of(tmp_path, without)
    assert settings_of(tmp_path, 'method = "none"\n' + without).observation is None


@pytest.mark.parametrize(
    "text", ["[model", "a = \x01", "x = 2022-99-99", f"a = {3000 * '['}", f"a = {5000 * '9'}", f"a = {1000 * '[1,'}"]
)
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        settings_of(tmp_path, text)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.toml: cannot be read \(No such file"):
        read_settings(tmp_path / "nothing.toml", Settings)


def test_every_key_is_documented_with_its_default(tmp_path: Path) -> None:
    text = documented(Settings)
    for line in ("# n_members = 50", "# background_error = 0.15", '# method = "innovation/full"', "# n_scales = 5"):
        assert line in text.splitlines()
    # What is written there is TOML once one kind of each section is chosen.
    chosen = {part.split("\n")[1]: part for part in text.replace("= ...", '= "..."').split("\n\n")[1:]}
    assert len(tomllib.loads("\n\n".join(chosen.values()))) == len(chosen)
    lines = text.splitlines()
    keys = [number for number, line in enumerate(lines) if " = " in line]
    assert len(keys) > 30
    assert all(lines[number - 1].startswith("# ") and " = " not in lines[number - 1] for number in keys)


TOML = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["file", "kind", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = [
    (section, name)
    for section, names in {
        "": ["method", "error_model", "solver", "scales", "model", "observation", "errors", "ensemble", "output"],
        "model": ["kind", "directory", "case", "time", "land_cover_year"],
        "observation": ["kind", "file", "time", "max_time_offset", "valid_range", "allow_empty", "regridding"],
        "method": ["kind", "solver", "scales", "background_error", "n_members"],
        "errors": ["background", "observation", "estimate_observation", "n_members", "seed"],
        "ensemble": ["kind", "directories", "file", "variable", "layer", "localisation", "inflation"],
        "curvelet": ["n_scales", "n_angles", "finest"],
    }.items()
    for name in names
]


@given(where=st.sampled_from(KEYS), value=TOML)
def test_any_value_gives_settings_or_a_message(where: tuple[str, str], value: object) -> None:
    table = tomllib.loads(CASE)
    section, name = where
    (table.setdefault(section, {}) if section else table)[name] = value
    try:
        settings = check_table(table, Path("case.toml"), Settings)
    except ConfigError as err:
        message = str(err)
        assert message.startswith("case.toml:\n  ")
    else:
        assert settings.output.directory == Path("out")


def test_a_percent_sign_in_the_folder_is_no_field_of_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "50%done"
    folder.mkdir()
    observation = settings_of(folder, CASE).observation
    assert observation is not None
    assert resolve(observation.file, datetime(2022, 6, 2, 6, tzinfo=UTC)) == folder / "obs" / "GLDAS.A20220602.0600.nc4"
