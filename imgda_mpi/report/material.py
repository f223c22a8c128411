"""What a report is made of: runs, analyses, images beside them, scores; whoever wrote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.grid import Grid
from imgda_mpi.histories.image_series import ImageSeries
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.layers import same_layer
from imgda_mpi.results.account_file import Account, read_account
from imgda_mpi.results.analysis_file import DIAGNOSTICS
from imgda_mpi.results.comparison_file import SavedComparison
from imgda_mpi.results.field_scores_file import FieldScores
from imgda_mpi.results.run_folder import Cycle, Run
from imgda_mpi.results.station_scores_file import StationVerification
from imgda_mpi.verify.innovations import RunInnovations
from imgda_mpi.verify.propagation import Propagation
from imgda_mpi.verify.regions import Box
from imgda_mpi.verify.score_series import ScoreRow
from imgda_mpi.verify.status import UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user wants to see.

    Parameters
    ----------
    time : of maps, of an analysis that is shown alone the last one up to it; None for the last analysis, and the first
    day : of anomalies; None for one of much rain
    boxes : by name, that maps zoom in on
    points : latitude and longitude, degrees, of sections and series; none for those where most has changed
    """

    time: datetime | None = None
    day: date | None = None
    boxes: Mapping[str, Box] = field(default_factory=dict)
    points: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Ran:
    """A run, or an analysis alone.

    Parameters
    ----------
    name : in the report
    directory : of the run, or of the analysis
    run : None of an analysis alone, and of runs that have no folder
    times : of its analyses, ascending
    analyses : folders of these, with diagnostics.nc and manifest.json
    opened : opens its history
    """

    name: str
    directory: Path
    run: Run | None = None
    times: Sequence[datetime] = ()
    analyses: Sequence[Path] = ()
    opened: Callable[[], ImageSeries] | None = None

    @property
    def is_free(self) -> bool:
        """Whether it was to run without analyses; one whose analyses were all passed over was not."""
        return self.run is not None and not self.analyses and self.run.description.first_analysis is None

    @cached_property
    def series(self) -> ImageSeries | None:
        """Its history; None where there is none.

        Raises
        ------
        InputError
            Where it is damaged.
        """
        return None if self.opened is None else self.opened()

    @cached_property
    def cycles(self) -> Sequence[Cycle]:
        """Complete ones of its folder, as they are when first asked for; none where it has no folder.

        Raises
        ------
        InputError
            Where one of them is damaged.
        """
        return [] if self.run is None else self.run.cycles()

    @property
    def has_columns(self) -> bool:
        """Whether it is a run of soil columns, whose histories have fluxes of water."""
        return any(cycle.history.is_file() for cycle in self.cycles)

    @cached_property
    def accounts(self) -> Sequence[Account]:
        """Of its analyses, all but their images.

        Raises
        ------
        InputError
            Where the file of one is damaged.
        """
        return [read_account(folder / DIAGNOSTICS) for folder in self.analyses]

    def analysis_at(self, time: datetime | None) -> Path | None:
        """Folder of the last analysis up to a time, else of the first one; None where there is none."""
        earlier = [folder for at, folder in zip(self.times, self.analyses, strict=True) if time and at <= time]
        if earlier or self.analyses:
            return earlier[-1] if earlier else self.analyses[0]
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class Beside:
    """Images that runs are held beside.

    Parameters
    ----------
    name
    status : whether they were assimilated, by layer, see `imgda_mpi.verify.status`
    opened : opens them
    regridding : onto the grid of the runs, see `imgda_mpi.observations.regrid`
    """

    name: str
    status: Mapping[Layer, str]
    opened: Callable[[], ImageSeries]
    regridding: str = "bilinear"

    @cached_property
    def series(self) -> ImageSeries:
        """The images.

        Raises
        ------
        InputError
            Where they are damaged.
        """
        return self.opened()


@dataclass(frozen=True, eq=False, kw_only=True)
class Curves:
    """Scores of runs in time.

    Parameters
    ----------
    name : of what judges
    status : by layer, see `imgda_mpi.verify.status`
    rows : in the order of time
    """

    name: str
    status: Mapping[Layer, str]
    rows: Sequence[ScoreRow]

    def status_of(self, layer: Layer) -> str:
        """The word that goes with the scores of a layer."""
        return next((word for own, word in self.status.items() if same_layer(own, layer)), UNKNOWN)


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """All that a report may be made of; most have only some of it.

    Parameters
    ----------
    title : of the page
    folders : that were given
    wanted : what the user wants to see
    preface : what has to be known first, as that all of it is made up
    runs : and analyses alone; where one of several has no analyses, it is the control, and the first one
    beside : images, those that judge first
    curves : scores in time, those against what is independent first
    fields : scores against images, of verifications
    score_maps : files of scores in every cell, of verifications
    stations : scores at stations, of verifications
    innovations : of runs with analyses, by period
    reach : of corrections into depth, of a twin experiment
    table : of a twin experiment, in words
    comparison : of methods
    covers : opens cells by vegetation, (ny, nx) each; none where no case is known
    truth : of an analysis, (ny, nx) m3 m-3
    notes : what could not be opened, and why, in sentences
    """

    title: str
    folders: Sequence[Path]
    wanted: Wanted
    preface: str = ""
    runs: Sequence[Ran] = ()
    beside: Sequence[Beside] = ()
    curves: Sequence[Curves] = ()
    fields: Sequence[FieldScores] = ()
    score_maps: Sequence[Path] = ()
    stations: Sequence[StationVerification] = ()
    innovations: Sequence[RunInnovations] = ()
    reach: Sequence[Propagation] = ()
    table: str = ""
    comparison: SavedComparison | None = None
    covers: Callable[[Grid], Mapping[str, BoolArray]] = lambda grid: {}
    truth: FloatArray | None = None
    notes: Sequence[str] = ()

    @property
    def control(self) -> Ran | None:
        """The run without analyses that others are held beside."""
        without = [ran for ran in self.runs if ran.run is not None and not ran.analyses]
        return next((ran for ran in without if ran.is_free), without[0] if without else None)

    @property
    def assimilations(self) -> Sequence[Ran]:
        """Runs with analyses, and analyses alone."""
        return [ran for ran in self.runs if ran.analyses]

    @cached_property
    def main(self) -> Ran | None:
        """What is shown where only one is: the last run with analyses, of those that have scores if any has."""
        scored = {row.run for curves in self.curves for row in curves.rows}
        scored |= {run for stations in self.stations for run in stations.series.runs}
        runs = [ran for ran in self.assimilations if ran.name in scored] or self.assimilations
        return runs[-1] if runs else None

    @property
    def shown_folder(self) -> Path | None:
        """Folder of the analysis that is shown alone; None where there is none."""
        return None if self.main is None else self.main.analysis_at(self.wanted.time)

    @cached_property
    def shown(self) -> tuple[Path, Account] | None:
        """Folder and account of the analysis that is shown alone; None where there is none.

        Raises
        ------
        InputError
            Where its file is damaged.
        """
        return None if self.main is None else self.shown_of(self.main)

    def shown_of(self, ran: Ran) -> tuple[Path, Account] | None:
        """The same of another run.

        Raises
        ------
        InputError
            Where its file is damaged.
        """
        folder = ran.analysis_at(self.wanted.time)
        return None if folder is None else (folder, read_account(folder / DIAGNOSTICS))

    @property
    def histories(self) -> Sequence[Ran]:
        """Runs whose history is there, the control first."""
        return [ran for ran in self.runs if ran.opened is not None]

    @property
    def pair(self) -> tuple[Ran, Ran] | None:
        """The control, and the run that is shown beside it; None where histories of two runs are not there.

        Of runs that no folder tells about, the first one of a verification is its control.
        """
        known = self.histories
        first = [ran for ran in known[:1] if self.control is None and not ran.analyses]
        control = self.control if self.control in known else next(iter(first), None)
        main = self.main if self.main in known else known[-1] if known and self.main is None else None
        return None if control is None or main is None or control is main else (control, main)

    @property
    def assimilation(self) -> tuple[datetime, datetime] | None:
        """Its first and its last analysis; None where there is none."""
        times = [time for ran in self.assimilations for time in ran.times]
        return (min(times), max(times)) if times else None

    @property
    def last_analysis(self) -> datetime | None:
        """End of the assimilation."""
        return None if self.assimilation is None else self.assimilation[1]
