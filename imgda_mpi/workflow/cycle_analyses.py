"""The analyses of a run of cycles, as its settings have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from imgda_mpi.cycling.attempts import log_file
from imgda_mpi.cycling.schedule import Window
from imgda_mpi.disk import remove
from imgda_mpi.faults import NO_OBSERVATION, InputError, OutputError, fault, writing
from imgda_mpi.model.runner import ModelCase
from imgda_mpi.results.identity import holds_result
from imgda_mpi.results.run_records import ANALYSIS
from imgda_mpi.settings import analysis
from imgda_mpi.settings.cycle import CycleRun
from imgda_mpi.settings.document import in_force


class CommandAnalyst:
    """Analyses by a command, of settings files in the folders of cycles. Not collective.

    Parameters
    ----------
    command : makes the analysis of a settings file, with a log
    """

    def __init__(self, settings: CycleRun, case: ModelCase, command: Callable[[Path, Path], None]) -> None:
        self.settings, self.case, self.command = settings, case, command

    def image(self, window: Window) -> Path:
        """The file of the observed image."""
        return image_of(self.settings, window)

    def analyse(self, folder: Path, background: Sequence[Path], window: Window) -> None:
        """Make the analysis of a set in ``folder/analysis``, unless it is there.

        Raises
        ------
        ImgdaError
            With the status of the command.
        """
        directory, file = folder / ANALYSIS, folder / f"{ANALYSIS}.toml"
        settings = self.settings.of_analysis(self.case.section(background, window.start), directory)
        if is_analysed(settings, directory):
            return
        check_there(self.image(window))
        with writing(folder):
            remove(directory)
            # A relative path: the folder is about to get the name of its cycle.
            file.write_text(f'{in_force(settings, "output")}\n[output]\ndirectory = "{ANALYSIS}"\n')
            log = log_file(folder, ANALYSIS)
            log.parent.mkdir(exist_ok=True)
            log.unlink(missing_ok=True)
        self.command(file, log)


def image_of(settings: CycleRun, window: Window) -> Path:
    """The file of the observed image of a window's start."""
    from imgda_mpi.netcdf import resolve

    if settings.observation is None:
        raise ValueError("no observation in a run without analyses")
    return resolve(settings.observation.file, window.start)


def is_analysed(settings: analysis.Settings, directory: Path) -> bool:
    """Whether the whole analysis of these settings is in a folder. Not collective."""
    try:
        return holds_result(directory, settings.model_dump_json(), analysis.NOT_DECIDING)
    except OutputError:
        return False


def check_there(image: Path) -> None:
    """Refuse an observed image that is not there. Not collective.

    Raises
    ------
    InputError
        With status `NO_OBSERVATION`.
    """
    if not image.is_file():
        do = "it may come late: see [cycle] without_observation"
        error = fault(image, found="no such file", expected="the observed image", do=do, kind=InputError)
        error.status = NO_OBSERVATION
        raise error
