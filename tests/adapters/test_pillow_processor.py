"""The processing of pictures of many formats, modes and sizes."""

import io
import random
import zlib
from xml.etree import ElementTree as ET

import pytest
from darkroom.adapters.pictures.pillow_processor import (
    FORMATS,
    MAX_PIXELS,
    MAX_QUALITY,
    MAX_SIDE,
    PillowProcessor,
)
from darkroom.adapters.pictures.xmp import AI_MADE
from darkroom.domain.shot_errors import BadImage
from PIL import Image

from tests.adapters.pictures import FACTS, encoded, jpeg_of, near, processed


def test_a_picture_becomes_a_square_progressive_jpeg() -> None:
    image = processed(encoded(Image.new("RGB", (1024, 1024), "red")))
    assert (image.format, image.size, image.mode) == ("JPEG", (512, 512), "RGB")
    assert image.info["progressive"]


def test_a_wide_picture_is_cropped_to_its_middle() -> None:
    wide = Image.new("RGB", (1600, 800), "red")
    wide.paste((0, 0, 255), (400, 0, 1200, 800))
    image = processed(encoded(wide))
    assert all(near(image, at, (0, 0, 255)) for at in ((4, 4), (507, 4), (4, 507), (507, 507)))


def test_a_small_picture_is_enlarged() -> None:
    assert processed(encoded(Image.new("RGB", (1, 1), "white"))).size == (512, 512)


def test_a_picture_lying_on_its_side_is_set_upright() -> None:
    image = Image.new("RGB", (64, 64), "red")
    image.paste((0, 0, 255), (0, 0, 64, 32))
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    upright = processed(encoded(image, "JPEG", exif=exif, quality=95))
    assert near(upright, (256, 40), (254, 0, 0))


def test_what_is_transparent_becomes_white() -> None:
    image = processed(encoded(Image.new("RGBA", (64, 64), (0, 0, 0, 0))))
    assert near(image, (256, 256), (255, 255, 255))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16", "RGB"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    assert processed(encoded(Image.new(mode, (64, 64)), form)).mode == "RGB"


def test_sixteen_bits_keep_their_brightness() -> None:
    grey = processed(encoded(Image.new("I;16", (64, 64), 0x8000)))
    assert near(grey, (256, 256), (128, 128, 128))


def test_colours_for_print_become_colours_for_screens() -> None:
    cyan = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    assert near(processed(encoded(cyan, "JPEG", quality=95)), (256, 256), (0, 255, 255))


def test_a_palette_with_a_transparent_colour_becomes_white_there() -> None:
    image = Image.new("P", (64, 64), 1)
    image.putpalette([255, 0, 0, 0, 0, 255])
    assert near(processed(encoded(image, "PNG", transparency=1)), (256, 256), (255, 255, 255))
    assert near(processed(encoded(image, "PNG")), (256, 256), (0, 0, 255))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_is_used(form: str) -> None:
    first, second = Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64), "blue")
    moving = encoded(first, form, save_all=True, append_images=[second], duration=100)
    assert near(processed(moving), (256, 256), (255, 0, 0))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(64, 64), (96, 64), (2048, 1536)])
def test_every_orientation_is_set_upright(orientation: int, size: tuple[int, int]) -> None:
    upright = Image.new("RGB", size, "red")
    upright.paste((0, 0, 255), (0, 0, size[0], size[1] // 2))
    upright.paste((0, 255, 0), (0, 0, size[0] // 2, size[1] // 2))
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # the transposition that makes each orientation
    stored = upright.transpose(Image.Transpose(undone[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = processed(encoded(stored, "JPEG", exif=exif, quality=95))
    assert near(image, (100, 100), (0, 255, 0))
    assert near(image, (400, 100), (0, 0, 255))
    assert near(image, (100, 400), (254, 0, 0))


def test_the_metadata_names_shot_and_model_and_nothing_of_the_source() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken by Jane"
    exif[0x8825] = {1: "N"}
    source = encoded(Image.new("RGB", (64, 64)), "JPEG", exif=exif, comment=b"Jane", xmp=b"<Jane/>")
    jpeg = jpeg_of(source)
    image = Image.open(io.BytesIO(jpeg))
    assert (dict(image.getexif()), b"Jane" in jpeg) == ({}, False)
    about = ET.fromstring(image.info["xmp"])
    facts = {e.tag.partition("}")[2]: e.text for e in about.iter() if e.text}
    assert facts == {
        "identifier": "case-1/evidence-1",
        "CreatorTool": "a <model> &  two 🔑",
        "DigitalSourceType": AI_MADE,
    }


@pytest.mark.parametrize(
    "text", ["&🔑" * 60_000, "half an emoji \ud83d", "\x00\x1b\ufffe\uffff]]>", "図像-२", ""]
)
def test_text_of_any_kind_and_length_fits_into_a_picture(text: str) -> None:
    jpeg = jpeg_of(encoded(Image.new("RGB", (64, 64))), facts=dict.fromkeys(FACTS, text))
    image = Image.open(io.BytesIO(jpeg))
    assert image.size == (512, 512)
    ET.fromstring(image.info["xmp"])


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "GIF"])
def test_other_formats_are_read(form: str) -> None:
    assert processed(encoded(Image.new("RGB", (64, 64), "red"), form)).size == (512, 512)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a picture",
        b"\xff\xd8\xff",
        encoded(Image.effect_noise((256, 256), 50), "PNG")[:5000],
        encoded(Image.effect_noise((256, 256), 50), "JPEG")[:5000],
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        encoded(Image.new("RGB", (64, 64)), "BMP"),  # no image model sends it
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadImage):
        processed(data)


def test_a_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    header = (20_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    with pytest.raises(BadImage, match="20000 x 20000"):
        processed(data + (0).to_bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4))


def test_a_picture_too_large_for_its_format_is_refused_before_it_is_decoded() -> None:
    side = 1 + int(FORMATS["WEBP"] ** 0.5)
    assert side * side < MAX_PIXELS
    with pytest.raises(BadImage, match=f"too large: {side} x {side}"):
        processed(encoded(Image.new("RGB", (side, side)), "WEBP", method=0))


@pytest.mark.parametrize("levels", [bytes([0, 255]), bytes(range(256))], ids=["primary", "all"])
@pytest.mark.parametrize("size", [1, 7, 64, 160, 512, 1024])
def test_the_largest_jpeg_fits_the_encoders_buffer(size: int, levels: bytes) -> None:
    grain = bytes(random.Random(size).choices(levels, k=size * size * 3))
    facts = dict.fromkeys(FACTS, "&" * 9000)
    data = encoded(Image.frombytes("RGB", (size, size), grain))
    for quality in (94, MAX_QUALITY):  # Pillow's own guess doubles at 95
        assert Image.open(io.BytesIO(jpeg_of(data, size, facts, quality))).size == (size, size)


def test_an_error_of_the_encoder_is_not_a_bad_image() -> None:
    processor = PillowProcessor(size=64, quality=80)
    with pytest.raises(ValueError, match="XMP"):
        processor.process_now(encoded(Image.new("RGB", (64, 64))), b"x" * 70_000)


@pytest.mark.parametrize(("size", "quality"), [(0, 80), (MAX_SIDE + 1, 80), (512, 0), (512, MAX_QUALITY + 1)])
def test_sizes_and_qualities_that_no_jpeg_has_are_refused(size: int, quality: int) -> None:
    with pytest.raises(
        ValueError, match=f"1 to {MAX_SIDE} pixels a side and a quality of 1 to {MAX_QUALITY}"
    ):
        PillowProcessor(size=size, quality=quality)
