"""A saved comparison: read back, as a table, and as figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np

from imgda_mpi.arrays import FloatArray, IntArray
from imgda_mpi.console import columns
from imgda_mpi.errors import fault, reading
from imgda_mpi.grid import Grid

REFERENCE = "pointwise"
"""Method that the others are compared with, draw by draw."""

IMAGES = ("background", "truth", "observation")
NUMBERS = ("n_cells", "scc", "ubrmse", "bias", "time_taken", "error_spectrum", "lat", "lon", *IMAGES, "analysis")
"""Variables of the file."""

ROUNDING = 1e-7  # m3 m-3: methods that do the same are not worse than one another


@dataclass(frozen=True, eq=False)
class SavedComparison:
    """Scores (n_methods, n_draws, n_regions), and what else the file holds; regions: all land, observed, unseen.

    Parameters
    ----------
    names : methods, with their length where several are tried
    n_truths : each has as many draws, one after the other
    n_cells : by region
    seconds : (n_methods, n_draws)
    spectrum : (n_methods, n_draws, n_scales), m3 m-3
    images : background, truth, observation and each analysis of the first draw, (ny, nx) m3 m-3
    """

    names: list[str]
    noise: float
    n_truths: int
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

    def independent(self, of_draws: FloatArray) -> FloatArray:
        """Independent numbers from those of all draws (n_draws,): where there are several truths, the mean of each."""
        return of_draws if self.n_truths == 1 else of_draws.reshape(self.n_truths, -1).mean(axis=1)

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
        found = {name: variable[...] for name, variable in file.variables.items()}
        found |= {name: file.getncattr(name) for name in file.ncattrs()}
    missing = [name for name in (*NUMBERS, "method", "noise", "n_truths") if name not in found]
    if missing:
        raise fault(path, found=f"no {', '.join(missing)}", expected="a comparison", do="give the file of a comparison")
    values = {name: np.ma.filled(found[name].astype(np.float64), np.nan) for name in NUMBERS}
    names = [str(name) for name in found["method"]]
    return SavedComparison(
        names=names,
        noise=float(found["noise"]),
        n_truths=int(found["n_truths"]),
        n_cells=values["n_cells"].astype(np.int64),
        scc=values["scc"],
        ubrmse=values["ubrmse"],
        bias=values["bias"],
        seconds=values["time_taken"],
        spectrum=values["error_spectrum"],
        grid=Grid(values["lat"], values["lon"]),
        images={name: values[name] for name in IMAGES} | dict(zip(names, values["analysis"], strict=True)),
    )


def comparison_table(saved: SavedComparison) -> str:
    """Scores of every method, mean and standard error, on all land, on observed and on unseen land.

    Returns
    -------
    str
        Without a newline at its end.
    """
    n_draws = saved.ubrmse.shape[1]
    of_what = "over the truths, means of their draws" if saved.n_truths > 1 else "over the draws"
    blocks = [
        f"{n_draws} draws of noise {saved.noise:g} m3 m-3, {saved.n_truths} truth(s): mean +- standard error "
        f"{of_what}, ubRMSE and bias in m3 m-3, median time in s"
    ]
    all_land, _, unseen = saved.n_cells
    if unseen == 0:
        blocks.append(_region(saved, 0, f"all land, all of it observed ({all_land} cells)"))
    else:
        names = ("all land", "observed land", "unseen land")
        blocks += [_region(saved, n, f"{name} ({saved.n_cells[n]} cells)") for n, name in enumerate(names)]
    if any(saved.is_tuned(number) for number in saved.shown()):
        blocks.append("* its length is the best of those tried, found with the truth: no method of practice")
    return "\n\n".join(blocks)


def _region(saved: SavedComparison, region: int, title: str) -> str:
    """Scores on the cells of a region."""
    reference = saved.names.index(REFERENCE) if REFERENCE in saved.names else None
    paired = [] if reference is None else [f"ubRMSE - {REFERENCE}", "draws not worse"]
    lines = [[title, "SCC", "ubRMSE", "bias", *paired, "time"]]
    for number in saved.shown():
        ubrmse = saved.ubrmse[number, :, region]
        cells = [
            _with_error(saved.independent(saved.scc[number, :, region])),
            _with_error(saved.independent(ubrmse), ".5f"),
            _with_error(saved.independent(saved.bias[number, :, region]), "+.4f"),
        ]
        if reference is not None:
            difference = ubrmse - saved.ubrmse[reference, :, region]
            cells += [
                _with_error(saved.independent(difference), "+.5f"),
                f"{100 * np.mean(difference <= ROUNDING):.0f} %",
            ]
        name = saved.names[number] + (" *" if saved.is_tuned(number) else "")
        lines.append([name, *cells, f"{np.median(saved.seconds[number]):.3f}"])
    return columns(lines, "<" + ">" * (len(lines[0]) - 1))


def _with_error(values: FloatArray, form: str = ".4f") -> str:
    """Mean and standard error.

    >>> _with_error(np.array([0.1, 0.3]))
    '0.2000+-0.10000'
    >>> _with_error(np.array([np.nan, np.nan]))
    '-'
    """
    if np.isnan(values).all():
        return "-"
    if values.size < 2:
        return format(float(np.mean(values)), form)
    return f"{format(float(np.mean(values)), form)}+-{values.std(ddof=1) / np.sqrt(values.size):.5f}"
