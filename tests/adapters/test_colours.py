"""Pictures in other colours than sRGB look the same afterwards."""

import io
import random
import struct
import tracemalloc
import zlib

import pytest
from darkroom.adapters.pictures import colours
from PIL import Image, ImageCms

from tests.adapters.pictures import (
    ADOBE,
    P3,
    PROPHOTO,
    SRGB,
    chunk,
    encoded,
    ink_profile,
    pixel,
    processed,
    profile,
    with_chunks,
    with_segments,
)

RED, SKIN, GREY = (220, 40, 30), (222, 170, 140), (128, 128, 128)
PROFILES = {
    "Display P3": profile(P3),
    "Adobe RGB": profile(ADOBE),
    "ProPhoto": profile(PROPHOTO, 1.8),
    "linear": profile(SRGB, 1.0),
}
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
CENTRE = (32, 32)


def plain(colour: tuple[int, ...], mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (64, 64), colour if len(colour) > 1 else colour[0])


def shown(data: bytes) -> tuple[int, ...]:
    """Return the colour in the middle of the processed picture; check that it has no profile."""
    image = processed(data, 64, quality=95)
    assert "icc_profile" not in image.info, "what has no profile is sRGB"
    return pixel(image, CENTRE)


def alike(one: tuple[int, ...], other: tuple[int, ...], within: int = 4) -> bool:
    return all(abs(a - b) <= within for a, b in zip(one, other, strict=True))


def by_the_library(image: Image.Image, given: bytes) -> tuple[int, ...]:
    source = ImageCms.ImageCmsProfile(io.BytesIO(given))
    made = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert made is not None
    return pixel(made, CENTRE)


@pytest.mark.parametrize("colour", [RED, SKIN, GREY])
@pytest.mark.parametrize("given", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})]
)
def test_a_picture_with_a_profile_is_shown_in_its_colours(
    form: str, options: dict[str, object], given: bytes, colour: tuple[int, ...]
) -> None:
    data = encoded(plain(colour), form, icc_profile=given, **options)
    assert alike(shown(data), by_the_library(plain(colour), given), within=6)


def test_the_reddest_colour_of_display_p3_has_its_published_value() -> None:
    assert alike(shown(encoded(plain((220, 40, 30)), icc_profile=profile(P3))), (241, 0, 0))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_in_srgb_stays_as_it_is(form: str) -> None:
    image = plain(SKIN)
    with_it, without = (shown(encoded(image, form, **o)) for o in ({"icc_profile": SRGB_PROFILE}, {}))
    assert with_it == without


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "L", "1", "I;16"])
@pytest.mark.parametrize("given", [profile(P3), SRGB_PROFILE])
def test_pictures_of_every_mode_have_profiles(mode: str, given: bytes) -> None:
    image = plain(SKIN) if mode in ("RGBA", "P") else plain(GREY)
    if mode == "I;16":
        image = Image.new(mode, (64, 64), 0x8080)
    elif mode == "P":
        image = image.quantize(4)
    else:
        image = image.convert(mode)
    expected = by_the_library(image.convert("RGB"), given) if mode not in ("1", "I;16") else None
    made = shown(encoded(image, icc_profile=given))
    assert alike(made, expected) if expected else max(made) - min(made) <= 2


def test_transparent_pixels_become_white_in_other_colours_too() -> None:
    clear = plain((*RED, 0), "RGBA")
    assert alike(shown(encoded(clear, icc_profile=profile(P3))), (255, 255, 255))


@pytest.mark.parametrize(("mode", "level"), [("L", (128,)), ("LA", (128, 255))])
def test_greys_have_profiles_of_their_own(mode: str, level: tuple[int, ...]) -> None:
    linear = profile(gamma=1.0, space=b"GRAY")
    assert alike(shown(encoded(plain(level, mode), icc_profile=linear)), (188, 188, 188))


@pytest.mark.parametrize("ink", [(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 0, 0), (0, 0, 0, 255)])
def test_inks_are_shown_as_their_printer_prints_them(ink: tuple[int, ...]) -> None:
    image = plain(ink, "CMYK")
    data = encoded(image, "JPEG", quality=95, icc_profile=ink_profile())
    assert alike(shown(data), by_the_library(image, ink_profile()), within=6)
    assert not alike(
        shown(encoded(plain((255, 0, 0, 0), "CMYK"), "JPEG")), by_the_library(image, ink_profile())
    )


def test_inverted_inks_of_adobe_are_read() -> None:
    """libjpeg needs Adobe's segment to know how four components are stored."""
    cmyk = encoded(plain((0, 255, 255, 0), "CMYK"), "JPEG", quality=95)
    at = cmyk.index(b"Adobe") + 11
    assert cmyk[at] == 0, "CMYK"
    ycck = cmyk[:at] + b"\2" + cmyk[at + 1 :]
    assert alike(shown(cmyk), (255, 0, 0), within=8)
    with Image.open(io.BytesIO(ycck)) as image:
        assert alike(shown(ycck), pixel(image.convert("RGB"), CENTRE), within=8)
    assert not alike(shown(ycck), shown(cmyk), within=60)


ZEROS = ((0.0, 0.0, 0.0),) * 3
NONSENSE = {
    "empty": b"",
    "text": b"this is no profile",
    "zeros": bytes(5000),
    "cut": profile(P3)[:300],
    "only a header": profile(P3)[:128],
    "everything black": profile(ZEROS),
    "everything white": profile(SRGB, 0.0),
    "negative": profile(tuple(tuple(-x for x in point) for point in SRGB)),
    "of a link between devices": profile(P3, kind=b"link"),
    "of named colours": profile(P3, kind=b"nmcl"),
    "of another space": profile(P3, space=b"Lab "),
    "of a space of fifteen colours": profile(P3, space=b"FCLR"),
    "of greys": profile(gamma=1.0, space=b"GRAY"),
    "of inks": ink_profile(),
    "too large": profile(P3) + bytes(colours.MAX_PROFILE_BYTES),
}


@pytest.mark.parametrize("given", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_an_absurd_profile_is_ignored(form: str, given: bytes) -> None:
    data = encoded(plain(SKIN), form, **({"icc_profile": given} if given else {}))
    assert alike(shown(data), SKIN, within=6)


@pytest.mark.parametrize("given", [profile(P3), profile(gamma=1.0, space=b"GRAY"), b"none"])
def test_inks_with_a_profile_of_another_kind_are_shown_as_without_a_profile(given: bytes) -> None:
    image = plain((255, 0, 0, 0), "CMYK")
    assert alike(shown(encoded(image, "JPEG", quality=95, icc_profile=given)), (0, 255, 255), within=8)


def test_a_profile_in_several_segments_is_put_together_whatever_their_order() -> None:
    given, sound = profile(P3), encoded(plain(RED), "JPEG", quality=95)
    parts = [
        (0xE2, b"ICC_PROFILE\0" + bytes([n, 2]) + part) for n, part in ((1, given[:200]), (2, given[200:]))
    ]
    for segments in (parts, parts[::-1]):
        assert alike(shown(with_segments(sound, *segments)), (241, 0, 0), within=6)
    for segments in (parts[:1], [*parts, parts[0]], [(0xE2, b"ICC_PROFILE\0\1")]):
        assert alike(shown(with_segments(sound, *segments)), RED, within=6)


def test_no_damage_to_a_profile_reaches_the_picture() -> None:
    dice = random.Random(7)
    for sound in (profile(P3), profile(gamma=1.0, space=b"GRAY"), ink_profile()):
        for _ in range(50):
            broken = bytearray(sound)
            for _ in range(dice.choice([1, 3, 30])):
                broken[dice.randrange(len(broken))] = dice.randrange(256)
            cut = broken[: dice.randrange(1, len(broken))]
            for mode in ("RGB", "L", "CMYK"):
                made = [colours.to_srgb(Image.new(mode, (2, 2)), bytes(each)) for each in (broken, cut)]
                assert [image.mode for image in made] == ["RGB", "RGB"]


def test_a_profile_that_inflates_without_end_is_stopped_while_it_inflates() -> None:
    bomb = {b"iCCP": b"name\0\0" + zlib.compress(bytes(64_000_000), 1)}
    tracemalloc.start()
    try:
        assert colours.of_png(bomb) == b""
        assert tracemalloc.get_traced_memory()[1] < 4 * colours.MAX_PROFILE_BYTES
    finally:
        tracemalloc.stop()


def points(*coordinates: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * n) for n in coordinates)))


D65 = (0.3127, 0.3290)
CHRM_P3 = points(*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
CHRM_ADOBE = points(*D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
CHRM_SRGB = points(*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
CHRM_PROPHOTO = points(0.3457, 0.3585, 0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001)


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 * value)))


def cicp(*codes: int) -> bytes:
    return chunk(b"cICP", bytes(codes))


def iccp(given: bytes) -> bytes:
    return chunk(b"iCCP", b"name\0\0" + zlib.compress(given))


CHUNKS = {
    "P3 by its primaries": ([CHRM_P3, gamma(1 / 2.2)], profile(P3)),
    "Adobe by its primaries": ([CHRM_ADOBE, gamma(1 / 2.2)], profile(ADOBE)),
    "another white": ([CHRM_PROPHOTO, gamma(1 / 1.8)], profile(PROPHOTO, 1.8)),
    "primaries alone": ([CHRM_P3], profile(P3)),
    "linear": ([gamma(1.0)], profile(SRGB, 1.0)),
    "dark": ([gamma(1 / 1.8)], profile(SRGB, 1.8)),
    "sRGB by its primaries": ([CHRM_SRGB, gamma(0.45455)], None),
    "sRGB outranks primaries": ([chunk(b"sRGB", b"\0"), CHRM_P3, gamma(1.0)], None),
    "a profile outranks sRGB": ([chunk(b"sRGB", b"\0"), iccp(profile(ADOBE))], profile(ADOBE)),
    "P3 by its number": ([cicp(12, 13, 0, 1)], profile(P3)),
    "a number outranks a profile": ([cicp(12, 13, 0, 1), iccp(profile(SRGB, 1.0))], profile(P3)),
    "sRGB by its number": ([cicp(1, 13, 0, 1), CHRM_P3], None),
    "brighter than a screen": ([cicp(9, 16, 0, 1), iccp(profile(P3))], profile(P3)),
    "a number of no colours": ([cicp(250, 250, 0, 1)], None),
    "not from black to white": ([cicp(12, 13, 0, 0)], None),
    "no white": ([points(*[0.0] * 8), gamma(1.0)], None),
    "one point": ([points(*[0.3] * 8)], None),
    "no curve": ([gamma(0)], None),
    "a steep curve": ([gamma(0.00001)], None),
    "the steepest curve": ([gamma(40_000)], None),
}


@pytest.mark.parametrize(("chunks", "meant"), CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("colour", [RED, SKIN, GREY])
def test_a_png_may_say_its_colours_in_chunks(
    colour: tuple[int, ...], chunks: list[bytes], meant: bytes | None
) -> None:
    made = shown(with_chunks(encoded(plain(colour)), *chunks))
    assert alike(made, by_the_library(plain(colour), meant) if meant else colour, within=6)
