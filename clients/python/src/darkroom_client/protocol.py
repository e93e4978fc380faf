"""The API without any input or output: what to send, what an answer means, when to try again.

Each operation is a generator. It yields calls and pauses, is sent the answer to each call (or the
error in its place), and returns its result. So one description serves both clients.
"""

import base64
import math
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from darkroom_client.errors import (
    BY_STATUS,
    BadAnswer,
    Conflict,
    DarkroomError,
    InvalidRequest,
    ServerError,
    TimedOut,
    WrongField,
    WrongSetting,
)
from darkroom_client.models import Case, Deliveries, Delivery, Job, Metrics, Timeline

_SLOWEST_S = 15.0
_CALM_AFTER = 5
_LONGEST = 2000
"""Characters of one text of an error that are kept."""
_MAX_FIELDS = 20
"""Wrong fields of one error that are kept, as many as the service names."""


@dataclass(frozen=True)
class Call:
    """A request, its path below the API's address; a picture's link is whole and takes no token."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    authorized: bool = True


@dataclass(frozen=True)
class Pause:
    """Nothing is to be done for so many seconds."""

    seconds: float


type Talk[T] = Generator[Call | Pause, httpx.Response | DarkroomError | None, T]


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Seconds. The wait before another try has full jitter, unless the server says how long."""

    retries: int = 4
    base: float = 0.5
    cap: float = 10.0
    longest: float = 60.0
    """A server that wants a longer wait is not waited for."""
    jitter: Callable[[], float] = random.random

    def wait(self, tries: int, error: DarkroomError) -> float:
        """How long to wait after `tries` failed ones."""
        if error.retry_after is not None:
            return error.retry_after
        return self.jitter() * min(self.cap, self.base * 2.0 ** (tries - 1))


@dataclass
class Watching:
    """How far somebody has followed a job."""

    case_id: str
    began: float = 0.0
    """When the watch began, by the clock of the protocol, in seconds."""
    timeout: float | None = None
    """Seconds after which the watch is given up; None for never."""
    status: str = "not known"
    tag: str = ""
    pause: float = 0.0
    unchanged: int = 0
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Every operation; raises what `errors` has."""

    policy: Policy
    clock: Callable[[], float]
    """Seconds, of any beginning."""

    def submit(self, case: Case, *, replace: bool, share: str) -> Talk[Job]:
        """The job of `case`, new or the one there is. Safe to repeat: the same body is the same job."""
        params = {"share": share, **({"replace": "true"} if replace else {})}
        body = case.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        answer = yield from self._ask(Call("POST", "/api/generate-case-images", params, json=body))
        return _read(Job, answer)

    def get(self, case_id: str, *, inline: bool = False) -> Talk[Job]:
        """The job as it is."""
        params = {"images": "inline"} if inline else {}
        answer = yield from self._ask(Call("GET", _path(case_id), params))
        return _read(Job, answer)

    def watching(self, case_id: str, timeout: float | None) -> Watching:
        """The beginning of a watch, which is given up after `timeout` seconds."""
        return Watching(case_id, began=self.clock(), timeout=timeout)

    def next_state(self, watching: Watching) -> Talk[Job | None]:
        """The next state that differs from the one before; None when the job has ended. Raises TimedOut."""
        while not watching.ended:
            self._check_time(watching)
            if watching.pause:
                yield Pause(watching.pause)
            headers = {"If-None-Match": watching.tag} if watching.tag else {}
            answer = yield from self._ask(Call("GET", _path(watching.case_id), headers=headers))
            asked = min(_seconds(answer.headers.get("retry-after")) or 2.0, self.policy.longest)
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                watching.unchanged += 1
                calm = 1.25 ** max(0, watching.unchanged - _CALM_AFTER)
                watching.pause = max(asked, min(_SLOWEST_S, asked * calm))
                continue
            job = _read(Job, answer)
            watching.tag, watching.pause, watching.unchanged = answer.headers.get("etag", ""), asked, 0
            watching.ended, watching.status = not job.is_open, job.status
            return job
        return None

    def _check_time(self, watching: Watching) -> None:
        timeout = watching.timeout
        if timeout is not None and self.clock() - watching.began + watching.pause > timeout:
            raise TimedOut(f"{watching.case_id} is {watching.status} after {timeout:.0f} s; it goes on")

    def wait(self, case_id: str, timeout: float | None) -> Talk[Job]:
        """The job when it has ended; raises TimedOut after `timeout` seconds."""
        watching = self.watching(case_id, timeout)
        while True:
            job = yield from self.next_state(watching)
            assert job is not None  # the first one comes in any case, the last one returns
            if watching.ended:
                return job

    def retry(
        self, case_id: str, descriptions: Mapping[str, str], *, max_cost_usd: float | None, seen: Job | None
    ) -> Talk[Job]:
        """Another run for what has no picture; of `seen`, else of the job as it is: nothing is paid twice."""
        seen = seen or (yield from self.get(case_id))
        body: dict[str, Any] = {"shots": {i: {"description": d} for i, d in descriptions.items()}}
        if max_cost_usd is not None:
            body["maxCostUsd"] = max_cost_usd
            if not math.isfinite(max_cost_usd):
                raise InvalidRequest("maxCostUsd must be a finite number")
        call = Call("POST", f"{_path(case_id)}/retry", headers={"If-Match": seen.tag}, json=body)
        try:
            answer = yield from self._ask(call)
        except Conflict as error:
            if error.code != "stale_version":
                raise
            # Perhaps it was our own request that changed the job, and its answer was lost.
            job = yield from self.get(case_id)
            if job.job_id == seen.job_id and job.run == seen.run + 1:
                return job
            raise
        return _read(Job, answer)

    def cancel(self, case_id: str) -> Talk[Job]:
        """The cancelled job; one that has ended stays as it is."""
        answer = yield from self._ask(Call("DELETE", _path(case_id)))
        return _read(Job, answer)

    def case(self, case_id: str) -> Talk[Case]:
        """What was submitted, as retries have changed it."""
        answer = yield from self._ask(Call("GET", f"{_path(case_id)}/request"))
        return _read(Case, answer)

    def picture(self, link: str, *, patient: bool = True) -> Talk[bytes]:
        """The JPEG behind a link of a job, or in a `data:` URL; asked for once only if not `patient`."""
        if link.startswith("data:"):
            return _inline(link)
        answer = yield from self._ask(Call("GET", link, authorized=False), patient=patient)
        return answer.content

    def timeline(self, case_id: str) -> Talk[Timeline]:
        """What happened to a case."""
        answer = yield from self._ask(Call("GET", f"{_path(case_id)}/timeline"))
        return _read(Timeline, answer)

    def callbacks(self, case_id: str) -> Talk[Deliveries]:
        """What was sent to the receiver of a case."""
        answer = yield from self._ask(Call("GET", f"{_path(case_id)}/callbacks"))
        return _read(Deliveries, answer)

    def replay(self, case_id: str, version: int) -> Talk[Delivery]:
        """Send a callback again."""
        answer = yield from self._ask(Call("POST", f"{_path(case_id)}/callbacks/{version}/replay"))
        return _read(Delivery, answer)

    def metrics(self, window: str) -> Talk[Metrics]:
        """How the deployment did in the last `1h`, `24h` or `7d`."""
        answer = yield from self._ask(Call("GET", "/api/metrics/image-generation", {"window": window}))
        return _read(Metrics, answer)

    def _ask(self, call: Call, *, patient: bool = True) -> Talk[httpx.Response]:
        """The answer to `call`, tried again where that can help."""
        tries, retries = 0, self.policy.retries if patient else 0
        while True:
            answer = yield call
            assert answer is not None
            tries += 1
            error = _error(answer, call)
            if error is None:
                assert isinstance(answer, httpx.Response)
                return answer
            wait = self.policy.wait(tries, error)
            if not error.retryable or tries > retries or wait > self.policy.longest:
                raise error
            yield Pause(wait)


def _path(case_id: str) -> str:
    return f"/api/cases/{quote(case_id, safe='')}/image-job"


def _inline(link: str) -> bytes:
    try:
        return base64.b64decode(link.partition(",")[2], validate=True)
    except ValueError as error:
        raise BadAnswer("a picture in the answer is no base64") from error


def _error(answer: httpx.Response | DarkroomError, call: Call) -> DarkroomError | None:
    if isinstance(answer, DarkroomError):
        return answer
    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
        return None
    if answer.has_redirect_location and call.authorized:
        return WrongSetting(f"the API's address leads elsewhere, to {answer.headers['location']}: use that")
    status = answer.status_code
    kind = ServerError if answer.is_server_error else BY_STATUS.get(status, DarkroomError)
    problem = _problem(answer)
    said = problem.get("detail") or problem.get("message") or f"the server answered {status}"
    return kind(
        _brief(said),
        status=status,
        code=_brief(problem.get("code") or ""),
        fields=_fields(problem.get("errors")),
        retry_after=_seconds(answer.headers.get("retry-after")),
    )


def _fields(errors: object) -> tuple[WrongField, ...]:
    wrong = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return tuple(
        WrongField(_brief(each.get("field") or ""), _brief(each.get("message") or ""))
        for each in wrong[:_MAX_FIELDS]
    )


def _brief(said: object) -> str:
    """Text of a server, which may be of any length."""
    return str(said)[:_LONGEST]


def _problem(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None


def _read[M: (Case, Job, Timeline, Metrics, Deliveries, Delivery)](
    model: type[M], answer: httpx.Response
) -> M:
    try:
        return model.model_validate_json(answer.content, extra="ignore")
    except ValidationError as error:
        at = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
    raise BadAnswer(f"the answer is none of this API's: {at}", status=answer.status_code)
