from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgda_mpi.config import Colm202x, FieldFile, Settings
from imgda_mpi.errors import ConfigError
from imgda_mpi.images.netcdf import resolve
from imgda_mpi.settings_file import check_table, documented, read_settings

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


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "case.toml"
    path.write_text(text)
    return path


def test_defaults_are_the_papers(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, CASE), Settings)
    assert (settings.method, settings.error_model) == ("image", "paper")
    errors = settings.errors
    assert (errors.n_members, errors.background, errors.observation) == (50, 0.15, 0.10)
    assert settings.observation is not None
    assert settings.observation.regridding == "bilinear"


def test_paths_are_relative_to_the_settings_file(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, CASE), Settings)
    assert isinstance(settings.model, Colm202x)
    assert settings.model.directory == tmp_path / "model" / "demo"
    assert settings.output.directory == tmp_path / "out"


def test_times_are_utc_whatever_their_zone(tmp_path: Path) -> None:
    expected = datetime(2022, 6, 2, 6, tzinfo=UTC)
    for written in ("2022-06-02T06:00:00Z", "2022-06-02T06:00:00", "2022-06-02T14:00:00+08:00"):
        settings = read_settings(settings_file(tmp_path, CASE.replace("2022-06-02T06:00:00Z", written)), Settings)
        assert settings.model.time == expected
        assert settings.model.time.tzinfo == UTC
    assert expected.astimezone(timezone(timedelta(hours=8))).hour == 14


def test_a_field_of_standard_deviations_can_stand_for_a_number(tmp_path: Path) -> None:
    text = CASE + '[errors]\nbackground = {file = "sb.nc", variable = "sb"}\n'
    errors = read_settings(settings_file(tmp_path, text), Settings).errors
    assert errors.background == FieldFile(file=tmp_path / "sb.nc", variable="sb")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("", "[curvelet]\nnscales = 3\n"), r"\[curvelet\] unknown key 'nscales'; did you mean 'n_scales'\?"),
        (("", "[errors]\nn_member = 3\n"), r"\[errors\] unknown key 'n_member'; did you mean 'n_members'\?"),
        (
            ("", "[errors]\nxyz = 3\n"),
            r"\[errors\] unknown key 'xyz'; known are background, estimate_observation, n_members",
        ),
        (("", "[errors]\nn_members = 1\n"), r"\[errors\] n_members = 1: input should be greater than or equal to 2"),
        (("", "[errors]\nn_members = 2.5\n"), r"\[errors\] n_members = 2.5: input should be a valid integer"),
        (("", "[errors]\nbackground = -0.1\n"), r"\[errors\] background = -0.1: input should be greater than 0"),
        (("", "[errors]\nbackground = 15\n"), r"\[errors\] background = 15: input should be less than or equal to 1"),
        (("", "[errors]\nbackground = {file = 'a.nc'}\n"), r"\[errors.background\] key 'variable' is missing"),
        (("", '[curvelet]\nfinest = "wavlets"\n'), r"finest = 'wavlets': input should be 'wavelets' or 'curvelets'"),
        (("[model]", 'methd = "none"\n[model]'), r"unknown key 'methd'; did you mean 'method'\?"),
        (("[model]", 'method = "enkf"\n[model]'), r"method = 'enkf': input should be 'image', 'pointwise'"),
        (('case = "demo"\n', ""), r"\[model\] key 'case' is missing: Name of the case"),
        (('kind = "colm202x"', 'kind = "clm"'), r"\[model\] key 'kind' is missing or unknown"),
        (('kind = "gldas"\n', ""), r"\[observation\] key 'kind' is missing or unknown"),
        (
            ("[output]\n", "[output]\ndirectoy = 'a'\n"),
            r"\[output\] unknown key 'directoy'; did you mean 'directory'\?",
        ),
        (("2022-06-02T06:00:00Z", '"yesterday"'), r"\[model\] time = 'yesterday': input should be a valid datetime"),
        (
            ("[observation]", "[observation]\nvalid_range = [0.6, 0.0]"),
            r"valid_range .* the first number must be below",
        ),
        (
            ("[observation]", "[observation]\nmax_time_offset = -1"),
            r"max_time_offset = -1: .* greater than or equal to 0",
        ),
        (("", "[errors]\nbackground = true\n"), r"\[errors\] background = True: input should be a valid number"),
        (("", '[errors]\nseed = "1"\n'), r"\[errors\] seed = '1': input should be a valid integer"),
        (("", f"[errors]\nseed = {2**64}\n"), r"\[errors\] seed = .*: input should be less than"),
        (("time = 2022-06-02T06:00:00Z", "time = 2022"), r"\[model\] time = 2022: input should be a valid datetime"),
        (("[observation]", "[observation]\nvalid_range = [0]"), r"\[observation\] valid_range = .*: needs two numbers"),
        (
            ("[observation]", "[observation]\nvalid_range = 0.6"),
            r"\[observation\] valid_range = 0.6: needs two numbers",
        ),
        (('"out"', '"~nobody-of-this-name/out"'), r"\[output\] directory = .*: value error, ~nobody-of-this-name/out"),
        (
            ('kind = "gldas"', 'kind = "cf"\nvariable = "sm"\nlayer = [-0.1, 0.1]'),
            r"layer = .* greater than or equal to 0",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_right(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    text = CASE.replace(*change) if change[0] else CASE + change[1]
    with pytest.raises(ConfigError, match=message):
        read_settings(settings_file(tmp_path, text), Settings)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings(
            settings_file(tmp_path, CASE + "[errors]\nseeds = 1\nn_members = 0\n[curvelet]\nangles = 3\n"), Settings
        )
    assert len(str(caught.value).splitlines()) == 4


def test_a_method_that_observes_needs_an_observation(tmp_path: Path) -> None:
    without = CASE[: CASE.index("[observation]")] + CASE[CASE.index("[output]") :]
    with pytest.raises(ConfigError, match=r"method 'image' needs an \[observation\] section"):
        read_settings(settings_file(tmp_path, without), Settings)
    assert read_settings(settings_file(tmp_path, 'method = "none"\n' + without), Settings).observation is None


@pytest.mark.parametrize("text", ["[model", "a = \x00", "x = 2022-99-99"])
def test_what_is_not_toml_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_settings(settings_file(tmp_path, text), Settings)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing.toml: cannot be read \(No such file"):
        read_settings(tmp_path / "nothing.toml", Settings)


def test_every_key_is_documented_with_its_default(tmp_path: Path) -> None:
    text = documented(Settings)
    for line in ("# n_members = 50", "# background = 0.15", '# method = "image"', "# n_scales = (not set)"):
        assert line in text.splitlines()
    # What is written there is TOML once one kind of model, of observation and of members is chosen.
    chosen = text.replace("= ...", '= "..."').split("\n\n")
    others = ("CoLM2014", "Any CF", "with an image of the model")
    tomllib.loads("\n\n".join(part for part in chosen if not any(other in part for other in others)))
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
    observation = read_settings(settings_file(folder, CASE), Settings).observation
    assert observation is not None
    assert resolve(observation.file, datetime(2022, 6, 2, 6, tzinfo=UTC)) == folder / "obs" / "GLDAS.A20220602.0600.nc4"
