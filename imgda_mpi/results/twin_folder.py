"""The folder of a twin experiment: its cases, images, runs and scores.

::

    TWIN/settings.toml                what it is
    TWIN/case/demo  nature_case/      the case that all runs start from, and the nature's
    TWIN/nature/  control/  VARIANT/  run folders (`imgda_mpi.results.run_folder`)
    TWIN/observations/                images of the nature
    TWIN/scores.csv  propagation.csv
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from imgda_mpi.results.run_folder import SETTINGS_FILE

IMAGES = "GLDAS_NOAH10_3H.A%Y%m%d.%H%M.021.nc4"


@dataclass(frozen=True)
class TwinPaths:
    """Where everything of an experiment is."""

    directory: Path

    @property
    def settings(self) -> Path:
        """What it is."""
        return self.directory / SETTINGS_FILE

    @property
    def case(self) -> Path:
        """Folder of the embedded case."""
        return self.directory / "case"

    @property
    def nature_case(self) -> Path:
        """The nature's case."""
        return self.directory / "nature_case"

    @property
    def observations(self) -> Path:
        """Folder of the images."""
        return self.directory / "observations"

    @property
    def images(self) -> Path:
        """Pattern of the images; the folder itself has no fields of a time."""
        return Path(str(self.observations).replace("%", "%%")) / IMAGES

    @property
    def scores(self) -> Path:
        """Table of scores in time."""
        return self.directory / "scores.csv"

    @property
    def propagation(self) -> Path:
        """Table of the days that corrections take into depth."""
        return self.directory / "propagation.csv"
