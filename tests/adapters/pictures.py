"""Picture files for tests: encoded by Pillow, with profiles and chunks made from published numbers."""

import asyncio
import io
import struct
import zlib
from collections.abc import Mapping, Sequence

from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from darkroom.ports import RawImage
from PIL import Image

FACTS = {"case": "case-1", "shot": "evidence-1", "model": "a <model> & \x00 two 🔑"}
D50 = (0.9642, 1.0, 0.8249)
# Red, green and blue in XYZ, adapted to D50.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def jpeg_of(data: bytes, size: int = 512, facts: Mapping[str, str] = FACTS, quality: int = 80) -> bytes:
    processor = PillowProcessor(size=size, quality=quality)
    return asyncio.run(processor.process(RawImage(data=data, model="m"), facts))


def processed(data: bytes, size: int = 512, quality: int = 80) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg_of(data, size, quality=quality)))
    image.load()
    return image


def pixel(image: Image.Image, at: tuple[int, int]) -> tuple[int, ...]:
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    return tuple(round(level) for level in found)


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, ...], within: int = 23) -> bool:
    return all(abs(a - b) <= within for a, b in zip(pixel(image, at), colour, strict=True))


def profile(
    colours: Sequence[Sequence[float]] = P3,
    gamma: float = 2.2,
    *,
    space: bytes = b"RGB ",
    kind: bytes = b"mntr",
    tags: Mapping[bytes, bytes] | None = None,
) -> bytes:
    """Return an ICC profile of version 2."""
    curve = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(gamma * 256), 0)
    bodies = {b"wtpt": _xyz(D50)}
    if space == b"GRAY":
        bodies[b"kTRC"] = curve
    elif tags is None:
        bodies |= {
            name: _xyz(point) for name, point in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colours, strict=True)
        }
        bodies |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    bodies |= tags or {}
    at = 132 + 12 * len(bodies)
    table, data = struct.pack(">I", len(bodies)), b""
    for name, body in bodies.items():
        table += name + struct.pack(">II", at + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    connection = b"Lab " if b"A2B0" in bodies else b"XYZ "
    head = struct.pack(">I4sI4s4s4s", at + len(data), b"", 0x02400000, kind, space, connection)
    return head + bytes(12) + b"acsp" + bytes(28) + _fixed(D50) + bytes(48) + table + data


def ink_profile() -> bytes:
    """Return the profile of a printer whose cyan is a dull blue, with two points for each of four inks."""
    identity = bytes(range(256))
    lab = bytearray()
    for corner in range(16):
        cyan, magenta, yellow, black = (corner >> shift & 1 for shift in (3, 2, 1, 0))
        light = 255 - 120 * cyan - 60 * magenta - 10 * yellow
        lab += bytes(
            [8, 128, 128] if black else [max(light, 20), 128 - 10 * cyan + 60 * magenta, 128 - 40 * cyan]
        )
    matrix = _fixed((1, 0, 0, 0, 1, 0, 0, 0, 1))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + identity * 4 + bytes(lab) + identity * 3
    return profile(space=b"CMYK", kind=b"prtr", tags={b"A2B0": table})


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def with_chunks(png: bytes, *chunks: bytes, at_end: bool = False) -> bytes:
    """Return `png` with more chunks: behind its header, or before its end."""
    at = len(png) - 12 if at_end else 33
    return png[:at] + b"".join(chunks) + png[at:]


def with_segments(jpeg: bytes, *bodies: tuple[int, bytes]) -> bytes:
    """Return `jpeg` with more segments (marker, body) at its beginning."""
    segments = [
        b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in bodies
    ]
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def _xyz(point: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(point)


def _fixed(values: Sequence[float]) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))
