"""Put all pictures of a case on one sheet."""

import io
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont

COLUMNS, TILE, GAP, CAPTION = 5, 300, 18, 34
PAPER, INK, FAINT = (22, 20, 20), (236, 226, 206), (150, 110, 70)


def contact_sheet(title: str, pictures: Mapping[str, bytes | None]) -> Image.Image:
    """Return a sheet of `pictures` (caption → JPEG, None when it is missing), five in a row."""
    rows = -(-len(pictures) // COLUMNS)
    width = GAP + COLUMNS * (TILE + GAP)
    sheet = Image.new("RGB", (width, 90 + rows * (TILE + CAPTION + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 24), title, INK, ImageFont.load_default(38))
    for index, (caption, jpeg) in enumerate(pictures.items()):
        left = GAP + index % COLUMNS * (TILE + GAP)
        top = 90 + index // COLUMNS * (TILE + CAPTION + GAP)
        if jpeg is None:
            pen.rectangle((left, top, left + TILE, top + TILE), outline=FAINT, width=2)
            pen.text((left + 20, top + 20), "not made", FAINT, ImageFont.load_default(22))
        else:
            sheet.paste(Image.open(io.BytesIO(jpeg)).resize((TILE, TILE)), (left, top))
        pen.text((left, top + TILE + 6), _fit(pen, caption), INK, ImageFont.load_default(18))
    return sheet


def _fit(pen: ImageDraw.ImageDraw, text: str) -> str:
    font = ImageFont.load_default(18)
    while pen.textlength(text, font) > TILE:
        text = text[:-2] + "…"
    return text
