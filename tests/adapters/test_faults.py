"""The forms in which an error is understood, and what is never taken for an error of the account."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from darkroom.adapters.providers import delays, faults
from darkroom.domain.shot_errors import (
    AccountUnusable,
    InvalidPrompt,
    Misconfigured,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    Throttled,
    Unauthorized,
)

from testing.recorded import TRICKY_PROMPT, encoded, error_body

DEPLETED = "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects"
RATE = {"status": "RESOURCE_EXHAUSTED"}
DENIED = {"status": "PERMISSION_DENIED"}
ARGUMENT = {"status": "INVALID_ARGUMENT"}


FORMS: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "an array": lambda error: json.dumps([error]).encode(),
    "an array with more": lambda error: json.dumps([None, 7, error, {"error": {}}]).encode(),
    "a byte-order mark": lambda error: json.dumps(error).encode("utf-8-sig"),
    "UTF-16": lambda error: json.dumps(error).encode("utf-16"),
    "no envelope": lambda error: json.dumps(error["error"]).encode(),
    "another envelope": lambda error: json.dumps({"detail": error}).encode(),
    "a list of errors": lambda error: json.dumps({"errors": [error["error"]]}).encode(),
    "a bare text in JSON": lambda error: json.dumps(error["error"]["message"]).encode(),
    "a text as the error": lambda error: json.dumps({"error": error["error"]["message"]}).encode(),
    "a text in a list": lambda error: json.dumps({"errors": [error["error"]["message"]]}).encode(),
    "a text as the detail": lambda error: json.dumps({"detail": error["error"]["message"]}).encode(),
    "plain text": lambda error: error["error"]["message"].encode(),
    "a sentence around it": lambda error: json.dumps({"error": {"message": f"upstream: {error}"}}).encode(),
    "a response quoted as the message": lambda error: json.dumps({"message": json.dumps(error)}).encode(),
    "a response quoted in a list": lambda error: json.dumps({"errors": [json.dumps([error])]}).encode(),
    "half a surrogate pair": lambda error: json.dumps({**error, "x": "\ud83d"}).encode(),
    "a broken byte": lambda error: json.dumps(error).encode()[:-1] + b', "x": "\xff"}',
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("status", "sentence", "more", "error"),
    [
        (429, DEPLETED, RATE, QuotaExhausted),
        (429, "Your account is not active", {"code": "billing_not_active"}, AccountUnusable),
        (403, "Consumer has been suspended.", DENIED, AccountUnusable),
        (400, "Thinking level is not supported for this model.", ARGUMENT, Misconfigured),
        (429, "Resource has been exhausted.", RATE, Throttled),
    ],
)
def test_an_error_is_understood_in_every_form(
    form: str, status: int, sentence: str, more: dict[str, Any], error: type[ShotError]
) -> None:
    body = FORMS[form](error_body(status, sentence, more))
    found = faults.to_error(status, body, {})
    assert type(found) is error
    assert sentence not in str(found)


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ({"error_code": "billing_not_active"}, AccountUnusable),
        ({"errorCode": "billing_not_active"}, AccountUnusable),
        ({"error_type": "insufficient_quota"}, QuotaExhausted),
        ({"Code": "insufficient_quota"}, QuotaExhausted),
        ({"error_message": DEPLETED}, QuotaExhausted),
        ({"errorMessage": DEPLETED}, QuotaExhausted),
        ({"details": [{"violations": [{"quota_id": "GenerateRequestsPerDay"}]}]}, QuotaExhausted),
        ({"details": [{"violations": [{"quota_value": "0"}]}]}, QuotaExhausted),
        ({"details": [{"violations": [{"quota_metric": "images_per_day"}]}]}, QuotaExhausted),
        ({"details": [{"metadata": {"quota_limit_value": "0"}}]}, QuotaExhausted),
        ({"details": [{"metadata": {"quota_limit": "RequestsPerDayPerProject"}}]}, QuotaExhausted),
        ({"details": [{"metadata": {"quotaLimit": "RequestsPerMinute"}}]}, Throttled),
        ({"message": "You have exhausted your daily quota on this model."}, QuotaExhausted),
    ],
)
def test_keys_are_read_in_snake_case_and_camel_case(keys: dict[str, Any], error: type[ShotError]) -> None:
    for body in (keys, {"error": keys}, [{"error": keys}]):
        assert type(faults.to_error(429, encoded(body), {})) is error


@pytest.mark.parametrize(
    ("more", "seconds"),
    [
        ({"details": [{"retry_delay": "48s"}]}, 48.0),
        ({"details": [{"retry_delay": {"seconds": 48, "nanos": 500_000_000}}]}, 48.5),
        ({"details": [{"retryDelay": {"seconds": "48"}}]}, 48.0),
        ({"retry_after": 9}, 9.0),
        ({"retry_delay": {"seconds": 99_999_999, "nanos": 5}}, delays.LONGEST_DELAY_S),
        ({"retry_delay": {"seconds": "x"}}, 7.0),
        ({"retry_after": "soon"}, 7.0),
        ({"message": "Please retry in 48.9s."}, 7.0),
    ],
)
def test_a_delay_in_the_body_is_read_in_every_form(more: dict[str, Any], seconds: float) -> None:
    body = encoded(error_body(429, "", more))
    assert faults.to_error(429, body, {"retry-after": "7"}).retry_after == seconds


@pytest.mark.parametrize(
    ("sentence", "seconds"),
    [
        ("Please retry in 48.939935699s.", 48.939935699),
        ("Please try again in 1m30s.", 90.0),
        ("Please try again in 250ms", 0.25),
        ("Try again in 2h", 7200.0),
        ("Please retry after 30 seconds", 30.0),
        ("Please retry after 900000h", delays.LONGEST_DELAY_S),
        ("Please try again in 500 milliseconds", 0.5),
        ("Please try again in 2 minutes 5 secs", 125.0),
        ("Please try again in 10 min.", 600.0),
        ("Please try again in 1 month", None),
        ("Please try again later", None),
    ],
)
def test_a_delay_may_be_in_the_sentence_only(sentence: str, seconds: float | None) -> None:
    body = encoded(error_body(429, sentence, {}))
    assert faults.to_error(429, body, {}).retry_after == seconds


@pytest.mark.parametrize(
    ("sentence", "more"),
    [
        (
            "Rate limit reached on images per min. Add a payment method to your account to increase it.",
            {"type": "images", "code": "rate_limit_exceeded"},
        ),
        ("Rate limit reached. Add credits, or top up, to raise it.", {"type": "requests", "code": None}),
        ("Too fast. Purchase credits for a higher limit.", {"code": "too_many_requests"}),
        ("Requests are suspended for 5 s because of the rate limit.", {"code": "rate_limit_exceeded"}),
        ("The upstream connection was terminated: too many requests", {}),
    ],
)
def test_a_rate_limit_with_advice_about_money_may_be_retried(sentence: str, more: dict[str, Any]) -> None:
    body = encoded(error_body(429, sentence, more))
    assert type(faults.to_error(429, body, {})) is Throttled


def test_a_spending_cap_named_as_a_rate_limit_is_final() -> None:
    more = {"details": [{"reason": "RATE_LIMIT_EXCEEDED"}], **RATE}
    body = encoded(error_body(429, "Your project exceeded its monthly spending cap. Go on.", more))
    assert type(faults.to_error(429, body, {})) is QuotaExhausted


@pytest.mark.parametrize(
    ("sentence", "error"),
    [
        ("Your request was rejected by the safety system.", Refused),
        ("Your request was rejected as a result of our safety system. Your prompt may", Refused),
        ("Aspect ratio is not enabled for this model", Misconfigured),
        ("The prompt 'your request has a safety system' is too long", InvalidPrompt),
        ("Invalid prompt: aspect ratio of a door", InvalidPrompt),
    ],
)
def test_the_beginning_of_a_sentence_decides_its_meaning(sentence: str, error: type[ShotError]) -> None:
    body = encoded(error_body(400, sentence, {"type": "image_generation_user_error"}))
    assert type(faults.to_error(400, body, {})) is error


def test_the_status_in_the_body_counts_when_a_gateway_sends_another() -> None:
    body = encoded(error_body(402, DEPLETED, RATE))
    for status in (400, 500, 502):
        assert type(faults.to_error(status, body, {})) is QuotaExhausted


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_web_page_of_a_firewall_is_no_error_of_the_account(status: int) -> None:
    body = b"<html>Access suspended: your credits are depleted, billing is disabled</html>"
    expected = {403: Unauthorized, 429: Throttled, 503: Overloaded}[status]
    assert type(faults.to_error(status, body, {})) is expected


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_sentence_that_quotes_the_prompt_is_no_error_of_the_account(status: int) -> None:
    body = encoded(error_body(status, f"The prompt '{TRICKY_PROMPT}' is too long", ARGUMENT))
    assert type(faults.to_error(status, body, {})) is InvalidPrompt
