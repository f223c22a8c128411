"""Error models on real products: each as background, image and judge in turn, nothing added.

    . tools/env.sh
    python tools/triples.py products.toml

``products.toml`` has an entry for each product, at least three of the same soil moisture, with the keys of an
``[observation]`` and a name:

    time = 2016-01-01T06:00:00Z
    grid = [128, 256]

    [[product]]
    name = "GLDAS"
    kind = "gldas"
    file = "GLDAS_NOAH025_3H.A%Y%m%d.%H%M.021.nc4"

and may have ``[features.NAME]`` as a comparison has them. Printed are, over all ordered triples, ubRMSE against the
judge over that of the background. "Of a third product" has the share that `imgda_mpi errors` prints with one more
product, which is neither background, image nor judge.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tomllib
from datetime import datetime
from pathlib import Path

import numpy as np
from mpi4py import MPI
from pydantic import TypeAdapter

from imgda_mpi.arrays import FloatArray
from imgda_mpi.distributed.transform import TransformKind, make_transform
from imgda_mpi.grid import Grid, global_grid
from imgda_mpi.methods.registry import make_method, needs_transform, scales_by_size
from imgda_mpi.numerics.features import Groups
from imgda_mpi.numerics.problem import Observations, Problem
from imgda_mpi.observations.read import read_image
from imgda_mpi.settings.features import FeatureFiles
from imgda_mpi.settings.methods import ComparedMethod
from imgda_mpi.settings.observations import AnyObservation
from imgda_mpi.verify.scores import scores
from imgda_mpi.verify.triples import Triples
from imgda_mpi.workflow.features import features_of_files

SELF = MPI.COMM_SELF
DEFAULT = {"kind": "innovation", "solver": "full"}
METHODS = {
    "image itself": "insert",
    "pointwise": "pointwise",
    "paper": "paper",
    "innovation/full": DEFAULT,
    "innovation/full, share 0": DEFAULT | {"coherent_share": 0.0},
}


def analysed(
    method: object, background: FloatArray, image: FloatArray, grid: Grid, time: datetime, features: Groups
) -> FloatArray:
    """The analysis (ny, nx) by a method with the default errors."""
    section = TypeAdapter(ComparedMethod).validate_python(method)
    kind, shape = TransformKind().on(grid, scales_by_size=scales_by_size(section.kind))
    transform = make_transform(kind, shape, SELF) if needs_transform(section.kind) else None
    land = np.isfinite(background)
    observed = land & np.isfinite(image)
    observations = Observations(np.where(observed, image, 0.0), observed, 0.10)
    problem = Problem(grid, background, land, observations, None, time, 0, features)
    increment = make_method(section.kind, section.values(), transform, diagnose=False).increment(problem, SELF)
    return background + np.where(increment.applied, increment.image, 0.0)


def estimated_share(images: list[FloatArray], grid: Grid) -> float:
    """The share that is printed for background, image and a third product."""
    kind, shape = TransformKind().on(grid, scales_by_size=True)
    triples = Triples(grid, make_transform(kind, shape, SELF), SELF)
    triples.add(np.stack(images))
    return triples.errors().advised_share


def ratios(products: dict[str, FloatArray], grid: Grid, time: datetime, features: Groups) -> dict[str, list[float]]:
    """Errors (ubRMSE) of each method over that of the background, for all ordered triples."""
    found: dict[str, list[float]] = {name: [] for name in (*METHODS, "of a third product")}
    for x, y in itertools.permutations(products, 2):
        background, image = products[x], products[y]
        analyses = {name: analysed(method, background, image, grid, time, features) for name, method in METHODS.items()}
        others = [name for name in products if name not in (x, y)]
        informed = {}
        for third in others if len(others) > 1 else ():
            share = estimated_share([background, image, products[third]], grid)
            informed[third] = analysed(DEFAULT | {"coherent_share": share}, background, image, grid, time, features)
        cells = np.isfinite(background) & np.isfinite(image)
        for judge in others:
            none = scores(background, products[judge], cells).ubrmse
            for name, analysis in analyses.items():
                found[name].append(scores(analysis, products[judge], cells).ubrmse / none)
            for third, analysis in informed.items():
                if third != judge:
                    found["of a third product"].append(scores(analysis, products[judge], cells).ubrmse / none)
    return found


def main() -> None:
    """Read the products, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("products", type=Path)
    table = tomllib.loads(parser.parse_args().products.read_text())
    time, grid, products = table["time"], global_grid(tuple(table["grid"])), {}
    for entry in table["product"]:
        section = TypeAdapter(AnyObservation).validate_python({k: v for k, v in entry.items() if k != "name"})
        image = read_image(section.kind, grid, section.time or time, SELF, **section.of_reader())
        products[entry["name"]] = image.values
    sections, land = (
        TypeAdapter(FeatureFiles).validate_python(table.get("features", {})),
        np.isfinite([*products.values()]),
    )
    found = ratios(products, grid, time, features_of_files(sections, grid, land.any(axis=0), time))
    pointwise = np.array(found["pointwise"])
    lines = [f"{'over none':28s} cases  mean  worst  worse than none by 1 %  than pointwise by 2 %"]
    for name, of_method in found.items():
        values = np.array(of_method)
        beside = f"{np.sum(values > 1.02 * pointwise)}" if values.size == pointwise.size else "-"
        numbers = f"{values.mean():5.3f} {values.max():6.3f} {np.sum(values > 1.01):23d}" if values.size else ""
        lines.append(f"{name:28s} {values.size:5d} {numbers} {beside:>22s}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
