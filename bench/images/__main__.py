"""A part of `make bench`: measure the CPU time of processing a picture, and the loss of quality.

CPU is the process's time for each picture. SSIM compares the JPEG with a Lanczos reduction of the full
picture before any compression.
"""

import base64
import io
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pybase64
from darkroom.adapters.pictures import xmp
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from PIL import Image, ImageOps
from pydantic_core import from_json
from skimage.metrics import structural_similarity

from bench.images import photos

ROUNDS = 5
TARGET, QUALITY = 512, 80
ABOUT = xmp.packet({"case": "c", "shot": "s", "model": "m"})

type Path = Callable[[bytes], bytes]


def ours(data: bytes) -> bytes:
    """Process a picture like the worker."""
    return DEVELOPER.process_now(data, ABOUT)


def naive(data: bytes) -> bytes:
    """Decode the full picture, reduce it by Lanczos, optimize the Huffman tables."""
    image = ImageOps.fit(
        Image.open(io.BytesIO(data)).convert("RGB"), (TARGET, TARGET), Image.Resampling.LANCZOS
    )
    return _jpeg(image, progressive=True, optimize=True)


def hasty(data: bytes) -> bytes:
    """Process a picture in the cheapest way: draft mode, nearest pixel, baseline JPEG."""
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", (TARGET, TARGET))
    return _jpeg(image.convert("RGB").resize((TARGET, TARGET), Image.Resampling.NEAREST))


def _jpeg(image: Image.Image, **options: bool) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=QUALITY, **options)
    return target.getvalue()


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the median CPU time of a call in milliseconds."""
    spent = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent)


def ssim(jpeg: bytes, photo: Image.Image) -> float:
    """Return the structural similarity to the uncompressed picture."""
    reference = photo.resize((TARGET, TARGET), Image.Resampling.LANCZOS)
    made = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    return float(structural_similarity(np.asarray(reference), made, channel_axis=-1))


def main() -> None:
    """Print both tables."""
    pictures = [photos.photo(name) for name in photos.NAMES]
    print(f"{'input':6} {'path':6} {'CPU ms':>7} {'of naive':>9} {'bytes':>8} {'SSIM':>7} {'lowest':>7}")
    for form in ("PNG", "JPEG"):
        inputs = [photos.encoded(picture, form) for picture in pictures]
        base = 0.0
        for path in (naive, ours, hasty):
            spent = statistics.median(cpu_ms(partial(path, data)) for data in inputs)
            base = base or spent
            made = [path(data) for data in inputs]
            alike = [ssim(jpeg, picture) for jpeg, picture in zip(made, pictures, strict=True)]
            size = statistics.median(map(len, made))
            print(
                f"{form:6} {path.__name__:6} {spent:7.1f} {spent / base:9.2f} {size:8.0f}"
                f" {statistics.median(alike):7.3f} {min(alike):7.3f}"
            )
    picture = base64.b64encode(photos.encoded(pictures[0], "PNG")).decode()
    response = json.dumps(
        {"candidates": [{"content": {"parts": [{"inlineData": {"data": picture}}]}}]}
    ).encode()
    print(f"\na response of {len(response) / 1e6:.1f} MB       CPU ms   of the standard library's")
    for name, standard, chosen in (
        ("JSON", lambda: json.loads(response), lambda: from_json(response)),
        (
            "base64",
            lambda: base64.b64decode(picture, validate=True),
            lambda: pybase64.b64decode(picture, validate=True),
        ),
    ):
        before, after = cpu_ms(standard), cpu_ms(chosen)
        print(f"{name:24} {after:8.2f}   {after / before:.2f}")


DEVELOPER = PillowProcessor(size=TARGET, quality=QUALITY)

if __name__ == "__main__":
    main()
