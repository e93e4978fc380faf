"""A server with scripted responses, and responses that the service itself would send."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import httpx
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.job_history import with_history
from darkroom.domain.run import EventKind, RunEvent, RunLog
from darkroom.wire.job import AcceptedView, JobView
from darkroom.wire.model import dump
from darkroom.wire.requests import RequestView
from darkroom.wire.timeline import TimelineView

from testing.builders import NOW, a_case, a_job

type Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

CASE = a_case(evidence=2, locations=1)
SHARE = "https://api.example/cases/case-1#eyJ.x.y"


def the_job(status: Status = Status.GENERATING, version: int = 2, done: int = 1, **changes: object) -> Job:
    """Return a job of the service."""
    job = a_job(CASE)
    images = {shot.id: f"cases/{shot.id}" for shot in job.shots[:done]}
    return replace(job, status=status, version=version, images=images, **changes)  # type: ignore[arg-type]


def job_response(job: Job, status: int = 200, retry_after: str = "2") -> httpx.Response:
    """Return the service's response with a job."""
    body = dump(JobView.of(job, lambda shot_id: f"https://api.example/pictures/{shot_id}"))
    return httpx.Response(
        status, text=body, headers={"etag": f'"{job.tag}.links"', "retry-after": retry_after}
    )


def accepted(job: Job) -> httpx.Response:
    """Return the service's response to a submission."""
    view = JobView.of(job, lambda shot_id: shot_id)
    return httpx.Response(202, text=dump(AcceptedView(**view.model_dump(), share_url=SHARE)))


def a_timeline() -> httpx.Response:
    """Return the service's response with a timeline."""
    job = with_history(None, a_job(CASE), at=NOW, by="game")
    made = RunEvent(
        kind=EventKind.ATTEMPT,
        at=NOW + 500,
        milliseconds=4000,
        outcome="made",
        number=1,
        shot_id="evidence-1",
    )
    lost = replace(made, outcome="overloaded", shot_id="location-1", cost_micro_usd=33_600)
    log = RunLog(
        case_id=job.case_id, job_id=job.job_id, run=1, sequence=2, expires_at=NOW, events=(made, lost)
    )
    return httpx.Response(200, text=dump(TimelineView.of(job, [log])))


def a_request() -> httpx.Response:
    """Return the service's response with a submitted case, and a field that this client does not know."""
    body = json.loads(dump(RequestView.of(CASE))) | {"later": True}
    return httpx.Response(200, json=body)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    """Return a refusal of the service."""
    errors = [{"field": "caseId", "message": "must match"}]
    body = {"title": "No", "status": status, "detail": f"because of {code}", "code": code, "errors": errors}
    return httpx.Response(status, json=body, headers=headers)


FAILED = the_job(
    Status.PARTIAL,
    version=5,
    done=2,
    completed_at=NOW + 9_000,
    failures={"location-1": Failure(code="refused", message="not that \x1b[31m [bold]", retryable=False)},
)


@dataclass
class Server:
    """A server that sends its replies in order, repeats the last one, and records the requests."""

    replies: Sequence[Reply]
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            return reply(request)
        # A new response each time, since one that a client has read cannot be read again.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
