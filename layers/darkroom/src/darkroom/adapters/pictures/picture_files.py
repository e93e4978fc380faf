"""Reduce JPEG and PNG files to what their pixels need, before a decoder reads them.

A decoder may fail at a text, a thumbnail or the description of a camera in a file that every browser shows.
So all metadata is removed. The parts of it that matter, the orientation and the colours, are read here. Files
of other formats are not changed.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from darkroom.domain.shot_errors import BadImage

JPEG_START = b"\xff\xd8"
JPEG_END = b"\xff\xd9"
PNG_START = b"\x89PNG\r\n\x1a\n"

_JPEG_KEPT = {0xE0: b"JFIF\0", 0xEE: b"Adobe"}
"""Marker → beginning of the application segments that say what the components mean."""

_JPEG_KEPT_MIN = 12
"""Bytes that such a segment has at least."""

_ICC = b"ICC_PROFILE\0"
_EXIF = b"Exif\0\0"
_SCAN = 0xDA
_SCAN_START = b"\xff\xda"

MAX_SCANS = 200
"""Scans of a JPEG. An encoder makes a dozen. A decoder visits all pixels for each, however small it is."""
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
_PNG_READ = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"tRNS"})
_TRANSPARENCY_BYTES = {0: 2, 2: 6}
"""Colour type of a PNG without a palette → size of the chunk that names its transparent colour."""


@dataclass(frozen=True, kw_only=True)
class PictureFile:
    """A file for the decoder, and the metadata that was removed from it."""

    data: bytes
    exif: bytes = b""
    profile: bytes = b""
    """ICC profile of a JPEG."""
    chunks: Mapping[bytes, bytes] = field(default_factory=dict)
    """Chunks of a PNG other than its pixels, by name."""
    broken_scans: bytes | None = None
    """The scans of a JPEG that breaks off; None for a complete file."""


def reduced(data: bytes) -> PictureFile:
    """Return the file with its picture only. A JPEG that breaks off gets an end marker.

    Raises BadImage for a file that would keep a decoder busy for ever.
    """
    if data.startswith(JPEG_START):
        return _reduced_jpeg(data)
    if data.startswith(PNG_START):
        return _reduced_png(data)
    return PictureFile(data=data)


def orientation(exif: bytes) -> int:
    """Return the orientation in `exif`; 0 when it has none or is not valid."""
    tiff = exif.removeprefix(_EXIF)
    if tiff[:2] not in (b"II", b"MM"):
        return 0

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], "big" if tiff[:2] == b"MM" else "little")

    first = number(4, 4) + 2
    for at in range(first, first + 12 * number(first - 2, 2), 12):
        if (number(at, 2), number(at + 2, 2)) == (0x0112, 3):
            return number(at + 8, 2)
    return 0


def what_is_missing(scans: bytes, components: int) -> Literal["detail", "rows", "scans"]:
    """Return what a JPEG lacks that breaks off in `scans`.

    A progressive JPEG has the last bit of its coefficients in separate scans. Without some of those it lacks
    detail. A JPEG lacks rows when it breaks off in its last scan and that scan holds new coefficients.
    """
    known: dict[tuple[int, int], int] = {}
    before: dict[tuple[int, int], int] = {}
    for marker in re.finditer(_SCAN_START, scans):
        header = scans[marker.end() + 2 : marker.end() + 14]
        count = header[0] if header else 0
        before = dict(known)
        if len(header) < 2 * count + 4:
            break
        first, last, approximation = header[2 * count + 1 : 2 * count + 4]
        sent = [(header[2 * n + 1], k) for n in range(count) for k in range(first, min(last, 63) + 1)]
        known |= dict.fromkeys(sent, approximation & 15)
    if len(before) == 64 * components and max(before.values()) <= 1:
        return "detail"
    return "rows" if len(known) == 64 * components and max(known.values()) == 0 else "scans"


def _reduced_jpeg(data: bytes) -> PictureFile:
    kept = bytearray(JPEG_START)
    exif = b""
    profile_parts: list[bytes] = []
    start = len(data)
    for marker, at, end in _segments(data):
        body = data[at + 4 : end]
        if marker == _SCAN:
            start = at
        elif _is_kept(marker, body):
            kept += data[at:end]
        elif marker == 0xE1 and body.startswith(_EXIF):
            exif = exif or body
        elif marker == 0xE2 and body.startswith(_ICC):
            profile_parts.append(body[len(_ICC) :])  # begins with its number and the number of parts
    if data.count(_SCAN_START, start, data.find(JPEG_END, start)) > MAX_SCANS:
        raise BadImage("the picture has too many scans")
    profile = b"".join(part[2:] for part in sorted(profile_parts))
    if data.rfind(JPEG_END, start) >= 0:
        return PictureFile(data=b"".join((kept, memoryview(data)[start:])), exif=exif, profile=profile)
    scans = _without_cut_segment(data[start:].rstrip(b"\0").rstrip(b"\xff"))  # without fill bytes
    return PictureFile(data=b"".join((kept, scans, JPEG_END)), exif=exif, profile=profile, broken_scans=scans)


def _is_kept(marker: int, body: bytes) -> bool:
    """Return True if the pixels need the segment. Comments and most application segments are not needed."""
    if not (0xE0 <= marker <= 0xEF or marker == 0xFE):
        return True
    return marker in _JPEG_KEPT and body.startswith(_JPEG_KEPT[marker]) and len(body) >= _JPEG_KEPT_MIN


def _without_cut_segment(scans: bytes) -> bytes:
    """Return `scans` without an incomplete table or header at their end."""
    last = max((marker.start() for marker in re.finditer(rb"\xff[^\x00\xff\xd0-\xd7]", scans)), default=0)
    end = last + 2 + max(2, int.from_bytes(scans[last + 2 : last + 4]))
    return scans if end <= len(scans) else scans[:last]


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, beginning and end of each segment; the last one is the first scan, up to the end."""
    at = len(JPEG_START)
    while (at := data.find(b"\xff", at)) >= 0 and at + 4 <= len(data):
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # has no body
            at += 2
        elif marker == _SCAN:
            yield marker, at, len(data)
            return
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
            yield marker, at, end
            at = max(end, at + 4)


def _reduced_png(data: bytes) -> PictureFile:
    view = memoryview(data)
    kept = bytearray(PNG_START)
    chunks: dict[bytes, bytes] = {}
    transparency_bytes = _TRANSPARENCY_BYTES.get(data[25] if len(data) > 25 else 0, 0)
    at = len(PNG_START)
    while at + 8 <= len(data):
        name = data[at + 4 : at + 8]
        end = at + 12 + int.from_bytes(view[at : at + 4])
        if name in _PNG_PIXELS:
            kept += view[at:end]
        elif name in _PNG_READ and name not in chunks and _is_sound(view[at:end]):
            chunks[name] = data[at + 8 : end - 4]
            if name == b"tRNS" and len(chunks[name]) >= transparency_bytes:
                kept += view[at:end]
        at = end
    return PictureFile(data=bytes(kept), exif=chunks.get(b"eXIf", b""), chunks=chunks)


def _is_sound(chunk: memoryview) -> bool:
    """Return True if the checksum of `chunk` is right."""
    return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
