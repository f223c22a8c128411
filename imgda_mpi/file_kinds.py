"""What a file is that cannot be read as what it should be, and what the user can do about it.

By its first bytes, and by what the system or a file library says of it.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import os
import re
import zlib
from pathlib import Path
from typing import NamedTuple

HEAD = 2048  # bytes that are looked at
SHOWN = 60  # characters of a text

NETCDF_4, CLASSIC, GZIP = b"\x89HDF\r\n\x1a\n", b"CDF", b"\x1f\x8b"


class Kind(NamedTuple):
    """What a file is, and what to do about it; what was expected where that is not the file itself."""

    found: str
    do: str
    expected: str | None = None


TO_NETCDF = "convert it to NetCDF, for example with"
AGAIN = "it has not come whole: fetch or copy it again"
SERVER = "it may be what a server says in place of the file: look into it, and fetch the file with your login"

SIGNATURES = {
    b"PK\x03\x04": Kind("a zip archive", "unpack it with unzip, and name the file that comes out"),
    GZIP: Kind("a file compressed with gzip", "unpack it with gunzip"),
    b"\x1f\x9d": Kind("a file compressed with compress", "unpack it with uncompress"),
    b"BZh": Kind("a file compressed with bzip2", "unpack it with bunzip2"),
    b"\xfd7zXZ\x00": Kind("a file compressed with xz", "unpack it with unxz"),
    b"\x28\xb5\x2f\xfd": Kind("a file compressed with zstd", "unpack it with unzstd"),
    b"\x04\x22\x4d\x18": Kind("a file compressed with lz4", "unpack it with unlz4"),
    b"7z\xbc\xaf\x27\x1c": Kind("a 7z archive", "unpack it with 7z x, and name the file that comes out"),
    b"Rar!": Kind("a rar archive", "unpack it with unrar, and name the file that comes out"),
    b"GRIB": Kind("a GRIB file", f"{TO_NETCDF} grib_to_netcdf of ecCodes, or cdo -f nc4 copy"),
    b"BUFR": Kind("a BUFR file", "write what is in it as NetCDF or a table, for example with bufr_dump of ecCodes"),
    b"\x0e\x03\x13\x01": Kind("an HDF4 file (HDF-EOS2)", f"{TO_NETCDF} h4tonccf_nc4, or gdal_translate -of netCDF"),
    b"II*\x00": Kind("a TIFF image (GeoTIFF)", f"{TO_NETCDF} gdal_translate -of netCDF"),
    b"MM\x00*": Kind("a TIFF image (GeoTIFF)", f"{TO_NETCDF} gdal_translate -of netCDF"),
    b"II+\x00": Kind("a TIFF image (BigTIFF)", f"{TO_NETCDF} gdal_translate -of netCDF"),
    b"\x93NUMPY": Kind("an array of numpy", f"{TO_NETCDF} xarray"),
    b"MATLAB 5.0": Kind("a MATLAB file", f"{TO_NETCDF} scipy.io.loadmat and xarray, or nccreate of MATLAB"),
    b"%PDF": Kind("a PDF document", "give the file of the data"),
    b"\x89PNG": Kind("a picture (PNG)", "give the file of the data"),
    b"\xff\xd8\xff": Kind("a picture (JPEG)", "give the file of the data"),
    b"version https://git-lfs": Kind("a pointer of Git LFS", "fetch the file itself with `git lfs pull`"),
    b"/annex/objects/": Kind("a pointer of git-annex", "fetch the file itself with `git annex get`"),
}
"""By how files of a kind begin."""

OF_CONTENT = (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError)
"""Errors on the way through a file that is of the kind that it should be."""

LOCKED = (errno.EAGAIN, errno.EACCES)
"""What a system says of a lock that another process has."""

NOT_ALLOWED = (errno.EACCES, errno.EPERM)

TRY_AGAIN = "start again; where it stays so, tell those who look after the file system: the file itself may be whole"
MORE_FILES = "allow the process more of them, with `ulimit -n`"

OUTSIDE = {
    **dict.fromkeys((errno.EMFILE, errno.ENFILE), MORE_FILES),
    errno.EFBIG: "allow files to be larger, with `ulimit -f`, or use a file system that holds such files",
    errno.ENOMEM: "give the job more memory",
    errno.ENAMETOOLONG: "use a shorter name",
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENOTCONN, errno.EREMOTEIO), TRY_AGAIN),
}
"""What to do about errors of the system that say nothing of what is in a file."""

SAYS = {
    r"undefined filter|required filter|filter.* not registered|plugin": Kind(
        "values compressed with a filter that the library does not have",
        "install its plugin (as with `pip install hdf5plugin`) and name the plugin's folder in HDF5_PLUGIN_PATH, or"
        " repack the file where it can be read, with `nccopy -F none` or `h5repack -f NONE`",
        "values that can be unpacked",
    ),
    r"already open for": Kind(
        "a file that a program has open for writing, or had when it was killed",
        "wait until it is written; where nothing writes it any more, clear its mark with `h5clear -s`",
    ),
}
"""By what is in the messages of HDF5 and NetCDF about whole files."""


def kind_of(path: Path) -> Kind | None:
    """What a regular file is by its first bytes; None where it is NetCDF, HDF5 or unknown, or cannot be read."""
    head = _head(path)
    if head is None or head.startswith((NETCDF_4, CLASSIC)):
        return None
    known = next((kind for signature, kind in SIGNATURES.items() if head.startswith(signature)), None)
    if known is not None:
        return known
    if head[257:262] == b"ustar":
        return Kind("a tar archive", "unpack it with tar xf, and name the file that comes out")
    if not head:
        return Kind("an empty file", AGAIN)
    if not head.strip(b"\0"):
        return Kind("nothing but zeros at its beginning", AGAIN)
    begins = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    title = re.search(rb"<title[^>]*>(.*?)</title", head, re.IGNORECASE | re.DOTALL)
    if re.match(rb"<(!doctype html|html|head|body|\?xml.*<html)", begins, re.IGNORECASE | re.DOTALL):
        said = f" with the title {_shown(title[1])}" if title else ""
        return Kind(f"a web page (HTML){said}", SERVER)
    if begins.startswith(b"<?xml"):
        return Kind(f"an XML text, {_shown(begins)}", SERVER)
    if re.match(rb'[{\[]\s*["{}\[\]]', begins):
        return Kind(f"a JSON text, {_shown(begins)}", SERVER)
    return None


def explained(path: Path, error: BaseException) -> Kind | None:
    """What is behind an error of the system or a library at a file; None where it says all that is known."""
    around = outside(error)
    if around is not None:
        return around
    number = _number(error)
    if number in NOT_ALLOWED:
        do = "check the permissions of it and of the folders that it is in"
        return Kind(f"what may not be read ({os.strerror(number)})", do)
    if number > 0 or isinstance(error, OF_CONTENT):
        return None
    said = str(error).replace(str(path), "").replace(path.name, "")  # which may be of any words
    for pattern, known in SAYS.items():
        if re.search(pattern, said, re.IGNORECASE):
            return known._replace(found=f"{known.found} ({error})")
    head = _head(path)
    if head is not None and head.startswith(CLASSIC):
        is_hdf5 = "signature" in said
        return Kind("a NetCDF file of the classic format", "convert it with `nccopy -k nc4`") if is_hdf5 else None
    kind = kind_of(path)
    if kind is None and head and isinstance(error, OSError) and not head.startswith(NETCDF_4) and _is_text(head):
        return Kind(f"a text, {_shown(head)}", SERVER)
    return kind


def outside(error: BaseException) -> Kind | None:
    """What is behind an error that says nothing of what is in a file: its lock, a limit, its file system; or None."""
    number = _number(error)
    said = os.strerror(number)
    unlocked = "set HDF5_USE_FILE_LOCKING=FALSE in the environment"
    if "lock file" not in str(error):
        return Kind(said, OUTSIDE[number]) if number in OUTSIDE else None
    if number not in LOCKED:
        found = f"a file that cannot be locked ({said}): its file system has no locks"
        return Kind(found, unlocked, "to lock it")
    return Kind(
        f"a file that cannot be locked ({said}): another process has it open for writing",
        f"wait until it is written; where nothing writes it the file system's locks do not work: {unlocked}",
        "to lock it",
    )


def refusal(path: Path) -> OSError | None:
    """What the system says of a new file beside a path, locked and written as HDF5 does it; None where it takes it.

    NetCDF says of every file that it cannot make that permission is denied.
    """
    import tempfile  # seldom needed

    try:
        with tempfile.NamedTemporaryFile(prefix=path.name, dir=path.parent) as file:
            if os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() not in ("FALSE", "0"):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except OSError as err:
                    return OSError(err.errno, f"unable to lock file: {err.strerror}")
            os.write(file.fileno(), NETCDF_4)
    except OSError as err:
        return err
    return None


def _number(error: BaseException) -> int:
    """The system's number of an error, 0 where it has none; of some, HDF5 says it in words alone."""
    number = getattr(error, "errno", None) or 0
    said = re.search(r"errno = (\d+)", str(error))
    return int(said[1]) if said and number <= 0 else number


def _head(path: Path) -> bytes | None:
    """How a regular file begins; None where it is none, or cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return None


def _is_text(head: bytes) -> bool:
    try:
        return head.decode("ascii").replace("\n", "").replace("\r", "").replace("\t", "").isprintable()
    except UnicodeDecodeError:
        return False


def _shown(text: bytes) -> str:
    words = " ".join(text.decode("utf-8", "replace").split())
    return repr(words if len(words) <= SHOWN else f"{words[:SHOWN]}...")
