"""Links for people: `{base}/cases/{caseId}#token`, where the token opens one case for some days.

The token is a JSON Web Token (RFC 7519, HS256) with the claims `sub` (the case), `scope` and `exp`.
A browser sends nothing behind the `#`, so the token reaches no server and no log with the address. The page
sends it as a bearer token. The secret is one or more keys separated by spaces: the first signs, all verify.
"""

from collections.abc import Iterable

import jwt

from darkroom.adapters.secrets import Secret
from darkroom.domain.access import Access, Scope

CALLER = "share-link"
"""Name under which all share links call."""

RIGHTS = {"read": (Scope.READ,), "retry": (Scope.READ, Scope.RETRY)}
"""Scopes of a link, by the value of `share` in the submitter's request."""

_ALGORITHM = "HS256"
_DAY_S = 86_400


def is_share_token(token: str) -> bool:
    """Return True if `token` has the form of a share link's token. No caller's token has it."""
    return token.startswith("eyJ") and token.count(".") == 2


class ShareLinks:
    """Make share links and verify their tokens."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def link(self, case_id: str, scopes: Iterable[Scope], *, base_url: str, now: int, days: int) -> str:
        """Return a link that allows `scopes` for `days` days; `now` is in epoch milliseconds."""
        claims = {"sub": case_id, "scope": " ".join(scopes), "exp": now // 1000 + days * _DAY_S}
        token = jwt.encode(claims, _keys(self._secret())[0], algorithm=_ALGORITHM)
        return f"{base_url}/cases/{case_id}#{token}"

    def verify(self, token: str, *, now: int) -> Access | None:
        """Return what `token` allows; None when it is altered, expired or not ours."""
        for key in _keys(self._secret()):
            try:
                # The expiry is checked below, against `now`: the library would read the system's clock.
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[_ALGORITHM],
                    options={"verify_exp": False, "require": ["sub", "scope", "exp"]},
                )
            except jwt.InvalidTokenError:
                continue
            if claims["exp"] * 1000 <= now:
                return None
            scopes = frozenset(Scope(s) for s in claims["scope"].split())
            return Access(caller=CALLER, scopes=scopes, case_id=claims["sub"])
        return None


def _keys(secret: str) -> list[str]:
    """Return the keys in `secret`; raise ValueError for none or a short one."""
    keys = secret.split()
    if not keys or any(len(key) < 32 for key in keys):
        raise ValueError("the secret of share links must be of at least 32 characters")
    return keys
