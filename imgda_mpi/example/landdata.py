"""The land surface files of the example: blocks, pixels, mesh, elements and patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from imgda_mpi.arrays import FloatArray
from imgda_mpi.example.files import LAND_COVER_YEAR, block_edges, block_name, scalar, write_file
from imgda_mpi.example.tiles import BLOCK_SIZE, GRID, PIXELS, Tiles, block_of

N_BLOCK_ROWS, N_BLOCK_COLUMNS = 180 // BLOCK_SIZE, 360 // BLOCK_SIZE


def write_landdata(directory: Path, tiles: Tiles) -> None:
    """Write ``landdata/`` below the folder of the case; blocks without land have no files."""
    landdata = directory / "landdata"
    _write_blocks(landdata / "block.nc")
    _write_pixels(landdata / "pixel.nc")
    _write_mesh(landdata / "mesh" / str(LAND_COVER_YEAR) / "mesh.nc", tiles)
    for block in np.unique(tiles.block):
        _write_elements(landdata, int(block), tiles)
        _write_patches(landdata, int(block), tiles)


def _write_blocks(path: Path) -> None:
    edges = [block_edges(block) for block in range(N_BLOCK_ROWS * N_BLOCK_COLUMNS)]
    west = np.array([edge[0] for edge in edges[:N_BLOCK_COLUMNS]], dtype=np.float64)
    south = np.array([edge[1] for edge in edges[::N_BLOCK_COLUMNS]], dtype=np.float64)
    write_file(
        path,
        {"longitude": west.size, "latitude": south.size},
        {
            "lat_s": (("latitude",), south),
            "lat_n": (("latitude",), south + BLOCK_SIZE),
            "lon_w": (("longitude",), west),
            "lon_e": (("longitude",), _eastern(west + BLOCK_SIZE)),
        },
    )


def _write_pixels(path: Path) -> None:
    latitude, longitude = PIXELS.latitude_edges[::-1], PIXELS.longitude_edges
    write_file(
        path,
        {"latitude": latitude.size - 1, "longitude": longitude.size - 1},
        {
            "edges": scalar(-90.0),
            "edgen": scalar(90.0),
            "edgew": scalar(-180.0),
            "edgee": scalar(-180.0),  # once around: the model's longitudes end where they begin
            "lat_s": (("latitude",), latitude[:-1]),
            "lat_n": (("latitude",), latitude[1:]),
            "lon_w": (("longitude",), longitude[:-1]),
            "lon_e": (("longitude",), _eastern(longitude[1:])),
        },
    )


def _eastern(longitude: FloatArray) -> FloatArray:
    """East edges in -180..180, where the date line is -180."""
    return np.where(longitude >= 180.0, longitude - 360.0, longitude)


def _write_mesh(path: Path, tiles: Tiles) -> None:
    elements = np.bincount(block_of(np.unique(tiles.cell)), minlength=N_BLOCK_ROWS * N_BLOCK_COLUMNS)
    write_file(
        path,
        {
            "xblk": N_BLOCK_COLUMNS,
            "yblk": N_BLOCK_ROWS,
            "longitude": GRID.longitude.size,
            "latitude": GRID.latitude.size,
        },
        {
            "nelm_blk": (("yblk", "xblk"), elements.reshape(N_BLOCK_ROWS, N_BLOCK_COLUMNS).astype(np.int32)),
            "longitude": (("longitude",), GRID.longitude),
            "latitude": (("latitude",), GRID.latitude),
        },
        deflate=False,
    )


def _write_elements(landdata: Path, block: int, tiles: Tiles) -> None:
    """Which pixels make an element: in ``mesh`` one by one, in ``landelm`` as a range."""
    patches = tiles.in_block(block)
    element, first = np.unique(tiles.element_id[patches], return_index=True)
    n_pixels = np.add.reduceat(tiles.n_pixels[patches], first).astype(np.int32)
    start = tiles.first_pixel[patches][0]
    pixels = slice(start, start + n_pixels.sum())
    # The model numbers pixels from 1, eastward and northward.
    column, row = tiles.pixel_column[pixels] + 1, PIXELS.latitude.size - tiles.pixel_row[pixels]
    write_file(
        landdata / "mesh" / str(LAND_COVER_YEAR) / f"mesh_{block_name(block)}.nc",
        {"element": element.size, "ncoor": 2, "pixel": row.size},
        {
            "elmindex": (("element",), element),
            "elmnpxl": (("element",), n_pixels),
            "elmpixels": (("pixel", "ncoor"), np.stack([column, row], axis=1).astype(np.int32)),
        },
    )
    write_file(
        landdata / "landelm" / str(LAND_COVER_YEAR) / f"landelm_{block_name(block)}.nc",
        {"landelm": element.size},
        {
            "eindex": (("landelm",), element),
            "ipxstt": (("landelm",), np.ones(element.size, dtype=np.int32)),
            "ipxend": (("landelm",), n_pixels),
            "settyp": (("landelm",), np.zeros(element.size, dtype=np.int32)),
        },
    )


def _write_patches(landdata: Path, block: int, tiles: Tiles) -> None:
    """Each patch's element, its range of the element's pixels, and its share of the element's area."""
    patches = tiles.in_block(block)
    element = tiles.element_id[patches]
    _, first, inverse = np.unique(element, return_index=True, return_inverse=True)
    start = tiles.first_pixel[patches] - tiles.first_pixel[patches][first][inverse] + 1
    directory = landdata / "landpatch" / str(LAND_COVER_YEAR)
    write_file(
        directory / f"landpatch_{block_name(block)}.nc",
        {"landpatch": element.size},
        {
            "eindex": (("landpatch",), element),
            "ipxstt": (("landpatch",), start.astype(np.int32)),
            "ipxend": (("landpatch",), (start + tiles.n_pixels[patches] - 1).astype(np.int32)),
            "settyp": (("landpatch",), tiles.patch_class[patches].astype(np.int32)),
        },
    )
    write_file(
        directory / f"patchfrac_elm_{block_name(block)}.nc",
        {"patch": element.size},
        {"patchfrac_elm": (("patch",), tiles.fraction[patches])},
    )
