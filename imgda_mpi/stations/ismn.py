"""Archives of the International Soil Moisture Network, through its package ``ismn``."""

from __future__ import annotations

import logging
import re
import sys
import warnings
import zipfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np

from imgda_mpi.arrays import BoolArray, FloatArray
from imgda_mpi.faults import ConfigError, fault
from imgda_mpi.stations.depths import Depth, none_within, within
from imgda_mpi.stations.series import Sensors, StationSeries, Times, sorted_out

log = logging.getLogger(__name__)

NAME = re.compile(
    r"[^_]+_(?P<network>.+)_(?P<station>[^_]+)_sm_(?P<top>-?[\d.]+)_(?P<bottom>-?[\d.]+)_(?P<sensor>.+)_\d{8}_\d{8}"
)
"""Names of files of soil moisture: of the network twice, station, quantity, depths, sensor, first and last day."""

NAMED = 5  # of the files that cannot be read


def read_ismn(file: Path, depth: Depth, *, flags: Collection[str]) -> Sensors:
    """Series of all sensors of soil moisture within a range of depth, by network, station and depth. Not collective.

    Of an archive of thousands of files some may be damaged: they are left out, and a warning names them. Nothing is
    written beside the archive.

    Parameters
    ----------
    file : archive as downloaded, zip or the folder made from it, with files in the format header+values or CEOP
    depth : top and bottom of the range of depth, m; that of a sensor is what its file's name says
    flags : of ISMN that a good value may have, as ("G",); with several flags it is good where it may have each

    Raises
    ------
    ConfigError
        Where the package is missing.
    InputError
        Where it is no archive, has no soil moisture, no sensor in the range, or none that can be read.
    """
    # The package keeps its metadata beside the data; file by file it needs none, and is faster.
    root_type, file_type = _package(file)
    names = {path: NAME.fullmatch(path.stem) for path in _files(file)}
    depths = {path: (float(name["top"]), float(name["bottom"])) for path, name in names.items() if name}
    if not depths:
        raise fault(
            file,
            found="no file of soil moisture",
            expected="files named as ISMN does, ..._sm_....stm",
            do="give an archive of ISMN that has soil moisture, as downloaded",
        )
    if not any(within(one, depth) for one in depths.values()):
        raise none_within(file, depth, depths.values())
    series, unread = Sensors(), {path: "a name unlike those of ISMN" for path, name in names.items() if not name}
    with root_type(file) as root:
        for path, name in names.items():
            if name and within(depths[path], depth):
                try:
                    with _quiet():
                        latitude, longitude, rows = _content(file_type(root, path), flags)
                except Exception as err:  # of many types: whatever the package makes of a damaged file
                    unread[path] = (str(err).strip().splitlines() or [type(err).__name__])[-1]
                    continue
                times, values, counts = sorted_out(*rows)
                of = {"latitude": latitude, "longitude": longitude, "times": times, "values": values, "counts": counts}
                series.append(_series(path, name, depths[path], **of))
    if not series:
        raise fault(
            file,
            found=f"{len(unread)} files of soil moisture that cannot be read ({_said(unread)})",
            expected="at least one in the format header+values or CEOP",
            do="download the archive again: it may be damaged",
        )
    if unread:
        log.warning(
            "%s: %d of %d files of soil moisture cannot be read and are left out: %s",
            file,
            len(unread),
            len(unread) + len(series),
            _said(unread),
        )
    series.n_unread = len(unread)
    return series


def _package(file: Path) -> tuple[Any, Any]:
    """The classes of an archive and of a file in it."""
    try:
        with _quiet():
            from ismn.base import IsmnRoot
            from ismn.filehandlers import DataFile
    except ImportError as err:
        raise fault(
            file,
            found=f"no package to read it with ({err})",
            expected="the package ismn",
            do=f"install it where imgda_mpi is: {sys.executable} -m pip install ismn",
            kind=ConfigError,
        ) from err
    return IsmnRoot, DataFile


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of the package, which are of its own code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _files(archive: Path) -> list[PurePath]:
    """Files of soil moisture, by their paths within the archive."""
    paths: list[PurePath]
    if archive.is_dir():
        paths = [path.relative_to(archive) for path in archive.rglob("*.stm")]
    else:
        try:
            with zipfile.ZipFile(archive) as opened:
                paths = [PurePosixPath(name) for name in opened.namelist() if name.endswith(".stm")]
        except Exception as err:  # of many types: whatever the library makes of a damaged list of files
            raise fault(
                archive,
                found=f"no zip archive that can be read ({err})" if archive.exists() else "no such file",
                expected="an archive of ISMN, zip or folder",
                do="correct the path, or download it again: it may be cut",
            ) from err
    return sorted(path for path in paths if "_sm_" in path.name and not path.name.startswith("."))


def _content(data: Any, flags: Collection[str]) -> tuple[float, float, tuple[Times, FloatArray, BoolArray]]:
    """Latitude, longitude, and of each row time, value and whether it is good."""
    latitude, longitude = (float(data.metadata[name].val) for name in ("latitude", "longitude"))
    if not (abs(latitude) <= 90 and abs(longitude) <= 360):
        raise ValueError(f"latitude {latitude:g}, longitude {longitude:g}")
    frame = data.read_data()
    value, flag = frame.iloc[:, 0], frame.iloc[:, 1]
    times = frame.index.to_numpy().astype("datetime64[s]")
    if np.isnat(times).any():
        raise ValueError("a row without a time")
    good = flag.isin([one for one in flag.unique() if set(str(one).split(",")) <= set(flags)])
    return latitude, longitude, (times, value.to_numpy(np.float64), good.to_numpy(np.bool_))


def _series(path: PurePath, name: re.Match[str], depth: Depth, **of: Any) -> StationSeries:
    """The series of a file: the folder of the network has its full name."""
    network = path.parts[-3] if len(path.parts) > 2 else name["network"]
    return StationSeries(network=network, station=name["station"], sensor=name["sensor"], depth=depth, **of)


def _said(unread: dict[PurePath, str]) -> str:
    """The first of the files that cannot be read, each with the reason."""
    said = [f"{path}: {reason}" for path, reason in list(unread.items())[:NAMED]]
    return "; ".join(said + ["..."] * (len(unread) > NAMED))
