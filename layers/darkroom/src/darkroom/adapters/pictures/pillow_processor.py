"""Turn pictures into square progressive JPEGs with Pillow. bench/images measures what that costs."""

import asyncio
import io
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import override

from PIL import Image, ImageChops, ImageFile, JpegImagePlugin, UnidentifiedImageError

from darkroom.adapters.pictures import colours, picture_files, xmp
from darkroom.adapters.pictures.picture_files import PictureFile
from darkroom.domain.shot_errors import BadImage
from darkroom.ports import ImageProcessor, RawImage

MAX_PIXELS = 64_000_000
"""Four times 4K by 4K. More is an attack on the memory. Decoders need up to ten bytes a pixel."""

FORMATS = {"JPEG": MAX_PIXELS, "PNG": MAX_PIXELS, "GIF": MAX_PIXELS, "WEBP": 40_000_000}
"""Formats that image models send → most pixels of a picture. No other decoder is run on bytes from outside.

Pillow holds a WebP four times while it decodes it: sixteen bytes a pixel.
"""

MAX_SIDE = 4096
MAX_QUALITY = 100
_JPEG_BYTES_A_PIXEL = 4
"""Twice what random black, white and primary colours take at MAX_QUALITY. No picture takes more."""

MISSING_SHARE = 1 / 16
"""Share of its rows that a JPEG may lack at its end."""

_BLOCK = 18
"""Rows that a JPEG without its last byte lacks: those of a block, and two that are smoothed with it."""

_FILLER = b"\x5a\xc3\x96\x3c" * 16
"""Bytes of a scan whose pixels differ from the grey that libjpeg draws where bytes are missing."""

REDUCING_GAP = 1.0
"""A picture of twice the size, or more, is averaged to under twice the size before it is resized."""

SUBSAMPLING = "4:2:2"
"""Keeps coloured edges and lettering: 0.005 SSIM better than 4:2:0, with a tenth more bytes."""

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
"""EXIF orientation → the transposition that undoes it."""


class PillowProcessor(ImageProcessor):
    """Crop pictures to a square, and encode them as progressive JPEGs.

    One thread processes one picture at a time. Two large ones would not fit into the worker's memory, and its
    one processor would be no faster with two.
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
        # A progressive JPEG is encoded into one buffer. Pillow's guess of its size is too small for grain.
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, _JPEG_BYTES_A_PIXEL * size * size)

    @override
    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self.process_now, raw.data, xmp.packet(facts))

    def process_now(self, data: bytes, metadata: bytes) -> bytes:
        """Return the JPEG of the picture in `data`, with `metadata`, made in this thread."""
        with self._alone:
            try:
                square = self._decoded(data)
            except (BadImage, MemoryError):
                raise
            except UnidentifiedImageError as error:
                raise BadImage("the picture is in no known format") from error
            except Exception as error:  # each decoder raises its own errors
                raise BadImage(f"the picture cannot be decoded: {type(error).__name__}") from error
            return self._encoded(square, metadata)

    def _decoded(self, data: bytes) -> Image.Image:
        file = picture_files.reduced(data)
        with Image.open(io.BytesIO(file.data), formats=tuple(FORMATS)) as opened:
            assert opened.format is not None
            if opened.width * opened.height > FORMATS[opened.format]:
                raise BadImage(f"the picture is too large: {opened.width} x {opened.height}")
            exif = file.exif or opened.info.get("exif", b"")
            profile = file.profile or colours.of_png(file.chunks) or opened.info.get("icc_profile", b"")
            height = opened.height
            opened.draft(None, (self._size, self._size))  # only a JPEG: decode no more pixels than needed
            whole = _without_missing_rows(opened, file, height, self._size)
            square = _opaque(self._square(_resizable(whole)))
        square = colours.to_srgb(square, profile)
        if (turn := picture_files.orientation(exif)) in _UPRIGHT:
            square = square.transpose(_UPRIGHT[turn])
        return square

    def _encoded(self, square: Image.Image, metadata: bytes) -> bytes:
        square.info.clear()  # else the source's comment and profile would be stored with it
        target = io.BytesIO()
        square.save(
            target, "JPEG", quality=self._quality, subsampling=SUBSAMPLING, progressive=True, xmp=metadata
        )
        return target.getvalue()

    def _square(self, image: Image.Image) -> Image.Image:
        """Return the largest square in the middle, in the size of this deployment."""
        side = min(image.size)
        left = (image.width - side) / 2
        top = (image.height - side) / 2
        return image.resize(
            (self._size, self._size),
            Image.Resampling.LANCZOS,
            box=(left, top, left + side, top + side),
            reducing_gap=REDUCING_GAP,
        )


def _without_missing_rows(opened: Image.Image, file: PictureFile, height: int, size: int) -> Image.Image:
    """Return the rows that a JPEG which breaks off has; raise BadImage when too many are missing.

    To find the first missing row, decode the file with other bytes in place of the missing ones. From that
    row on the two pictures differ. `height` is that of the file; the opened picture may be smaller.
    """
    if file.broken_scans is None:
        return opened
    assert isinstance(opened, JpegImagePlugin.JpegImageFile)
    missing = picture_files.what_is_missing(file.broken_scans, opened.layers)
    rows = opened.height
    if missing == "rows":
        filled = file.data.removesuffix(picture_files.JPEG_END) + _FILLER + picture_files.JPEG_END
        with Image.open(io.BytesIO(filled), formats=["JPEG"]) as other:
            other.draft(None, (size, size))
            changed = ImageChops.difference(opened, other).getbbox()
        rows = changed[1] if changed else rows
    missing_rows = (opened.height - rows) * height / opened.height
    if missing == "scans" or missing_rows > max(_BLOCK, MISSING_SHARE * height):
        raise BadImage("the picture breaks off")
    return opened.crop((0, 0, opened.width, rows))


def _resizable(image: Image.Image) -> Image.Image:
    """Return `image` in a mode whose pixels can be averaged."""
    if image.mode.startswith("I"):  # 16 bit a channel
        return image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("1", "P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode in ("L", "RGB") and image.has_transparency_data:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image


def _opaque(image: Image.Image) -> Image.Image:
    """Return `image` on white where it is transparent."""
    if image.mode not in ("LA", "RGBA"):
        return image
    opaque = image.convert("L" if image.mode == "LA" else "RGB")
    white = Image.new(opaque.mode, opaque.size, "white")
    return Image.composite(opaque, white, image.getchannel("A"))
