"""Send snapshots to the webhook over HTTP. Every attempt has a new signature."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import override

import httpx
from pydantic import ValidationError

from darkroom.adapters.signing import standard_webhooks
from darkroom.domain.errors import Cancelled, Superseded, Undeliverable
from darkroom.domain.snapshot import Snapshot
from darkroom.ports import Clock, SnapshotChannel
from darkroom.wire.model import dump
from darkroom.wire.problems import Problem
from darkroom.wire.snapshot import ImageProgressUpdate

TIMEOUT_S = 8.0
"""Seconds that one attempt may take."""

MAX_RESPONSE_BYTES = 65_536
"""Bytes of a response that are read: many times as many as the webhook sends."""

_RETRYABLE = {408, 429}


class HttpSnapshots(SnapshotChannel):
    """Send snapshots. 2xx is a delivery, 409 stops the run, everything else is a failure."""

    def __init__(self, client: httpx.AsyncClient, secret: Callable[[], str], clock: Clock) -> None:
        self._client = client
        self._secret = secret
        self._clock = clock

    @override
    async def send(self, snapshot: Snapshot, url: str) -> None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await self._post(snapshot, url)
        except Exception as error:  # the network, the response or the secret's store may cause any
            raise Undeliverable(type(error).__name__, retryable=True) from error
        _check(status, body)

    async def _post(self, snapshot: Snapshot, url: str) -> tuple[int, bytes]:
        """Return the status and the beginning of the body, which is never inflated."""
        update = ImageProgressUpdate.of(replace(snapshot, sent_at=self._clock()))
        body = dump(update).encode()
        # A snapshot has the same id in every attempt, as Standard Webhooks requires.
        message_id = f"{snapshot.job_id}-{snapshot.run}-{snapshot.claim}-{snapshot.sequence}"
        secret = await asyncio.to_thread(self._secret)
        headers = standard_webhooks.sign(
            secret, message_id=message_id, timestamp_s=self._clock() // 1000, body=body
        )
        headers |= {"content-type": "application/json", "accept-encoding": "identity"}
        received = bytearray()
        async with self._client.stream("POST", url, content=body, headers=headers) as response:
            assert isinstance(response.stream, httpx.AsyncByteStream)
            async for chunk in response.stream:
                received += chunk
                if len(received) > MAX_RESPONSE_BYTES:
                    break
        return response.status_code, bytes(received)


def _check(status: int, body: bytes) -> None:
    """Raise what a status other than 2xx means."""
    if httpx.codes.is_success(status):
        return
    if status == httpx.codes.CONFLICT:
        code, detail = _problem(body)
        raise Cancelled(detail) if code == Cancelled.code else Superseded(detail)
    raise Undeliverable(
        f"the webhook answered {status}",
        retryable=httpx.codes.is_server_error(status) or status in _RETRYABLE,
    )


def _problem(body: bytes) -> tuple[str, str]:
    """Return code and detail of the problem in `body`; those of Superseded when it holds none."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return Superseded.code, "the webhook refused the run"
    return problem.code, problem.detail
