"""What a run of cycles needs: files and room on the disk, and time of cores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from imgda_mpi.console import columns


@dataclass(frozen=True)
class Amount:
    """Files, folders and links, and bytes."""

    files: float = 0.0
    size: float = 0.0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.files + other.files, self.size + other.size)

    def __mul__(self, factor: float) -> Amount:
        return Amount(self.files * factor, self.size * factor)


@dataclass(frozen=True)
class Sizes:
    """What the parts of a cycle need.

    Parameters
    ----------
    restart : a set
    result : of an analysis beside its set
    history : of an hour of the model
    rest : of every cycle
    spare : sets that the model writes in an hour and that are removed when its window ends
    """

    restart: Amount
    result: Amount
    history: Amount
    rest: Amount
    spare: float = 0.0


@dataclass(frozen=True)
class CycleStep:
    """A cycle as far as its needs depend on it.

    Parameters
    ----------
    hours : of the model
    is_analysed : whether it begins with an analysis
    keeps_analysis, keeps_restart : whether the set stays where it is not among the newest
    """

    hours: float
    is_analysed: bool
    keeps_analysis: bool
    keeps_restart: bool


@dataclass(frozen=True)
class Needs:
    """What the cycles of a run need: one cycle at most, all in the end, and all at most on the way."""

    cycle: Amount
    end: Amount
    peak: Amount


def needs_of(steps: Sequence[CycleStep], sizes: Sizes, newest: int) -> Needs:
    """What some cycles need, of which the ``newest`` keep all of their sets.

    >>> steps = [CycleStep(6, True, number % 2 == 0, number % 2 == 1) for number in range(4)]
    >>> needs = needs_of(steps, Sizes(Amount(1, 10), Amount(2, 5), Amount(), Amount(3, 1)), 2)
    >>> needs.cycle, needs.end, needs.peak
    (Amount(files=7.0, size=26.0), Amount(files=26.0, size=84.0), Amount(files=27.0, size=94.0))
    """
    sets = [1 + step.is_analysed for step in steps]
    kept = [step.keeps_restart + (step.is_analysed and step.keeps_analysis) for step in steps]
    lasting = [sizes.rest + sizes.history * step.hours + sizes.result * step.is_analysed for step in steps]
    cycles = [part + sizes.restart * number for part, number in zip(lasting, sets, strict=True)]
    before = list(accumulate(lasting, initial=Amount()))

    def there(number: int, whole: int) -> Amount:
        """After so many cycles, the last ``whole`` of which have all of their sets."""
        first = max(number - whole, 0)
        return before[number] + sizes.restart * (sum(kept[:first]) + sum(sets[first:number]))

    # A set goes when as many cycles after it are complete as stay whole.
    peaks = [
        there(number, newest + 1) + sizes.restart * (sizes.spare * step.hours) for number, step in enumerate(steps, 1)
    ]
    return Needs(_most(cycles), there(len(steps), newest), _most(peaks))


def _most(amounts: Sequence[Amount]) -> Amount:
    """The most files, and the most bytes."""
    return Amount(max((one.files for one in amounts), default=0.0), max((one.size for one in amounts), default=0.0))


def needs_table(needs: Needs) -> str:
    """Files and megabytes."""
    rows = [("", "files", "MB")]
    for name, amount in (("a cycle", needs.cycle), ("in the end", needs.end), ("at most", needs.peak)):
        rows.append((name, f"{amount.files:.0f}", f"{1e-6 * amount.size:.1f}"))
    return columns(rows, "<>>")


def hours_table(cores: Sequence[int], seconds: float) -> str:
    """Core-hours of so much wall time on numbers of cores."""
    rows = [("cores", "hours", "core-hours")]
    hours = seconds / 3600.0
    rows += [(f"{n_cores}", f"{hours:.3g}", f"{n_cores * hours:.3g}") for n_cores in cores]
    return columns(rows, ">>>")
