"""Mutations of any file as bytes, of settings as text, of tables, and of the Fortran records of CoLM2014."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[Rng, Path], str]
"""Changes a file in place and says how."""

OTHERS = {
    "a zip archive": b"PK\x03\x04" + bytes(60),
    "a page of a login": b"<!DOCTYPE html><html><body>Please log in</body></html>\n",
    "GRIB": b"GRIB\x00\x00\x10\x02" + bytes(100) + b"7777",
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123\n",
    "a GeoTIFF": b"II*\x00\x08\x00\x00\x00" + bytes(100),
    "xz": b"\xfd7zXZ\x00" + bytes(40),
    "words": b"module load netcdf\n",
    "HDF4": b"\x0e\x03\x13\x01" + bytes(100),
    "zeros": bytes(4096),
    "nothing": b"",
}

NUMBERS = (
    *(
        "-1",
        "0",
        "1",
        "3",
        "64",
        "4096",
        "100000",
        "1000000000000000000",
        "0.5",
        "-0.0",
        "1e-300",
        "1e300",
        "nan",
        "inf",
    ),
    "-inf",
)
WORDS = (
    *('""', '"."', '".."', '"/"', '"~"', '"~nobody/x"', '"nowhere/x"', '"*"', '"%Y"', '"%"', '"model"', '"case.toml"'),
    *('"/dev/null"', '"a\\u0000b"', '"a\\nb\\u001b[31m"', '"\\U0001F4A7"', f'"{"long" * 1500}"', '"soil_moisture"'),
    *("true", "false", "[]", "{}", "[[]]", '["a", 1]', "[0.1, 0.0]", "[nan, nan]", "[-1, 1e9]", "{kind = 1}", "[1, 1]"),
    *("9" * 400, "2022-06-02", "06:00:00", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2022-06-02T06:00:00+23:59"),
    *('"colm2014"', '"colm202x"', '"cf"', '"gldas"', '"points"', '"paper"', '"insert"', '{file = "x", variable = "y"}'),
)
KEYS = {
    "errors": ("observation", "seed", "estimate_observation", "allow_few"),
    "curvelet": ("n_scales", "n_angles", "finest", "sampling", "precision"),
    "observation": ("max_time_offset", "valid_range", "layer", "mask", "time", "regridding", "allow_empty"),
    "method": ("n_members", "scales", "background_error", "coherent_share", "localisation", "inflation", "solver"),
    "soil": ("implausible", "compensate"),
    "parallel": ("wedge_groups",),
    "model": ("land_cover_year", "time", "case"),
    "output": ("directory",),
}
METHODS = {
    "none": (),
    "insert": (),
    "pointwise": ("background_error",),
    "pointwise_fitted": (),
    "large_scale": ("background_error", "scales"),
    "letkf": ("localisation",),
    "paper": ("n_members", "background_error", "scales", "solver"),
    "analytic": ("background_error", "scales", "solver"),
    "innovation": ("coherent_share", "features", "scales", "solver"),
    "ensemble": ("localisation", "inflation", "scales", "solver"),
    "hybrid": ("localisation", "inflation", "innovation_weight", "coherent_share", "solver"),
}
OF_METHODS = {
    "solver": ('"diagonal"', '"full"'),
    "scales": ("[1]", "[2, 3]", "[1, 1]", "[99]", "[]"),
    "features": ("true", "false"),
}
"""Values of keys that are no numbers."""

ENTRY = re.compile(r"(?m)^(\w+) = (.+)$")
HEADER = re.compile(r"(?m)^\[([\w.]+)\]$")
SPECIAL = (np.nan, np.inf, 1e20, -1e36, -1.0, 0.0, -9999.0, 1e308, 5e-324, 1e6)
INTEGERS = (-1, 0, 1, 99, 2**31 - 1, -(2**31), 40000)
CELLS = ("", "nan", "NA", "1e999", "-9999", "abc", "0,5", '"', "-1", "1e20", "91", "\x00", "2022-13-01", "٣", " 0.2 ")


def pick(rng: Rng, things):  # type: ignore[no-untyped-def]
    """One of a sequence."""
    return things[int(rng.integers(len(things)))]


def _part(rng: Rng, size: int, most: int = 4096) -> slice:
    """A part of a file, in half of the cases near its beginning, where HDF5 says what is where."""
    start = int(rng.integers(min(size, 2048) if rng.random() < 0.5 else size))
    return slice(start, min(size, start + int(rng.integers(1, most))))


def bit_flipped(rng: Rng, path: Path) -> str:
    """One bit of a file."""
    data, at = bytearray(path.read_bytes()), _part(rng, path.stat().st_size).start
    bit = int(rng.integers(8))
    data[at] ^= 1 << bit
    path.write_bytes(data)
    return f"bit {bit} of byte {at}"


def bytes_scrambled(rng: Rng, path: Path) -> str:
    """Some bytes here and there are others."""
    data = bytearray(path.read_bytes())
    places = [_part(rng, len(data)).start for _ in range(int(rng.integers(2, 30)))]
    for at in places:
        data[at] = int(rng.integers(256))
    path.write_bytes(data)
    return f"{len(places)} bytes"


def truncated(rng: Rng, path: Path) -> str:
    """The end is missing."""
    size = path.stat().st_size
    kept = int(rng.integers(size)) if rng.random() < 0.7 else size - int(rng.integers(1, 20))
    os.truncate(path, kept)
    return f"to {kept} of {size} bytes"


def lengthened(rng: Rng, path: Path) -> str:
    """More bytes at the end."""
    more = rng.bytes(int(rng.integers(1, 5000)))
    path.write_bytes(path.read_bytes() + more)
    return f"by {len(more)} bytes"


def block_overwritten(rng: Rng, path: Path) -> str:
    """A block is zeros or ones, as of a disk that lost it."""
    data = bytearray(path.read_bytes())
    part, byte = _part(rng, len(data)), pick(rng, (b"\0", b"\xff"))
    data[part] = byte * (part.stop - part.start)
    path.write_bytes(data)
    return f"bytes {part.start} to {part.stop} are {byte!r}"


def part_doubled(rng: Rng, path: Path) -> str:
    """A part stands there twice, the second time in the place of others or between them."""
    data = path.read_bytes()
    part, at = _part(rng, len(data)), int(rng.integers(len(data)))
    end = at if rng.random() < 0.5 else at + part.stop - part.start
    path.write_bytes(data[:at] + data[part] + data[end:])
    return f"bytes {part.start} to {part.stop} again at {at}"


def another_kind(rng: Rng, path: Path) -> str:
    """Something else under the same name."""
    name = pick(rng, list(OTHERS))
    path.write_bytes(OTHERS[name])
    return name


def compressed(rng: Rng, path: Path) -> str:
    """As it comes from an archive."""
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return "by gzip"


def no_file(rng: Rng, path: Path) -> str:
    """What is no file: a folder, a link to nowhere or to itself, a pipe, or nothing at all."""
    path.unlink()
    what = pick(rng, ("nothing", "folder", "dangling link", "link to itself", "pipe"))
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what != "nothing":
        path.symlink_to(path.name if what == "link to itself" else "nowhere")
    return what


def another_file(rng: Rng, path: Path) -> str:
    """Another file of the same kind in its place."""
    top = path.parents[1]
    others = sorted(file for file in top.rglob(f"*{path.suffix}") if file.is_file() and file != path)
    if not others:
        return another_kind(rng, path)
    other = pick(rng, others)
    path.unlink()
    shutil.copy(other, path)
    return f"{other.relative_to(top)}"


def value_replaced(rng: Rng, path: Path) -> str:
    """Of a key of the settings."""
    text = path.read_text()
    entry = pick(rng, list(ENTRY.finditer(text)))
    value = pick(rng, NUMBERS if rng.random() < 0.4 else WORDS)
    path.write_text(text[: entry.start(2)] + value + text[entry.end(2) :])
    return f"{entry[1]} = {value[:60]}"


def key_added(rng: Rng, path: Path) -> str:
    """A key of the settings that was left out, with a value."""
    section = pick(rng, list(KEYS))
    key, value = pick(rng, KEYS[section]), pick(rng, NUMBERS if rng.random() < 0.7 else WORDS)
    text = path.read_text()
    head, found, tail = text.partition(f"[{section}]\n")
    tail = re.sub(rf"(?m)^{key} = .*\n", "", tail, count=1) if found else tail
    if not found:
        found = f"\n[{section}]\n"
    path.write_text(f"{head}{found}{key} = {value}\n{tail}")
    return f"[{section}] {key} = {value[:60]}"


def method_changed(rng: Rng, path: Path) -> str:
    """Another method, with keys of its own."""
    kind = pick(rng, list(METHODS))
    keys = [key for key in METHODS[kind] if rng.random() < 0.5]
    said = ", ".join([f'kind = "{kind}"', *(f"{key} = {pick(rng, OF_METHODS.get(key, NUMBERS))}" for key in keys)])
    text = re.sub(r"(?m)^method = .*\n|^\[method\]\n(\w.*\n)*", "", path.read_text())
    path.write_text(f"method = {{{said}}}\n{text}")
    return said


def line_changed(rng: Rng, path: Path) -> str:
    """A line of the settings is lost, twice there, misspelt, or in another place."""
    lines = path.read_text().splitlines()
    at, how = int(rng.integers(len(lines))), pick(rng, ("lost", "doubled", "misspelt", "moved"))
    line = lines[at]
    if how == "lost":
        del lines[at]
    elif how == "doubled":
        lines.insert(at, line)
    elif how == "misspelt":
        letter = int(rng.integers(len(line) + 1))
        lines[at] = line[:letter] + pick(rng, tuple("xé\"'[]={}#\\ \t\x07\r\u2028")) + line[letter + 1 :]
    else:
        lines.insert(int(rng.integers(len(lines))), lines.pop(at))
    path.write_text("\n".join(lines), newline="\n")
    return f"line {at + 1} {how}"


def sections_changed(rng: Rng, path: Path) -> str:
    """Headers of the settings exchanged, unknown, lists of tables, or of another verb."""
    text = path.read_text()
    headers = list(HEADER.finditer(text))
    first, second = pick(rng, headers), pick(rng, headers)
    new = pick(
        rng, (f"[{second[1]}]", f"[[{first[1]}]]", f"[{first[1]}.x]", "[Output ]", "[cycle]", "[features]", "[ ]")
    )
    path.write_text(text[: first.start()] + new + text[first.end() :])
    return f"[{first[1]}] is {new}"


def nested(rng: Rng, path: Path) -> str:
    """Lists, tables or dotted keys deep below each other in the settings."""
    depth = int(pick(rng, (5, 90, 300, 3000, 20000)))
    kind, text = pick(rng, ("lists", "tables", "keys")), path.read_text()
    if kind == "lists":
        added = "a = " + "[" * depth + "]" * depth
    elif kind == "tables":
        added = "a = " + "{a = " * depth + "1" + "}" * depth
    else:
        added = ".".join("a" * depth) + " = 1"
    path.write_text(f"{added}\n{text}")
    return f"{depth} {kind}"


def written_otherwise(rng: Rng, path: Path) -> str:
    """Text as other editors write it."""
    text = path.read_text()
    encoding = pick(rng, ("utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252", "crlf", "cr", "nul"))
    if encoding in ("latin-1", "cp1252"):
        text = text.replace("e", "é", 1) + "# € é\n" if encoding == "cp1252" else f"# é\n{text}"
    ends = {"crlf": "\r\n", "cr": "\r", "nul": "\n\0"}
    data = text.replace("\n", ends[encoding]).encode() if encoding in ends else text.encode(encoding)
    path.write_bytes(data)
    return encoding


def cell_changed(rng: Rng, path: Path) -> str:
    """A field of a table, the whole column, or its name."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    column, value = int(rng.integers(len(rows[0]))), pick(rng, CELLS)
    how = pick(rng, ("field", "column", "name", "lost", "shifted", "twice"))
    some = [int(rng.integers(1, len(rows)))] if how == "field" else [0] if how == "name" else range(1, len(rows))
    for row in rows if how in ("lost", "twice") else [rows[at] for at in some]:
        if how == "lost":
            del row[column]
        elif how == "twice":
            row.append(row[column])
        elif how == "shifted":
            row.insert(column, value)
        else:
            row[column] = value
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return f"column {column + 1}: {how}, {value!r}"


def rows_changed(rng: Rng, path: Path) -> str:
    """Rows of a table: none, no header, twice, in another order, or with another separator."""
    header, *rows = path.read_text().splitlines()
    how = pick(rng, ("none", "no header", "twice", "shuffled", "semicolons", "a quote", "a long line", "one"))
    if how == "none":
        rows = []
    elif how == "one":
        rows = rows[:1]
    elif how == "twice":
        rows += rows
    elif how == "shuffled":
        rng.shuffle(rows)
    elif how == "a quote":
        rows[0] = '"' + rows[0]
    elif how == "a long line":
        rows[0] += "," + "x" * 200_000
    lines = rows if how == "no header" else [header, *rows]
    path.write_text(("\n".join(lines) + "\n").replace(",", ";" if how == "semicolons" else ","))
    return how


def numbers_changed(rng: Rng, path: Path) -> str:
    """Some numbers in the records of a Fortran file, real or integer, are special ones."""
    data, real = bytearray(path.read_bytes()), rng.random() < 0.7
    width, values = (8, SPECIAL) if real else (4, INTEGERS)
    value, count = pick(rng, values), int(pick(rng, (1, 10, 500)))
    # Reals of the state start after a marker and three integers.
    first = 16 if real and "rstTimeVar" in path.name else 4
    start = first + width * int(rng.integers((len(data) - first - width * count) // width))
    data[start : start + width * count] = np.full(count, value, "<f8" if real else "<i4").tobytes()
    path.write_bytes(data)
    return f"{count} of {value} at byte {start}"


def records_changed(rng: Rng, path: Path) -> str:
    """Markers, order and parts of the records of a Fortran file."""
    records, data, at = [], path.read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        records.append(data[at + 4 : at + 4 + size])
        at += size + 8
    how = pick(
        rng, ("big-endian", "8-byte markers", "no markers", "in parts", "lost", "doubled", "reversed", "shorter")
    )
    width, order = (8 if how == "8-byte markers" else 4), "big" if how == "big-endian" else "little"
    if how == "big-endian":
        records = [np.frombuffer(record, ">u4").astype("<u4").tobytes() for record in records]
    elif how == "lost":
        del records[int(rng.integers(len(records)))]
    elif how == "doubled":
        records.append(pick(rng, records))
    elif how == "reversed":
        records.reverse()
    elif how == "shorter":
        records[-1] = records[-1][: -8 * int(rng.integers(1, 50))]
    parts = []
    for record in records:
        half = len(record) // 2 if how == "in parts" else 0
        # gfortran: a negative first marker says that another part follows, a negative last one that one went before.
        sizes = [(-half, half), (len(record) - half, half - len(record))] if half else [(len(record), len(record))]
        start = 0
        for before, after in sizes:
            body = record[start : start + abs(before)]
            first, last = (n.to_bytes(width, order, signed=True) for n in (before, after))
            parts += [body] if how == "no markers" else [first, body, last]
            start += abs(before)
    path.write_bytes(b"".join(parts))
    return how


BYTES = (bit_flipped, bytes_scrambled, truncated, lengthened, block_overwritten, part_doubled)
WHOLE = (another_kind, compressed, no_file, another_file)
SETTINGS = (*2 * (value_replaced, key_added, method_changed), line_changed, sections_changed, nested, written_otherwise)
TABLE = (cell_changed, cell_changed, rows_changed, written_otherwise)
RECORDS = (numbers_changed, numbers_changed, records_changed)
