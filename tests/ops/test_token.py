"""`make token` prints a token and its entry."""

import json

import pytest
from darkroom.adapters.signing.api_tokens import ApiTokens

from ops import token


def test_the_authorizer_accepts_the_token_with_the_entry(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["token", "--name", "game", "--scopes", "submit read"])
    token.main()
    first, _, entry = capsys.readouterr().out.splitlines()
    secret = json.dumps({"callers": [json.loads(entry)]})
    access = ApiTokens(lambda: secret).authenticate(first.partition(": ")[2])
    assert access is not None
    assert (access.caller, sorted(access.scopes)) == ("game", ["read", "submit"])


@pytest.mark.parametrize(
    ("name", "scopes", "field"),
    [
        ("a b", "read", "name"),
        ("", "read", "name"),
        ("x" * 65, "read", "name"),
        ("jeu-été", "read", "name"),
        ("game", "retry", "scopes"),
        ("game", "submit everything", "scopes"),
        ("game", " ", "scopes"),
    ],
)
def test_an_entry_that_the_authorizer_would_refuse_is_an_error_that_names_the_field(
    name: str,
    scopes: str,
    field: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["token", "--name", name, "--scopes", scopes])
    with pytest.raises(SystemExit) as ended:
        token.main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert printed.out == ""
    assert f"error: {field}: must be" in printed.err
