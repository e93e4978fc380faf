"""Convert pictures in other colours than sRGB (Display P3, Adobe RGB, greys, inks) into sRGB."""

import io
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import batched, chain, product
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsTransform

MAX_PROFILE_BYTES = 4 * 1024 * 1024
"""Bytes of the largest profile that is read. Profiles of printers have tables of two megabytes."""

MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Colour space of a profile → mode of the pictures that it is for."""

_ALIKE = 2
"""Levels of 255 by which a profile may differ from sRGB and count as sRGB."""

_BRIGHT = 200
"""Level that white has at least. A profile that says otherwise ruins pictures."""

_DARK = 80
"""Level that black has at most."""

type Vector = Sequence[float]

_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""x and y of white, red, green and blue."""

_PRIMARIES = {
    1: _SRGB,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # DCI-P3
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
"""x and y of white, red, green and blue by their number in ITU-T H.273."""

_SRGB_CURVE = 0.0
_CURVES = {1: _SRGB_CURVE, 6: _SRGB_CURVE, 13: _SRGB_CURVE, 14: _SRGB_CURVE, 4: 2.2, 5: 2.8, 8: 1.0}
"""Exponents of curves by their number in ITU-T H.273, without those of high dynamic range."""

_GAMMAS_OF_SRGB = range(43_000, 48_000)
"""Values of the gamma chunk of a PNG in sRGB, in hundred-thousandths."""

_ROUNDING = 0.002
"""Difference to sRGB that the primaries of such a PNG may have."""

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, -0.7502, 0.0389), (0.2664, 1.7135, -0.0685), (-0.1614, 0.0367, 1.0296))
"""The matrix from XYZ to the cone responses by which the eye adapts; a row here is a column of it."""


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Return `image` in sRGB. Ignore a profile that is broken, absurd, or for another kind of picture."""
    transform = _transform(profile) if 0 < len(profile) <= MAX_PROFILE_BYTES else None
    if transform is None or not _fits(image, transform.input_mode):
        return image.convert("RGB")
    return transform.apply(image.convert(transform.input_mode))


def of_png(chunks: Mapping[bytes, bytes]) -> bytes:
    """Return the profile that the chunks of a PNG mean, by their rank; empty for sRGB or none."""
    cicp = chunks.get(b"cICP", b"")
    if len(cicp) == 4 and cicp[0] in _PRIMARIES and cicp[1] in _CURVES and cicp[2:] == b"\0\1":
        return _profile(_PRIMARIES[cicp[0]], _CURVES[cicp[1]])
    if b"iCCP" in chunks:
        return _inflated(chunks[b"iCCP"].partition(b"\0")[2])
    if b"sRGB" in chunks:
        return b""
    gamma = int.from_bytes(chunks.get(b"gAMA", b""))
    points = chunks.get(b"cHRM", b"")
    primaries = [n / 100_000 for n in struct.unpack(">8I", points)] if len(points) == 32 else _SRGB
    near = all(abs(a - b) < _ROUNDING for a, b in zip(primaries, _SRGB, strict=True))
    if near and (gamma == 0 or gamma in _GAMMAS_OF_SRGB):
        return b""
    return _profile(primaries, 100_000 / gamma if gamma else _SRGB_CURVE)


def _fits(image: Image.Image, mode: str) -> bool:
    """Return True if a profile for pictures in `mode` can be for `image`."""
    if "CMYK" in (image.mode, mode):
        return image.mode == mode
    if (image.mode, mode) != ("RGB", "L"):
        return True
    red, green, blue = (channel.tobytes() for channel in image.split())
    return red == green == blue


@lru_cache(maxsize=4)  # all pictures of a model have the same profile
def _transform(profile: bytes) -> "ImageCmsTransform | None":
    """Return the conversion from `profile` to sRGB; None when it would change nothing, or ruin pictures."""
    from PIL import ImageCms  # noqa: PLC0415 - takes 10 ms, and most pictures need no conversion

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        mode = MODES[source.profile.xcolor_space.strip()]
        transform = ImageCms.ImageCmsTransform(source, target, mode, "RGB")
        probe = _probe(mode)
        seen = transform.apply(probe).tobytes()
    except Exception:  # noqa: BLE001 - a profile from outside may cause any error
        return None
    if min(seen[-3:]) < _BRIGHT or max(seen[:3]) > _DARK:
        return None
    plain = probe.convert("RGB").tobytes()
    alike = max(abs(a - b) for a, b in zip(seen, plain, strict=True)) <= _ALIKE
    return None if alike else transform


def _probe(mode: str) -> Image.Image:
    """Return a picture of one row that begins with black, goes through some colours, and ends with white."""
    levels = (255, 0) if mode == "CMYK" else range(0, 256, 51)
    colours = list(product(levels, repeat=len(mode)))
    return Image.frombytes(mode, (len(colours), 1), bytes(chain.from_iterable(colours)))


def _inflated(compressed: bytes) -> bytes:
    """Return the profile in an `iCCP` chunk without its name; empty when it is broken or too large."""
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(compressed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return b""
    return profile if inflate.eof and compressed[:1] == b"\0" else b""


def _profile(primaries: Vector, curve: float) -> bytes:
    """Return an ICC profile of these colours; empty when no such colours can exist."""
    try:
        return _packed(_adapted(primaries), curve)
    except (ArithmeticError, struct.error):
        return b""


def _adapted(primaries: Vector) -> Iterable[Vector]:
    """Yield red, green and blue in XYZ, adapted to D50, scaled so that they add up to white."""
    white, *colours = [(x / y, 1.0, (1 - x - y) / y) for x, y in batched(primaries, 2, strict=True)]
    eye = _times(_BRADFORD, white)
    wanted = _times(_BRADFORD, _D50)
    for colour, share in zip(colours, _solved(colours, white), strict=True):
        cones = _times(_BRADFORD, [part * share for part in colour])
        yield _solved(_BRADFORD, [c * w / e for c, w, e in zip(cones, wanted, eye, strict=True)])


def _times(columns: Sequence[Vector], vector: Vector) -> Vector:
    """Return the product of a matrix and a vector."""
    return [sum(n * c[row] for n, c in zip(vector, columns, strict=True)) for row in range(3)]


def _solved(columns: Sequence[Vector], target: Vector) -> Vector:
    """Return the factor of each column with which their sum is `target` (Cramer's rule)."""
    whole = _determinant(columns)
    return [_determinant([*columns[:i], target, *columns[i + 1 :]]) / whole for i in range(3)]


def _determinant(columns: Sequence[Vector]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = columns
    return a * (e * i - f * h) - d * (b * i - c * h) + g * (b * f - c * e)


def _packed(colours: Iterable[Vector], curve: float) -> bytes:
    """Return the smallest ICC profile with `colours` and the curve of this exponent, or the curve of sRGB."""
    if curve == _SRGB_CURVE:
        tone = b"para\0\0\0\0\0\3\0\0" + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    else:
        tone = b"curv\0\0\0\0" + struct.pack(">IHH", 1, round(curve * 256), 0)
    points = [b"XYZ \0\0\0\0" + _fixed(*point) for point in (_D50, *colours)]
    names = (b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    bodies = [*points, tone, tone, tone]
    table = struct.pack(">I", len(names))
    at = 132 + 12 * len(names)
    for name, body in zip(names, bodies, strict=True):
        table += struct.pack(">4sII", name, at, len(body))
        at += len(body)
    header = struct.pack(">I4sI4s4s4s12x4s28x", at, b"", 0x04300000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return header + _fixed(*_D50) + bytes(48) + table + b"".join(bodies)


def _fixed(*values: float) -> bytes:
    """Return numbers with 16 bits after the point, as ICC profiles have them."""
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))
