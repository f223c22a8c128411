from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from scipy import stats

from imgda_mpi.numerics.perturbations import Sample, perturbation, random_signs

NOON = datetime(2022, 6, 1, 12, tzinfo=UTC)
KEY = {"seed": 7, "time": NOON, "kind": "background", "member": 3}


def test_noise_depends_on_its_key_alone() -> None:
    first = perturbation((16, 24), **KEY)
    for member in (9, 0, 5):
        perturbation((40, 40), **(KEY | {"member": member}))
    np.testing.assert_array_equal(perturbation((16, 24), **KEY), first)
    elsewhere = NOON.astimezone(timezone(timedelta(hours=8)))
    np.testing.assert_array_equal(perturbation((16, 24), **(KEY | {"time": elsewhere})), first)


def test_every_part_of_the_key_gives_other_noise() -> None:
    changes = [
        {},
        {"seed": 8},
        {"seed": 7 + 2**32},
        {"member": 4},
        {"member": 3 + 2**32},
        {"kind": "observation"},
        {"time": NOON + timedelta(seconds=1)},
        {"time": datetime(1950, 1, 1, tzinfo=UTC)},
        {"seed": 3, "member": 7},
    ]
    images = np.array([perturbation((32, 32), **(KEY | change)).ravel() for change in changes])
    correlation = np.corrcoef(images) - np.eye(len(changes))
    # 36 pairs of 1024 values: 1/32 is one standard deviation.
    assert np.abs(correlation).max() < 4 / 32


def test_noise_is_standard_normal_and_white() -> None:
    members = np.array([perturbation((32, 48), **(KEY | {"member": member})) for member in range(100)])
    assert members.dtype == np.float64
    assert stats.kstest(members.ravel(), "norm").pvalue > 0.01
    n = members.size
    assert abs(members.mean()) < 4 / np.sqrt(n)
    assert abs(members.var() - 1) < 4 * np.sqrt(2 / n)
    for axis in range(3):
        assert abs((members * np.roll(members, 1, axis)).mean()) < 4 / np.sqrt(n)


def test_signs_are_independent_and_as_many_of_either() -> None:
    time = datetime(2022, 6, 1, 12, tzinfo=UTC)
    one, other = (random_signs((301, 401), seed=1, time=time, member=member) for member in (1, 2))
    assert set(np.unique(one)) == {-1.0, 1.0}
    assert (one == random_signs((301, 401), seed=1, time=time, member=1)).all()
    limit = 4 / np.sqrt(one.size)
    for product in (one, other, one * other, one * np.roll(one, 1), one * np.roll(one, 1, axis=0)):
        assert abs(product.mean()) < limit
    of_sample = Sample(1, time, 3, of_signs=True).white((301, 401), 2)
    assert set(np.unique(of_sample)) == {-1.0, 1.0}
    assert abs((of_sample * one).mean()) < limit
    assert random_signs((3, 5), seed=1, time=time, member=1).astype(int).ravel().tolist() == [
        1,
        1,
        1,
        1,
        -1,
        -1,
        -1,
        1,
        -1,
        -1,
        -1,
        -1,
        1,
        -1,
        1,
    ]


def test_numbers_stay_the_same_from_version_to_version() -> None:
    # NumPy's Philox and SeedSequence, keyed by eight 32-bit words: seed, seconds since 1970, kind, member.
    words = [7, 0, 1654084800, 0, 1, 0, 3, 0]
    generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(words)))
    noise = perturbation((4, 5), **(KEY | {"kind": "observation"}))
    np.testing.assert_array_equal(noise, generator.standard_normal((4, 5)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "model"}, "kind='model': needs one of"),
        ({"time": datetime(2022, 6, 1, 12)}, "needs a time zone"),
        ({"seed": -1}, "seed=-1: needs 0 to"),
        ({"member": -1}, "member=-1: needs 0 to"),
    ],
)
def test_wrong_key_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        perturbation((4, 4), **(KEY | change))
