"""What is read of the file of an analysis beside its images."""

from __future__ import annotations

import json
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from cases import FEW, demo, run

from imgda_mpi.colm.ledger import FLAGS, TERMS
from imgda_mpi.faults import InputError
from imgda_mpi.results.account_file import Account, read_account
from imgda_mpi.results.analysis_file import read_innovation


@pytest.fixture(scope="module")
def analysed(example_case: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The diagnostics of the embedded case with few members."""
    return run(tmp_path_factory.mktemp("account"), demo(example_case, before=FEW)) / "diagnostics.nc"


@pytest.fixture(scope="module")
def account(analysed: Path) -> Account:
    """Of it."""
    return read_account(analysed)


def test_an_account_is_what_the_file_says(analysed: Path, account: Account) -> None:
    with netCDF4.Dataset(analysed) as file:
        assert f"{account.time:%Y-%m-%dT%H:%M:%SZ}" == file.analysis_time
        assert (account.restart, account.program) == (file.restart, file.source)
        assert account.observation_source == file.observation_source
        assert account.settings == json.loads(file.settings)
        assert account.seed == file.seed
        assert account.residual == file.water_ledger_residual
        for name in TERMS:
            assert account.water[name] == file[f"water_{name}"].global_mean
        for name in FLAGS:
            assert account.patches[name] == int(file[f"patch_{name}"][:].sum())
        assert account.seconds.shape == (1, len(account.stages)) == file["stage_time"].shape
        assert account.peak_memory.tolist() == file["peak_memory"][:].tolist()
        assert account.sent_messages.tolist() == file["exchange_messages"][:].tolist()
    assert account.stages[0] == "restart"
    assert (account.method, account.n_ranks) == ("paper/diagonal", 1)


def test_pixels_and_cells_are_counted_by_reason(analysed: Path, account: Account) -> None:
    with netCDF4.Dataset(analysed) as file:
        n_observed = int(np.isfinite(np.ma.filled(file["observation"][:], np.nan)).sum())
    pixels = dict(account.pixels)
    assert pixels["cells observed"] == n_observed
    assert pixels.pop("source pixels") == sum(n for name, n in pixels.items() if not name.startswith("cells"))


def test_facts_have_their_unit_and_meaning(analysed: Path, account: Account) -> None:
    fact = account.facts["increment_leakage_rms"]
    assert (fact.unit, fact.meaning) == ("m3 m-3", "increment off the observed cells, not applied")
    assert {name: fact.value for name, fact in account.facts.items()} == read_innovation(analysed).facts


def test_wedges_are_those_of_the_innovation(analysed: Path, account: Account) -> None:
    expected = read_innovation(analysed).wedges
    assert account.wedges is not None
    assert expected is not None
    assert account.wedges.scale.tolist() == expected.scale.tolist()
    assert account.wedges.values.keys() <= expected.values.keys()
    np.testing.assert_array_equal(account.wedges.values["gain_mean"], expected.values["gain_mean"])


def test_a_file_that_lacks_something_is_refused(analysed: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "diagnostics.nc"
    damaged.write_bytes(analysed.read_bytes())
    with netCDF4.Dataset(damaged, "a") as file:
        file.settings = "{"
    with pytest.raises(InputError, match=r"diagnostics\.nc.*cannot be understood.*a diagnostics file"):
        read_account(damaged)
    with netCDF4.Dataset(damaged, "w") as file:
        file.title = "nothing"
    with pytest.raises(InputError, match="a file that cannot be read"):
        read_account(damaged)
