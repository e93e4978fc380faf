"""The meanings of names, sentences and statuses in providers' errors: tables, and the search in them.

A name decides where there is one. Faults of the account often differ only in their sentence. A sentence may
quote the prompt. So it is searched only where the error is about the account or the request's settings.
"""

import re
from collections.abc import Mapping, Sequence

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

type Meaning = tuple[type[ShotError], str]
"""The error, and the beginning of its message for operators. The status and a name follow it."""

RATE: Meaning = (Throttled, "the provider's rate limit")
BUSY: Meaning = (Overloaded, "the provider failed")
INVALID: Meaning = (InvalidPrompt, "the provider does not accept the request")
KEY: Meaning = (Unauthorized, "the provider does not accept the key")
RETIRED: Meaning = (ModelRetired, "the provider no longer has the model, or not for this account")
ADDRESS: Meaning = (Misconfigured, "the provider is not reached at this address or in this way")
CREDITS: Meaning = (QuotaExhausted, "the credits of the provider's account are used up")
REGION: Meaning = (AccountUnusable, "the provider does not serve this region")
LEAKED: Meaning = (Unauthorized, "the provider has blocked the key, which was reported as leaked")
SUSPENDED: Meaning = (AccountUnusable, "the provider's account is suspended")
CAP: Meaning = (QuotaExhausted, "the spending cap of the provider's account is reached")
QUOTA: Meaning = (QuotaExhausted, "the provider's quota is used up or zero")
BILLING: Meaning = (AccountUnusable, "billing is not active for the provider's account")
PRECONDITION: Meaning = (AccountUnusable, "the provider needs billing or another region")
ACCESS: Meaning = (AccountUnusable, "the provider's account may not use the model")
MARKETPLACE: Meaning = (AccountUnusable, "the AWS account is not subscribed to the model (Marketplace)")
REFUSED: Meaning = (Refused, "the provider refused")
THINKING: Meaning = (Misconfigured, "the model does not take the thinking level (GeminiThinking)")
PROFILE: Meaning = (Misconfigured, "the model needs the id of an inference profile (BedrockModel)")
SETTING: Meaning = (Misconfigured, "the provider does not accept a setting")

_BY_STATUS: Mapping[int, Meaning] = {
    **dict.fromkeys((*range(300, 400), 405, 406, 407, 411, 415, 426, 431, 501, 505), ADDRESS),
    **dict.fromkeys((408, 409, 421, 423, 424, 425, 444, 449, 460, 499), BUSY),
    401: KEY,
    402: CREDITS,
    403: KEY,
    404: RETIRED,
    410: RETIRED,
    429: RATE,
    451: REGION,
}
"""Other errors below 500 are the request's fault, and from 500 on the provider's."""

_OWNER = "account|access|organi[sz]ation|project|consumer|customer|user|subscription|key"

type _Patterns = tuple[tuple[str, Meaning], ...]
"""Regular expressions and their meanings. The first one that matches counts."""

_BY_NAME: _Patterns = (
    (r"credit\w*_(exhausted|depleted)|insufficient_(credit|balance|fund|user_quota)", CREDITS),
    (r"(spend(ing)?|usage|budget|billing_hard)_(limit|cap)|budget_exceeded", CAP),
    (r"insufficient_quota|daily_?limit", QUOTA),
    (r"billing_(not_active|not_enabled|inactive|disabled)", BILLING),
    (r"suspended|deactivated|terminated|(account|organization)_disabled|account_state_invalid", SUSPENDED),
    (r"unsupported_(country|region)|location_policy", REGION),
    (r"service_disabled|consumer_invalid|project_(denied|invalid)|not_verified", ACCESS),
    (r"moderation_blocked|content_?(policy|filter)|responsibleaipolicy", REFUSED),
    (r"model_not_found|model_(retired|deprecated)|deploymentnotfound", RETIRED),
    (r"api_key_|invalid_api_key|(invalid|mismatched)_organization|^unauthenticated$", KEY),
    (r"^failed_precondition$", PRECONDITION),
    (r"^(cancelled|aborted|unavailable|internal|deadline_exceeded|server_error)$", BUSY),
)

_MONEY: _Patterns = (
    (r"leaked|compromised", LEAKED),
    (r"\bkey\b.{0,40}\b(disabled|revoked|expired|deleted)\b", KEY),
    (rf"\b({_OWNER})\b.{{0,80}}\b(suspended|deactivated|terminated|banned)", SUSPENDED),
    (r"prepa(id|y\w*) (credit|balance)|credit balance|top up|(add|purchase) (more )?(credit|fund)", CREDITS),
    (r"\bcredits?\b.{0,40}\b(deplet|exhaust|used up|insufficient)", CREDITS),
    (r"(insufficient|not enough|no|no more|no remaining|out of) (\w+ )?(credit|balance|fund)", CREDITS),
    (r"spend(ing)?[ -](cap|limit)|monthly (\w+ )?(cap|limit)|hard limit|billing limit|budget", CAP),
    (r"payment[ _](method|instrument)|account is not active|past due", BILLING),
    (r"\bbilling\b.{0,60}\b(not (been )?(active|enabled|set up)|disabled|inactive|closed)\b", BILLING),
    (r"(requires?|enable|no active) billing", BILLING),
)
"""Sentences of 401, 402, 403 and 429."""

_RIGHTS: _Patterns = (
    (r"(country|region|territory|location)\b.{0,40}\bnot (supported|available|allowed)", REGION),
    (r"marketplace", MARKETPLACE),
    (r"denied access|has been (blocked|disabled|restricted)", SUSPENDED),
    (r"must be verified|not been used in project|operation not allowed", ACCESS),
    (r"(no|not have|n.t have) access to (the |this )?(model|project)", ACCESS),
    (r"not allowed to (use|access|invoke)|is not authorized to invoke", ACCESS),
    (r"not (available|allowed) (for|to|in) (your|this)", ACCESS),
)
"""Sentences of 401, 402 and 403."""

_OPENINGS: _Patterns = (
    (r"(incorrect )?api key ", KEY),
    (r"billing hard limit", CAP),
    (r"(your )?credit balance|(insufficient|not enough) (credit|balance|fund)", CREDITS),
    (
        r"(this|your) (account|organi[sz]ation|project) (is|has been) (suspended|disabled|deactivated)",
        SUSPENDED,
    ),
    (r"user location is not supported|.{0,40}free tier is not available", REGION),
    (r"operation not allowed|your account is not authorized|access to this model", ACCESS),
    (r"you don.t have access to the model|model (access is denied|use case details)", ACCESS),
    (r"(invocation of model id .{1,200} with )?on-demand throughput isn.t supported", PROFILE),
    (r"this request has been blocked by our content filter", REFUSED),
    (r"your (request|prompt|task) .{0,40}\bsafety system", REFUSED),
    (r"(aspect ratio|image size) ", SETTING),
    (r"malformed input request(?!.*\bprompt\b)|this action doesn.t support", SETTING),
)
"""Beginnings of sentences of 400, 404 and 422. The rest of such a sentence may quote the prompt."""

_REQUEST: _Patterns = (
    (r"thinking[ _]?(level|config|budget|mode)|\Athinking ", THINKING),
    (r"generation_?config|image_?config|aspect_?ratio|image_?size|multi-?modal output", SETTING),
    (r"response_? ?modalit|invalid json payload|not supported (by|for) (this|the) model", SETTING),
)
"""Sentences of 400 and 422 about the settings that are sent with the prompt."""

OF_THE_ACCOUNT = frozenset({401, 402, 403, 429})
"""Statuses of errors that are about the account, so that a sentence of theirs quotes no prompt."""

_RATE_NAME = re.compile(r"rate_?limit|too_?many_?requests|throttl", re.IGNORECASE)
"""Names of a rate limit. Some providers send them with another status than 429."""

_END_OF_SENTENCE = re.compile(r"(?<=[.!?;])\s")


def as_error(
    meaning: Meaning, subject: str, *, retry_after: float | None = None, billed: bool = False
) -> ShotError:
    """Return the error of `meaning`; `subject` ends its message."""
    error, text = meaning
    return error(f"{text}: {subject}", retry_after=retry_after, billed=billed)


def by_status(status: int) -> Meaning:
    """Return what an HTTP status means when the response says nothing more exact."""
    return _BY_STATUS.get(status, BUSY if status >= 500 else INVALID)


def by_name(names: Sequence[str]) -> Meaning | None:
    """Return the meaning of an error that has one of the known names."""
    for part, meaning in _BY_NAME:
        if any(re.search(part, name, re.IGNORECASE) for name in names):
            return meaning
    return None


def by_sentence(status: int, message: str, names: Sequence[str]) -> Meaning | None:
    """Return the meaning of an error by its sentence; `names` are the names that it has as well."""
    if is_rate_limit(names) or re.match(r"\W{0,3}rate limit", message, re.IGNORECASE):
        # The rest is advice on how to get a higher limit. It mentions money, which is not what is missing.
        message = _END_OF_SENTENCE.split(message, maxsplit=1)[0]
    patterns: _Patterns = ()
    if status in OF_THE_ACCOUNT:
        patterns += _MONEY
    if status in (401, 402, 403):
        patterns += _RIGHTS
    if status in (400, 404, 422):
        patterns += tuple((rf"\A\W{{0,3}}(?:{opening})", meaning) for opening, meaning in _OPENINGS)
    if status in (400, 422):
        patterns += _REQUEST
    return next((meaning for part, meaning in patterns if re.search(part, message, re.IGNORECASE)), None)


def is_rate_limit(names: Sequence[str]) -> bool:
    """Return True if one of `names` is of a rate limit."""
    return any(_RATE_NAME.search(name) for name in names)
