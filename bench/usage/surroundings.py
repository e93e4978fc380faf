"""The surroundings of the functions in virtual time: provider, processor, network, event loop and logs."""

import asyncio
import io
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, override

import httpx
from darkroom.adapters.providers.http import usable_key
from darkroom.ports import ImageProcessor, ImageProvider, RawImage

from bench.speed.virtual_clock import VirtualProvider
from bench.speed.worker import WEBHOOK_S
from bench.usage.request_meter import LOG_BYTES, LOG_LINES, Meter
from testing.functions import Response
from testing.virtual_time import VirtualLoop

JPEG_BYTES = 44_000
"""Bytes of a picture of 512 x 512, the median in docs/measurements/bench.md."""


class Loop(VirtualLoop):
    """An event loop that runs the work of threads at once, since moto responds without waiting."""

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
        except Exception as error:  # noqa: BLE001 - passed on to the caller, as from a thread
            future.set_exception(error)
        return future


@dataclass
class RunnerWithClient:
    """Replaces the worker's runner: runs the worker on `loop`, and at the same time a client that polls."""

    loop: Loop
    watch: Callable[[], Coroutine[Any, Any, None]]
    ended_at: float = 0.0
    """Time at which the worker had ended."""

    def run[T](self, worker: Coroutine[Any, Any, T]) -> T:
        """Run the worker and the client; return the worker's result."""

        async def both() -> T:
            watching = asyncio.create_task(self.watch())
            result = await worker
            self.ended_at = self.loop.time()
            await watching
            return result

        return self.loop.run_until_complete(both())


class PlainProcessor(ImageProcessor):
    """An ImageProcessor that returns as many bytes as a picture has."""

    @override
    async def process(self, raw: RawImage, facts: Mapping[str, str]) -> bytes:
        return bytes(JPEG_BYTES)


@dataclass
class KeyedProvider(ImageProvider):
    """An ImageProvider that reads the key before each request, like every real one."""

    provider: VirtualProvider
    key: Callable[[], str]

    @override
    async def generate(self, prompt: str, *, timeout_s: float) -> RawImage:
        await usable_key(self.key)
        return await self.provider.generate(prompt, timeout_s=timeout_s)


@dataclass
class ToWebhook(httpx.AsyncBaseTransport):
    """A transport that passes snapshots to the webhook's handler."""

    take: Callable[[str, Mapping[str, str]], Response]
    """Body and headers → the response."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See AsyncBaseTransport."""
        body = (await request.aread()).decode()
        await asyncio.sleep(WEBHOOK_S)
        response = self.take(body, request.headers)
        return httpx.Response(response.status, text=response.text)


class Logs(io.TextIOBase):
    """Counts what functions print."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def write(self, text: str) -> int:
        """See TextIOBase."""
        self._meter.add(LOG_BYTES, len(text.encode()))
        self._meter.add(LOG_LINES, text.count("\n"))
        return len(text)
