"""The blocking and the asynchronous client, which have the same operations."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from darkroom_client.errors import DarkroomError, MissingPictures, Unreachable
from darkroom_client.files import write
from darkroom_client.models import Case, Deliveries, Delivery, Job, Metrics, Timeline
from darkroom_client.protocol import Call, Operation, Pause, Policy, Protocol
from darkroom_client.transport import FAILURES, checked_token, checked_url, connected, failure

type Found = Mapping[str, bytes | DarkroomError]
"""Id → picture, or the error."""
type _Reply = httpx.Response | DarkroomError | None
"""The reply to a call; None to a pause, and at the beginning."""


@dataclass(frozen=True)
class _Done[T]:
    result: T


def _advance[T](operation: Operation[T], reply: _Reply) -> Call | Pause | _Done[T]:
    """Pass `reply` to the operation; return its next call or pause, or its result."""
    try:
        return operation.send(reply)
    except StopIteration as done:
        return _Done(done.value)


class _Base:
    def __init__(self, url: str, token: str, policy: Policy | None, clock: Callable[[], float]) -> None:
        self._url = checked_url(url)
        self._token = checked_token(token)
        self._protocol = Protocol(policy=policy or Policy(), clock=clock)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def _request(self, call: Call) -> dict[str, Any]:
        """Return httpx's arguments for `call`. A picture's link may name another host and gets no token."""
        token = {"Authorization": f"Bearer {self._token}"} if call.authorized else {}
        return {
            "method": call.method,
            "url": self._url + call.path if call.authorized else call.path,
            "params": dict(call.params) or None,
            "headers": {**token, **call.headers},
            "json": call.json,
            "follow_redirects": not call.authorized,
        }

    def _failure(self, error: Exception, call: Call) -> DarkroomError:
        """Return the client's error for an error of httpx."""
        return failure(error, self._url if call.authorized else call.path, link=not call.authorized)


def _write(folder: Path, job: Job, found: Found) -> list[Path]:
    """Write the pictures that were found; raise MissingPictures for the others."""
    written = write(folder, job, {i: each for i, each in found.items() if isinstance(each, bytes)})
    missing = {i: each for i, each in found.items() if isinstance(each, DarkroomError)}
    if missing:
        raise MissingPictures(written, missing)
    return written


class Client(_Base):
    """The blocking client, a context manager.

    Pass `http` to use your own proxies or certificates; the client does not close it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        policy: Policy | None = None,
        http: httpx.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, token, policy, clock)
        self._owned = http is None
        self._http = http or connected(httpx.Client)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._owned:
            self._http.close()

    def submit(self, case: Case, *, replace: bool = False, share: str = "read") -> Job:
        """Submit `case`; return its job, new or existing. `share` is what its link allows: read or retry."""
        return self._run(self._protocol.submit(case, replace=replace, share=share))

    def get(self, case_id: str, *, inline: bool = False) -> Job:
        """Return the job in its present state; with `inline`, pictures are `data:` URLs."""
        return self._run(self._protocol.get(case_id, inline=inline))

    def watch(self, case_id: str, timeout: float | None = None) -> Iterator[Job]:
        """Yield the job each time it has changed, until it has ended; poll as often as the server says.

        Raises TimedOut after `timeout` seconds; the job continues.
        """
        watch = self._protocol.watch(case_id, timeout)
        while (job := self._run(self._protocol.next_state(watch))) is not None:
            yield job

    def wait(self, case_id: str, timeout: float | None = None) -> Job:
        """Return the job when it has ended; raise TimedOut after `timeout` seconds."""
        return self._run(self._protocol.wait(case_id, timeout))

    def retry(
        self,
        case_id: str,
        descriptions: Mapping[str, str] | None = None,
        *,
        max_cost_usd: float | None = None,
        seen: Job | None = None,
    ) -> Job:
        """Start another run for the missing pictures; return the job. `descriptions` map ids to new ones."""
        return self._run(
            self._protocol.retry(case_id, descriptions or {}, max_cost_usd=max_cost_usd, seen=seen)
        )

    def cancel(self, case_id: str) -> Job:
        """Cancel the job and return it; pictures made so far stay."""
        return self._run(self._protocol.cancel(case_id))

    def case(self, case_id: str) -> Case:
        """Return the submitted case, with the changes of retries."""
        return self._run(self._protocol.case(case_id))

    def picture(self, link: str) -> bytes:
        """Return the JPEG at a link of a job, or in one of its `data:` URLs."""
        return self._run(self._protocol.picture(link))

    def download(self, job: Job, folder: Path) -> list[Path]:
        """Write the pictures of `job` as `<id>.jpg`, and `job.json`; return the files.

        Raises MissingPictures when some cannot be fetched, after the others were written.
        """
        found: dict[str, bytes | DarkroomError] = {}
        repeat = True
        for shot_id, link in job.images.items():
            try:
                found[shot_id] = self._run(self._protocol.picture(link, repeat=repeat))
            except DarkroomError as error:
                found[shot_id] = error
                repeat = repeat and not isinstance(error, Unreachable)
        return _write(folder, job, found)

    def timeline(self, case_id: str) -> Timeline:
        """Return what happened to a case, and when."""
        return self._run(self._protocol.timeline(case_id))

    def callbacks(self, case_id: str) -> Deliveries:
        """Return the callbacks of a case, with the receiver's responses."""
        return self._run(self._protocol.callbacks(case_id))

    def replay(self, case_id: str, version: int) -> Delivery:
        """Send the callback of this version of the job again."""
        return self._run(self._protocol.replay(case_id, version))

    def metrics(self, window: str = "24h") -> Metrics:
        """Return the figures of the deployment for the last `1h`, `24h` or `7d`."""
        return self._run(self._protocol.metrics(window))

    def _run[T](self, operation: Operation[T]) -> T:
        reply: _Reply = None
        while not isinstance(step := _advance(operation, reply), _Done):
            reply = self._reply(step)
        return step.result

    def _reply(self, step: Call | Pause) -> _Reply:
        if isinstance(step, Pause):
            self._sleep(step.seconds)
            return None
        try:
            return self._http.request(**self._request(step))
        except FAILURES as error:
            return self._failure(error, step)


class AsyncClient(_Base):
    """The asynchronous client, with the methods of Client as coroutines."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        policy: Policy | None = None,
        http: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(url, token, policy, clock)
        self._owned = http is None
        self._http = http or connected(httpx.AsyncClient)
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """See Client."""
        if self._owned:
            await self._http.aclose()

    async def submit(self, case: Case, *, replace: bool = False, share: str = "read") -> Job:
        """See Client."""
        return await self._run(self._protocol.submit(case, replace=replace, share=share))

    async def get(self, case_id: str, *, inline: bool = False) -> Job:
        """See Client."""
        return await self._run(self._protocol.get(case_id, inline=inline))

    async def watch(self, case_id: str, timeout: float | None = None) -> AsyncIterator[Job]:  # noqa: ASYNC109
        """See Client."""
        watch = self._protocol.watch(case_id, timeout)
        while (job := await self._run(self._protocol.next_state(watch))) is not None:
            yield job

    async def wait(self, case_id: str, timeout: float | None = None) -> Job:  # noqa: ASYNC109 - it limits many awaits
        """See Client."""
        return await self._run(self._protocol.wait(case_id, timeout))

    async def retry(
        self,
        case_id: str,
        descriptions: Mapping[str, str] | None = None,
        *,
        max_cost_usd: float | None = None,
        seen: Job | None = None,
    ) -> Job:
        """See Client."""
        return await self._run(
            self._protocol.retry(case_id, descriptions or {}, max_cost_usd=max_cost_usd, seen=seen)
        )

    async def cancel(self, case_id: str) -> Job:
        """See Client."""
        return await self._run(self._protocol.cancel(case_id))

    async def case(self, case_id: str) -> Case:
        """See Client."""
        return await self._run(self._protocol.case(case_id))

    async def picture(self, link: str) -> bytes:
        """See Client."""
        return await self._run(self._protocol.picture(link))

    async def download(self, job: Job, folder: Path) -> list[Path]:
        """See Client; all pictures are fetched at the same time."""

        async def fetch(link: str) -> bytes | DarkroomError:
            try:
                return await self.picture(link)
            except DarkroomError as error:
                return error

        found = await asyncio.gather(*(fetch(link) for link in job.images.values()))
        return await asyncio.to_thread(_write, folder, job, dict(zip(job.images, found, strict=True)))

    async def timeline(self, case_id: str) -> Timeline:
        """See Client."""
        return await self._run(self._protocol.timeline(case_id))

    async def callbacks(self, case_id: str) -> Deliveries:
        """See Client."""
        return await self._run(self._protocol.callbacks(case_id))

    async def replay(self, case_id: str, version: int) -> Delivery:
        """See Client."""
        return await self._run(self._protocol.replay(case_id, version))

    async def metrics(self, window: str = "24h") -> Metrics:
        """See Client."""
        return await self._run(self._protocol.metrics(window))

    async def _run[T](self, operation: Operation[T]) -> T:
        reply: _Reply = None
        while not isinstance(step := _advance(operation, reply), _Done):
            reply = await self._reply(step)
        return step.result

    async def _reply(self, step: Call | Pause) -> _Reply:
        if isinstance(step, Pause):
            await self._sleep(step.seconds)
            return None
        try:
            return await self._http.request(**self._request(step))
        except FAILURES as error:
            return self._failure(error, step)
