"""What is outside Darkroom, in virtual time: the provider, the encoder, the wires, the loop and the logs."""

import asyncio
import io
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import httpx
from darkroom.adapters.providers.http import usable_key
from darkroom.ports import RawImage

from bench.speed.virtual_clock import VirtualProvider
from bench.speed.worker import WEBHOOK_S
from bench.usage.request_meter import LOG_BYTES, LOG_LINES, Meter
from testing.functions import Response
from testing.virtual_time import VirtualLoop

JPEG_BYTES = 44_000
"""Of a picture of 512 x 512, the median of docs/measurements/bench.md."""


class Loop(VirtualLoop):
    """What belongs into a thread is done at once: moto answers without waiting."""

    def run_in_executor[*A, T](
        self,
        executor: Executor | None,  # noqa: ARG002
        func: Callable[[*A], T],
        *args: *A,
    ) -> asyncio.Future[T]:
        """See AbstractEventLoop."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - the caller's, as from a thread
            future.set_exception(error)
        return future


@dataclass
class Watched:
    """Stands for the worker's runner: runs it on `loop`, and beside it somebody who watches until the end."""

    loop: Loop
    watch: Callable[[], Coroutine[Any, Any, None]]
    ended_at: float = 0.0
    """When the worker had ended."""

    def run[T](self, worker: Coroutine[Any, Any, T]) -> T:
        """The worker's result."""

        async def both() -> T:
            watching = asyncio.create_task(self.watch())
            result = await worker
            self.ended_at = self.loop.time()
            await watching
            return result

        return self.loop.run_until_complete(both())


class PlainProcessor:
    """See ImageProcessor: as many bytes as a picture has."""

    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:  # noqa: ARG002
        """See ImageProcessor."""
        return bytes(JPEG_BYTES)


@dataclass
class KeyedProvider:
    """See ImageProvider: reads the key before it asks, as every provider does."""

    provider: VirtualProvider
    key: Callable[[], str]

    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        """See ImageProvider."""
        await usable_key(self.key)
        return await self.provider.generate(prompt, timeout_s=timeout_s)


@dataclass
class ToWebhook(httpx.AsyncBaseTransport):
    """Carries snapshots to the webhook's handler."""

    take: Callable[[str, Mapping[str, str]], Response]
    """Body and headers → the answer."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See AsyncBaseTransport."""
        body = (await request.aread()).decode()
        await asyncio.sleep(WEBHOOK_S)
        answer = self.take(body, request.headers)
        return httpx.Response(answer.status, text=answer.text)


class Logs(io.TextIOBase):
    """Counts what functions print."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, text: str) -> int:
        """See TextIOBase."""
        self._meter.add(LOG_BYTES, len(text.encode()))
        self._meter.add(LOG_LINES, text.count("\n"))
        return len(text)
