"""Make test pictures like those of image models: real photographs at 1024 x 1024, with film grain.

The photographs are scikit-image's samples, the smaller ones enlarged. Reduced to 512 x 512 they have the
detail of a photograph, which an encoder is measured by.
"""

import io

import numpy as np
from PIL import Image, ImageOps
from skimage import data

SIZE = 1024
NAMES = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field", "retina")
GRAIN = 0.7
"""Standard deviation of the grain, of 255 levels: pictures of image models have little, photographs more."""


def photo(name: str) -> Image.Image:
    """Return one of NAMES, cropped to a square."""
    image = ImageOps.fit(Image.fromarray(getattr(data, name)()), (SIZE, SIZE), Image.Resampling.LANCZOS)
    grain = np.random.default_rng(len(name)).normal(0, GRAIN, (SIZE, SIZE, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def encoded(image: Image.Image, form: str) -> bytes:
    """Return the file that a provider would send."""
    target = io.BytesIO()
    image.save(target, form, **({"quality": 90} if form == "JPEG" else {}))
    return target.getvalue()
