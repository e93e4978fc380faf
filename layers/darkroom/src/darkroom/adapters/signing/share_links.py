"""Links for people: `{base}/cases/{caseId}#token`, where the token opens one case for some days.

The token is a JSON Web Token (RFC 7519, HS256) with the claims `sub` (the case), `scope` and `exp`.
Behind the `#` it reaches no server and no log on its way to the page, which sends it as a bearer
token. The secret is one or more keys separated by spaces: the first signs, every one verifies.
"""

from collections.abc import Iterable

import jwt

from darkroom.adapters.secrets import Secret
from darkroom.domain.access import Access, Scope

CALLER = "share-link"
RIGHTS = {"read": (Scope.READ,), "retry": (Scope.READ, Scope.RETRY)}
"""What the submitter may ask for, and what the link then allows."""

_ALGORITHM = "HS256"
_DAY_S = 86_400


def is_share_token(token: str) -> bool:
    """Whether it has the form of a link's token, which no caller's has."""
    return token.startswith("eyJ") and token.count(".") == 2


class ShareLinks:
    """Makes and reads the tokens of one deployment."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def link(self, case_id: str, scopes: Iterable[Scope], *, base_url: str, now: int, days: int) -> str:
        """A link that allows `scopes` for `days` days; `now` in epoch milliseconds."""
        claims = {"sub": case_id, "scope": " ".join(scopes), "exp": now // 1000 + days * _DAY_S}
        token = jwt.encode(claims, _keys(self._secret())[0], algorithm=_ALGORITHM)
        return f"{base_url}/cases/{case_id}#{token}"

    def access(self, token: str, *, now: int) -> Access | None:
        """What `token` allows; None when it is altered, expired or none of ours."""
        for key in _keys(self._secret()):
            try:
                # Its age is ours to judge: the library would read a clock of its own.
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
    keys = secret.split()
    if not keys or any(len(key) < 32 for key in keys):
        raise ValueError("the secret of share links must be of at least 32 characters")
    return keys
