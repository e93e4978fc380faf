"""Cancelled calls of the Bedrock adapter, whose requests run in threads."""

import asyncio
import io
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.response import StreamingBody
from darkroom.adapters.providers.bedrock import Bedrock
from darkroom.ports import RawImage

from testing.recorded import PROMPT, body_of


class Hanging:
    """Requests of which the first `hanging` ones hang in their threads until `release` is set."""

    def __init__(self, client: Any, hanging: int) -> None:
        self.release = threading.Event()
        self.begun = threading.Semaphore(0)
        self.requests = 0
        self._hanging = hanging
        client.meta.events.register("before-call.bedrock-runtime.InvokeModel", self._respond)

    def _respond(self, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
        self.requests += 1
        if self.requests <= self._hanging:
            self.begun.release()
            assert self.release.wait(30)
        body = body_of("bedrock_200_stable_image_core.json")
        stream = StreamingBody(io.BytesIO(body), len(body))
        return AWSResponse("", 200, HTTPHeaders(), None), {"body": stream}

    async def until_begun(self) -> None:
        assert await asyncio.to_thread(self.begun.acquire, timeout=30)


async def cancel(*tasks: asyncio.Task[RawImage]) -> None:
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


type Scenario = Callable[[Bedrock, Hanging], Coroutine[Any, Any, None]]


def play(client: Any, hanging: int, scenario: Scenario) -> Hanging:
    requests = Hanging(client, hanging)
    provider = Bedrock(client, model="stability.stable-image-core-v1:1", concurrency=1)
    try:
        asyncio.run(scenario(provider, requests))
    finally:
        requests.release.set()
        provider._pool.shutdown(wait=True)
    return requests


def start_request(provider: Bedrock) -> asyncio.Task[RawImage]:
    return asyncio.create_task(provider.generate(PROMPT, timeout_s=60))


def test_a_cancelled_call_returns_at_once_though_the_request_runs_on(client: Any) -> None:
    async def scenario(provider: Bedrock, requests: Hanging) -> None:
        task = start_request(provider)
        await requests.until_begun()
        await cancel(task)
        assert not requests.release.is_set()

    assert play(client, 1, scenario).requests == 1


def test_a_hanging_request_leaves_a_thread_for_the_next_one(client: Any) -> None:
    async def scenario(provider: Bedrock, requests: Hanging) -> None:
        hanging = start_request(provider)
        await requests.until_begun()
        await cancel(hanging)
        assert (await start_request(provider)).data

    assert play(client, 1, scenario).requests == 2


def test_a_cancelled_request_that_no_thread_has_begun_is_never_sent(client: Any) -> None:
    async def scenario(provider: Bedrock, requests: Hanging) -> None:
        busy = [start_request(provider), start_request(provider)]
        await requests.until_begun()
        await requests.until_begun()
        waiting = start_request(provider)
        await asyncio.sleep(0)  # so that the task begins
        assert provider._pool._work_queue.qsize() == 1
        await cancel(waiting)
        await cancel(*busy)

    assert play(client, 2, scenario).requests == 2
