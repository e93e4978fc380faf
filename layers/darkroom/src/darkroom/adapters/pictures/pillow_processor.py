"""Pictures made ready for players with Pillow, as cheaply as they stay honest; see bench/images."""

import asyncio
import io
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import override

from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, UnidentifiedImageError

from darkroom.adapters.pictures import colours, picture_files, xmp
from darkroom.adapters.pictures.picture_files import PictureFile
from darkroom.domain.errors import BadImage
from darkroom.ports import ImageProcessor, RawImage

MAX_PIXELS = 64_000_000
"""Four times 4K by 4K; more is an attack on memory, not a picture. Decoders need up to ten bytes a pixel."""

FORMATS = {"JPEG": MAX_PIXELS, "PNG": MAX_PIXELS, "GIF": MAX_PIXELS, "WEBP": 40_000_000}
"""Formats that image models send → most pixels of a picture. No other decoder is ever run on foreign bytes.

Pillow holds a WebP four times while it decodes: sixteen bytes a pixel.
"""

MAX_SIDE = 4096
MAX_QUALITY = 100
_JPEG_BYTES_A_PIXEL = 4
"""Twice what random black, white and primary colours take at MAX_QUALITY; no picture says more."""

MISSING_SHARE = 1 / 16
"""Share of its rows that a JPEG may lack at its end."""
_BLOCK = 18
"""Rows that a JPEG lacks at least without its last byte: those of a block, and two smoothed with it."""
_FILLER = b"\x5a\xc3\x96\x3c" * 16
"""Bytes that a scan could hold, and that do not mean the grey that libjpeg puts where bytes are missing."""

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


class PillowProcessor(ImageProcessor):
    """See ImageProcessor: cropped to cover a square, as a progressive JPEG.

    One picture at a time, whoever calls: two large ones would not fit the worker's memory, and its one
    processor is no faster with two. So one thread is enough.
    """

    def __init__(self, *, size: int, quality: int) -> None:
        if not (1 <= size <= MAX_SIDE and 1 <= quality <= MAX_QUALITY):
            raise ValueError(
                f"a picture has 1 to {MAX_SIDE} pixels a side and a quality of 1 to {MAX_QUALITY}"
            )
        self._size = size
        self._quality = quality
        self._alone = threading.Lock()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="processor")
        # A progressive JPEG is encoded into a buffer for all of it; Pillow's guess is too small for grain.
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, _JPEG_BYTES_A_PIXEL * size * size)

    @override
    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._develop, raw.data, xmp.packet(facts))

    def _develop(self, data: bytes, about: bytes) -> bytes:
        with self._alone:
            try:
                square = self._decoded(data)
            except BadImage:
                raise
            except UnidentifiedImageError as error:
                raise BadImage("the picture is in no known format") from error
            except Exception as error:  # all that decoders raise, each its own, of bytes from outside
                raise BadImage(f"the picture cannot be decoded: {type(error).__name__}") from error
            return self._encoded(square, about)

    def _decoded(self, data: bytes) -> Image.Image:
        file = picture_files.reduced(data)
        with Image.open(io.BytesIO(file.data), formats=tuple(FORMATS)) as opened:
            assert opened.format is not None
            if opened.width * opened.height > FORMATS[opened.format]:
                raise BadImage(f"the picture is too large: {opened.width} x {opened.height}")
            exif = file.exif or opened.info.get("exif", b"")
            profile = file.profile or colours.of_png(file.chunks) or opened.info.get("icc_profile", b"")
            height = opened.height
            opened.draft(None, (self._size, self._size))  # JPEG only: decodes no more than is needed
            whole = _without_missing_rows(opened, file, height, self._size)
            square = _opaque(self._square(_resizable(whole)))
        square = colours.to_srgb(square, profile)
        if (turn := picture_files.orientation(exif)) in _UPRIGHT:
            square = square.transpose(_UPRIGHT[turn])
        return square

    def _encoded(self, square: Image.Image, about: bytes) -> bytes:
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


def _without_missing_rows(opened: Image.Image, file: PictureFile, height: int, size: int) -> Image.Image:
    """Return the rows of a JPEG that are there; raise BadImage when more are missing than may be.

    Rows are missing from where on the picture changes when other bytes are put in the place of what is
    missing. `height` is that of the file; what was opened may be smaller.
    """
    if file.broken_scans is None:
        return opened
    assert isinstance(opened, JpegImagePlugin.JpegImageFile)
    missing = picture_files.what_is_missing(file.broken_scans, opened.layers)
    there = opened.height
    if missing == "rows":
        filled = file.data.removesuffix(picture_files.JPEG_END) + _FILLER + picture_files.JPEG_END
        with Image.open(io.BytesIO(filled), formats=["JPEG"]) as other:
            other.draft(None, (size, size))
            changed = ImageChops.difference(opened, other).getbbox()
        there = changed[1] if changed else there
    if missing == "scans" or (opened.height - there) * height / opened.height > max(
        _BLOCK, MISSING_SHARE * height
    ):
        raise BadImage("the picture breaks off")
    return opened.crop((0, 0, opened.width, there))


def _resizable(image: Image.Image) -> Image.Image:
    """In a mode whose pixels can be averaged."""
    if image.mode.startswith("I"):  # 16 bit a channel
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("L", "RGB") and image.has_transparency_data:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """What is transparent becomes white."""
    if image.mode not in ("LA", "RGBA"):
        return image
    alpha, opaque = image.getchannel("A"), image.convert("L" if image.mode == "LA" else "RGB")
    return Image.composite(opaque, Image.new(opaque.mode, opaque.size, "white"), alpha)
