"""Who may do what: the scopes of a token, and the one case a share link is for."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from darkroom.domain.errors import Forbidden


class Scope(StrEnum):
    """What a token allows."""

    SUBMIT = "submit"
    """Spend: submit, replace, retry and cancel cases."""
    READ = "read"
    """See jobs and pictures."""
    OPERATE = "operate"
    """See how the deployment does."""
    RETRY = "retry"
    """Retry what failed, without submitting: for share links."""


_INCLUDED: Mapping[Scope, frozenset[Scope]] = {Scope.SUBMIT: frozenset({Scope.RETRY})}


@dataclass(frozen=True, kw_only=True)
class Access:
    """What an authenticated caller may do, to every case or to `case_id` only."""

    caller: str
    scopes: frozenset[Scope]
    case_id: str | None = None

    @property
    def is_guest(self) -> bool:
        """True for who may retry what failed and submit nothing: somebody else pays."""
        return Scope.SUBMIT not in self.scopes

    def check(self, scope: Scope, case_id: str | None = None) -> None:
        """Raise Forbidden unless `scope` is allowed, for `case_id` where one is concerned.

        To be called before anything is looked up: the answer must not tell whether a case exists.
        """
        allowed = self.scopes.union(*(_INCLUDED.get(each, frozenset()) for each in self.scopes))
        if scope not in allowed or self.case_id not in (None, case_id):
            raise Forbidden(f"the token does not allow this; it needs the scope {scope}, for this case")
