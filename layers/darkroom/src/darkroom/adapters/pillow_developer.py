"""Pictures made ready for players with Pillow, as cheaply as they stay honest; see bench/encode.py."""

import asyncio
import io
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import ExifTags, Image, UnidentifiedImageError

from darkroom.adapters import xmp
from darkroom.domain.errors import BadImage
from darkroom.ports import RawImage

MAX_PIXELS = 64_000_000
"""Four times 4K by 4K; more is an attack on memory, not a picture."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
"""What image models send. No other decoder is ever run on bytes from outside."""

REDUCING_GAP = 1.0
"""A picture twice too large, or more, is averaged to under twice its size before it is resized."""

SUBSAMPLING = "4:2:2"
"""Keeps coloured edges and lettering: better by 0.005 SSIM than 4:2:0, for a tenth more bytes."""

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before a pixel is decoded

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""


class PillowDeveloper:
    """See Developer: cropped to cover a square, as a progressive JPEG.

    In threads of its own, as many as there are processors: Pillow works without the interpreter's
    lock, and more threads would only compete.
    """

    def __init__(self, *, size: int, quality: int) -> None:
        self._size = size
        self._quality = quality
        self._pool = ThreadPoolExecutor(os.process_cpu_count() or 1, thread_name_prefix="developer")

    async def develop(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        """See Developer."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._develop, raw.data, xmp.packet(facts))

    def _develop(self, data: bytes, about: bytes) -> bytes:
        try:
            return self._encoded(data, about)
        except UnidentifiedImageError as error:
            raise BadImage("the picture is in no known format") from error
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            # Pillow raises these for truncated and malformed files, by format.
            raise BadImage(f"the picture cannot be decoded: {type(error).__name__}") from error

    def _encoded(self, data: bytes, about: bytes) -> bytes:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise BadImage(f"the picture is too large: {opened.width} x {opened.height}")
            orientation = opened.getexif().get(ExifTags.Base.Orientation)
            opened.draft(None, (self._size, self._size))  # JPEG only: decodes no more than is needed
            square = _rgb(self._square(_resizable(opened)))
        if orientation in _UPRIGHT:
            square = square.transpose(_UPRIGHT[orientation])
        square.info.clear()  # else the source's comment and profile would go with it
        target = io.BytesIO()
        square.save(
            target, "JPEG", quality=self._quality, subsampling=SUBSAMPLING, progressive=True, xmp=about
        )
        return target.getvalue()

    def _square(self, image: Image.Image) -> Image.Image:
        """The largest square in the middle, in the size of this deployment."""
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        return image.resize(
            (self._size, self._size),
            Image.Resampling.LANCZOS,
            box=(left, top, left + side, top + side),
            reducing_gap=REDUCING_GAP,
        )


def _resizable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels can be averaged."""
    if image.mode.startswith("I"):  # 16 bit a channel
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image


def _rgb(image: Image.Image) -> Image.Image:
    """What is transparent becomes white."""
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
