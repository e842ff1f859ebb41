"""Why a file is not tried as an image, by its name and its first bytes. Every file is tried or has such a reason."""

import mimetypes
import os
import re

import pandas as pd

from aligngemini.core import reading

from .. import header

SUFFIXES = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".avif", ".heic",
    ".heif", ".hif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm",
}  # fmt: skip
PACKED = {".tar", ".tgz", ".tbz2", ".txz", ".gz", ".bz2", ".xz", ".zip", ".7z", ".rar", ".zst", ".parquet"}
PART = re.compile(r"\.(\d{3}|z\d+)")  # one of several files of an archive
UNFINISHED = {".part", ".partial", ".filepart", ".crdownload", ".opdownload", ".download", ".incomplete", ".aria2"}
LITTER = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini"}  # of operating systems
ARCHIVES = {"ZIP", "gzip", "7z", "RAR", "xz", "bzip2", "Zstandard", "tar", "Parquet"}
MEDIA = {"MP4", "Matroska", "AVI", "WAV", "NumPy", "HDF5"}  # may be of any size, and are not worth reading to the end
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # bytes that no text holds
WIDE = (b"\xff\xfe", b"\xfe\xff")  # how UTF-16 begins
HEAD = 512  # bytes that say what a file is

NOT_UNPACKED = "an archive: only what is unpacked counts"
PARTIAL = "a download that has not been finished"
EMPTY = "the file is empty"
UNKNOWN = "not an image of a known format"
TEXT = "text, not an image"
HIDDEN = "hidden, or litter of the system: it is read only where it is named itself"
UNPACKED = "unpacked on the first use"
LOOP = "a link back to a folder above it"
ASIDE = (TEXT, HIDDEN, LOOP)  # listed and counted, but no image is lost by it


def hidden(name: str) -> bool:
    """Whether a folder's entry is hidden, or left there by an operating system."""
    return name.startswith(".") or name.lower() in LITTER


def reason(path: str | os.PathLike) -> str:
    """Why the file at `path` is not tried as an image, or "". Only regular files of unknown suffixes are opened."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES:
        return ""
    try:
        head = b"" if suffix in UNFINISHED else reading.start(path, HEAD)
    except (OSError, ValueError):  # no regular file, or a null byte in the name: the decoder has words for it
        return ""
    return of_content(head, suffix)


def of_content(head: bytes, suffix: str) -> str:
    """`reason` of a file by its first HEAD bytes and its suffix, in lower case."""
    if suffix in UNFINISHED:
        return PARTIAL
    form = header.kind(head)
    if form in ARCHIVES or not form and (suffix in PACKED or PART.fullmatch(suffix)):
        return NOT_UNPACKED
    if form and form not in ("HTML", "XML"):
        return f"not an image in a format that can be read ({form})" if form in MEDIA else ""
    if not head:
        return TEXT if called_text(suffix) else EMPTY
    error_page = form == "HTML" and not suffix  # what a server sends in the place of an image
    text = head.startswith(WIDE) or not CONTROL.search(head)
    return TEXT if text and not error_page else UNKNOWN


def called_text(suffix: str) -> bool:
    """Whether files of this suffix are texts by their name."""
    return (mimetypes.guess_type(f"a{suffix}")[0] or "").startswith(("text/", "application/json"))


def lost(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose `reason` says that an image is lost: not "", and not that there never was one."""
    return rows[~rows["reason"].isin(("", *ASIDE))]
