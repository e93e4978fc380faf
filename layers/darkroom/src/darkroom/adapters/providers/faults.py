"""What an error answer of an image provider means.

Providers name their errors, and so do the gateways before them; a name decides where there is one.
Faults of the account are often told apart by nothing but a sentence. A sentence may quote the prompt,
so it is searched only where an answer is about the account or the request's settings, and never kept.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from darkroom.adapters.providers import http
from darkroom.adapters.providers.http import (
    BUSY,
    CREDITS,
    KEY,
    RATE,
    REGION,
    RETIRED,
    Meaning,
    by_status,
    word,
)
from darkroom.domain.errors import (
    AccountUnusable,
    Misconfigured,
    QuotaExhausted,
    Refused,
    ShotError,
    Unauthorized,
)

_LEAKED: Meaning = (Unauthorized, "the provider has blocked the key, which was reported as leaked")
_SUSPENDED: Meaning = (AccountUnusable, "the provider's account is suspended")
_CAP: Meaning = (QuotaExhausted, "the spending cap of the provider's account is reached")
_QUOTA: Meaning = (QuotaExhausted, "the provider's quota is used up or zero")
_BILLING: Meaning = (AccountUnusable, "billing is not active for the provider's account")
_PRECONDITION: Meaning = (AccountUnusable, "the provider needs billing or another region")
_ACCESS: Meaning = (AccountUnusable, "the provider's account may not use the model")
_MARKETPLACE: Meaning = (AccountUnusable, "the AWS account is not subscribed to the model (Marketplace)")
_REFUSED: Meaning = (Refused, "the provider refused")
_THINKING: Meaning = (Misconfigured, "the model does not take the thinking level (GeminiThinking)")
_PROFILE: Meaning = (Misconfigured, "the model needs the id of an inference profile (BedrockModel)")
_SETTING: Meaning = (Misconfigured, "the provider does not accept a setting")

_WHO = "account|access|organi[sz]ation|project|consumer|customer|user|subscription|key"

type _Patterns = tuple[tuple[str, Meaning], ...]
"""Regular expressions and their meanings; the first that matches counts."""

_BY_NAME: _Patterns = (
    (r"credit\w*_(exhausted|depleted)|insufficient_(credit|balance|fund|user_quota)", CREDITS),
    (r"(spend(ing)?|usage|budget|billing_hard)_(limit|cap)|budget_exceeded", _CAP),
    (r"insufficient_quota|daily_?limit", _QUOTA),
    (r"billing_(not_active|not_enabled|inactive|disabled)", _BILLING),
    (r"suspended|deactivated|terminated|(account|organization)_disabled|account_state_invalid", _SUSPENDED),
    (r"unsupported_(country|region)|location_policy", REGION),
    (r"service_disabled|consumer_invalid|project_(denied|invalid)|not_verified", _ACCESS),
    (r"moderation_blocked|content_?(policy|filter)|responsibleaipolicy", _REFUSED),
    (r"model_not_found|model_(retired|deprecated)|deploymentnotfound", RETIRED),
    (r"api_key_|invalid_api_key|(invalid|mismatched)_organization|^unauthenticated$", KEY),
    (r"^failed_precondition$", _PRECONDITION),
    (r"^(cancelled|aborted|unavailable|internal|deadline_exceeded|server_error)$", BUSY),
)

_MONEY: _Patterns = (
    (r"leaked|compromised", _LEAKED),
    (r"\bkey\b.{0,40}\b(disabled|revoked|expired|deleted)\b", KEY),
    (rf"\b({_WHO})\b.{{0,80}}\b(suspended|deactivated|terminated|banned)", _SUSPENDED),
    (r"prepa(id|y\w*) (credit|balance)|credit balance|top up|(add|purchase) (more )?(credit|fund)", CREDITS),
    (r"\bcredits?\b.{0,40}\b(deplet|exhaust|used up|insufficient)", CREDITS),
    (r"(insufficient|not enough|no|no more|no remaining|out of) (\w+ )?(credit|balance|fund)", CREDITS),
    (r"spend(ing)?[ -](cap|limit)|monthly (\w+ )?(cap|limit)|hard limit|billing limit|budget", _CAP),
    (r"payment[ _](method|instrument)|account is not active|past due", _BILLING),
    (r"\bbilling\b.{0,60}\b(not (been )?(active|enabled|set up)|disabled|inactive|closed)\b", _BILLING),
    (r"(requires?|enable|no active) billing", _BILLING),
)
"""Sentences of 401, 402, 403 and 429."""

_RIGHTS: _Patterns = (
    (r"(country|region|territory|location)\b.{0,40}\bnot (supported|available|allowed)", REGION),
    (r"marketplace", _MARKETPLACE),
    (r"denied access|has been (blocked|disabled|restricted)", _SUSPENDED),
    (r"must be verified|not been used in project|operation not allowed", _ACCESS),
    (r"(no|not have|n.t have) access to (the |this )?(model|project)", _ACCESS),
    (r"not allowed to (use|access|invoke)|is not authorized to invoke", _ACCESS),
    (r"not (available|allowed) (for|to|in) (your|this)", _ACCESS),
)
"""Sentences of 401, 402 and 403."""

_OPENINGS: _Patterns = (
    (r"(incorrect )?api key ", KEY),
    (r"billing hard limit", _CAP),
    (r"(your )?credit balance|(insufficient|not enough) (credit|balance|fund)", CREDITS),
    (
        r"(this|your) (account|organi[sz]ation|project) (is|has been) (suspended|disabled|deactivated)",
        _SUSPENDED,
    ),
    (r"user location is not supported|.{0,40}free tier is not available", REGION),
    (r"operation not allowed|your account is not authorized|access to this model", _ACCESS),
    (r"you don.t have access to the model|model (access is denied|use case details)", _ACCESS),
    (r"(invocation of model id .{1,200} with )?on-demand throughput isn.t supported", _PROFILE),
    (r"this request has been blocked by our content filter", _REFUSED),
    (r"your (request|prompt|task) .{0,40}\bsafety system", _REFUSED),
    (r"(aspect ratio|image size) ", _SETTING),
    (r"malformed input request(?!.*\bprompt\b)|this action doesn.t support", _SETTING),
)
"""How sentences of 400, 404 and 422 begin. Not inside: those may quote the prompt."""

_REQUEST: _Patterns = (
    (r"thinking[ _]?(level|config|budget|mode)|\Athinking ", _THINKING),
    (r"generation_?config|image_?config|aspect_?ratio|image_?size|multi-?modal output", _SETTING),
    (r"response_? ?modalit|invalid json payload|not supported (by|for) (this|the) model", _SETTING),
)
"""Sentences of 400 and 422 about what is sent beside the prompt."""

_OF_THE_ACCOUNT = frozenset({401, 402, 403, 429})
_NAME_INSIDE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b", re.IGNORECASE)
_RATE_NAME = re.compile(r"rate_?limit|too_?many_?requests|throttl", re.IGNORECASE)
"""Names of the rate limit, which some send with another status than 429."""
_NAMES = ("error_code", "code", "reason", "status", "type", "error_type", "error")
_TEXTS = ("message", "error_message", "error", "errors", "detail", "error_description", "description")
_MAX_OBJECTS = 200
_MAX_TEXT = 8_000
_END_OF_SENTENCE = re.compile(r"(?<=[.!?;])\s")
_UNITS = (
    (r"ms|milliseconds?", 0.001),
    (r"s|secs?|seconds?", 1.0),
    (r"m|mins?|minutes?", 60.0),
    (r"h|hrs?|hours?", 3600.0),
)
_AMOUNT = rf"(\d+(?:\.\d+)?) ?({'|'.join(names for names, _ in _UNITS)})(?![a-z])"
_WAIT = re.compile(rf"(?:retry|try again) (?:in|after) ((?:{_AMOUNT} ?){{1,3}})", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """Content of an error's body, in whatever shape it came."""

    objects: tuple[dict[str, Any], ...]
    """All objects in it, outer ones first."""
    names: tuple[str, ...]
    message: str
    """May quote the prompt or the key: never shown."""

    @property
    def status(self) -> int | None:
        """The status that the body gives; a gateway may have answered with another of its own."""
        codes = (str(found.get(key)) for found in self.objects for key in ("code", "status"))
        return next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", code)), None)

    @property
    def name(self) -> str:
        """The first name; `?` when there is none."""
        return self.names[0] if self.names else "?"


def read(body: bytes) -> Problem:
    """Return what `body` says: an object, an array that holds one, a bare text, with any keys."""
    value = http.parsed(body)
    if value is None and not body.lstrip().startswith(b"<"):  # a page says nothing of the account
        value = http.text(body)
    return read_value(value)


def read_value(value: Any) -> Problem:
    """Return what a JSON value, its keys in snake_case, says as an error."""
    objects = tuple(islice(_objects({"error": value}), _MAX_OBJECTS))
    names = [word(found[key]) for found in objects for key in _NAMES if key in found]
    texts = [part for found in objects for key in _TEXTS for part in _texts(found.get(key))]
    named = tuple(name for name in names if name != "?" and not name.isdigit())
    return Problem(objects, named, " ".join(texts)[:_MAX_TEXT])


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, str) and value.lstrip().startswith(("{", "[")):  # a gateway quotes an answer
        yield from _objects(http.parsed(value.encode(errors="replace")))


def _texts(value: Any) -> list[str]:
    return [part for part in (value if isinstance(value, list) else [value]) if isinstance(part, str)]


def to_error(status: int, problem: Problem, headers: Mapping[str, str]) -> ShotError:
    """Return what an answer other than a success means."""
    said = f"{status} {problem.name}"
    status = problem.status or status
    if found := known(status, problem):
        error, meaning = found
        return error(f"{meaning}: {said}", retry_after=delay(problem, headers))
    if (param := _param(problem)) and status in (400, 422):
        return Misconfigured(f"{_SETTING[1]}, {param}: {said}")
    return by_status(status, said, delay(problem, headers))


def inside(answer: dict[str, Any]) -> ShotError | None:
    """Return the final error that a success without a picture holds, which is billed; else None."""
    if not answer.get("error"):
        return None
    problem = read_value(answer["error"])
    if (found := known(problem.status or 429, problem)) and not found[0].retryable:
        return found[0](f"{found[1]}: {problem.name}", billed=True)
    return None


def known(status: int, problem: Problem) -> Meaning | None:
    """Return the meaning of an error of 4xx that names itself, or says something well known."""
    if not 400 <= status < 500:
        return None
    if status == 429 and _is_used_up(problem):
        return _QUOTA
    names = problem.names
    if status in _OF_THE_ACCOUNT:  # a gateway may tell the name in a sentence
        names += tuple(_NAME_INSIDE.findall(problem.message))
    for part, meaning in _BY_NAME:
        if any(re.search(part, name, re.IGNORECASE) for name in names):
            return meaning
    if found := by_sentence(status, problem.message, problem.names):
        return found
    return RATE if _is_rate(problem.names) or "RESOURCE_EXHAUSTED" in map(str.upper, problem.names) else None


def _is_rate(names: Iterable[str]) -> bool:
    return any(_RATE_NAME.search(name) for name in names)


def by_sentence(status: int, message: str, names: Iterable[str]) -> Meaning | None:
    """Return the meaning of an error that only its sentence tells; `names` are those that it has beside."""
    if _is_rate(names) or re.match(r"\W{0,3}rate limit", message, re.IGNORECASE):
        # Behind it follows how to be allowed more, which names money that nobody lacks.
        message = _END_OF_SENTENCE.split(message, maxsplit=1)[0]
    found: _Patterns = ()
    if status in _OF_THE_ACCOUNT:
        found += _MONEY
    if status in (401, 402, 403):
        found += _RIGHTS
    if status in (400, 404, 422):
        found += tuple((rf"\A\W{{0,3}}(?:{opening})", meaning) for opening, meaning in _OPENINGS)
    if status in (400, 422):
        found += _REQUEST
    return next((meaning for part, meaning in found if re.search(part, message, re.IGNORECASE)), None)


def _is_used_up(problem: Problem) -> bool:
    """Return whether the quota of a day is meant, or one of zero, which only its value or text tells."""

    def values(*keys: str) -> list[str]:
        return [str(found.get(key)) for found in problem.objects for key in keys]

    quotas = values("quota_id", "quota_metric", "quota_limit")
    per_day = any(re.search(r"per_?day", quota, re.IGNORECASE) for quota in quotas)
    zero = "0" in values("quota_value", "quota_limit_value")
    said = re.search(r"\blimit: 0\b|\bdaily (quota|limit)\b", problem.message, re.IGNORECASE)
    return per_day or zero or said is not None


def _param(problem: Problem) -> str:
    """Return the field of the request that is wrong; empty when that may be the prompt."""
    names = [word(found.get(key)) for found in problem.objects for key in ("param", "field")]
    named = [name for name in names if name != "?"]
    return named[0] if named and not re.search(r"prompt|contents|input|text", named[0]) else ""


def delay(problem: Problem, headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait that the body names, else the header, else the sentence."""
    keys = ("retry_delay", "retry_after", "retry_after_seconds")
    given = [_duration(found[key]) for found in problem.objects for key in keys if key in found]
    if named := [seconds for seconds in given if seconds is not None]:
        return named[0]
    if (header := http.retry_after(headers)) is not None:
        return header
    if found := _WAIT.search(problem.message):
        amounts = re.findall(_AMOUNT, found[1], re.IGNORECASE)
        return http.seconds(sum(float(number) * _seconds(unit) for number, unit in amounts))
    return None


def _seconds(unit: str) -> float:
    return next(size for names, size in _UNITS if re.fullmatch(names, unit, re.IGNORECASE))


def _duration(value: object) -> float | None:
    """Return the seconds in `"48s"`, `48`, or `{"seconds": 48, "nanos": 5}`."""
    if isinstance(value, dict):
        nanos = f"{value.get('nanos') or 0}e-9"
        whole, part = http.seconds(value.get("seconds", 0)), http.seconds(nanos)
        return None if whole is None or part is None else http.seconds(whole + part)
    return http.seconds(str(value).removesuffix("s"))
