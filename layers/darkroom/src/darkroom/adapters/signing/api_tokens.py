"""The bearer tokens of callers. One secret holds one caller or several.

    {"name": "default", "scopes": "submit read operate", "token": "..."}
    {"callers": [{"name": "game", "scopes": "submit read", "sha256": "<salt>:<digest>"}, ...]}

`sha256` is the digest of salt + token in hexadecimal. Tokens are random, so a fast hash is enough.
To rotate a caller's token, list the caller twice. `make token` prints an entry.
An entry with a fault is skipped and reported, so that it locks out only its own caller.

Parsed without pydantic, whose import would be the largest part of the authorizer's start.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from darkroom.adapters.secrets import Secret, decode_secret
from darkroom.domain.access import Access, Scope
from darkroom.domain.errors import InvalidInput

_FIELDS = {"name", "scopes", "token", "sha256"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-~]{32,512}")
_SALTED = re.compile(r"([0-9a-f]{2}){8,64}:[0-9a-f]{64}")
_GRANTED = (Scope.SUBMIT, Scope.READ, Scope.OPERATE)
"""Scopes that a caller's token may have. Scope.RETRY is for share links only."""

type Report = Callable[[str], None]
"""Report one fault of the secret. A fault names the entry and quotes nothing of it."""


class ApiTokens:
    """Authenticate callers by the tokens in a secret."""

    def __init__(self, secret: Secret, report: Report | None = None) -> None:
        self._secret = secret
        self._report = report
        self._text: str | None = None
        self._callers: Sequence[_Caller] = ()

    def authenticate(self, token: str) -> Access | None:
        """Return what the caller with `token` may do; None when no caller has it.

        Report the faults of each value of the secret once, or at every call while no entry is usable.
        Raise InvalidInput when the secret has faults and no usable entry. A secret that lists no callers is
        no fault: it authenticates nobody.
        """
        text = self._secret()
        if text != self._text:
            self._load(text)
        if self._text is None:
            raise InvalidInput("the secret of API tokens has no usable entry")
        # Compare all of them, so that the time taken does not tell which one was close.
        matches = [caller for caller in self._callers if caller.has(token)]
        return matches[0].access if matches else None

    def _load(self, text: str) -> None:
        """Take the callers in a new value of the secret, and report its faults."""
        self._callers, found = _read(text)
        if self._report is not None:
            for fault in found:
                self._report(fault)
        self._text = text if self._callers or not found else None


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


def faults(secret: str) -> list[str]:
    """Return the faults of the secret, one sentence each."""
    return _read(secret)[1]


def entry_faults(entry: object) -> list[str]:
    """Return each field of a caller's entry that breaks its rule, with the rule."""
    given = {k: v for k, v in entry.items() if v is not None} if isinstance(entry, dict) else {}
    if not given or not given.keys() <= _FIELDS or not all(isinstance(v, str) for v in given.values()):
        return ["must be an object of name, scopes and either token or sha256, all text"]
    return [fault for fault, is_kept in _rules(given).items() if not is_kept]


def _read(secret: str) -> tuple[list[_Caller], list[str]]:
    """Return the usable callers and the faults of the others."""
    try:
        found = json.loads(decode_secret(secret))
    except (ValueError, RecursionError):
        return [], ["it is no JSON"]
    if isinstance(found, dict) and found.keys() == {"callers"} and isinstance(found["callers"], list):
        entries = [(f"callers.{number} ", entry) for number, entry in enumerate(found["callers"])]
    else:
        entries = [("", found)]
    callers: list[_Caller] = []
    broken: list[str] = []
    for place, entry in entries:
        if found_here := entry_faults(entry):
            broken += [place + fault for fault in found_here]
        else:
            callers.append(_caller(entry))
    return callers, broken


def _caller(entry: Mapping[str, str]) -> _Caller:
    scopes = frozenset(Scope(name) for name in entry["scopes"].split())
    return _Caller(
        access=Access(caller=entry["name"], scopes=scopes),
        token=entry.get("token"),
        sha256=entry.get("sha256"),
    )


def _rules(given: Mapping[str, str]) -> dict[str, bool]:
    """Return each rule, with True if `given` keeps it."""
    scopes = set(given.get("scopes", "").split())
    token = given.get("token")
    salted = given.get("sha256")
    return {
        "name: must be 1 to 64 letters, digits, . _ -": bool(_NAME.fullmatch(given.get("name", ""))),
        f"scopes: must be some of {', '.join(_GRANTED)}": bool(scopes) and scopes <= set(_GRANTED),
        "token: must be 32 to 512 visible characters": token is None or bool(_TOKEN.fullmatch(token)),
        "sha256: must be <salt>:<digest>, hexadecimal": salted is None or bool(_SALTED.fullmatch(salted)),
        "an entry needs exactly one of token and sha256": (token is None) != (salted is None),
    }


def digest(salt: str, token: str) -> str:
    """Return the part of `sha256` after the colon."""
    return hashlib.sha256(bytes.fromhex(salt) + token.encode()).hexdigest()
