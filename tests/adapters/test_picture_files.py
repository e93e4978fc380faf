"""Pictures with broken metadata, or without their last bytes, are processed."""

import zlib
from typing import Literal

import pytest
from darkroom.domain.shot_errors import BadImage
from PIL import Image, ImageFilter

from tests.adapters.pictures import (
    P3,
    chunk,
    encoded,
    near,
    pixel,
    processed,
    profile,
    with_chunks,
    with_segments,
)

JUNK = [
    b"",
    b"\0",
    b"\xff\xd9",
    b"garbage " * 3,
    b"Exif\0\0",
    b"JFIF\0",
    b"Adobe",
    b"MPF\0MM\0*\0\0\0\x08\xff\xff",
]
EXIFS = {
    "empty": b"",
    "no tiff": b"garbage-garbage",
    "no directory": b"MM\0*\0\0\0\x08",
    "offset beyond": b"MM\0*\xff\xff\xff\xf0",
    "cut entry": b"MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\0\0",
    "orientation as text": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04six\0\0\0\0\0",
    "orientation 9": b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\0\0\0\0",
    "resolution of nothing": b"MM\0*\0\0\0\x08\0\x02"
    b"\x01\x1a\0\x05\0\0\0\0\0\0\0\0\x01\x28\0\x03\0\0\0\x01\0\2\0\0\0\0\0\0",
    "directory in itself": b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
    "very many entries": b"II*\0\x08\0\0\0\xff\xff" + b"\x12\1\3\0" * 40,
}


@pytest.mark.parametrize("exif", EXIFS.values(), ids=EXIFS)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_broken_metadata_of_a_camera_is_removed(form: str, exif: bytes) -> None:
    data = encoded(Image.new("RGB", (64, 64), "red"), form, exif=b"Exif\0\0" + exif, quality=95)
    assert near(processed(data), (256, 256), (254, 0, 0))


@pytest.mark.parametrize("order", ["big", "little"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_read_from_every_format_that_has_one(
    form: str, order: Literal["big", "little"]
) -> None:
    def numbers(*sized: tuple[int, int]) -> bytes:
        return b"".join(number.to_bytes(size, order) for number, size in sized)

    head = (b"MM" if order == "big" else b"II") + numbers((42, 2), (8, 4))
    entries = numbers((2, 2), (0x0100, 2), (3, 2), (1, 4), (64, 2), (0, 2))
    turned = numbers((0x0112, 2), (3, 2), (1, 4), (3, 2), (0, 2), (0, 4))  # by 180 degrees
    image = Image.new("RGB", (64, 64), "red")
    image.paste((0, 0, 255), (0, 0, 64, 32))
    data = encoded(image, form, exif=b"Exif\0\0" + head + entries + turned, quality=95)
    assert near(processed(data), (256, 40), (254, 0, 0))


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize("marker", [0xE0, 0xE1, 0xE2, 0xED, 0xEE, 0xEF, 0xFE])
def test_a_broken_segment_of_a_jpeg_is_removed(marker: int, junk: bytes) -> None:
    sound = encoded(Image.new("RGB", (64, 64), "red"), "JPEG", quality=95)
    for starts in (b"", b"ICC_PROFILE\0", b"Photoshop 3.0\x008BIM", b"http://ns.adobe.com/xap/1.0/\0"):
        data = with_segments(sound, (marker, starts + junk), (marker, starts + junk + bytes(65_000)))
        assert near(processed(data), (256, 256), (254, 0, 0))


TEXTS = {
    "large": chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000),
    "large when inflated": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(5_000_000))),
    "a bomb": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(bytes(5_000_000))),
    "of the decoder's own names": b"".join(
        chunk(b"tEXt", name + b"\0nonsense")
        for name in (
            b"transparency",
            b"bbox",
            b"interlace",
            b"exif",
            b"icc_profile",
            b"Raw profile type exif",
        )
    ),
    "profile that inflates": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(5_000_000))),
    "broken profile": chunk(b"iCCP", b"p\0\0garbage"),
    "profile without an end of its name": chunk(b"iCCP", b"p"),
    "other compression": chunk(b"iCCP", b"p\0\7" + zlib.compress(b"x")),
    "cut chunks": b"".join(
        chunk(name, b"\0")
        for name in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tRNS", b"pHYs", b"acTL", b"fcTL", b"eXIf")
    ),
    "empty chunks": b"".join(
        chunk(name, b"")
        for name in (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"tRNS", b"iCCP", b"tEXt", b"iTXt", b"zTXt")
    ),
    "wrong checksums": b"".join(
        chunk(name, body)[:-1] + b"?"
        for name, body in (
            (b"tEXt", b"Comment\0x"),
            (b"tRNS", b"\0\xff\0\0\0\0"),
            (b"gAMA", (100_000).to_bytes(4)),
            (b"iCCP", b"p\0\0" + zlib.compress(profile(P3))),
        )
    ),
    "an unknown chunk": chunk(b"xyZw", bytes(1000)),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("at_end", [False, True])
def test_broken_chunks_beside_the_pixels_of_a_png_are_removed(text: bytes, at_end: bool) -> None:
    data = with_chunks(encoded(Image.new("RGB", (64, 64), "red")), text, at_end=at_end)
    assert near(processed(data), (256, 256), (254, 0, 0))


@pytest.mark.parametrize("lost", [4, 12, 16])
def test_a_png_that_has_all_its_pixels_needs_no_end(lost: int) -> None:
    assert near(processed(encoded(Image.new("RGB", (64, 64), "red"))[:-lost]), (256, 256), (254, 0, 0))


def a_landscape(mode: str = "RGB") -> Image.Image:
    """Return grain over a slope of blue that ends in a bright ground, so that no row is grey by chance."""
    grain = Image.effect_noise((640, 640), 90).filter(ImageFilter.GaussianBlur(1))
    slope = Image.linear_gradient("L").resize((640, 640))
    return Image.merge("RGB", [slope, grain, slope.transpose(Image.Transpose.ROTATE_180)]).convert(mode)


BASELINE, PROGRESSIVE = {"progressive": False}, {"progressive": True}


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [BASELINE, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize(("share", "filled"), [(0.0, 0), (0.001, 0), (0.02, 0), (0.02, 7000), (0.04, 0)])
def test_a_jpeg_without_its_last_bytes_is_taken_without_its_last_rows(
    mode: str, options: dict[str, object], share: float, filled: int
) -> None:
    data = encoded(a_landscape(mode), "JPEG", quality=90, **options)
    lost = 2 + int(len(data) * share)
    image, whole = (processed(each, quality=95) for each in (data[:-lost] + bytes(filled), data))
    for at in ((256, 5), (5, 250), (507, 490), (5, 509), (507, 509)):
        area = (at[0] - 4, at[1] - 4, at[0] + 4, at[1] + 2)
        ours, theirs = (each.crop(area).resize((1, 1), Image.Resampling.BOX) for each in (image, whole))
        expected = theirs.getpixel((0, 0))
        assert isinstance(expected, tuple)
        assert near(ours, (0, 0), expected, within=60)


@pytest.mark.parametrize("options", [BASELINE, PROGRESSIVE])
@pytest.mark.parametrize("colour", [(254, 0, 0), (128, 128, 128), (0, 0, 0)])
@pytest.mark.parametrize("lost", [1, 2, 3, 5, 8, 12, 16, 20])
def test_a_plain_jpeg_without_its_last_bytes_is_taken(
    lost: int, colour: tuple[int, int, int], options: dict[str, object]
) -> None:
    """The file may break off in a scan, a table or a header, and have any colour there."""
    data = encoded(Image.new("RGB", (512, 512), colour), "JPEG", quality=90, **options)
    image = processed(data[:-lost], 64)
    assert all(near(image, at, colour) for at in ((2, 2), (32, 32), (61, 61)))


@pytest.mark.parametrize("lost", range(2, 60, 3))
def test_a_jpeg_that_breaks_off_at_any_byte_is_a_picture_or_a_bad_image(lost: int) -> None:
    data = encoded(a_landscape().resize((48, 48)), "JPEG", quality=60, progressive=True)
    try:
        image = processed(data[: -len(data) * lost // 61], 64)
    except BadImage:
        return
    whole = processed(data, 64)
    assert all(near(image, at, pixel(whole, at), within=70) for at in ((8, 8), (32, 32), (56, 8)))


@pytest.mark.parametrize("options", [BASELINE, PROGRESSIVE])
@pytest.mark.parametrize("filled", [0, 400_000])
@pytest.mark.parametrize("share", [0.6, 0.8, 0.97])
def test_a_jpeg_of_which_much_is_missing_is_refused(
    options: dict[str, object], filled: int, share: float
) -> None:
    data = encoded(a_landscape(), "JPEG", quality=90, **options)
    with pytest.raises(BadImage, match="breaks off"):
        processed(data[: -int(len(data) * share)] + bytes(filled))


@pytest.mark.parametrize("end", [b"", b"\xff\xd9"])
def test_a_jpeg_that_would_keep_the_decoder_busy_is_refused(end: bytes) -> None:
    data = encoded(a_landscape(), "JPEG", quality=90, **PROGRESSIVE)[:-2]
    last_scan = data[data.rindex(b"\xff\xda") :]
    with pytest.raises(BadImage, match="too many scans"):
        processed(data + last_scan * 200 + end)
    assert near(processed(data + b"\xff\xd9" + last_scan * 200), (5, 505), pixel(processed(data), (5, 505)))


def test_a_progressive_jpeg_without_its_last_bytes_lacks_no_row() -> None:
    data = encoded(a_landscape(), "JPEG", quality=90, progressive=True)
    image, whole = (processed(each, quality=95) for each in (data[: -len(data) // 20], data))
    for at in ((256, 5), (5, 505), (505, 505), (256, 256)):
        expected = whole.getpixel(at)
        assert isinstance(expected, tuple)
        assert near(image, at, expected, within=30)
