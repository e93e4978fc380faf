"""Pictures like those that image models send: real photographs at 1024 x 1024, with film grain.

The photographs are scikit-image's own samples, the smaller ones enlarged: what remains of them at
512 x 512 has the detail of a photograph, which is what an encoder is measured by.
"""

import io

import numpy as np
from PIL import Image, ImageOps
from skimage import data

SIZE = 1024
NAMES = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "retina")
GRAIN = 0.7
"""Standard deviation, of 255 levels: image models draw a little, cameras more."""


def photo(name: str) -> Image.Image:
    """One of NAMES, cropped to a square."""
    image = ImageOps.fit(Image.fromarray(getattr(data, name)()), (SIZE, SIZE), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(len(name)).normal(0, GRAIN, (SIZE, SIZE, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, form: str) -> bytes:
    """As a provider would send it."""
    target = io.BytesIO()
    image.save(target, form, **({"quality": 90} if form == "JPEG" else {}))
    return target.getvalue()
