"""A saved comparison: read back, as a table, and as figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.errors import reading
from imgda_mpi.grid import Grid

REFERENCE = "pointwise"
"""Method that the others are compared with, draw by draw."""


@dataclass(frozen=True, eq=False)
class SavedComparison:
    """Scores (n_methods, n_draws, n_regions), and what else the file holds; regions: all land, observed, unseen.

    Parameters
    ----------
    names : methods, with their length where several are tried
    n_cells : by region
    seconds : (n_methods, n_draws)
    spectrum : (n_methods, n_draws, n_scales), m3 m-3
    images : background, truth, observation and each analysis of the first draw, (ny, nx) m3 m-3
    """

    names: list[str]
    noise: float
    n_cells: IntArray
    scc: FloatArray
    ubrmse: FloatArray
    bias: FloatArray
    seconds: FloatArray
    spectrum: FloatArray
    grid: Grid
    images: dict[str, FloatArray]

    def shown(self) -> list[int]:
        """Methods in their order, of those tried with several lengths the best one."""
        best: dict[str, int] = {}
        for number, name in enumerate(self.names):
            kind = name.split()[0]
            if kind not in best or self._mean(number) < self._mean(best[kind]):
                best[kind] = number
        return sorted(best.values())

    def is_tuned(self, number: int) -> bool:
        """Whether a length of the method was chosen with the truth."""
        return " " in self.names[number]

    def _mean(self, number: int) -> float:
        return float(self.ubrmse[number, :, 0].mean())


def read_comparison(path: Path) -> SavedComparison:
    """The comparison saved in a file.

    Raises
    ------
    InputError
        Where the file is missing or damaged, or is no comparison.
    """
    with reading(path), netCDF4.Dataset(path) as file:
        try:
            values = {
                name: np.ma.filled(variable[...].astype(np.float64), np.nan)
                for name, variable in file.variables.items()
                if variable.dtype != "S1"  # words
            }
            names = [str(name) for name in file["method"][:]]
            images = {name: values[name] for name in ("background", "truth", "observation")}
            images |= dict(zip(names, values["analysis"], strict=True))
            return SavedComparison(
                names=names,
                noise=float(file.noise),
                n_cells=values["n_cells"].astype(np.int64),
                scc=values["scc"],
                ubrmse=values["ubrmse"],
                bias=values["bias"],
                seconds=values["time_taken"],
                spectrum=values["error_spectrum"],
                grid=Grid(values["lat"], values["lon"]),
                images=images,
            )
        except (AttributeError, IndexError) as err:
            raise KeyError(f"no comparison: {err}") from err


def comparison_table(saved: SavedComparison) -> str:
    """Scores of every method, mean and standard error over the draws.

    Returns
    -------
    str
        Without a newline at its end.
    """
    n_draws = saved.ubrmse.shape[1]
    reference = saved.names.index(REFERENCE) if REFERENCE in saved.names else None
    against = "" if reference is None else f"minus {REFERENCE}"
    heading = ["method", "SCC", "ubRMSE", "bias", "observed", "unseen"]
    heading += ["time s"] if reference is None else [against, "not worse", "time s"]
    lines = [heading]
    for number in saved.shown():
        name = saved.names[number] + (" *" if saved.is_tuned(number) else "")
        of_method = saved.ubrmse[number]
        cells = [name, f"{_mean(saved.scc[number, :, 0]):.3f}", _with_error(of_method[:, 0])]
        cells += [f"{_mean(saved.bias[number, :, 0]):+.4f}", *(_with_error(of_method[:, region]) for region in (1, 2))]
        if reference is not None:
            difference = of_method[:, 0] - saved.ubrmse[reference, :, 0]
            cells += [_with_error(difference, "+.4f"), f"{100 * np.mean(difference <= 0):.0f} %"]
        lines.append([*cells, f"{np.median(saved.seconds[number]):.3f}"])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = [
        "  ".join(
            [line[0].ljust(widths[0]), *(word.rjust(width) for word, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in lines
    ]
    all_land, observed, unseen = saved.n_cells
    notes = [
        f"{n_draws} draws of noise {saved.noise:g} m3 m-3; SCC and bias on all {all_land} land cells, ubRMSE in m3 m-3 "
        f"on them, on {observed} observed and {unseen} unseen ones; mean +- standard error over draws, median time",
    ]
    if any(saved.is_tuned(number) for number in saved.shown()):
        notes.append("* its length is the best of those tried, found with the truth: no method of practice")
    return "\n".join([notes[0], "", *rows, *notes[1:]])


def _mean(values: FloatArray) -> float:
    return float(np.mean(values))


def _with_error(values: FloatArray, form: str = ".4f") -> str:
    """Mean and standard error.

    >>> _with_error(np.array([0.1, 0.3]))
    '0.2000+-0.1000'
    >>> _with_error(np.array([np.nan, np.nan]))
    '-'
    """
    if np.isnan(values).all():
        return "-"
    if values.size < 2:
        return format(_mean(values), form)
    return f"{format(_mean(values), form)}+-{values.std(ddof=1) / np.sqrt(values.size):.4f}"
