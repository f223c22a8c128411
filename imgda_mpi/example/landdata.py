"""The land surface files of the example: blocks, pixels, mesh, elements and patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example.files import LAND_COVER_YEAR, Variable, write_file
from imgda_mpi.example.tiles import BLOCK_SIZE, Tiles, block_of

YEAR = str(LAND_COVER_YEAR)


def write_landdata(directory: Path, tiles: Tiles) -> None:
    """Write ``landdata/`` below the folder of the case; blocks without land have no files."""
    landdata = directory / "landdata"
    blocks = _edges(np.arange(-90.0, 91.0, BLOCK_SIZE), np.arange(-180.0, 181.0, BLOCK_SIZE))
    write_file(landdata / "block.nc", {"longitude": 360 // BLOCK_SIZE, "latitude": 180 // BLOCK_SIZE}, blocks)
    pixels = _edges(tiles.pixels.latitude_edges[::-1], tiles.pixels.longitude_edges)
    # The last is the east edge, once around: the model's longitudes end where they begin.
    ends = {"edges": ((), -90.0), "edgen": ((), 90.0), "edgew": ((), -180.0), "edgee": ((), -180.0)}
    sizes = dict(zip(("latitude", "longitude"), tiles.pixels.shape, strict=True))
    write_file(landdata / "pixel.nc", sizes, {**ends, **pixels})
    _write_mesh(landdata / "mesh" / YEAR / "mesh.nc", tiles)
    for block, patches in tiles.blocks.items():
        _write_block(landdata, block, tiles, patches)


def _edges(latitude: FloatArray, longitude: FloatArray) -> dict[str, Variable]:
    """Edges of rows from the south and of columns, degrees; the date line is 180 W from either side."""
    return {
        "lat_s": (("latitude",), latitude[:-1]),
        "lat_n": (("latitude",), latitude[1:]),
        "lon_w": (("longitude",), longitude[:-1]),
        "lon_e": (("longitude",), np.append(longitude[1:-1], -180.0)),
    }


def _write_mesh(path: Path, tiles: Tiles) -> None:
    """The cells' centres, and the number of elements in each block."""
    shape = 180 // BLOCK_SIZE, 360 // BLOCK_SIZE
    block = block_of(np.unique(tiles.cell), tiles.grid.shape)
    elements = np.bincount(block, minlength=shape[0] * shape[1]).reshape(shape)
    ny, nx = tiles.grid.shape
    write_file(
        path,
        {"xblk": shape[1], "yblk": shape[0], "longitude": nx, "latitude": ny},
        {
            "nelm_blk": (("yblk", "xblk"), elements.astype(np.int32)),
            "longitude": (("longitude",), tiles.grid.longitude),
            "latitude": (("latitude",), tiles.grid.latitude),
        },
        deflate=False,
    )


def _write_block(landdata: Path, block: str, tiles: Tiles, patches: slice) -> None:
    """Pixels of the elements, in ``mesh`` one by one, and of the patches; each patch's share of its element's area."""
    # The model numbers elements from 1 in the order of the cells, pixels from 1 eastward and northward.
    element_of_patch = tiles.cell[patches] + 1
    element, first, inverse = np.unique(element_of_patch, return_index=True, return_inverse=True)
    first_pixel, n_pixels = tiles.first_pixel[patches], tiles.n_pixels[patches]
    n_of_element = np.add.reduceat(n_pixels, first)
    pixels = slice(first_pixel[0], first_pixel[0] + n_pixels.sum())
    place = np.stack([tiles.pixel_column[pixels] + 1, tiles.pixels.latitude.size - tiles.pixel_row[pixels]], axis=1)
    write_file(
        landdata / "mesh" / YEAR / f"mesh_{block}.nc",
        {"element": element.size, "ncoor": 2, "pixel": len(place)},
        {
            "elmindex": (("element",), element),
            "elmnpxl": (("element",), n_of_element.astype(np.int32)),
            "elmpixels": (("pixel", "ncoor"), place.astype(np.int32)),
        },
    )
    start = first_pixel - first_pixel[first][inverse] + 1
    # Sets of pixels: the element they lie in, their range of its pixels (from 1), their type.
    for kind, ids, begin, end, set_type in (
        ("landelm", element, 1, n_of_element, 0),
        ("landpatch", element_of_patch, start, start + n_pixels - 1, tiles.patch_class[patches]),
    ):
        numbers = {"ipxstt": begin, "ipxend": end, "settyp": set_type}
        write_file(
            landdata / kind / YEAR / f"{kind}_{block}.nc",
            {kind: ids.size},
            {"eindex": ((kind,), ids), **{name: ((kind,), np.asarray(n, np.int32)) for name, n in numbers.items()}},
        )
    write_file(
        landdata / "landpatch" / YEAR / f"patchfrac_elm_{block}.nc",
        {"patch": element_of_patch.size},
        {"patchfrac_elm": (("patch",), tiles.fraction[patches])},
    )
