"""Pictures made ready for players with Pillow."""

import asyncio
import io
from collections.abc import Mapping

from PIL import Image, ImageOps, UnidentifiedImageError

from darkroom.domain.errors import BadImage
from darkroom.ports import RawImage

MAX_PIXELS = 64_000_000
"""Four times 4K by 4K; more is an attack on memory, not a picture."""

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before a pixel is decoded


class PillowDeveloper:
    """See Developer: cropped to cover a square, as a progressive JPEG, in a thread of its own."""

    def __init__(self, *, size: int, quality: int) -> None:
        self._size = size
        self._quality = quality

    async def develop(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        """See Developer."""
        return await asyncio.to_thread(self._develop, raw.data)

    def _develop(self, data: bytes) -> bytes:
        try:
            return self._encoded(data)
        except UnidentifiedImageError as error:
            raise BadImage("the picture is in no known format") from error
        except (OSError, SyntaxError, ValueError) as error:
            # Pillow raises these for truncated and malformed files, by format.
            raise BadImage(f"the picture cannot be decoded: {type(error).__name__}") from error

    def _encoded(self, data: bytes) -> bytes:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise BadImage(f"the picture is too large: {opened.width} x {opened.height}")
            upright = ImageOps.exif_transpose(opened)
            square = ImageOps.fit(_rgb(upright), (self._size, self._size), Image.Resampling.LANCZOS)
        target = io.BytesIO()
        square.save(target, "JPEG", quality=self._quality, progressive=True, optimize=True)
        return target.getvalue()


def _rgb(image: Image.Image) -> Image.Image:
    """What is transparent becomes white."""
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")
