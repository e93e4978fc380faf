"""Draw the pictures of the fake Gemini: recognisable, labelled, and clearly not photographs."""

import io
import math
import random
from collections.abc import Callable
from functools import cache

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

SIZE = 1024
type Point = tuple[float, float]
INK = (38, 36, 34)


def draw(kind: str, name: str) -> bytes:
    """Return a JPEG of `kind` (evidence or location) with `name` on it; the same JPEG for the same name."""
    dice = random.Random(f"{kind}|{name}")
    picture = _evidence(name, dice) if kind == "evidence" else _location(name, dice)
    grained = ImageChops.overlay(picture, _grain())
    target = io.BytesIO()
    grained.save(target, "JPEG", quality=90)
    return target.getvalue()


@cache
def large_picture() -> bytes:
    """Return a PNG that is small as a file and takes 250 MB in memory."""
    with io.BytesIO() as file:
        Image.new("RGB", (7_900, 7_900), "grey").save(file, "PNG")
        return file.getvalue()


def _evidence(name: str, dice: random.Random) -> Image.Image:
    tone = dice.choice([(206, 203, 196), (198, 203, 205), (205, 199, 190)])
    picture = ImageChops.multiply(Image.new("RGB", (SIZE, SIZE), tone), _vignette().convert("RGB"))
    card = _card(name, dice)
    turned = card.rotate(dice.uniform(-5, 5), Image.Resampling.BICUBIC, expand=True)
    at = ((SIZE - turned.width) // 2, (SIZE - turned.height) // 2 - 30)
    shadow = Image.new("L", (SIZE, SIZE), 0)
    shadow.paste(turned.getchannel("A").point(lambda a: a * 0.55), (at[0] + 14, at[1] + 20))
    picture.paste((30, 28, 26), mask=shadow.filter(ImageFilter.BoxBlur(14)))
    picture.paste(turned, at, turned)
    _ruler(ImageDraw.Draw(picture))
    _marker(ImageDraw.Draw(picture), str(dice.randint(1, 40)))
    _stamp(picture, (110, 30, 24))
    return picture


def _card(name: str, dice: random.Random) -> Image.Image:
    card = Image.new("RGBA", (640, 720), (247, 243, 232, 255))
    pen = ImageDraw.Draw(card)
    pen.rectangle((0, 0, 639, 719), outline=(120, 110, 96), width=3)
    pen.rectangle((40, 40, 600, 560), fill=(224, 219, 206), outline=(150, 140, 124), width=2)
    named = set(name.lower().split())
    icon = next((draw for words, draw in OBJECTS if named & words), _tag)
    icon(pen, dice.choice([(64, 70, 82), (92, 62, 48), (58, 78, 66), (96, 40, 42)]))
    pen.text((44, 574), "EVIDENCE", (150, 52, 40), _font(26))
    _label(pen, name, (44, 608), 552, INK, 46)
    return card


def _letter(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    torn = [(170, 120), (450, 110), (470, 300), (440, 330), (462, 370), (430, 410), (455, 480)]
    pen.polygon([*torn, (300, 470), (255, 495), (160, 480)], fill=(250, 246, 232), outline=ink)
    for y in range(170, 440, 34):
        pen.line([(205, y), (205 + 200 - y % 70, y - 3)], fill=ink, width=5)


def _blade(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.polygon([(150, 470), (400, 200), (440, 232), (190, 500)], fill=(196, 200, 206), outline=ink)
    pen.line([(380, 180), (460, 260)], fill=ink, width=22)
    pen.line([(425, 215), (510, 125)], fill=ink, width=40)


def _bottle(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rounded_rectangle((225, 250, 415, 520), 34, fill=ink)
    pen.rectangle((285, 130, 355, 260), fill=ink)
    pen.rectangle((275, 90, 365, 135), fill=(160, 120, 80))
    pen.rectangle((245, 330, 395, 440), fill=(240, 234, 214))
    pen.text((262, 352), "POISON", (120, 30, 30), _font(34))


def _key(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.ellipse((130, 190, 290, 350), outline=ink, width=34)
    pen.line([(280, 290), (510, 420)], fill=ink, width=30)
    pen.line([(455, 390), (425, 450)], fill=ink, width=24)
    pen.line([(500, 415), (470, 478)], fill=ink, width=24)


def _watch(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rectangle((290, 70, 350, 140), fill=ink)
    pen.ellipse((160, 130, 480, 450), fill=(238, 232, 216), outline=ink, width=22)
    for hour in range(12):
        turn = hour * math.pi / 6
        x, y = 320 + 118 * math.sin(turn), 290 - 118 * math.cos(turn)
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), fill=ink)
    pen.line([(320, 290), (320, 190)], fill=ink, width=10)
    pen.line([(320, 290), (388, 322)], fill=ink, width=12)
    pen.line([(250, 180), (350, 300), (300, 330), (390, 420)], fill=(250, 250, 246), width=4)


def _book(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rounded_rectangle((180, 110, 460, 490), 12, fill=ink)
    pen.rectangle((200, 110, 212, 490), fill=(20, 20, 20))
    pen.rectangle((250, 180, 420, 250), outline=(226, 200, 130), width=5)
    pen.line([(262, 215), (408, 215)], fill=(226, 200, 130), width=5)


def _glass(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.polygon([(210, 120), (430, 120), (380, 320), (260, 320)], outline=ink, width=10)
    pen.polygon([(228, 190), (412, 190), (376, 314), (264, 314)], fill=(140, 40, 44))
    pen.line([(320, 320), (320, 450)], fill=ink, width=14)
    pen.ellipse((230, 440, 410, 480), fill=ink)
    pen.ellipse((340, 96, 410, 132), fill=(190, 60, 70))


def _cloth(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rounded_rectangle((230, 270, 420, 500), 50, fill=ink)
    for index, (x, top) in enumerate([(232, 150), (280, 110), (328, 116), (376, 150)]):
        pen.rounded_rectangle((x, top, x + 42, 330), 20, fill=ink, outline=(220, 215, 200))
        pen.line([(x + 21, 300), (x + 21, 320 + index)], fill=(220, 215, 200), width=3)
    pen.line([(235, 400), (165, 310)], fill=ink, width=46)


def _photo(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rectangle((150, 110, 490, 490), fill=(250, 248, 240), outline=ink, width=4)
    pen.rectangle((176, 136, 464, 410), fill=(84, 84, 86))
    for x, head in ((255, 220), (380, 235)):
        pen.ellipse((x - 36, head - 40, x + 36, head + 40), fill=(190, 188, 182))
        pen.pieslice((x - 78, head + 30, x + 78, head + 240), 180, 360, fill=(150, 148, 144))
    pen.rectangle((176, 410, 464, 480), fill=(250, 248, 240))
    pen.line([(345, 180), (415, 300)], fill=(160, 30, 30), width=10)
    pen.line([(415, 180), (345, 300)], fill=(160, 30, 30), width=10)


def _gun(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.polygon([(130, 200), (500, 200), (500, 262), (330, 262), (300, 300), (130, 262)], fill=ink)
    pen.polygon([(380, 250), (490, 250), (530, 460), (430, 470)], fill=ink)
    pen.arc((290, 240, 390, 340), 0, 180, fill=ink, width=12)
    pen.ellipse((320, 180, 400, 270), outline=(200, 198, 190), width=5)


def _flame(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.rectangle((280, 220, 360, 470), fill=(244, 236, 212), outline=ink, width=4)
    pen.ellipse((300, 110, 340, 220), fill=(224, 158, 58))
    pen.line([(320, 190), (320, 225)], fill=ink, width=6)
    pen.ellipse((200, 450, 440, 500), fill=ink)


def _rope(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    for turn in range(4):
        pen.ellipse(
            (150 + 26 * turn, 150 + 22 * turn, 490 - 26 * turn, 450 - 22 * turn), outline=ink, width=15
        )
    pen.line([(440, 400), (530, 500)], fill=ink, width=15)


def _tag(pen: ImageDraw.ImageDraw, ink: tuple[int, int, int]) -> None:
    pen.polygon([(170, 300), (270, 170), (480, 170), (480, 430), (270, 430)], fill=ink)
    pen.ellipse((228, 284, 260, 316), fill=(224, 219, 206))
    pen.text((335, 210), "?", (240, 234, 214), _font(150))


type _Draw = Callable[[ImageDraw.ImageDraw, tuple[int, int, int]], None]
OBJECTS: list[tuple[set[str], _Draw]] = [
    ({"knife", "dagger", "opener", "blade", "razor"}, _blade),
    ({"letter", "note", "will", "telegram", "ticket", "receipt", "map"}, _letter),
    ({"bottle", "vial", "poison", "flask", "tonic"}, _bottle),
    ({"key", "keys"}, _key),
    ({"watch", "clock"}, _watch),
    ({"book", "diary", "state", "journal"}, _book),
    ({"glass", "goblet", "sherry"}, _glass),
    ({"glove", "gloves", "handkerchief", "scarf"}, _cloth),
    ({"photo", "photograph", "portrait"}, _photo),
    ({"gun", "revolver", "pistol"}, _gun),
    ({"candle", "lamp", "match"}, _flame),
    ({"rope", "cord", "wire", "cable"}, _rope),
]
"""Words in a name → the function that draws its card. Other names get a tag with a question mark."""


def _location(name: str, dice: random.Random) -> Image.Image:
    base = dice.choice([(34, 42, 58), (46, 40, 52), (30, 46, 48)])
    picture = Image.new("RGB", (SIZE, SIZE))
    pen = ImageDraw.Draw(picture)
    for y in range(0, SIZE, 4):
        share = 0.35 + 1.0 * (1 - abs(y - 560) / 560) if y < 1000 else 0.35
        pen.rectangle((0, y, SIZE, y + 4), fill=tuple(round(c * max(0.3, share)) for c in base))
    low = name.lower()
    indoors = any(
        w in low for w in ("library", "study", "room", "hall", "cellar", "kitchen", "office", "workshop")
    )
    (_interior if indoors else _exterior)(picture, dice)
    shade = ImageDraw.Draw(picture, "RGBA")
    shade.rectangle((0, 820, SIZE, SIZE), fill=(8, 9, 12, 190))
    shade.line([(60, 850), (60, 960)], fill=(196, 150, 74, 255), width=6)
    shade.text((88, 838), "LOCATION", (196, 150, 74), _font(28))
    _label(shade, name, (88, 880), 860, (236, 230, 214), 66)
    _stamp(picture, (196, 150, 74))
    return picture


def _exterior(picture: Image.Image, dice: random.Random) -> None:
    glow = Image.new("RGB", picture.size)
    pen = ImageDraw.Draw(glow)
    x, y = dice.randint(620, 860), dice.randint(110, 220)
    pen.ellipse((x - 120, y - 120, x + 120, y + 120), fill=(70, 72, 78))
    pen.polygon([(240, 300), (60, 900), (520, 900)], fill=(92, 76, 40))
    picture.paste(ImageChops.screen(picture, glow.filter(ImageFilter.BoxBlur(40))))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((x - 62, y - 62, x + 62, y + 62), fill=(214, 212, 198))
    left = -20
    while left < SIZE:
        width, top = dice.randint(90, 190), dice.randint(330, 560)
        pen.rectangle((left, top, left + width, 780), fill=(13, 15, 20))
        pen.polygon(
            [(left - 8, top), (left + width / 2, top - dice.randint(0, 90)), (left + width + 8, top)],
            fill=(13, 15, 20),
        )
        for wx in range(left + 20, left + width - 24, 40):
            for wy in range(top + 34, 740, 62):
                if dice.random() < 0.16:
                    pen.rectangle((wx, wy, wx + 16, wy + 26), fill=(206, 164, 84))
        left += width
    pen.rectangle((0, 776, SIZE, SIZE), fill=(18, 20, 25))
    pen.line([(240, 310), (240, 850)], fill=(6, 7, 9), width=16)
    pen.ellipse((204, 270, 276, 326), fill=(250, 222, 150))
    _fog(picture, dice)


def _interior(picture: Image.Image, dice: random.Random) -> None:
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 700, SIZE, SIZE), fill=(17, 15, 15))
    for shelf in range(3):
        top = 200 + shelf * 150
        pen.rectangle((60, top + 118, 430, top + 130), fill=(12, 10, 9))
        spine = 70
        while spine < 410:
            width = dice.randint(12, 26)
            shade = dice.randint(26, 62)
            pen.rectangle(
                (spine, top + dice.randint(0, 36), spine + width, top + 118),
                fill=(shade, shade - 8, shade - 14),
            )
            spine += width + 3
    pen.rectangle((600, 150, 900, 560), fill=(120, 118, 104))
    for y in range(150, 560, 26):
        pen.rectangle((600, y, 900, y + 12), fill=(22, 20, 20))
    pen.rectangle((742, 150, 758, 560), fill=(14, 13, 13))
    light = Image.new("RGB", picture.size)
    beam = ImageDraw.Draw(light)
    for y in range(160, 560, 26):
        beam.polygon([(600, y), (900, y), (620, y + 470), (180, y + 470)], fill=(58, 52, 38))
    picture.paste(ImageChops.screen(picture, light.filter(ImageFilter.BoxBlur(9))))
    pen = ImageDraw.Draw(picture)
    pen.polygon([(360, 700), (820, 700), (880, 800), (300, 800)], fill=(26, 19, 15))
    pen.line([(470, 700), (470, 610)], fill=(10, 9, 8), width=12)
    pen.polygon([(400, 620), (540, 620), (510, 560), (430, 560)], fill=(66, 104, 70))
    _fog(picture, dice)


def _fog(picture: Image.Image, dice: random.Random) -> None:
    fog = Image.new("L", (SIZE // 8, SIZE // 8), 0)
    pen = ImageDraw.Draw(fog)
    for _ in range(14):
        x, y = dice.randint(-20, 120), dice.randint(70, 110)
        pen.ellipse((x, y, x + dice.randint(30, 70), y + dice.randint(4, 12)), fill=70)
    smooth = fog.filter(ImageFilter.BoxBlur(4)).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste((150, 152, 150), mask=smooth)


def _label(
    pen: ImageDraw.ImageDraw, text: str, at: Point, width: int, ink: tuple[int, int, int], size: int
) -> None:
    """Write `text` on one line: in a smaller font when it is long, cut off when it is longer still."""
    text = " ".join(text.split())
    while size > 22 and pen.textlength(text, _font(size)) > width:
        size -= 2
    while text and pen.textlength(text + "…", _font(size)) > width + pen.textlength("…", _font(size)):
        text = text[:-1]
    pen.text(at, text, ink, _font(size))


def _stamp(picture: Image.Image, ink: tuple[int, int, int]) -> None:
    pen = ImageDraw.Draw(picture)
    text = "STUDIO STAND-IN · NOT A PHOTOGRAPH"
    pen.text((SIZE - 30 - pen.textlength(text, _font(24)), 24), text, ink, _font(24))


def _ruler(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((60, 944, 964, 992), fill=(244, 240, 228), outline=INK, width=2)
    for tick in range(46):
        tall = 26 if tick % 5 == 0 else 13
        pen.line([(60 + tick * 20, 944), (60 + tick * 20, 944 + tall)], fill=INK, width=2)


def _marker(pen: ImageDraw.ImageDraw, number: str) -> None:
    pen.polygon([(60, 250), (210, 250), (190, 90), (80, 90)], fill=(232, 186, 52), outline=INK)
    pen.text((135 - pen.textlength(number, _font(84)) / 2, 110), number, INK, _font(84))


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


@cache
def _vignette() -> Image.Image:
    bright = Image.radial_gradient("L").point(lambda v: 255 - v * 0.34)
    return bright.resize((SIZE, SIZE), Image.Resampling.BILINEAR)


@cache
def _grain() -> Image.Image:
    return Image.effect_noise((SIZE, SIZE), 26).convert("RGB")
