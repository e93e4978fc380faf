"""The bearer tokens of callers, from one secret, which holds one caller or several.

    {"name": "default", "scopes": "submit read operate", "token": "..."}
    {"callers": [{"name": "game", "scopes": "submit read", "sha256": "<salt>:<digest>"}, ...]}

`sha256` is the digest of salt + token in hexadecimal; tokens are random, so a fast hash is enough.
A caller may be listed twice, which is how its token is rotated. `make token` makes an entry.
An entry with a fault is skipped and reported, so that it locks out nobody but its own caller.

Read without pydantic, which would be the largest part of the authorizer's start.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from darkroom.adapters.secrets import Secret, plain
from darkroom.domain.access import Access, Scope
from darkroom.domain.errors import InvalidInput

_FIELDS = {"name", "scopes", "token", "sha256"}
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TOKEN = re.compile(r"[!-~]{32,512}")
_SALTED = re.compile(r"([0-9a-f]{2}){8,64}:[0-9a-f]{64}")
# A share link retries; the token of a caller submits.
_GRANTED = (Scope.SUBMIT, Scope.READ, Scope.OPERATE)


type Report = Callable[[str], None]
"""Takes one fault of the secret; it names the entry and quotes nothing of it."""


class ApiTokens:
    """Find the caller that a token belongs to."""

    def __init__(self, secret: Secret, report: Report | None = None) -> None:
        self._secret = secret
        self._report = report
        self._text: str | None = None
        self._callers: Sequence[_Caller] = ()

    def access(self, token: str) -> Access | None:
        """Return what the caller with `token` may do, or None when nobody has it.

        Faults are reported once for each value of the secret. Raises InvalidInput when no entry is usable.
        """
        text = self._secret()
        if text != self._text:
            self._callers, wrong = _read(text)
            if self._report is not None:
                for fault in wrong:
                    self._report(fault)
            self._text = text if self._callers or not wrong else None
        if self._text is None:
            raise InvalidInput("the secret of API tokens has no usable entry")
        # Every one is compared, so the time taken tells nothing about which was close.
        matches = [caller for caller in self._callers if caller.has(token)]
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


def faults(secret: str) -> list[str]:
    """Return what is wrong with the secret of tokens, one sentence for each faulty entry."""
    return _read(secret)[1]


def entry_faults(entry: object) -> list[str]:
    """Return which fields of a caller's entry break their rule, and the rule; empty when it is usable."""
    given = {k: v for k, v in entry.items() if v is not None} if isinstance(entry, dict) else {}
    if not given or not given.keys() <= _FIELDS or not all(isinstance(v, str) for v in given.values()):
        return ["must be an object of name, scopes and either token or sha256, all text"]
    return [f"{name}: must be {rule}" for name, (rule, kept) in _rules(given).items() if not kept]


def _read(secret: str) -> tuple[list[_Caller], list[str]]:
    """Return the usable callers and the faults of the others."""
    try:
        found = json.loads(plain(secret))
    except (ValueError, RecursionError):
        return [], ["it is no JSON"]
    several = isinstance(found, dict) and found.keys() == {"callers"} and isinstance(found["callers"], list)
    entries = enumerate(found["callers"]) if several else [("", found)]
    callers, wrong = [], []
    for number, entry in entries:
        broken = entry_faults(entry)
        where = f"callers.{number} " if several else ""
        wrong += [where + fault for fault in broken]
        if not broken:
            callers.append(_caller(entry))
    return callers, wrong


def _caller(entry: Mapping[str, str]) -> _Caller:
    return _Caller(
        access=Access(caller=entry["name"], scopes=frozenset(map(Scope, entry["scopes"].split()))),
        token=entry.get("token"),
        sha256=entry.get("sha256"),
    )


def _rules(given: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    """Return by field: the rule, and whether `given` keeps it."""
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
    """Return what `sha256` holds after the colon."""
    return hashlib.sha256(bytes.fromhex(salt) + token.encode()).hexdigest()
