"""`make compare OLD=folder NEW=folder`: compare two sets of results of the same cases.

A set is a folder with a folder for each case, in which each picture is named by its item's id
(`evidence-1.jpg`), as `make submit` writes them. The exit code is 1 when the new set lacks a picture
that the old one has, or has a picture that is blank or cannot be decoded.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageStat, UnidentifiedImageError
from rich.console import Console
from rich.table import Table

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
BLANK = 3.0
"""The standard deviation of brightness (of 255) below which a picture counts as blank."""


@dataclass(frozen=True)
class Picture:
    """The measured properties of a picture file."""

    form: str
    size: tuple[int, int]
    kilobytes: float
    contrast: float
    small: Image.Image

    def __str__(self) -> str:
        blank = ", blank" if self.contrast < BLANK else ""
        return f"{self.form} {self.size[0]}×{self.size[1]}, {self.kilobytes:.0f} KB{blank}"


@dataclass(frozen=True)
class Pair:
    """One item in both sets: None where it is missing, an error text where it cannot be decoded."""

    case: str
    item: str
    old: Picture | str | None
    new: Picture | str | None

    @property
    def worse(self) -> bool:
        """True if the old set has a picture that the new one lacks."""
        return isinstance(self.old, Picture) and not isinstance(self.new, Picture)

    @property
    def broken(self) -> bool:
        """True if the new set has a file that cannot be decoded, or a blank picture."""
        return isinstance(self.new, str) or (isinstance(self.new, Picture) and self.new.contrast < BLANK)

    @property
    def difference(self) -> float | None:
        """Return the mean difference in brightness in per cent of the maximum; None without two pictures."""
        if not (isinstance(self.old, Picture) and isinstance(self.new, Picture)):
            return None
        return 100 * ImageStat.Stat(ImageChops.difference(self.old.small, self.new.small)).mean[0] / 255


def read_picture(path: Path) -> Picture | str:
    """Return the picture in a file, or the reason why it cannot be decoded."""
    try:
        with Image.open(path) as image:
            grey = image.convert("L")
            contrast = ImageStat.Stat(grey).stddev[0]
            kilobytes = path.stat().st_size / 1024
            return Picture(image.format or "?", image.size, kilobytes, contrast, grey.resize((32, 32)))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        return f"no picture: {type(error).__name__}"


def pictures(folder: Path) -> dict[tuple[str, str], Path]:
    """Return case and item → file. Files that are not pictures are left out."""
    return {
        (path.parent.name, path.stem): path
        for path in sorted(folder.glob("*/*"))
        if path.suffix.lower() in SUFFIXES and path.stem != "contact-sheet"
    }


def compare(old: Path, new: Path) -> Iterator[Pair]:
    """Yield every item of either set."""
    before, after = pictures(old), pictures(new)
    for case, item in sorted(before.keys() | after.keys()):
        found = [
            read_picture(files[case, item]) if (case, item) in files else None for files in (before, after)
        ]
        yield Pair(case, item, *found)


def main() -> int:
    """Print the table and the sums; return 0 only if the new set is no worse."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, required=True)
    parser.add_argument("--new", type=Path, required=True)
    arguments = parser.parse_args()
    console = Console()
    for folder in (arguments.old, arguments.new):
        if not folder.is_dir():
            console.print(f"[red]{folder} is not a folder[/]", highlight=False)
            return 2
    pairs = list(compare(arguments.old, arguments.new))
    table = Table("case", "item", "old", "new", "difference")
    for pair in pairs:
        difference = "" if pair.difference is None else f"{pair.difference:.0f} %"
        style = "red" if pair.worse or pair.broken else ""
        table.add_row(pair.case, pair.item, _text(pair.old), _text(pair.new), difference, style=style)
    console.print(table)
    sums = [sum(isinstance(p, Picture) for p in column) for column in _columns(pairs)]
    worse, broken = sum(p.worse for p in pairs), sum(p.broken for p in pairs)
    console.print(
        f"{len(pairs)} items: {sums[0]} pictures in the old set, {sums[1]} in the new;"
        f" {worse} lost, {broken} broken or blank",
        highlight=False,
    )
    return 1 if worse or broken or not pairs else 0


def _columns(pairs: list[Pair]) -> tuple[list[object], list[object]]:
    return [pair.old for pair in pairs], [pair.new for pair in pairs]


def _text(found: Picture | str | None) -> str:
    return "missing" if found is None else str(found)


if __name__ == "__main__":
    sys.exit(main())
