from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from cases import unpacked
from colm2014_files import TIME, SmallCase, in_parts, read_state
from mpi4py import MPI

from imgda_mpi.colm.colm2014 import open_restart
from imgda_mpi.colm.soil_layers import N_SOIL, overlap_weights, volumetric_water
from imgda_mpi.colm.soil_update import compensate_aquifer, update_soil
from imgda_mpi.faults import InputError

SURFACE = overlap_weights(0.0, 0.1)


@pytest.fixture
def case() -> SmallCase:
    return SmallCase(4, 6)


@pytest.fixture
def east_asia(shared, tmp_path):
    return tuple(
        unpacked(shared / "colm/colm2014/EAS" / f"EAS-{name}.xz", tmp_path)
        for name in ("rstTimeVar-2022-155-00000", "rstTimeConst")
    )


def analysed(restart, increment):
    """Update with an image of increments (ny, nx), own patches."""
    soil, aquifer = restart.read_soil()
    update = update_soil(soil, restart.patches.to_patches(increment), SURFACE)
    return update, compensate_aquifer(aquifer, update, is_deficit=False)[0]


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5), (5, 4), (4, 5), (2, 9)])
def test_sizes_and_contents_follow_from_the_files_alone(shape, tmp_path):
    case = SmallCase(*shape)
    restart = open_restart(*case.write(tmp_path), TIME, MPI.COMM_SELF)
    patches = restart.patches
    np.testing.assert_array_equal(patches.grid.latitude, case.lats)
    np.testing.assert_array_equal(patches.grid.longitude, case.lons)
    np.testing.assert_array_equal(patches.cell, case.cell)
    np.testing.assert_array_equal(patches.weight, case.weight)
    np.testing.assert_array_equal(patches.patch_type, case.types)
    soil, aquifer = restart.read_soil()
    np.testing.assert_array_equal(soil.liquid, case.state["wliq_soisno"][:, 5:])
    np.testing.assert_array_equal(soil.ice, case.state["wice_soisno"][:, 5:])
    np.testing.assert_array_equal(soil.temperature, case.state["t_soisno"][:, 5:])
    np.testing.assert_array_equal(soil.porosity, case.porosity)
    np.testing.assert_array_equal(soil.is_soil, case.types == 0)
    np.testing.assert_array_equal(aquifer, case.state["wa"][:, 0])
    assert not soil.residual.any()


def test_unchanged_restart_is_written_byte_by_byte(case, tmp_path):
    state, const = case.write(tmp_path)
    restart = open_restart(state, const, TIME, MPI.COMM_SELF)
    soil, aquifer = restart.read_soil()
    (tmp_path / "out").mkdir()
    assert restart.write(tmp_path / "out", soil.liquid, aquifer) == [tmp_path / "out" / state.name]
    assert (tmp_path / "out" / state.name).read_bytes() == state.read_bytes()


@pytest.mark.parametrize("with_aquifer", [False, True])
def test_only_soil_water_and_aquifer_change(case, with_aquifer, tmp_path):
    state, const = case.write(tmp_path)
    before = state.read_bytes()
    restart = open_restart(state, const, TIME, MPI.COMM_SELF)
    update, aquifer = analysed(restart, np.full(restart.patches.grid.shape, 0.03))
    (tmp_path / "out").mkdir()
    (written,) = restart.write(tmp_path / "out", update.liquid, aquifer if with_aquifer else None)
    assert state.read_bytes() == before
    assert written.read_bytes()[:16] == before[:16]
    assert written.read_bytes()[-4:] == before[-4:]
    after = read_state(written)
    for name, values in case.state.items():
        expected = values.copy()
        if name == "wliq_soisno":
            expected[:, 5:] = update.liquid
        if name == "wa" and with_aquifer:
            expected[:, 0] = aquifer
        np.testing.assert_array_equal(after[name], expected, err_msg=name)
    assert (after["wliq_soisno"] != case.state["wliq_soisno"]).any()


@pytest.mark.parametrize("length", [1000, 4097, 1 << 20])
def test_records_in_parts_are_read_and_keep_their_parts(case, length, tmp_path):
    files = case.write(tmp_path)
    whole = open_restart(*files, TIME, MPI.COMM_SELF)
    update, aquifer = analysed(whole, np.full(whole.patches.grid.shape, 0.03))
    parted = [path.with_name(f"parted-{path.name}") for path in files]
    for path, other in zip(files, parted, strict=True):
        other.write_bytes(in_parts(path.read_bytes(), length))
    restart = open_restart(*parted, TIME, MPI.COMM_SELF)
    restart.check_copied()
    for name in ("porosity", "conductivity", "patch_class"):
        np.testing.assert_array_equal(getattr(restart, name), getattr(whole, name))
    found, _ = analysed(restart, np.full(whole.patches.grid.shape, 0.03))
    np.testing.assert_array_equal(found.liquid, update.liquid)
    (tmp_path / "out").mkdir()
    (expected,), (written,) = (one.write(tmp_path / "out", update.liquid, aquifer) for one in (whole, restart))
    assert written.read_bytes() == in_parts(expected.read_bytes(), length)


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        (">i4", "big-endian records, .* without GFORTRAN_CONVERT_UNIT"),
        ("<i8", "records with markers of 8 bytes, .* without -frecord-marker=8"),
        (">i8", "big-endian records with markers of 8 bytes, "),
    ],
)
def test_records_of_another_form_are_named(case, marker, words, tmp_path):
    state, const = case.write(tmp_path)
    body = state.read_bytes()[4:-4]
    ends = np.array(len(body), marker).tobytes()
    state.write_bytes(ends + body + ends)
    with pytest.raises(InputError, match=f"{state.name}: found {words}"):
        open_restart(state, const, TIME, MPI.COMM_SELF)


def test_a_file_of_another_kind_is_said_to_be_one(case, tmp_path):
    state, const = case.write(tmp_path)
    const.write_bytes(gzip.compress(const.read_bytes()))
    with pytest.raises(InputError, match=f"{const.name}: found a file compressed with gzip, .* unpack it"):
        open_restart(state, const, TIME, MPI.COMM_SELF)


def test_date_may_be_written_as_the_end_of_the_day_before(case, tmp_path):
    state = case.write_state(tmp_path / "state", (2022, 154, 86400))
    restart = open_restart(state, case.write_const(tmp_path / "const"), TIME, MPI.COMM_SELF)
    assert restart.time == TIME


@pytest.mark.parametrize("hours", [-24, 6, 8760])
def test_restart_of_another_time_is_refused(case, hours, tmp_path):
    state, const = case.write(tmp_path)
    with pytest.raises(InputError, match=r"year, day, second: found 2022, 155, 0, expected the instant"):
        open_restart(state, const, TIME + timedelta(hours=hours), MPI.COMM_SELF)


def test_a_restart_that_is_not_there_names_those_that_are(case, tmp_path):
    state, const = case.write(tmp_path)
    with pytest.raises(InputError, match=rf"156-00000: found no such file \(nearest .*: {state.name}"):
        open_restart(state.with_name("S-rstTimeVar-2022-156-00000"), const, TIME, MPI.COMM_SELF)


def test_date_that_is_none_is_refused(case, tmp_path):
    state = case.write_state(tmp_path / "state", (0, 400, -1))
    with pytest.raises(InputError, match="found 0, 400, -1"):
        open_restart(state, case.write_const(tmp_path / "const"), TIME, MPI.COMM_SELF)


def test_const_file_of_another_case_is_refused(case, tmp_path):
    other = SmallCase(4, 6, seed=2)
    assert other.n != case.n
    state, const = case.write_state(tmp_path / "state"), other.write_const(tmp_path / "const")
    with pytest.raises(InputError, match=rf"state: found {case.n} patches, expected the const file's {other.n}"):
        open_restart(state, const, TIME, MPI.COMM_SELF)


def test_state_of_another_version_of_the_model_is_refused(case, tmp_path):
    case.state.pop("albg")
    state, const = case.write(tmp_path)
    with pytest.raises(InputError, match="a version of the model with other variables"):
        open_restart(state, const, TIME, MPI.COMM_SELF)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("keep", [2, 1000, -3])
def test_truncated_file_is_refused(case, which, keep, tmp_path):
    files = case.write(tmp_path)
    files[which].write_bytes(files[which].read_bytes()[:keep])
    with pytest.raises(InputError, match=rf"{files[which].name}: record \d: .*truncated"):
        open_restart(*files, TIME, MPI.COMM_SELF)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("content", [None, b"", b"\x00\x00\x00\xff" * 100, b"CDF\x01" * 100])
def test_missing_empty_and_foreign_files_are_refused(case, which, content, tmp_path):
    files = case.write(tmp_path)
    files[which].unlink()
    if content is not None:
        files[which].write_bytes(content)
    with pytest.raises(InputError, match=files[which].name):
        open_restart(*files, TIME, MPI.COMM_SELF)


def test_exchanged_files_are_refused(case, tmp_path):
    state, const = case.write(tmp_path)
    with pytest.raises(InputError, match="name the <site>-rstTimeConst file"):
        open_restart(const, state, TIME, MPI.COMM_SELF)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda case: np.put(case.column, 3, 99), "positions fit no grid"),
        (lambda case: np.put(case.row, 3, -1), "positions fit no grid"),
        (lambda case: np.put(case.dlat, 3, 0.5), "positions fit no grid"),
        (lambda case: np.put(case.lons, 2, 0.5), "positions fit no grid"),
        (lambda case: np.put(case.first, case.cell[3], 1), "spatch_xy, epatch_xy"),
        (lambda case: np.put(case.weight, 3, np.nan), "wtxy_patch: found weights of row .* that sum to nan"),
        (lambda case: np.put(case.weight, 3, -0.5), "wtxy_patch: found weights of row .* that sum to nan"),
    ],
)
def test_const_file_that_contradicts_itself_is_refused(case, damage, words, tmp_path):
    damage(case)
    with pytest.raises(InputError, match=words):
        open_restart(*case.write(tmp_path), TIME, MPI.COMM_SELF)


@pytest.mark.parametrize("name", ["wliq_soisno", "wice_soisno", "t_soisno"])
@pytest.mark.parametrize("value", [np.nan, -1.0e36, np.inf])
def test_missing_soil_values_are_refused_on_soil_patches_only(case, name, value, tmp_path):
    soil = case.types == 0
    case.state[name][~soil] = value
    case.state[name][:, :5] = value  # snow slots
    restart = open_restart(*case.write(tmp_path), TIME, MPI.COMM_SELF)
    restart.read_soil()
    patch = np.flatnonzero(soil)[2]
    case.state[name][patch, 5 + 3] = value
    restart = open_restart(*case.write(tmp_path), TIME, MPI.COMM_SELF)
    with pytest.raises(InputError, match=rf"{name}: .* in soil layer 4 of patch {patch} \(1 of \d+ soil patches "):
        restart.read_soil()


def test_image_of_the_written_restart_is_the_analysed_image(east_asia, tmp_path, rng):
    restart = open_restart(*east_asia, TIME, MPI.COMM_SELF)
    patches = restart.patches
    background = patches.to_image(restart.read_soil()[0].surface_moisture(SURFACE))
    increment = rng.normal(0.0, 0.03, patches.grid.shape)
    update, aquifer = analysed(restart, increment)
    (tmp_path / "out").mkdir()
    (written,) = restart.write(tmp_path / "out", update.liquid, aquifer)
    again, aquifer_again = open_restart(written, east_asia[1], TIME, MPI.COMM_SELF).read_soil()
    image = patches.to_image(again.surface_moisture(SURFACE))
    land = np.isfinite(patches.to_image(np.ones(patches.n_patch)))
    met = (np.bincount(patches.cell, np.abs(update.unmet) > 1e-12, land.size) == 0).reshape(land.shape)
    assert (land & met).sum() > 900
    np.testing.assert_allclose(image[land & met], (background + increment)[land & met], rtol=0, atol=1e-15)
    unmet = patches.to_image(update.unmet)
    np.testing.assert_allclose((image + unmet)[land], (background + increment)[land], rtol=0, atol=1e-15)
    np.testing.assert_array_equal(aquifer_again, aquifer)


def flux_records(path: Path) -> list[bytes]:
    content, records, position = path.read_bytes(), [], 0
    while position < len(content):
        length = int(np.frombuffer(content, "<i4", 1, position)[0])
        records.append(content[position + 4 : position + 4 + length])
        position += length + 8
    return records


def test_patches_lie_where_the_model_itself_puts_them(east_asia, shared, tmp_path):
    """Independent: the model's own gridded output of the day that ends at this instant."""
    restart = open_restart(*east_asia, TIME, MPI.COMM_SELF)
    patches, (soil, aquifer) = restart.patches, restart.read_soil()
    records = flux_records(unpacked(shared / "colm/colm2014/EAS/EAS_2D_Fluxes_2022-154-86400.xz", tmp_path))
    shape = patches.grid.shape
    assert shape == (32, 48)
    np.testing.assert_array_equal(patches.grid.longitude, np.frombuffer(records[0]))
    np.testing.assert_array_equal(patches.grid.latitude, np.frombuffer(records[1]))
    land_fraction = np.bincount(patches.cell, patches.weight, shape[0] * shape[1]).reshape(shape)
    np.testing.assert_allclose(land_fraction, np.frombuffer(records[3]).reshape(shape), rtol=0, atol=1e-15)
    # Deep soil hardly changes in a day: the daily mean is close to the end of the day where all patches are soil.
    only_soil = np.isfinite(patches.to_image(np.ones(patches.n_patch))) & (
        np.bincount(patches.cell, ~soil.is_soil, land_fraction.size) == 0
    ).reshape(shape)
    moisture = np.frombuffer(records[55]).reshape(*shape, N_SOIL)
    for layer in (7, 8, 9):
        image = patches.to_image(volumetric_water(soil.liquid, soil.ice)[:, layer])
        assert image[only_soil].std() > 0.02
        np.testing.assert_allclose(image[only_soil], moisture[..., layer][only_soil], rtol=0, atol=2e-3)
    daily_aquifer = np.frombuffer(records[58]).reshape(shape)
    pair = np.corrcoef(patches.to_image(aquifer)[only_soil], daily_aquifer[only_soil])
    assert pair[0, 1] > 0.9999


def test_global_restart_has_the_land_of_the_model(shared, tmp_path):
    netcdf = pytest.importorskip("netCDF4")
    packed = shared / "colm/colm2014/global"
    files = (unpacked(packed / f"CTL-{name}.xz", tmp_path) for name in ("rstTimeVar-2022-155-00000", "rstTimeConst"))
    restart = open_restart(*files, TIME, MPI.COMM_SELF)
    patches = restart.patches
    assert patches.n_patch == 16_094
    assert np.unique(patches.cell).size == 12_708
    assert patches.grid.is_global
    image = patches.to_image(restart.read_soil()[0].surface_moisture(SURFACE))
    with netcdf.Dataset(shared / "colm" / "colm2014" / "global" / "ensemble_images_2022-156.nc") as images:
        np.testing.assert_allclose(patches.grid.latitude, images["lat"][:], rtol=0, atol=1e-12)
        np.testing.assert_allclose(patches.grid.longitude, images["lon"][:], rtol=0, atol=1e-12)
        later = images["soil_moisture"][0, 0].filled(np.nan)
    # Images of the next day: the same soil cells, other values.
    np.testing.assert_array_equal(np.isfinite(image), np.isfinite(later))


@pytest.mark.mpi
def test_any_number_of_ranks_reads_and_writes_the_same(mpi_tmp_path):
    comm = MPI.COMM_WORLD
    case = SmallCase(4, 6)
    if comm.rank == 0:
        case.write(mpi_tmp_path)
        for name in ("together", "alone"):
            (mpi_tmp_path / name).mkdir()
    comm.barrier()
    files = mpi_tmp_path / "S-rstTimeVar-2022-155-00000", mpi_tmp_path / "S-rstTimeConst"
    increment = np.linspace(-0.2, 0.2, 24).reshape(4, 6)

    together = open_restart(*files, TIME, comm)
    update, aquifer = analysed(together, increment)
    written = together.write(mpi_tmp_path / "together", update.liquid, aquifer)

    alone = open_restart(*files, TIME, MPI.COMM_SELF)
    whole, whole_aquifer = analysed(alone, increment)
    if comm.rank == 0:
        alone.write(mpi_tmp_path / "alone", whole.liquid, whole_aquifer)
    own = slice(*together.offsets[comm.rank : comm.rank + 2])
    comm.barrier()
    same = [
        update.liquid.tobytes() == whole.liquid[own].tobytes(),
        aquifer.tobytes() == whole_aquifer[own].tobytes(),
        together.patches.cell.tobytes() == alone.patches.cell[own].tobytes(),
        (together.all_patches is None) == (comm.rank > 0),
        written == [mpi_tmp_path / "together" / files[0].name],
        written[0].read_bytes() == (mpi_tmp_path / "alone" / files[0].name).read_bytes(),
        written[0].read_bytes() != files[0].read_bytes(),
    ]
    everywhere = comm.allgather(same)
    assert everywhere == [[True] * len(same)] * comm.size


@pytest.mark.mpi
@pytest.mark.parametrize("damage", ["truncated", "missing values"])
def test_damaged_files_stop_every_rank_with_the_same_error(damage, mpi_tmp_path):
    comm = MPI.COMM_WORLD
    files = mpi_tmp_path / "S-rstTimeVar-2022-155-00000", mpi_tmp_path / "S-rstTimeConst"
    if comm.rank == 0:
        case = SmallCase(4, 6)
        case.state["wliq_soisno"][np.flatnonzero(case.types == 0)[-1], 5] = np.nan
        case.write(mpi_tmp_path)
        if damage == "truncated":
            files[1].write_bytes(files[1].read_bytes()[:-1])
    comm.barrier()
    error = None
    try:
        open_restart(*files, TIME, comm).read_soil()
    except InputError as caught:
        error = str(caught)
    errors = comm.allgather(error)
    assert len(set(errors)) == 1
    assert errors[0] is not None
    assert ("truncated" if damage == "truncated" else "wliq_soisno: found nan") in errors[0]
