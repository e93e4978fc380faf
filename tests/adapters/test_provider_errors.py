"""Errors of Google and OpenAI: status and body → the error, and the words that an operator reads."""

from typing import Any

import pytest
from darkroom.adapters.providers import faults
from darkroom.domain.shot_errors import (
    AccountUnusable,
    InvalidPrompt,
    Misconfigured,
    ModelRetired,
    Overloaded,
    QuotaExhausted,
    Refused,
    ShotError,
    Throttled,
    Unauthorized,
)

from testing.recorded import TRICKY_PROMPT, check_meaning, encoded, error_body

type Case = tuple[int, str, dict[str, Any], type[ShotError], str]
"""Status, sentence, other members of the error → the class, words of our message."""

KEY, CREDITS, CAP, BILLING = "accept the key", "credits", "spending cap", "billing"
SUSPENDED, ACCESS, REGION = "suspended", "may not use the model", "region"
DEPLETED = "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects"
QUOTA = "You exceeded your current quota, please check your plan and billing details."
RATE = {"status": "RESOURCE_EXHAUSTED"}
DENIED = {"status": "PERMISSION_DENIED"}
ARGUMENT = {"status": "INVALID_ARGUMENT"}


def reason(name: str) -> dict[str, Any]:
    return {"details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": name}]}


GOOGLE: list[Case] = [
    (402, DEPLETED, RATE, QuotaExhausted, CREDITS),
    (402, "", {}, QuotaExhausted, CREDITS),
    (429, DEPLETED, RATE, QuotaExhausted, CREDITS),
    (429, "prepayment credits are depleted; see billing", RATE, QuotaExhausted, CREDITS),
    (429, "Your billing account has exceeded its monthly spending cap.", RATE, QuotaExhausted, CAP),
    (429, "the project has exceeded its monthly spending cap", RATE, QuotaExhausted, CAP),
    (429, f"{QUOTA} Quota exceeded for metric: x, limit: 0", RATE, QuotaExhausted, "quota"),
    (429, f"{QUOTA} Quota exceeded for metric: x, limit: 1000", RATE, Throttled, "rate limit"),
    (429, "Resource has been exhausted (e.g. check quota).", RATE, Throttled, "rate limit"),
    (429, "Spend-based rate limit exceeded, please retry in 30s", RATE, Throttled, "rate limit"),
    (429, "The model is overloaded in this region and not available", RATE, Throttled, "rate limit"),
    (
        403,
        "Consumer 'api_key:AIza' has been suspended.",
        DENIED | reason("CONSUMER_SUSPENDED"),
        AccountUnusable,
        SUSPENDED,
    ),
    (403, "Consumer 'api_key:AIza' has been suspended.", DENIED, AccountUnusable, SUSPENDED),
    (403, "Your API key was reported as leaked. Please use another API key.", DENIED, Unauthorized, "leaked"),
    (403, "The caller does not have permission", DENIED, Unauthorized, KEY),
    (403, "", DENIED | reason("API_KEY_SERVICE_BLOCKED"), Unauthorized, KEY),
    (
        403,
        "Generative Language API has not been used in project 1 before or it is disabled.",
        DENIED,
        AccountUnusable,
        ACCESS,
    ),
    (403, "", DENIED | reason("SERVICE_DISABLED"), AccountUnusable, ACCESS),
    (
        403,
        "This API method requires billing to be enabled.",
        DENIED | reason("BILLING_DISABLED"),
        AccountUnusable,
        BILLING,
    ),
    (403, "This API method requires billing to be enabled.", DENIED, AccountUnusable, BILLING),
    (
        400,
        "API key not valid. Please pass a valid API key.",
        ARGUMENT | reason("API_KEY_INVALID"),
        Unauthorized,
        KEY,
    ),
    (400, "API key expired. Please renew the API key.", ARGUMENT, Unauthorized, KEY),
    (
        400,
        "User location is not supported for the API use.",
        {"status": "FAILED_PRECONDITION"},
        AccountUnusable,
        REGION,
    ),
    (400, "User location is not supported for the API use.", {}, AccountUnusable, REGION),
    (
        400,
        "Gemini API free tier is not available in your country.",
        {"status": "FAILED_PRECONDITION"},
        AccountUnusable,
        REGION,
    ),
    (400, "Thinking level is not supported for this model.", ARGUMENT, Misconfigured, "GeminiThinking"),
    (400, "Thinking is not enabled for this model", ARGUMENT, Misconfigured, "GeminiThinking"),
    (
        400,
        "'minimal' is not a supported thinking level for this model. Allowed values are: low.",
        ARGUMENT,
        Misconfigured,
        "GeminiThinking",
    ),
    (
        400,
        "Unable to submit request because thinking_level MEDIUM is not supported by this model.",
        ARGUMENT,
        Misconfigured,
        "GeminiThinking",
    ),
    (400, "Thinking is not enabled", {"code": "invalid_request"}, Misconfigured, "GeminiThinking"),
    (
        400,
        'Invalid JSON payload received. Unknown name "imageOutputOptions" at ...',
        ARGUMENT,
        Misconfigured,
        "setting",
    ),
    (
        400,
        "",
        ARGUMENT | {"details": [{"fieldViolations": [{"field": "generation_config.image_config"}]}]},
        Misconfigured,
        "generation_config.image_config",
    ),
    (
        400,
        "The requested combination of response modalities (IMAGE) is not supported by the model.",
        ARGUMENT,
        Misconfigured,
        "setting",
    ),
    (400, "Request contains an invalid argument.", ARGUMENT, InvalidPrompt, "request"),
    (
        400,
        "The input token count (70000) exceeds the maximum number of tokens allowed (65536).",
        ARGUMENT,
        InvalidPrompt,
        "request",
    ),
    (
        400,
        "",
        ARGUMENT | {"details": [{"fieldViolations": [{"field": "contents.parts"}]}]},
        InvalidPrompt,
        "request",
    ),
    (403, "Your project has been denied access. Please contact support.", DENIED, AccountUnusable, SUSPENDED),
    (403, "Rate limit exceeded", {"errors": [{"reason": "userRateLimitExceeded"}]}, Throttled, "rate limit"),
    (403, "", {"errors": [{"reason": "dailyLimitExceeded"}]}, QuotaExhausted, "quota"),
    (400, "", RATE, Throttled, "rate limit"),
    (403, DEPLETED, RATE, QuotaExhausted, CREDITS),
    (421, "", {}, Overloaded, "failed"),
    (
        404,
        "models/imagen is not found for API version v1beta",
        {"status": "NOT_FOUND"},
        ModelRetired,
        "model",
    ),
    (410, "", {}, ModelRetired, "model"),
    (499, "The operation was cancelled.", {"status": "CANCELLED"}, Overloaded, "failed"),
    (499, "", {}, Overloaded, "failed"),
    (409, "", {"status": "ABORTED"}, Overloaded, "failed"),
    (400, "try again", {"status": "UNAVAILABLE"}, Overloaded, "failed"),
    (503, "The model is overloaded.", {"status": "UNAVAILABLE"}, Overloaded, "failed"),
    (
        504,
        "Deadline expired before operation could complete.",
        {"status": "DEADLINE_EXCEEDED"},
        Overloaded,
        "failed",
    ),
    (301, "", {}, Misconfigured, "address"),
    (405, "", {}, Misconfigured, "address"),
    (451, "", {}, AccountUnusable, REGION),
]

INSUFFICIENT = {"type": "insufficient_quota"}
INVALID = {"type": "invalid_request_error"}
OPEN_AI: list[Case] = [
    (429, QUOTA, INSUFFICIENT | {"code": "insufficient_quota"}, QuotaExhausted, "quota"),
    (429, QUOTA, INSUFFICIENT | {"code": None}, QuotaExhausted, "quota"),
    (429, "", INSUFFICIENT | {"code": "credit_balance_exhausted"}, QuotaExhausted, CREDITS),
    (429, "", INSUFFICIENT | {"code": "organization_spend_limit_exceeded"}, QuotaExhausted, CAP),
    (429, "", INSUFFICIENT | {"code": "project_spend_limit_exceeded"}, QuotaExhausted, CAP),
    (429, "", INSUFFICIENT | {"code": "organization_usage_limit_exceeded"}, QuotaExhausted, CAP),
    (429, "", {"type": "organization_spend_limit_exceeded", "code": None}, QuotaExhausted, CAP),
    (
        400,
        "Billing hard limit has been reached",
        INVALID | {"code": "billing_hard_limit_reached"},
        QuotaExhausted,
        CAP,
    ),
    (400, "Billing hard limit has been reached", INVALID, QuotaExhausted, CAP),
    (429, "", {"type": "billing_not_active", "code": "billing_not_active"}, AccountUnusable, BILLING),
    (429, "", {"type": "billing_not_active", "code": None}, AccountUnusable, BILLING),
    (429, "Your account is not active, please check your billing details.", {}, AccountUnusable, BILLING),
    (401, "", INVALID | {"code": "account_deactivated"}, AccountUnusable, SUSPENDED),
    (403, "", {"type": "access_terminated", "code": None}, AccountUnusable, SUSPENDED),
    (403, "Country not supported", {"code": "unsupported_country_region_territory"}, AccountUnusable, REGION),
    (
        403,
        "Your organization must be verified to use the model `gpt-image-2`.",
        INVALID,
        AccountUnusable,
        ACCESS,
    ),
    (403, "Project `p` does not have access to model `gpt-image-2`", INVALID, AccountUnusable, ACCESS),
    (
        403,
        "Project `p` does not have access",
        INVALID | {"code": "model_not_found"},
        ModelRetired,
        "not for this account",
    ),
    (400, "Your credit balance is too low to access the API.", INVALID, QuotaExhausted, CREDITS),
    (400, "This organization has been disabled.", INVALID, AccountUnusable, SUSPENDED),
    (403, "Insufficient balance, please top up", {"code": "forbidden"}, QuotaExhausted, CREDITS),
    (400, "slow", {"code": "rate_limit_exceeded"}, Throttled, "rate limit"),
    (401, "Incorrect API key provided", INVALID | {"code": "invalid_api_key"}, Unauthorized, KEY),
    (401, "", INVALID | {"code": "mismatched_organization"}, Unauthorized, KEY),
    (
        401,
        "You have insufficient permissions. Missing scopes: api.model.images.request",
        {},
        Unauthorized,
        KEY,
    ),
    (404, "", INVALID | {"code": "model_not_found"}, ModelRetired, "model"),
    (
        400,
        f"Your request '{TRICKY_PROMPT}' was rejected",
        {"code": "moderation_blocked"},
        Refused,
        "refused",
    ),
    (
        403,
        f"'{TRICKY_PROMPT}' is not allowed",
        {"code": "content_policy_violation"},
        Refused,
        "refused",
    ),
    (
        400,
        "",
        INVALID | {"code": "unknown_parameter", "param": "response_format"},
        Misconfigured,
        "response_format",
    ),
    (400, "", INVALID | {"code": "invalid_value", "param": "size"}, Misconfigured, "size"),
    (400, "", INVALID | {"code": None, "param": "quality"}, Misconfigured, "quality"),
    (400, "", INVALID | {"code": "string_above_max_length", "param": "prompt"}, InvalidPrompt, "request"),
    (429, "Rate limit reached", {"type": "images", "code": "rate_limit_exceeded"}, Throttled, "rate limit"),
    (429, "Slow down", {"code": "slow_down"}, Throttled, "rate limit"),
    (503, "", {"code": "server_is_overloaded"}, Overloaded, "failed"),
    (500, "", {"type": "server_error"}, Overloaded, "failed"),
]


@pytest.mark.parametrize(("status", "sentence", "more", "error", "words"), GOOGLE)
def test_every_error_of_google_has_its_meaning(
    status: int, sentence: str, more: dict[str, Any], error: type[ShotError], words: str
) -> None:
    found = faults.to_error(status, encoded(error_body(status, sentence, more)), {})
    check_meaning(found, sentence, error, words)


@pytest.mark.parametrize(("status", "sentence", "more", "error", "words"), OPEN_AI)
def test_every_error_of_openai_has_its_meaning(
    status: int, sentence: str, more: dict[str, Any], error: type[ShotError], words: str
) -> None:
    body = {"error": {"message": sentence, "param": None, **more}}
    check_meaning(faults.to_error(status, encoded(body), {}), sentence, error, words)
