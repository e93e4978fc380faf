"""The operations of the API without any input or output: what to send, and when to send it again.

Each operation is a generator. It yields calls and pauses, receives the response to each call (or the
error in its place), and returns its result. So the blocking and the asynchronous client share it.
"""

import base64
import math
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from darkroom_client.errors import BadResponse, Conflict, DarkroomError, InvalidRequest, TimedOut
from darkroom_client.models import Case, Deliveries, Delivery, Job, Metrics, Timeline
from darkroom_client.responses import error_in, parse, retry_after

_POLL_S = 2.0
"""Poll interval in seconds when a response has no Retry-After."""
_MAX_POLL_S = 15.0
"""Longest poll interval in seconds of a job that does not change."""
_POLLS_BEFORE_SLOWER = 5
"""Number of polls without a change after which the interval grows."""


@dataclass(frozen=True)
class Call:
    """A request. `path` is below the API's address; of a picture it is a whole link, which gets no token."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    authorized: bool = True


@dataclass(frozen=True)
class Pause:
    """A pause before the next call."""

    seconds: float


type Operation[T] = Generator[Call | Pause, httpx.Response | DarkroomError | None, T]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The policy for repeating failed requests. All times are seconds.

    The wait before a repeated request is random (full jitter), unless the server says how long it must be.
    """

    retries: int = 4
    base: float = 0.5
    cap: float = 10.0
    longest: float = 60.0
    """Longest wait: a request is not repeated when the server demands a longer one."""
    jitter: Callable[[], float] = random.random

    def wait(self, attempts: int, error: DarkroomError) -> float:
        """Return the seconds to wait after so many failed attempts."""
        if error.retry_after is not None:
            return error.retry_after
        return self.jitter() * min(self.cap, self.base * 2.0 ** (attempts - 1))


@dataclass
class Watch:
    """The state of watching one job."""

    case_id: str
    began: float = 0.0
    """Time at which the watch began, by the clock of the protocol, in seconds."""
    timeout: float | None = None
    """Seconds after which the watch ends; None for never."""
    status: str = "not known"
    tag: str = ""
    pause: float = 0.0
    unchanged: int = 0
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Every operation of the API. They raise the errors of `errors`."""

    policy: Policy
    clock: Callable[[], float]
    """The time in seconds since any fixed moment."""

    def submit(self, case: Case, *, replace: bool, share: str) -> Operation[Job]:
        """Submit `case`; return its job, new or existing. Safe to repeat: the same case is the same job."""
        params = {"share": share, **({"replace": "true"} if replace else {})}
        body = case.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        response = yield from self._send(Call("POST", "/api/generate-case-images", params, json=body))
        return parse(Job, response)

    def get(self, case_id: str, *, inline: bool = False) -> Operation[Job]:
        """Return the job in its present state."""
        params = {"images": "inline"} if inline else {}
        response = yield from self._send(Call("GET", _path(case_id), params))
        return parse(Job, response)

    def watch(self, case_id: str, timeout: float | None) -> Watch:
        """Begin to watch a job, for `timeout` seconds at most."""
        return Watch(case_id, began=self.clock(), timeout=timeout)

    def next_state(self, watch: Watch) -> Operation[Job | None]:
        """Return the job when it has changed, None when it has ended before; raise TimedOut."""
        while not watch.ended:
            self._check_time(watch)
            if watch.pause:
                yield Pause(watch.pause)
            headers = {"If-None-Match": watch.tag} if watch.tag else {}
            response = yield from self._send(Call("GET", _path(watch.case_id), headers=headers))
            interval = min(retry_after(response) or _POLL_S, self.policy.longest)
            if response.status_code == httpx.codes.NOT_MODIFIED:
                watch.unchanged += 1
                factor = 1.25 ** max(0, watch.unchanged - _POLLS_BEFORE_SLOWER)
                watch.pause = max(interval, min(_MAX_POLL_S, interval * factor))
                continue
            job = parse(Job, response)
            watch.tag, watch.pause, watch.unchanged = response.headers.get("etag", ""), interval, 0
            watch.ended, watch.status = not job.is_open, job.status
            return job
        return None

    def _check_time(self, watch: Watch) -> None:
        timeout = watch.timeout
        if timeout is not None and self.clock() - watch.began + watch.pause > timeout:
            raise TimedOut(f"{watch.case_id} is {watch.status} after {timeout:.0f} s; the job continues")

    def wait(self, case_id: str, timeout: float | None) -> Operation[Job]:
        """Return the job when it has ended; raise TimedOut after `timeout` seconds."""
        watch = self.watch(case_id, timeout)
        while True:
            job = yield from self.next_state(watch)
            assert job is not None  # a watch has at least one state, and the last one ends this loop
            if watch.ended:
                return job

    def retry(
        self, case_id: str, descriptions: Mapping[str, str], *, max_cost_usd: float | None, seen: Job | None
    ) -> Operation[Job]:
        """Start another run for the missing pictures; return the job.

        The request names the state of the job that it retries: `seen`, or the present one. So a repeated
        request cannot start, and pay for, a second run.
        """
        seen = seen or (yield from self.get(case_id))
        body: dict[str, Any] = {"shots": {i: {"description": d} for i, d in descriptions.items()}}
        if max_cost_usd is not None:
            body["maxCostUsd"] = max_cost_usd
            if not math.isfinite(max_cost_usd):
                raise InvalidRequest("maxCostUsd must be a finite number")
        call = Call("POST", f"{_path(case_id)}/retry", headers={"If-Match": seen.tag}, json=body)
        try:
            response = yield from self._send(call)
        except Conflict as error:
            if error.code != "stale_version":
                raise
            # Perhaps our own request changed the job, and its response was lost.
            job = yield from self.get(case_id)
            if job.job_id == seen.job_id and job.run == seen.run + 1:
                return job
            raise
        return parse(Job, response)

    def cancel(self, case_id: str) -> Operation[Job]:
        """Cancel the job and return it; a job that has ended stays unchanged."""
        response = yield from self._send(Call("DELETE", _path(case_id)))
        return parse(Job, response)

    def case(self, case_id: str) -> Operation[Case]:
        """Return the submitted case, with the changes of retries."""
        response = yield from self._send(Call("GET", f"{_path(case_id)}/request"))
        return parse(Case, response)

    def picture(self, link: str, *, repeat: bool = True) -> Operation[bytes]:
        """Return the JPEG at a link of a job or in a `data:` URL; without `repeat` request it once only."""
        if link.startswith("data:"):
            return _inline(link)
        response = yield from self._send(Call("GET", link, authorized=False), repeat=repeat)
        return response.content

    def timeline(self, case_id: str) -> Operation[Timeline]:
        """Return what happened to a case."""
        response = yield from self._send(Call("GET", f"{_path(case_id)}/timeline"))
        return parse(Timeline, response)

    def callbacks(self, case_id: str) -> Operation[Deliveries]:
        """Return the callbacks of a case."""
        response = yield from self._send(Call("GET", f"{_path(case_id)}/callbacks"))
        return parse(Deliveries, response)

    def replay(self, case_id: str, version: int) -> Operation[Delivery]:
        """Send a callback again."""
        response = yield from self._send(Call("POST", f"{_path(case_id)}/callbacks/{version}/replay"))
        return parse(Delivery, response)

    def metrics(self, window: str) -> Operation[Metrics]:
        """Return the figures of the deployment in the last `1h`, `24h` or `7d`."""
        response = yield from self._send(Call("GET", "/api/metrics/image-generation", {"window": window}))
        return parse(Metrics, response)

    def _send(self, call: Call, *, repeat: bool = True) -> Operation[httpx.Response]:
        """Return the response to `call`; with `repeat` send it again after an error that may pass."""
        attempts, retries = 0, self.policy.retries if repeat else 0
        while True:
            reply = yield call
            assert reply is not None
            attempts += 1
            if isinstance(reply, httpx.Response):
                error = error_in(reply, redirects=not call.authorized)
                if error is None:
                    return reply
            else:
                error = reply
            wait = self.policy.wait(attempts, error)
            if not error.retryable or attempts > retries or wait > self.policy.longest:
                raise error
            yield Pause(wait)


def _path(case_id: str) -> str:
    return f"/api/cases/{quote(case_id, safe='')}/image-job"


def _inline(link: str) -> bytes:
    try:
        return base64.b64decode(link.partition(",")[2], validate=True)
    except ValueError as error:
        raise BadResponse("a picture in the response is not base64") from error
