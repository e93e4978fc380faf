"""Pictures in many shapes, developed."""

import asyncio
import io
import zlib

import pytest
from darkroom.adapters.pillow_developer import PillowDeveloper
from darkroom.domain.errors import BadImage
from darkroom.ports import RawImage
from PIL import Image


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def developed(data: bytes, size: int = 512) -> Image.Image:
    developer = PillowDeveloper(size=size, quality=80)
    jpeg = asyncio.run(developer.develop(RawImage(data=data, mime="image/png", model="m")))
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def near(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    pixel = image.getpixel(at)
    assert isinstance(pixel, tuple)
    return all(abs(a - b) < 24 for a, b in zip(pixel, colour, strict=True))


def test_a_picture_becomes_a_square_progressive_jpeg() -> None:
    image = developed(encoded(Image.new("RGB", (1024, 1024), "red")))
    assert (image.format, image.size, image.mode) == ("JPEG", (512, 512), "RGB")
    assert image.info["progressive"]


def test_a_wide_picture_is_cropped_to_its_middle() -> None:
    wide = Image.new("RGB", (1600, 800), "red")
    wide.paste((0, 0, 255), (400, 0, 1200, 800))
    image = developed(encoded(wide))
    assert all(near(image, at, (0, 0, 255)) for at in ((4, 4), (507, 4), (4, 507), (507, 507)))


def test_a_small_picture_is_enlarged() -> None:
    assert developed(encoded(Image.new("RGB", (1, 1), "white"))).size == (512, 512)


def test_a_picture_lying_on_its_side_is_set_upright() -> None:
    image = Image.new("RGB", (64, 64), "red")
    image.paste((0, 0, 255), (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    upright = developed(encoded(image, "JPEG", exif=exif, quality=95))
    assert near(upright, (256, 40), (254, 0, 0))


def test_what_is_transparent_becomes_white() -> None:
    image = developed(encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0))))
    assert near(image, (256, 256), (255, 255, 255))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "RGB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    form = "TIFF" if mode == "CMYK" else "PNG"
    assert developed(encoded(Image.new(mode, (64, 64)), form)).mode == "RGB"


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF", "BMP"])
def test_other_formats_are_read(form: str) -> None:
    assert developed(encoded(Image.new("RGB", (64, 64), "red"), form)).size == (512, 512)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"\xff\xd8\xff",
        encoded(Image.effect_noise((256, 256), 50), "PNG")[:5000],
        encoded(Image.effect_noise((256, 256), 50), "JPEG")[:5000],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        developed(data)


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    header = (20_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    with pytest.raises(BadImage, match="20000 x 20000"):
        developed(data + (0).to_bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4))
