"""A server of scripted answers, and answers as the service itself would give them."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import httpx
from darkroom.domain.history import Event, EventKind, RunLog
from darkroom.domain.job import Failure, Job, Status
from darkroom.domain.job_history import with_history
from darkroom.wire.job import AcceptedView, JobView
from darkroom.wire.model import dump
from darkroom.wire.requests import RequestView
from darkroom.wire.timeline import TimelineView

from testing.builders import NOW, a_case, a_job

type Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

CASE = a_case(evidence=2, locations=1)
SHARE = "https://api.example/cases/case-1#eyJ.x.y"


def the_job(status: Status = Status.GENERATING, version: int = 2, done: int = 1, **changes: object) -> Job:
    """The service's own job."""
    job = a_job(CASE)
    images = {shot.id: f"cases/{shot.id}" for shot in job.shots[:done]}
    return replace(job, status=status, version=version, images=images, **changes)  # type: ignore[arg-type]


def answer(job: Job, status: int = 200, retry_after: str = "2") -> httpx.Response:
    """As the service answers with a job."""
    body = dump(JobView.of(job, lambda shot_id: f"https://api.example/pictures/{shot_id}"))
    return httpx.Response(
        status, text=body, headers={"etag": f'"{job.tag}.links"', "retry-after": retry_after}
    )


def accepted(job: Job) -> httpx.Response:
    """As the service answers to a submission."""
    view = JobView.of(job, lambda shot_id: shot_id)
    return httpx.Response(202, text=dump(AcceptedView(**view.model_dump(), share_url=SHARE)))


def a_timeline() -> httpx.Response:
    """As the service tells what happened."""
    job = with_history(None, a_job(CASE), at=NOW, by="game")
    tried = Event(
        kind=EventKind.ATTEMPT,
        at=NOW + 500,
        milliseconds=4000,
        outcome="made",
        number=1,
        shot_id="evidence-1",
    )
    lost = replace(tried, outcome="overloaded", shot_id="location-1", cost_micro_usd=33_600)
    log = RunLog(
        case_id=job.case_id, job_id=job.job_id, run=1, sequence=2, expires_at=NOW, events=(tried, lost)
    )
    return httpx.Response(200, text=dump(TimelineView.of(job, [log])))


def a_request() -> httpx.Response:
    """As the service says what was submitted, and something that this client does not know."""
    body = json.loads(dump(RequestView.of(CASE))) | {"later": True}
    return httpx.Response(200, json=body)


def problem(status: int, code: str, **headers: str) -> httpx.Response:
    """As the service refuses."""
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
    """Gives its replies in order, the last one for ever; remembers what was asked."""

    replies: Sequence[Reply]
    asked: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            return reply(request)
        # Each client reads its own: one that was read by the other kind cannot be read again.
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
