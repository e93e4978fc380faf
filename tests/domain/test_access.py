"""The rights of a token."""

import pytest
from darkroom.domain.access import Access, Scope
from darkroom.domain.errors import Forbidden


def may(scopes: set[Scope], scope: Scope, *, for_case: str | None = None, case_id: str | None = None) -> bool:
    try:
        Access(caller="game", scopes=frozenset(scopes), case_id=for_case).check(scope, case_id)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize("has", Scope)
@pytest.mark.parametrize("needs", Scope)
def test_a_scope_allows_itself_and_submitting_allows_retrying(has: Scope, needs: Scope) -> None:
    assert may({has}, needs) == (has is needs or (has, needs) == (Scope.SUBMIT, Scope.RETRY))


def test_a_caller_without_scopes_may_do_nothing() -> None:
    assert not any(may(set(), scope, case_id="case-1") for scope in Scope)


def test_a_share_link_reaches_its_case_and_no_other() -> None:
    assert may({Scope.READ}, Scope.READ, for_case="case-1", case_id="case-1")
    assert not may({Scope.READ}, Scope.READ, for_case="case-1", case_id="case-2")


def test_a_share_link_reaches_no_route_without_a_case() -> None:
    assert not any(may(set(Scope), scope, for_case="case-1") for scope in Scope)


def test_a_refusal_reveals_nothing_about_the_case() -> None:
    reader = Access(caller="x", scopes=frozenset({Scope.READ}), case_id="case-1")
    messages = set()
    for case_id in ("case-2", "unknown"):
        with pytest.raises(Forbidden) as refused:
            reader.check(Scope.READ, case_id)
        messages.add(str(refused.value))
    assert len(messages) == 1
