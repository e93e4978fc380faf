"""What `make token` prints is a token and its entry."""

import json

import pytest
from darkroom.adapters.api_tokens import ApiTokens

from local import token


def test_the_entry_lets_the_token_in(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["token", "--name", "game", "--scopes", "submit read"])
    token.main()
    first, _, entry = capsys.readouterr().out.splitlines()
    secret = json.dumps({"callers": [json.loads(entry)]})
    access = ApiTokens(lambda: secret).access(first.partition(": ")[2])
    assert access is not None
    assert (access.caller, sorted(access.scopes)) == ("game", ["read", "submit"])
