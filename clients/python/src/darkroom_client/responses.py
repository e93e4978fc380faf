"""Read responses of the API: a model, or the error that it means."""

from typing import Any

import httpx
from pydantic import ValidationError

from darkroom_client.errors import (
    BY_STATUS,
    BadResponse,
    DarkroomError,
    ServerError,
    WrongField,
    WrongSetting,
)
from darkroom_client.models import Case, Deliveries, Delivery, Job, Metrics, Timeline

_MAX_TEXT = 2000
"""Characters that are kept of one text of an error."""
_MAX_FIELDS = 20
"""Number of wrong fields that are kept of one error, as many as the service names."""


def parse[M: (Case, Job, Timeline, Metrics, Deliveries, Delivery)](
    model: type[M], response: httpx.Response
) -> M:
    """Return the body as `model`; raise BadResponse if it is not one."""
    try:
        return model.model_validate_json(response.content, extra="ignore")
    except ValidationError as error:
        at = ", ".join(".".join(map(str, e["loc"])) for e in error.errors(include_input=False))
    raise BadResponse(f"this is not a response of this API: {at}", status=response.status_code)


def error_in(response: httpx.Response, *, redirects: bool) -> DarkroomError | None:
    """Return the error that the response means, or None. `redirects` says that redirects were followed."""
    if response.is_success or response.status_code == httpx.codes.NOT_MODIFIED:
        return None
    if response.has_redirect_location and not redirects:
        return WrongSetting(f"the API has another address, {response.headers['location']}: use that")
    status = response.status_code
    kind = ServerError if response.is_server_error else BY_STATUS.get(status, DarkroomError)
    problem = _problem(response)
    text = problem.get("detail") or problem.get("message") or f"the server returned {status}"
    return kind(
        _brief(text),
        status=status,
        code=_brief(problem.get("code") or ""),
        fields=_fields(problem.get("errors")),
        retry_after=retry_after(response),
    )


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds in the header Retry-After; None without it, or when it is a date."""
    text = response.headers.get("retry-after")
    return float(text) if text and text.isascii() and text.isdigit() else None


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _fields(errors: object) -> tuple[WrongField, ...]:
    wrong = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    return tuple(
        WrongField(_brief(each.get("field") or ""), _brief(each.get("message") or ""))
        for each in wrong[:_MAX_FIELDS]
    )


def _brief(text: object) -> str:
    """Cut off a server's text, which may have any length and any type."""
    return str(text)[:_MAX_TEXT]
