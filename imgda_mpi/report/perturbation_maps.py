"""Fig. 3 of the paper: what the first mode takes from a perturbed background, and how much members differ in it."""

from __future__ import annotations

import numpy as np

from imgda_mpi.arrays import FloatArray, Values
from imgda_mpi.covariances.paper import PerturbedMembers
from imgda_mpi.curvelet import CurveletTransform
from imgda_mpi.report.maps import MOISTURE, Panel, Shades, change_shades, draw_maps, numbers_of_maps
from imgda_mpi.report.material import Material
from imgda_mpi.report.mode_maps import Modes, transform_of
from imgda_mpi.report.picture import Picture, Section
from imgda_mpi.report.theme import MINUS, SIZE_COLOURS, UNIT, limits_from_zero, moment
from imgda_mpi.results.account_file import Account
from imgda_mpi.results.analysis_file import DIAGNOSTICS, SavedAnalysis, read_analysis


def perturbations_section(material: Material) -> Section | str:
    """The first perturbed member of the analysis that is shown alone, and the spread of all.

    Where its method has none, of the last run whose method has.
    """
    why_not = "there is no analysis in what was given"
    shown = [pair for ran in reversed(material.assimilations) if (pair := material.shown_of(ran)) is not None]
    for number, (folder, account) in enumerate(shown):
        reason = _why_not(account)
        if not reason:
            return Section(pictures=[perturbations_picture(read_analysis(folder / DIAGNOSTICS), account)])
        why_not = why_not if number else reason
    return why_not


def _why_not(account: Account) -> str:
    """Why members cannot be made again; empty where they can."""
    method = account.settings["method"]
    if method["kind"] != "paper":
        return f"the method {account.method} perturbs no members; the method paper does"
    if isinstance(method["background_error"], dict):
        return "the background errors are a field of a file: members are made again where they are one number"
    return "" if account.wedges is not None else "nothing was observed, and no member was made"


def perturbations_picture(saved: SavedAnalysis, account: Account) -> Picture:
    """Background, background minus the first mode of the first member, and the spread of the first mode."""
    modes = Modes(transform_of(account, saved.grid), saved.background)
    n_members, s_b = account.settings["method"]["n_members"], account.settings["method"]["background_error"]
    ny, nx = saved.grid.shape
    left = saved.background - modes.first(1, deviation_of(account, 0, modes.transform))
    spread = np.where(modes.land, spread_of_first_mode(account, modes.transform)[:ny, :nx], np.nan)
    sizes = limits_from_zero(spread, least=1e-4)
    panels = [
        Panel(title="(a) Background", image=saved.background, shades=MOISTURE, column="background_m3_m-3"),
        Panel(
            title=f"(b) Background {MINUS} first mode",
            image=left,
            shades=change_shades("Background minus first mode", left),
            column="background_minus_first_mode_m3_m-3",
        ),
        Panel(
            title="(c) Spread of the first mode",
            image=spread,
            shades=Shades(f"Standard deviation ({UNIT})", SIZE_COLOURS, sizes),
            column="standard_deviation_m3_m-3",
        ),
    ]
    middle = float(np.nanmean(spread))
    title = f"Perturbed background of {moment(saved.time)}"
    return Picture(
        name="perturbations",
        figure=draw_maps(saved.grid, modes.land, panels, 3, title=title),
        numbers=numbers_of_maps(saved.grid, panels),
        alt=f"Three maps: the background, the background minus the first mode of a perturbed member, and the standard "
        f"deviation of the first mode over {n_members} members, {middle:.4f} {UNIT} in the mean.",
        caption=f"(a) Background x of {moment(saved.time)} ({account.method}); (b) x {MINUS} the first curvelet mode "
        f"of (x + s_b e), with s_b = {s_b:g} {UNIT} and the white noise e of member 1, made again from seed "
        f"{account.seed} and time as the analysis made it; (c) standard deviation of the first mode over all "
        f"{n_members} members, {middle:.4f} {UNIT} in the mean over the land: of white noise the first mode keeps "
        "little.",
        is_papers=True,
    )


def deviation_of(account: Account, member: int, transform: CurveletTransform) -> Values:
    """What a member of the background is perturbed by, from 0, on the transform's array, as the analysis had it."""
    shape = transform.layout.image_shape
    method = account.settings["method"]
    s_b, s_o = float(method["background_error"]), account.settings["errors"]["observation"]
    members = PerturbedMembers(s_b, s_o, method["n_members"], account.seed, account.time)
    return members.deviation("background", member, shape, transform.dtype)


def spread_of_first_mode(account: Account, transform: CurveletTransform) -> FloatArray:
    """Standard deviation of the first mode over all members, divisor N - 1, on the transform's array, m3 m-3."""
    n_members = account.settings["method"]["n_members"]
    shape = transform.layout.image_shape
    sums: FloatArray = np.zeros(shape)
    squares: FloatArray = np.zeros(shape)
    for member in range(n_members):
        # Members have the mean 0 but for the background, which all of them share: no large numbers are subtracted.
        held = transform.reconstruct(deviation_of(account, member, transform), 1).astype(np.float64)
        sums += held
        squares += held**2
    return np.asarray(np.sqrt(np.maximum(squares - sums**2 / n_members, 0.0) / (n_members - 1)))
