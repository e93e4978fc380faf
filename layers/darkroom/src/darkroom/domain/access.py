"""Permissions: the scopes of a token, and the one case of a share link."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from darkroom.domain.errors import Forbidden


class Scope(StrEnum):
    """A permission of a token."""

    SUBMIT = "submit"
    """Spend money: submit, replace, retry and cancel cases."""
    READ = "read"
    """See jobs and pictures."""
    OPERATE = "operate"
    """See the metrics of the deployment."""
    RETRY = "retry"
    """Retry what failed, without submitting. Share links have it."""


_INCLUDED: Mapping[Scope, frozenset[Scope]] = {Scope.SUBMIT: frozenset({Scope.RETRY})}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Permissions of an authenticated caller, for every case or for `case_id` only."""

    caller: str
    scopes: frozenset[Scope]
    case_id: str | None = None

    @property
    def is_guest(self) -> bool:
        """True for a caller who may not submit: somebody else pays for what a guest retries."""
        return Scope.SUBMIT not in self.scopes

    def check(self, scope: Scope, case_id: str | None = None) -> None:
        """Raise Forbidden unless `scope` is allowed, for `case_id` if the request names a case.

        Call it before anything is looked up: a refusal must not tell whether a case exists.
        """
        allowed = self.scopes.union(*(_INCLUDED.get(each, frozenset()) for each in self.scopes))
        if scope not in allowed or self.case_id not in (None, case_id):
            where = "" if case_id is None else " for this case"
            raise Forbidden(f"the token does not allow this; it needs the scope {scope}{where}")
