"""Settings of cases, the embedded one first, and what an analysis of them gives."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
from launch import imgda, on_ranks, read
from mpi4py import MPI

from imgda_mpi.settings.analysis import Settings
from imgda_mpi.settings.file import read_settings
from imgda_mpi.workflow.analyse import analyse

GLDAS = "observation/GLDAS_NOAH025_3H.A20220602.0600.021.nc4"
"""The observed image, in the folder of the embedded case."""

IMAGES = ("background", "observation", "innovation", "analysis", "increment", "proposed_increment")

# What tells of the run in the diagnostics; with its dimension.
OF_THE_RUN = {"stage_time", "peak_memory", "exchange_bytes", "exchange_messages", "rank", "/n_ranks", "/settings"}

METHOD = 'method = {kind = "innovation/full", coherent_share = 0.0}'
"""As it stands in the settings of the embedded case."""

FEW = 'method = {kind = "paper", n_members = 5}'


def demo(example_case: Path, *, before: str = "", after: str = "") -> str:
    """Settings of the embedded case with absolute paths, without its output section."""
    text = example_case.read_text()
    text = text[: text.index("[output]")]
    for path in ("model/demo", "observation/GLDAS"):
        text = text.replace(f'"{path}', f'"{example_case.parent / path}')
    assert METHOD in text
    return text.replace(METHOD, before or 'method = "paper"') + after


def settings_file(folder: Path, text: str, name: str) -> Path:
    """Settings whose output is a folder ``name`` beside them."""
    path = folder / f"{name}.toml"
    path.write_text(text + f'[output]\ndirectory = "{folder / name}"\n')
    return path


def run(folder: Path, text: str, name: str = "analysis", ranks: int = 0, **environment: str) -> Path:
    """Output folder of an analysis that has to succeed: in this process, or with ``ranks`` as a command of its own."""
    path = settings_file(folder, text, name)
    if ranks:
        done = imgda("analyse", path, ranks=ranks, **environment)
        assert done.returncode == 0, done.stderr
        return folder / name
    return analyse(read_settings(path, Settings), MPI.COMM_SELF).directory


EACH = """
import sys
from imgda_mpi.cli import main
sys.exit(any(main(["analyse", path]) for path in sys.argv[1:]))
"""


def run_each(folder: Path, texts: dict[str, str], ranks: int) -> dict[str, Path]:
    """Output folders of analyses that have to succeed, one after the other on ranks that are started once."""
    paths = [str(settings_file(folder, text, name)) for name, text in texts.items()]
    done = on_ranks(ranks, "-m", "mpi4py", "-c", EACH, *paths)
    assert done.returncode == 0, done.stderr
    return {name: folder / name for name in texts}


def images(output: Path) -> dict[str, np.ndarray]:
    """The images in the diagnostics of an analysis."""
    return {name: read(output / "diagnostics.nc", name) for name in IMAGES}


def unpacked(packed: Path, folder: Path) -> Path:
    """A copy of a restart of the real model, which is kept packed."""
    folder.mkdir(exist_ok=True)
    target = folder / packed.name.removesuffix(".xz")
    target.write_bytes(lzma.decompress(packed.read_bytes()))
    return target
