"""A case with a different wrong response for each shot: every error is an error of its own shot only."""

import asyncio
import base64
import io
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
from darkroom.adapters import http_client
from darkroom.adapters.pictures.pillow_processor import PillowProcessor
from darkroom.adapters.providers.gemini import Gemini
from darkroom.domain.run import RunReport, work_order
from darkroom.domain.run_policy import AttemptPolicy, RunPolicy
from darkroom.worker.run_job import RunJob
from PIL import Image

from testing.builders import a_case, a_job, an_image_model
from testing.fakes.images import MemoryImages
from testing.fakes.quota import MemoryQuota
from testing.fakes.snapshots import RecordedSnapshots
from testing.fakes.time_and_ids import Ids, ManualClock


def picture(size: tuple[int, int], form: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, "red").save(target, form)
    return target.getvalue()


def bomb() -> bytes:
    chunk = b"IHDR" + (20_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4)
    return head + (0).to_bytes(4) + b"IDAT" + zlib.crc32(b"IDAT").to_bytes(4)


def picture_response(data: bytes | str, mime: str = "image/png", reason: str = "STOP") -> httpx.Response:
    text = data if isinstance(data, str) else base64.b64encode(data).decode()
    part = {"inlineData": {"mimeType": mime, "data": text}}
    return httpx.Response(200, json={"candidates": [{"content": {"parts": [part]}, "finishReason": reason}]})


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 1_000_000


GOOD = picture((64, 64), "PNG")
TRAPS: dict[str, tuple[Callable[[], httpx.Response], str | None]] = {
    "Evidence no 1.": (lambda: httpx.Response(200, text="<html>busy</html>"), "bad_image"),
    "Evidence no 2.": (lambda: httpx.Response(200, text='{"candidates": [{"cont'), "bad_image"),
    "Evidence no 3.": (lambda: httpx.Response(200, content=endless()), "bad_image"),
    "Evidence no 4.": (lambda: picture_response("not base64!"), "bad_image"),
    "Evidence no 5.": (lambda: picture_response(picture((1, 1), "PNG")), None),
    "Evidence no 6.": (lambda: picture_response(bomb()), "bad_image"),
    "Evidence no 7.": (lambda: picture_response(picture((64, 64), "JPEG"), mime="image/png"), None),
    "Evidence no 8.": (lambda: picture_response(GOOD[:60]), "bad_image"),
    "Evidence no 9.": (lambda: httpx.Response(200, json={"candidates": []}), "no_image"),
    "Evidence no 10.": (lambda: httpx.Response(502, text="<html>Bad Gateway</html>"), "overloaded"),
    "Location no 1.": (
        lambda: httpx.Response(200, json={"promptFeedback": {"blockReason": "SAFETY"}}),
        "refused",
    ),
    "Location no 2.": (lambda: httpx.Response(404, json={"error": {"code": 404}}), "model_retired"),
    "Location no 3.": (lambda: picture_response(b"\x00" * 999), "bad_image"),
    "Location no 4.": (lambda: picture_response(GOOD), None),
}
"""Part of the prompt → the response, and the code of the error; None for a picture."""


def test_every_wrong_response_is_an_error_of_its_own_shot_only() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        prompt = json.loads(request.content)["contents"][0]["parts"][0]["text"]
        return next(make for part, (make, _) in TRAPS.items() if part in prompt)()

    async def process() -> RunReport:
        async with http_client.client(14, httpx.MockTransport(respond)) as client:
            gemini = Gemini(client, base_url="https://g.example", model="m", thinking="", key=lambda: "k")
            images = MemoryImages()
            worker = RunJob(
                policy=RunPolicy(attempts=AttemptPolicy(base=0.01)),
                processor=PillowProcessor(size=64, quality=80),
                images=images,
                image_models=[an_image_model(gemini)],
                quota_store=MemoryQuota(),
                channel=RecordedSnapshots(),
                clock=ManualClock(),
                new_id=Ids(),
                jitter=random.Random(2).random,
            )
            case = a_case()
            return await worker(work_order(a_job(case), case, webhook_url="u"), lambda: 300.0)

    report = asyncio.run(process())
    names = {shot.id: f"{shot.name}." for shot in a_case().shots}
    codes: dict[str, str | None] = {
        names[shot_id]: failure.code for shot_id, failure in report.failures.items()
    }
    codes |= {names[shot_id]: None for shot_id in report.images}
    assert codes == {part: code for part, (_, code) in TRAPS.items()}
    assert report.defects == ()
