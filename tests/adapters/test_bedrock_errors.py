"""Errors of Bedrock: name, status and sentence → the error, and the words that an operator reads."""

import pytest
from darkroom.adapters.providers import bedrock
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

from testing.recorded import TRICKY_PROMPT, check_meaning

ACCESS = "may not use the model"
PERMISSION = "is not authorized to perform: bedrock:InvokeModel on resource: *"
MARKETPLACE = (
    "Model access is denied due to IAM user or service role is not authorized to perform the required AWS "
    "Marketplace actions (aws-marketplace:Subscribe) to enable access to this model. If you recently fixed "
    "this issue, try again after 2 minutes."
)
PAYMENT = (
    "Model access is denied due to INVALID_PAYMENT_INSTRUMENT: A valid payment instrument must be provided."
)
ON_DEMAND = (
    "Invocation of model ID x with on-demand throughput isn\N{RIGHT SINGLE QUOTATION MARK}t supported."
)
AMAZON: list[tuple[str, int, str, type[ShotError], str]] = [
    (
        "AccessDeniedException",
        403,
        f"User: arn:aws:sts::1:assumed-role/x/y {PERMISSION}",
        Unauthorized,
        "role",
    ),
    (
        "AccessDeniedException",
        403,
        "You don't have access to the model with the specified model ID.",
        AccountUnusable,
        ACCESS,
    ),
    ("AccessDeniedException", 403, MARKETPLACE, AccountUnusable, "Marketplace"),
    (
        "AccessDeniedException",
        403,
        "is not authorized to perform: aws-marketplace:ViewSubscriptions on *",
        AccountUnusable,
        "Marketplace",
    ),
    ("AccessDeniedException", 403, PAYMENT, AccountUnusable, "billing"),
    ("AccessDeniedException", 403, "Your account is suspended.", AccountUnusable, "suspended"),
    (
        "AccessDeniedException",
        403,
        "Access to Bedrock models is not allowed for this account. Please contact AWS Support.",
        AccountUnusable,
        ACCESS,
    ),
    (
        "ThrottlingException",
        429,
        "Your request rate is too high. Reduce it, or purchase credits for a reserved tier.",
        Throttled,
        "rate limit",
    ),
    ("SubscriptionRequiredException", 403, "", AccountUnusable, "signed up"),
    (
        "UnrecognizedClientException",
        403,
        "The security token included in the request is invalid.",
        Unauthorized,
        "accept the key",
    ),
    ("ValidationException", 400, "Operation not allowed", AccountUnusable, ACCESS),
    (
        "ValidationException",
        400,
        "Your account is not authorized to invoke this API operation.",
        AccountUnusable,
        ACCESS,
    ),
    (
        "ValidationException",
        400,
        "Access to this model is not available for channel program accounts.",
        AccountUnusable,
        ACCESS,
    ),
    ("ValidationException", 400, ON_DEMAND, Misconfigured, "inference profile"),
    (
        "ValidationException",
        400,
        "on-demand throughput isn't supported for this model",
        Misconfigured,
        "inference profile",
    ),
    (
        "ValidationException",
        400,
        "Malformed input request: extraneous key [aspect_ratio] is not permitted",
        Misconfigured,
        "setting",
    ),
    (
        "ValidationException",
        400,
        "Malformed input request: #/prompt: expected maxLength: 10000",
        InvalidPrompt,
        "request",
    ),
    ("ValidationException", 400, "This request has been blocked by our content filters.", Refused, "refused"),
    (
        "ValidationException",
        400,
        f"1 validation error: '{TRICKY_PROMPT}'",
        InvalidPrompt,
        "request",
    ),
    ("ValidationException", 400, "The provided model identifier is invalid.", ModelRetired, "model"),
    (
        "ResourceNotFoundException",
        404,
        "Model use case details have not been submitted for this account.",
        AccountUnusable,
        ACCESS,
    ),
    (
        "ResourceNotFoundException",
        404,
        "Access denied. This Model is marked by provider as Legacy.",
        ModelRetired,
        "model",
    ),
    (
        "ThrottlingException",
        429,
        "Too many requests, please wait before trying again.",
        Throttled,
        "rate limit",
    ),
    ("ThrottlingException", 400, "Rate exceeded", Throttled, "rate limit"),
    (
        "ThrottlingException",
        429,
        "Too many tokens per day, please wait before trying again.",
        QuotaExhausted,
        "day",
    ),
    (
        "ServiceQuotaExceededException",
        400,
        "Your request exceeds the service quota for your account.",
        QuotaExhausted,
        "quota",
    ),
    ("TooManyRequestsException", 400, "", Throttled, "rate limit"),
    ("RequestTimeoutException", 400, "", Overloaded, "failed"),
    ("ModelNotReadyException", 429, "", Throttled, "not ready"),
    ("ServiceUnavailableException", 503, "", Overloaded, "failed"),
]


@pytest.mark.parametrize(("name", "status", "sentence", "error", "words"), AMAZON)
def test_every_error_of_bedrock_has_its_meaning(
    name: str, status: int, sentence: str, error: type[ShotError], words: str
) -> None:
    response = {
        "Error": {"Code": name, "Message": sentence},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    check_meaning(bedrock.to_error(response), sentence, error, words)
