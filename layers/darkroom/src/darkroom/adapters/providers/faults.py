"""Turn an error response of an image provider into the ShotError that it means."""

import re
from collections.abc import Mapping
from typing import Any

from darkroom.adapters.providers import meanings
from darkroom.adapters.providers.delays import delay
from darkroom.adapters.providers.meanings import Meaning
from darkroom.adapters.providers.problem import Problem, read, read_value
from darkroom.domain.shot_errors import Misconfigured, ShotError

_NAME_INSIDE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b", re.IGNORECASE)


def to_error(status: int, body: bytes, headers: Mapping[str, str]) -> ShotError:
    """Return what a response other than a success means."""
    problem = read(body)
    seen = f"{status} {problem.name}"
    status = problem.status or status
    wait_s = delay(problem, headers)
    if found := _known(status, problem):
        return meanings.as_error(found, seen, retry_after=wait_s)
    if problem.field and status in (400, 422):
        return Misconfigured(f"{meanings.SETTING[1]}, {problem.field}: {seen}")
    return meanings.as_error(meanings.by_status(status), seen, retry_after=wait_s)


def inside(body: dict[str, Any]) -> ShotError | None:
    """Return the final error in the body of a success without a picture; None without one. It is billed."""
    if not body.get("error"):
        return None
    problem = read_value(body["error"])
    if (found := _known(problem.status or 429, problem)) and not found[0].retryable:
        return meanings.as_error(found, problem.name, billed=True)
    return None


def _known(status: int, problem: Problem) -> Meaning | None:
    """Return the meaning of an error of 4xx that has a known name or sentence."""
    if not 400 <= status < 500:
        return None
    if status == 429 and problem.is_quota_used_up:
        return meanings.QUOTA
    names = problem.names
    if status in meanings.OF_THE_ACCOUNT:  # a gateway may write the name inside a sentence
        names += tuple(_NAME_INSIDE.findall(problem.message))
    if found := meanings.by_name(names) or meanings.by_sentence(status, problem.message, problem.names):
        return found
    is_rate_limit = meanings.is_rate_limit(problem.names)
    return meanings.RATE if is_rate_limit or _is_exhausted(problem) else None


def _is_exhausted(problem: Problem) -> bool:
    return any(name.upper() == "RESOURCE_EXHAUSTED" for name in problem.names)
