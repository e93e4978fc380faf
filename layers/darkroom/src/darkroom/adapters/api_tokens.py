"""The bearer tokens of callers, from one secret, which holds one caller or several.

    {"name": "default", "scopes": "submit read operate", "token": "..."}
    {"callers": [{"name": "game", "scopes": "submit read", "sha256": "<salt>:<digest>"}, ...]}

`sha256` is the digest of salt + token in hexadecimal; tokens are random, so a fast hash is enough.
A caller may be listed twice, which is how its token is rotated. `make token` makes an entry.

Read without pydantic, which would be the largest part of the authorizer's start.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from darkroom.adapters.secrets import Secret
from darkroom.domain.access import Access, Scope
from darkroom.domain.errors import FieldError, InvalidInput

_FIELDS = {"name", "scopes", "token", "sha256"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-~]{32,512}")
_SALTED = re.compile(r"([0-9a-f]{2}){8,64}:[0-9a-f]{64}")
# A share link retries; the token of a caller submits.
_GRANTED = (Scope.SUBMIT, Scope.READ, Scope.OPERATE)


class ApiTokens:
    """Who a token belongs to."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def access(self, token: str) -> Access | None:
        """What the caller with `token` may do; None when nobody has it.

        Raises InvalidInput, which quotes nothing of it, when the secret has neither form.
        """
        callers = _callers(self._secret())
        # Every one is compared, so the time taken tells nothing about which was close.
        matches = [caller for caller in callers if caller.has(token)]
        return matches[0].access if matches else None


@dataclass(frozen=True, kw_only=True)
class _Caller:
    access: Access
    token: str | None
    sha256: str | None

    def has(self, token: str) -> bool:
        if self.sha256 is None:
            return hmac.compare_digest((self.token or "").encode(), token.encode())
        salt, _, expected = self.sha256.partition(":")
        return hmac.compare_digest(expected, digest(salt, token))


def _callers(secret: str) -> list[_Caller]:
    try:
        found = json.loads(secret)
    except ValueError:  # it holds the secret, which must not reach a log
        found = None
    several = isinstance(found, dict) and found.keys() == {"callers"} and isinstance(found["callers"], list)
    if not several:
        return [_caller(found, "")]
    return [_caller(entry, f"callers.{number}.") for number, entry in enumerate(found["callers"])]


def _caller(entry: Any, where: str) -> _Caller:
    given = {k: v for k, v in entry.items() if v is not None} if isinstance(entry, dict) else {}
    if not given or not given.keys() <= _FIELDS or not all(isinstance(v, str) for v in given.values()):
        raise InvalidInput(f"{where}must be an object of name, scopes and either token or sha256, all text")
    wrong = [FieldError(where + name, rule) for name, (rule, kept) in _rules(given).items() if not kept]
    if wrong:
        raise InvalidInput("; ".join(f"{each.field}: {each.message}" for each in wrong), wrong)
    return _Caller(
        access=Access(caller=given["name"], scopes=frozenset(map(Scope, given["scopes"].split()))),
        token=given.get("token"),
        sha256=given.get("sha256"),
    )


def _rules(given: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """By field: the rule, and whether `given` keeps it."""
    scopes = set(given.get("scopes", "").split())
    token, salted = given.get("token"), given.get("sha256")
    return {
        "name": ("1 to 64 letters, digits, . _ -", bool(_NAME.fullmatch(given.get("name", "")))),
        "scopes": (f"some of {', '.join(_GRANTED)}", bool(scopes) and scopes <= set(_GRANTED)),
        "token": ("32 to 512 visible characters", token is None or bool(_TOKEN.fullmatch(token))),
        "sha256": ("<salt>:<digest>, hexadecimal", salted is None or bool(_SALTED.fullmatch(salted))),
        "token or sha256": ("one of them", (token is None) != (salted is None)),
    }


def digest(salt: str, token: str) -> str:
    """What `sha256` holds after the colon."""
    return hashlib.sha256(bytes.fromhex(salt) + token.encode()).hexdigest()
