"""Runs of soil columns: layers of the histories of all cycles, before and after their analyses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgda_mpi.arrays import FloatArray
from imgda_mpi.histories.image_series import Frame, usual_step
from imgda_mpi.histories.opened import LastOpened
from imgda_mpi.histories.records import Record, RecordSeries, times_of
from imgda_mpi.observations.image import Layer
from imgda_mpi.observations.layers import same_layer
from imgda_mpi.results.history_file import History, open_history
from imgda_mpi.results.run_folder import Run
from imgda_mpi.results.run_images import instants


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnFrame(Frame):
    """A moment of a history; its rain is in ``rained``, None at the start of the run."""

    opened: LastOpened[History]
    record: Record
    rained: Record | None

    def layer(self, layer: Layer) -> FloatArray:
        """See `Frame`."""
        return self.opened(self.record.file).image(layer, self.record.index)

    def rain(self) -> FloatArray | None:
        """See `Frame`."""
        if self.rained is None:
            return None
        return self.opened(self.rained.file).image("rain", self.rained.index)


@dataclass(frozen=True, eq=False, kw_only=True)
class ColumnSeries(RecordSeries):
    """Moments of a run of soil columns."""

    opened: LastOpened[History]
    own_layers: Sequence[Layer]

    def frame(self, record: Record) -> Frame:
        """See `RecordSeries`."""
        rained: Record | None = record
        if record.index == 0:
            # A history begins with the state that the one before has ended with, or with what an analysis made of it.
            rained = next((other for other in self.holding(record.time) if other.index > 0), None)
        return ColumnFrame(time=record.time, side=record.side, opened=self.opened, record=record, rained=rained)

    def layers(self, frame: Frame) -> Sequence[Layer]:
        """See `ImageSeries`."""
        return self.own_layers


def column_series(run: Run, layers: Sequence[Layer]) -> ColumnSeries:
    """The moments of the complete cycles of a run of soil columns. Not collective.

    Parameters
    ----------
    run : whose cycles have a history of soil columns each
    layers : that are asked for, m

    Raises
    ------
    InputError
        See `instants`.
    """
    records, grid, own = [], None, None
    for instant in instants(run):
        if grid is None or own is None:
            grid, own = instant.history.grid, instant.history.layers
        records.append(Record(instant.time, instant.history.path, instant.index, side=instant.side))
    if grid is None or own is None:
        raise AssertionError("a history has times")
    return ColumnSeries(
        what=str(run.directory),
        grid=grid,
        times=times_of(records),
        step=usual_step(times_of(records)),
        records=records,
        opened=LastOpened(open_history),
        own_layers=[wanted for wanted in layers if any(same_layer(wanted, one) for one in own)],
    )
