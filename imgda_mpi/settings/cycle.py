"""The settings of a run of cycles: model windows and analyses in turn."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from imgda_mpi.settings import analysis
from imgda_mpi.settings.analysis import Curvelet, Parallel, Settings, Soil
from imgda_mpi.settings.columns import POINTS, AnyWeather, Points, check_length
from imgda_mpi.settings.features import OF_CELLS, FeatureFiles, check_use
from imgda_mpi.settings.fields import Duration, FilePath, Instant, Section, key
from imgda_mpi.settings.methods import DEFAULT_METHOD, AnyMethod, OfMembers
from imgda_mpi.settings.model import CaseOfColm202x, MemberImages
from imgda_mpi.settings.observations import AnyObservation, Errors

NOT_DECIDING = (
    *analysis.NOT_DECIDING,
    "cycle.keep_every",
    "cycle.launch",
    "cycle.resident",
    "cycle.retries",
    "cycle.wait_at_most",
    "cycle.without_observation",
    "model.command",
    "model.environment",
)
"""Keys that may differ between two jobs of one run."""


MOST_WINDOWS = 1_000_000


class Cycling(Section):
    """When the model runs and when it is corrected; whole hours."""

    start: Instant = key("Start of the run: a restart of this time is there", "UTC", example="2022-06-02T00:00:00Z")
    first_analysis: Instant = key("First analysis", "UTC", example="2022-06-02T00:00:00Z")
    last_analysis: Instant = key(
        "Last analysis; from then on the model runs freely", "UTC", example="2022-08-01T00:00:00Z"
    )
    end: Instant = key("End of the run", "UTC", example="2022-08-31T00:00:00Z")
    window: Duration = key("From one analysis to the next", default=timedelta(hours=6))
    stop_every: Duration | None = key(
        "Longest window where nothing is assimilated, as in a run with method none or after the last analysis; an "
        "interrupted window is run again from its start (default: as long as it can be)",
        default=None,
        example='"10 days"',
    )
    keep_every: Duration = key(
        "Restarts of times so far apart, counted from the start, are kept, and those of the last two cycles",
        default=timedelta(days=1),
    )
    without_observation: Literal["pass", "wait", "stop"] = key(
        "Where the observed image is missing or cannot be used: pass on without an analysis, wait for it, or stop",
        default="pass",
    )
    wait_at_most: Duration = key("Longest wait for an image before it is passed over", default=timedelta(hours=1))
    retries: int = key("How often a model or analysis that failed is run again", default=1, ge=0)
    launch: str = key(
        "What starts the ranks of an analysis, put before its command, as run_ranks 2 or srun (default: one process)",
        default="",
    )
    resident: bool = key(
        "Keep the ranks of the analysis between cycles, asleep, instead of starting them for each", default=False
    )


class ByCommand(Section):
    """A model that a command runs."""

    environment: FilePath | None = key(
        "Shell file that bash sources before the command, as for modules (default: the environment that imgda_mpi was "
        "started in)",
        default=None,
        example='"modules.sh"',
    )


class RunOfColm202x(ByCommand):
    """CoLM202X, run by a command."""

    kind: Literal["colm202x"] = key("Version of the model: colm202x, colm2014 or columns")
    namelist: FilePath = key(
        "The case's own; start, end and output are edited in copies. The model runs in its folder",
        example='"mycase.nml"',
    )
    command: str = key(
        "Runs the model; {namelist} stands for the edited namelist", example='"mpirun -n 24 ./colm.x {namelist}"'
    )

    @model_validator(mode="after")
    def _names_the_namelist(self) -> RunOfColm202x:
        if "{namelist}" not in self.command:
            raise ValueError(f"command = {self.command!r}: needs {{namelist}} where the model is told its namelist")
        return self


class RunOfColm2014(ByCommand):
    """CoLM2014, run by a command with the namelist on its standard input."""

    kind: Literal["colm2014"] = key("Version of the model: colm202x, colm2014 or columns")
    namelist: FilePath = key(
        "The site's own clmexp; start, end and folders are edited in copies. The model runs in its folder",
        example='"timeloop.stdin"',
    )
    command: str = key("Runs the model, which reads the edited namelist from its input", example='"./clm.x"')
    restart_every: Duration = key(
        "How often the executable was built to write restarts: windows are multiples of it", example='"6 h"'
    )

    @model_validator(mode="after")
    def _reads_its_input(self) -> RunOfColm2014:
        if "{namelist}" in self.command or "<" in self.command:
            raise ValueError(f"command = {self.command!r}: the model is given its namelist as input: leave that out")
        return self


class RunOfColumns(CaseOfColm202x):
    """Soil columns from a case of CoLM202X, in the ranks of the run itself."""

    kind: Literal["columns"] = key("Version of the model: colm202x, colm2014 or columns")
    points: Points = key(POINTS, "degrees", default=(), strict=False)


AnyRun = Annotated[RunOfColm202x | RunOfColm2014 | RunOfColumns, Field(discriminator="kind")]


class RunFolder(Section):
    """Where the run goes."""

    directory: FilePath = key("Folder of the run: new, or that of the same run to go on with", example='"run"')


class CycleRun(Section):
    """All settings of a run of cycles: those of an analysis, whose times and folders are filled in, and the cycling."""

    method: AnyMethod = key(
        "Name of a method, as innovation/full, or a section [method] with kind and keys of its own; none for a control",
        default=DEFAULT_METHOD,
    )
    cycle: Cycling = key("Times")
    model: AnyRun = key("The model")
    weather: AnyWeather | None = key("Weather of soil columns", default=None)
    observation: AnyObservation | None = key("The observed images; optional for method none", default=None)
    errors: Errors = key("Errors of the observation", default=Errors())
    ensemble: MemberImages | None = key("Members of the model, for the methods that need them", default=None)
    features: FeatureFiles = key(OF_CELLS, default={})
    curvelet: Curvelet = key("Curvelet transform", default=Curvelet())
    soil: Soil = key("Increment in the soil", default=Soil())
    parallel: Parallel = key("Work on the ranks of the analysis", default=Parallel())
    output: RunFolder = key("Result")

    @property
    def assimilates(self) -> bool:
        """Whether there are analyses at all."""
        return self.method.kind != "none"

    def of_analysis(self, section: dict[str, Any], directory: FilePath) -> Settings:
        """The settings of the analysis of a restart, its ``[model]`` section, with its result in a folder."""
        parts = {name: getattr(self, name) for name in Settings.model_fields if name not in ("model", "output")}
        return Settings.model_validate(parts | {"model": section, "output": {"directory": directory}})

    @model_validator(mode="after")
    def _times(self) -> CycleRun:
        times = ("start", "first_analysis", "last_analysis", "end")
        check_times(self.cycle, times, ("window", "stop_every", "keep_every"))
        if self.model.kind == "columns":
            check_length(self.cycle.start, self.cycle.end, "[cycle] end")
        return self

    @model_validator(mode="after")
    def _observation(self) -> CycleRun:
        if self.observation is None and self.assimilates:
            raise ValueError(f"method {self.method.kind!r} needs an [observation] section")
        if isinstance(self.method, OfMembers) and self.ensemble is None:
            raise ValueError(f"method {self.method.kind!r} needs an [ensemble] section")
        check_use(self.features, self.method)
        if self.observation is not None and self.observation.time is not None:
            raise ValueError("[observation] time: is that of each analysis in a run of cycles; leave it out")
        if self.weather is not None and self.model.kind != "columns":
            raise ValueError(
                f"[weather]: is that of soil columns; the namelist of {self.model.kind} names the model's own"
            )
        if self.weather is None and self.model.kind == "columns":
            raise ValueError("model 'columns' needs a [weather] section")
        return self


def check_times(cycle: Section, names: Sequence[str], lengths: Sequence[str]) -> None:
    """Refuse times and lengths of a section ``[cycle]`` that are no whole hours, or times not in their order.

    The first one of the lengths is from one analysis to the next.

    Raises
    ------
    ValueError
    """
    times = {name: getattr(cycle, name) for name in names}
    for name, time in times.items():
        if time.minute or time.second or time.microsecond:
            raise ValueError(f"[cycle] {name} = {_text(time)}: needs a whole hour")
    for (name, time), (later, other) in pairwise(times.items()):
        if other < time or (other == time and later == "end"):
            raise ValueError(f"[cycle] {later} = {_text(other)}: is not after {name} = {_text(time)}")
    for name in lengths:
        if (length := getattr(cycle, name)) is not None and length % timedelta(hours=1):
            raise ValueError(f"[cycle] {name}: needs whole hours")
    for length in (one for one in lengths if one != "keep_every" and getattr(cycle, one) is not None):
        if (times["end"] - times[names[0]]) / getattr(cycle, length) > MOST_WINDOWS:
            raise ValueError(
                f"[cycle] {length}: more than {MOST_WINDOWS} windows: take a longer one, or an earlier end"
            )
    if (times["last_analysis"] - times["first_analysis"]) % getattr(cycle, lengths[0]):
        raise ValueError("[cycle] last_analysis: is not a whole number of windows after first_analysis")


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
