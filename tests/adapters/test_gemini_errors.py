"""Errors of the Gemini adapter for recorded and documented responses other than 200 (testing/bodies)."""

import json
from typing import Any

import httpx
import pytest
from darkroom.adapters.providers.gemini import Gemini
from darkroom.domain.shot_errors import (
    AccountUnusable,
    InvalidPrompt,
    Misconfigured,
    ModelRetired,
    Overloaded,
    QuotaExhausted,
    ShotError,
    Throttled,
    Unauthorized,
)

from testing import recorded
from testing.recorded import BODIES, KEY, body_of


def provider(client: httpx.AsyncClient) -> Gemini:
    return Gemini(client, base_url="https://gemini.example", model="m", thinking="", key=lambda: KEY)


def failing(status: int, body: bytes, headers: dict[str, str] | None = None) -> ShotError:
    return recorded.failure(recorded.server_returning(status, body, headers), provider)


def test_the_recorded_rate_limit_names_its_delay() -> None:
    failure = failing(429, body_of("gemini_429_paid_tier_retryinfo.json"))
    assert isinstance(failure, Throttled)
    assert failure.retry_after == 48.0


def test_a_rate_limit_without_details_has_no_delay() -> None:
    failure = failing(429, body_of("gemini_429_bare.json"))
    assert isinstance(failure, Throttled)
    assert failure.retry_after is None


def with_details(*details: dict[str, Any], message: str = "quota") -> bytes:
    error = {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    "body",
    [
        with_details({"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}),
        with_details({"violations": [{"quotaId": "PerMinute", "quotaValue": "0"}]}),
        with_details({"violations": [None, 7, {}, {"quotaValue": 0}]}),
        with_details({}, {"retryDelay": "48s"}, {"violations": [{"quotaId": "RequestsPerDay"}]}),
        with_details(message="Quota exceeded for metric: x, limit: 0, model: y"),
    ],
)
def test_a_daily_or_zero_quota_is_final(body: bytes) -> None:
    assert isinstance(failing(429, body), QuotaExhausted)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("48s", 48.0),
        ("48.939935699s", 48.939935699),
        ("0.250s", 0.25),
        ("7s", 7.0),
        ("soon", None),
        ("-1s", None),
        ("infs", None),
        ("315576000000s", 86_400.0),
        ("1e308s", 86_400.0),
        ("-315576000000s", None),
        ("nans", None),
        (None, None),
    ],
)
def test_a_delay_that_is_no_duration_is_ignored(delay: str | None, seconds: float | None) -> None:
    failure = failing(429, with_details({"retryDelay": delay}))
    assert failure.retry_after == seconds


@pytest.mark.parametrize("details", [None, {}, [], [None], [7, "x"], [{"reason": {}, "violations": 7}]])
def test_details_may_have_any_shape(details: Any) -> None:
    error = {"code": 429, "status": ["RESOURCE_EXHAUSTED"], "message": None, "details": details}
    assert isinstance(failing(429, json.dumps({"error": error}).encode()), Throttled)


def test_the_delay_in_the_body_counts_more_than_the_header() -> None:
    assert failing(429, with_details({"retryDelay": "48s"}), {"retry-after": "9"}).retry_after == 48.0


def test_a_retry_after_header_of_a_proxy_is_read() -> None:
    assert failing(503, b"", {"retry-after": "9"}).retry_after == 9.0


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, body_of("gemini_400_api_key_invalid.json"), Unauthorized),
        (400, body_of("gemini_400_unknown_field.json"), Misconfigured),
        (400, b'{"error": {"status": "FAILED_PRECONDITION"}}', AccountUnusable),
        (400, b'{"error": {"status": "INVALID_ARGUMENT", "details": [{"reason": {}}]}}', InvalidPrompt),
        (401, b"", Unauthorized),
        (403, b"<html>Forbidden</html>", Unauthorized),
        (403, b'{"error": {"status": "PERMISSION_DENIED"}}', Unauthorized),
        (404, body_of("gemini_404.json"), ModelRetired),
        (404, b"", ModelRetired),
        (408, b"", Overloaded),
        (413, b"", InvalidPrompt),
        (500, body_of("gemini_500.json"), Overloaded),
        (502, b"<html>", Overloaded),
        (503, body_of("gemini_503.json"), Overloaded),
        (504, b'{"error": {"status": "DEADLINE_EXCEEDED"}}', Overloaded),
        (529, b"", Overloaded),
        (302, b"", Misconfigured),
        (499, b'{"error": {"status": "CANCELLED"}}', Overloaded),
    ],
)
def test_every_status_has_its_error(status: int, body: bytes, error: type[ShotError]) -> None:
    assert type(failing(status, body)) is error


@pytest.mark.parametrize(
    "name", sorted(p.name for p in BODIES.glob("gemini_*.json") if "_200_" not in p.name)
)
def test_no_message_quotes_the_providers_text(name: str) -> None:
    status = int(name.split("_")[1][:3])
    text = json.loads(body_of(name))["error"]["message"]
    assert text not in str(failing(status, body_of(name)))
