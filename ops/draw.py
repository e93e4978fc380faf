"""`make doctor DRAW=1`: make one real picture with each provider of a deployment, at its price.

The worker's code runs on this machine with the worker's own settings and key. So it finds everything that a
provider may refuse, and neither uses nor changes the deployment. Bedrock is called with your credentials
instead of the worker's role.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator

import httpx
from darkroom.adapters import http_client
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from darkroom.adapters.secrets import key_in
from darkroom.domain.case import Shot, ShotKind
from darkroom.domain.shot_errors import ShotError, TimedOut
from darkroom.image_models import image_models
from darkroom.settings import WorkerSettings
from darkroom.worker.image_model import ImageModel

from ops.checks import Finding, Level
from ops.deployment import Deployment

SHOT = Shot(
    id="doctor", kind=ShotKind.EVIDENCE, name="Brass key", description="An old brass key on a wooden table"
)

type Confirm = Callable[[str], bool | None]
"""Ask a question at the terminal and return the reply; None means that there is no terminal."""


def confirm(question: str, *, yes: bool) -> bool | None:
    """Return the reply at the terminal; with `yes` return True at once, without a terminal None."""
    if yes or not sys.stdin.isatty():
        print(f"{question} {'yes' if yes else 'no terminal to reply at'}")
        return True if yes else None
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def draw(
    deployment: Deployment, confirm: Confirm, transport: httpx.AsyncBaseTransport | None = None
) -> Iterator[Finding]:
    """Make a picture with each provider whose price is confirmed; yield the result of each."""
    settings = WorkerSettings.load(deployment.worker)
    processor = PillowProcessor(size=settings.image_size, quality=settings.jpeg_quality)
    with asyncio.Runner() as runner:
        client = http_client.client(1, transport)
        for image_model in image_models(
            settings, client, lambda name: lambda: key_in(deployment.secret_of(name))
        ):
            price = image_model.price_micro_usd / 1_000_000
            confirmed = confirm(f"Make one picture with {image_model.name} for ${price:.4f}?")
            if confirmed:
                yield runner.run(_picture(image_model, processor, settings.request_timeout_seconds))
            else:
                level = Level.FAIL if confirmed is None else Level.WARN
                fix = "reply y, or add YES=1 where there is no terminal"
                yield Finding(level, "picture", f"none was made with {image_model.name}", fix)
        runner.run(client.aclose())


async def _picture(image_model: ImageModel, processor: PillowProcessor, timeout_s: float) -> Finding:
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            raw = await image_model.provider.generate(SHOT.prompt, timeout_s=timeout_s)
            jpeg = await processor.process(raw, {})
    except (ShotError, TimeoutError) as error:
        failure = error if isinstance(error, ShotError) else TimedOut(f"no picture within {timeout_s:.0f} s")
        charge = "; the provider may charge for it" if failure.billed else ""
        fix = 'see docs/guides/operations.md, "What a provider says"'
        return Finding(
            Level.FAIL, "picture", f"{image_model.name} made none: {failure.code}: {failure}{charge}", fix
        )
    seconds = time.monotonic() - began
    sizes = f"{len(raw.data) / 1e6:.1f} MB, as a JPEG {len(jpeg) / 1e3:.0f} KB"
    return Finding(Level.OK, "picture", f"{image_model.name} made one in {seconds:.1f} s: {sizes}")
