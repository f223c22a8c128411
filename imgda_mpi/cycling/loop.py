"""The loop of a run: an analysis, a window of the model, and again, each cycle whole or absent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Protocol, TypeVar

from imgda_mpi.cycling.assimilation import Analyst, WithoutObservation, assimilate
from imgda_mpi.cycling.attempts import attempt
from imgda_mpi.cycling.ending import Clock
from imgda_mpi.cycling.pace import MODEL, OWN, length_text, pace_of
from imgda_mpi.cycling.schedule import Window, left
from imgda_mpi.cycling.thinning import NEVER, thin
from imgda_mpi.disk import link
from imgda_mpi.faults import ConfigError, OutputError, fault
from imgda_mpi.parallel.team import Team
from imgda_mpi.results.identity import analysed_set
from imgda_mpi.results.run_folder import PASSED, Cycle, Run
from imgda_mpi.results.run_records import ANALYSIS, BACKGROUND, RESTART, FileSet, Record, time_text
from imgda_mpi.results.run_writing import begin_cycle, end_cycle

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Show = Callable[[Sequence[Window]], Generator[Window, None, None]]


class Runner(Protocol):
    """A model that is run through windows, each in the folder of its cycle. Collective over those who run it."""

    def first_set(self) -> list[Path]:
        """Files of the restart that the run starts from."""

    def set_of(self, files: Sequence[Path]) -> FileSet:
        """The set that some files are, by their checksums."""

    def run(self, folder: Path, began_with: Sequence[Path], window: Window) -> list[Path]:
        """Run a window from a set; the files of the restart at its end, which are whole and of that time.

        Raises
        ------
        ImgdaError
            Where the model failed; it can be tried again in another folder.
        """


@dataclass(frozen=True)
class Loop:
    """Who makes the cycles of a run, and how.

    Parameters
    ----------
    retries : how often a model or an analysis that failed is run again
    keep_every : restarts of times so far apart are kept
    done : complete cycles, with the one that leads the team
    show : passes windows on and shows how far they are; unless given there is a line for each cycle
    """

    run: Run
    runner: Runner
    analyst: Analyst
    without: WithoutObservation
    retries: int
    keep_every: timedelta
    clock: Clock
    team: Team
    done: list[Cycle] = field(default_factory=list)
    show: Show | None = None

    def cycles(self, windows: Sequence[Window]) -> None:
        """Make the cycles of all windows; the first one follows the last complete cycle. Collective.

        Raises
        ------
        OutOfTime
            Before a cycle that would not come to its end.
        ImgdaError
            Where a cycle cannot be made. All complete ones stay, and what is whole of this one.
        """
        with closing((self.show or self._lines)(windows)) as shown:
            for window in shown:
                self.team.lead(partial(self._check_time, window))
                folder, seconds = self.analyse(self.begin(window), window)
                self.forecast(folder, window, seconds)

    def look(self) -> None:
        """Read the complete cycles, see that the last one is what it was, and remove what is not needed. Collective.

        Raises
        ------
        InputError
            Where a file of the last cycle is not what it was, or a cycle before is gone.
        """

        def work() -> None:
            self.done[:] = self.run.check_chain()
            if self.done:
                self.done[-1].verify()
            thin(self.done[:-NEVER], self.run.description.start, self.keep_every)

        self.team.lead(work)

    @property
    def summary(self) -> str:
        """What there is when all cycles are complete, with the one that leads the team."""
        n_analyses = sum(cycle.record.analysis is not None for cycle in self.done)
        n_passed = sum(bool(cycle.record.reasons) for cycle in self.done)
        passed = f", {n_passed} passed over" if n_passed else ""
        return f"all {len(self.done)} cycles are complete in {self.run.directory}: {n_analyses} analyses{passed}"

    def left(self, windows: Sequence[Window]) -> list[Window]:
        """Those of all windows of the run that follow the last complete cycle. Collective."""
        return self.team.lead(lambda: left(windows, self.done[-1].record.end if self.done else None))

    def check_analysed(self, folder: Path, window: Window) -> None:
        """Refuse a cycle that has neither its analysis nor a note why there is none. Not collective.

        Raises
        ------
        ConfigError
        """
        if window.is_analysed and not (folder / ANALYSIS).exists() and not (folder / PASSED).exists():
            raise ConfigError(f"the analysis of {time_text(window.start)} is not made yet: it comes before the model")

    def begin(self, window: Window) -> Path:
        """The folder of a cycle, with a link to its background. Collective."""
        folder = begin_cycle(self.run, window.start, self.team)
        background = self.background()
        self.team.lead(lambda: link(folder / BACKGROUND, background[0].parent, self.run.directory))
        return folder

    def background(self) -> list[Path]:
        """Files of the set that the next cycle begins with. Collective."""
        last = self.team.lead(lambda: self.done[-1].files(RESTART) if self.done else None)
        return self.runner.first_set() if last is None else last

    def analyse(self, folder: Path, window: Window) -> tuple[Path, float]:
        """Make the analysis of a cycle, or note why there is none. Collective.

        Returns
        -------
        folder of the cycle, which is another where it was tried again; seconds that it took
        """
        if not window.is_analysed:
            return folder, 0.0
        began = perf_counter()

        def work(at: Path) -> None:
            assimilate(self.analyst, at, self.background(), window, self.without, self.done, self.team)

        return self._attempt(work, ANALYSIS, folder, window)[0], perf_counter() - began

    def forecast(self, folder: Path, window: Window, analysis_seconds: float) -> None:
        """Run the model from the analysis of a cycle, or from its background, and make the cycle whole. Collective.

        Raises
        ------
        OutputError
            Where the analysis is not that of the background.
        """
        background, began = self.background(), perf_counter()
        origin = self._origin(background)

        def work(at: Path) -> tuple[FileSet | None, list[Path]]:
            files, of_files = self.team.lead(lambda: _analysis(at, origin.files)) or (background, None)
            return of_files, self.runner.run(at, files, window)

        folder, (analysis, restart) = self._attempt(work, MODEL, folder, window)
        ended = perf_counter()
        passed, of_restart = folder / PASSED, self.runner.set_of(restart)

        def record() -> Record:
            reasons = passed.read_text().splitlines()[:1] if passed.exists() else []
            seconds = {ANALYSIS: analysis_seconds, MODEL: ended - began, OWN: perf_counter() - ended}
            return Record(
                time=window.start,
                end=window.end,
                background=origin,
                origin=self.done[-1].record.as_origin if self.done else None,
                analysis=analysis,
                restart=of_restart,
                seconds=seconds,
                reasons=reasons,
            )

        cycle = end_cycle(folder, self.team.lead(record), self.team)
        self.team.lead(lambda: self._keep(cycle))

    def _attempt(self, work: Callable[[Path], Result], what: str, folder: Path, window: Window) -> tuple[Path, Result]:
        return attempt(work, what, folder, lambda: self.begin(window), self.retries, self.team)

    def _origin(self, background: Sequence[Path]) -> FileSet:
        last = self.team.lead(lambda: self.done[-1].record.restart if self.done else None)
        return self.runner.set_of(background) if last is None else last

    def _check_time(self, window: Window) -> None:
        pace = pace_of([cycle.record for cycle in self.done])
        self.clock.check(0.0 if pace is None else pace.seconds(window), f"a cycle to {time_text(window.end)}")

    def _keep(self, cycle: Cycle) -> None:
        self.done.append(cycle)
        thin(self.done[-NEVER - 1 : -NEVER], self.run.description.start, self.keep_every)

    def _lines(self, windows: Sequence[Window]) -> Generator[Window, None, None]:
        """A line after each cycle."""
        for number, window in enumerate(windows):
            yield window
            self.team.lead(partial(self._say, windows[number + 1 :]))

    def _say(self, rest: Sequence[Window]) -> None:
        record, pace = self.done[-1].record, pace_of([cycle.record for cycle in self.done])
        seconds = ", ".join(f"{name} {number:.1f} s" for name, number in record.seconds.items() if number >= 0.05)
        left = 0.0 if pace is None else sum(map(pace.seconds, rest))
        then = f"{len(rest)} cycles, {length_text(left)} left" if rest else "the last one"
        log.info("%s  %s; %s", self.done[-1].directory.name, seconds, then)


def _analysis(folder: Path, background: Mapping[str, str]) -> tuple[list[Path], FileSet] | None:
    """The analysis in the folder of a cycle, of this background; None where there is none."""
    directory = folder / ANALYSIS
    if not directory.exists():
        return None
    files, of_files, inputs = analysed_set(directory)
    other = [name for name, of_file in background.items() if inputs.get(name, of_file) != of_file]
    if other or not inputs.keys() & background.keys():
        found = f"the analysis of another {other[0]}" if other else "the analysis of other files"
        do = "remove the folder and run this again"
        raise fault(directory, found=found, expected="that of the background of this cycle", do=do, kind=OutputError)
    return files, of_files
