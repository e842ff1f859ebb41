"""What the first bytes of a file look like: the formats that can be read, and the usual others by name."""

import re

# Signatures at the very start, longest first where one begins another.
SIGNATURES = {
    b"\xff\xd8\xff\xf7": "JPEG-LS",
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"\0\0\0\x0cjP  \r\n": "JPEG2000",
    b"II*\0\x10\0\0\0CR": "CR2",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL \r\n": "JPEG XL",
    b"II\xbc": "JPEG XR",
    b"P7\n": "PAM",
    b"8BPS": "PSD",
    b"%!PS": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"%PDF": "PDF",
    b"\0\0\1\0": "ICO",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"DDS ": "DDS",
    b"qoif": "QOI",
    b"BPG\xfb": "BPG",
    b"gimp xcf": "XCF",
    b"FUJIFILMCCD-RAW": "RAF",
    b"IIRO": "ORF",
    b"IIU\0": "RW2",
    b"PK\3\4": "ZIP",
    b"PK\5\6": "ZIP",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"PAR1": "Parquet",
    b"\x93NUMPY": "NumPy",
    b"\x89HDF": "HDF5",
    b"\x1aE\xdf\xa3": "Matroska",
    b"version https://git-lfs": "Git LFS pointer",
}
TYPED = re.compile(rb"P[1-6FfYy]\s")  # portable maps
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml.*)?<(!doctype html|html|svg|\?xml)", re.IGNORECASE | re.DOTALL)
BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # sizes: two letters alone begin many a text
TEXTS = ("HTML", "XML")  # what a server sends in the place of a file
RIFF = {b"WEBP": "WEBP", b"AVI ": "AVI", b"WAVE": "WAV"}
# ISO media files name their brands in the first box; the first set that holds one of them decides.
BRANDS = (
    ("AVIF", {b"avif", b"avis"}),
    ("HEIC", {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}),
    ("CR3", {b"crx "}),
)


def kind(head: bytes) -> str:
    """The format that a file's first bytes announce, in the words of `Decoded.format` for those that can be read.

    "" where they announce none that is known. 512 bytes are enough; with fewer than 265 a tar is not recognised.
    """
    for signature, name in SIGNATURES.items():
        if head.startswith(signature):
            return name
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _media(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BITMAP_HEADERS:
        return "BMP"
    if TYPED.match(head):
        return "PPM"
    return "tar" if head[257:262] == b"ustar" else _markup(head)


def _media(head: bytes) -> str:
    brands = head[8 : min(int.from_bytes(head[:4]), 512)]
    named = {brands[at : at + 4] for at in range(0, len(brands), 4)}
    return next((name for name, own in BRANDS if named & own), "MP4")


def _markup(head: bytes) -> str:
    found = MARKUP.match(head[:512])
    word = found[1].lower() if found else b""
    return {b"": "", b"svg": "SVG", b"?xml": "XML"}.get(word, "HTML")
