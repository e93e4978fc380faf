"""The bearer tokens of callers, from one secret, which holds one caller or several.

    {"name": "default", "scopes": "submit read operate", "token": "..."}
    {"callers": [{"name": "game", "scopes": "submit read", "sha256": "<salt>:<digest>"}, ...]}

`sha256` is the digest of salt + token in hexadecimal; tokens are random, so a fast hash is enough.
A caller may be listed twice, which is how its token is rotated. `make token` makes an entry.
"""

import hashlib
import hmac
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from darkroom.adapters.secrets import Secret
from darkroom.domain.access import Access, Scope
from darkroom.wire.model import Request, parse

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
_Token = Annotated[str, StringConstraints(min_length=32, max_length=512, pattern=r"^[!-~]+$")]
_Salted = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,128}:[0-9a-f]{64}$")]
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
        return matches[0].to_access() if matches else None


class _Caller(Request):
    name: _Name
    scopes: str
    token: _Token | None = None
    sha256: _Salted | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.scopes.split() or not set(self.scopes.split()) <= set(_GRANTED):
            raise PydanticCustomError("scopes", f"scopes must be some of {', '.join(_GRANTED)}")
        if (self.token is None) == (self.sha256 is None):
            raise PydanticCustomError("token", "either token or sha256 is needed")
        return self

    def has(self, token: str) -> bool:
        if self.sha256 is None:
            return hmac.compare_digest((self.token or "").encode(), token.encode())
        salt, _, expected = self.sha256.partition(":")
        return hmac.compare_digest(expected, digest(salt, token))

    def to_access(self) -> Access:
        return Access(caller=self.name, scopes=frozenset(Scope(s) for s in self.scopes.split()))


class _Callers(Request):
    callers: list[_Caller]


def _callers(secret: str) -> list[_Caller]:
    several = '"callers"' in secret
    return parse(_Callers, secret.encode()).callers if several else [parse(_Caller, secret.encode())]


def digest(salt: str, token: str) -> str:
    """What `sha256` holds after the colon."""
    return hashlib.sha256(bytes.fromhex(salt) + token.encode()).hexdigest()
