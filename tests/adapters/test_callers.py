"""Bearer tokens that authenticate a caller, and valid share links."""

import json
from typing import Any

import jwt
import pytest
from darkroom.adapters.secrets import decode_secret
from darkroom.adapters.signing.api_tokens import ApiTokens, digest, faults
from darkroom.adapters.signing.share_links import CALLER, RIGHTS, ShareLinks, is_share_token
from darkroom.domain.access import Access, Scope
from darkroom.domain.errors import InvalidInput
from hypothesis import given
from hypothesis import strategies as st

NOW = 1_800_000_000_000
DAY = 86_400_000
FIRST, SECOND = "first-" + "1" * 32, "second-" + "2" * 32
GAME = Access(caller="game", scopes=frozenset({Scope.SUBMIT, Scope.READ}))
KEY, OTHER_KEY = "k" * 64, "o" * 64
BASE = "https://api.example.com"


def tokens(*callers: dict[str, Any]) -> ApiTokens:
    return ApiTokens(lambda: json.dumps({"callers": callers}))


def a_caller(**changes: Any) -> dict[str, Any]:
    return {"name": "game", "scopes": "submit read", "token": FIRST} | changes


def hashed(token: str) -> str:
    salt = "0123456789abcdef"
    return f"{salt}:{digest(salt, token)}"


def test_the_secret_that_the_template_generates_is_one_caller() -> None:
    assert ApiTokens(lambda: json.dumps(a_caller())).authenticate(FIRST) == GAME


def test_each_token_of_several_is_its_callers_own() -> None:
    found = tokens(a_caller(), a_caller(name="desk", scopes="operate", token=SECOND))
    assert found.authenticate(FIRST) == GAME
    assert found.authenticate(SECOND) == Access(caller="desk", scopes=frozenset({Scope.OPERATE}))


def test_two_tokens_of_one_caller_are_valid_at_once_so_that_one_can_be_rotated() -> None:
    found = tokens(a_caller(), a_caller(token=SECOND))
    assert found.authenticate(FIRST) == found.authenticate(SECOND) == GAME


def test_a_token_may_be_kept_as_a_salted_hash() -> None:
    entry = {"name": "game", "scopes": "submit read", "sha256": hashed(FIRST)}
    assert tokens(entry).authenticate(FIRST) == GAME
    assert tokens(entry).authenticate(SECOND) is None
    assert tokens(entry).authenticate(entry["sha256"]) is None


@given(st.text(max_size=60))
def test_no_other_text_authenticates_a_caller(text: str) -> None:
    assert text == FIRST or tokens(a_caller()).authenticate(text) is None


@pytest.mark.parametrize("token", ["", FIRST[:-1], FIRST + "1", FIRST.upper(), f" {FIRST}", "x" * 10_000])
def test_nearly_the_token_authenticates_nobody(token: str) -> None:
    assert tokens(a_caller()).authenticate(token) is None


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "unset",
        "{}",
        "[]",
        json.dumps(a_caller(token="short")),
        json.dumps(a_caller(token="")),
        json.dumps(a_caller(scopes="")),
        json.dumps(a_caller(scopes="submit everything")),
        json.dumps(a_caller(scopes="retry")),
        json.dumps(a_caller(name="a b")),
        json.dumps(a_caller(sha256=hashed(FIRST))),
        json.dumps({"name": "game", "scopes": "read"}),
        json.dumps({"callers": [{"name": "x"}]}),
        "[" * 100_000,
        json.dumps({"callers": a_caller()}),
        json.dumps({"callers": [a_caller(token=None, sha256=f"{'0' * 17}:{'0' * 64}")]}),
        json.dumps({"callers": [a_caller()], "more": FIRST}),
        json.dumps(a_caller(more=FIRST)),
        json.dumps(a_caller(name=None)),
        json.dumps(a_caller(sha256=1)),
        json.dumps(FIRST),
    ],
)
def test_a_secret_of_another_form_authenticates_nobody_and_is_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ApiTokens(lambda: secret).authenticate(FIRST)
    assert FIRST not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_entry_with_a_fault_locks_out_only_its_own_caller_and_is_reported_once() -> None:
    reported: list[str] = []
    secret = json.dumps(
        {"callers": [{"name": "a b"}, a_caller(token="short"), "text", a_caller(name="desk", token=SECOND)]}
    )
    found = ApiTokens(lambda: secret, reported.append)
    for _ in range(3):
        access = found.authenticate(SECOND)
        assert access is not None
        assert access.caller == "desk"
        assert found.authenticate(FIRST) is None
    assert reported == faults(secret)
    assert [fault.split()[:2] for fault in reported] == [
        ["callers.0", "name:"],
        ["callers.0", "scopes:"],
        ["callers.0", "an"],
        ["callers.1", "token:"],
        ["callers.2", "must"],
    ]
    assert "short" not in " ".join(reported)


def test_an_empty_list_of_callers_is_no_fault_and_authenticates_nobody() -> None:
    assert tokens().authenticate(FIRST) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_secret_put_from_a_file_of_windows_is_read(encoding: str) -> None:
    stored = (json.dumps(a_caller()) + "\r\n").encode(encoding)
    assert ApiTokens(lambda: decode_secret(stored)).authenticate(FIRST) == GAME
    assert ApiTokens(lambda: "\ufeff" + json.dumps(a_caller())).authenticate(FIRST) == GAME


def test_a_secret_of_bytes_that_are_no_text_is_refused_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="is binary and no text") as refused:
        decode_secret(b"\xffsecret\xfe")
    assert refused.value.__suppress_context__


def a_token(scopes: tuple[Scope, ...] = RIGHTS["read"], key: str = KEY) -> str:
    link = ShareLinks(lambda: key).link("case-1", scopes, base_url=BASE, now=NOW, days=7)
    assert link.startswith(f"{BASE}/cases/case-1#")
    return link.partition("#")[2]


@pytest.mark.parametrize("share", RIGHTS)
def test_a_link_opens_its_case_until_it_expires(share: str) -> None:
    token = a_token(RIGHTS[share])
    links = ShareLinks(lambda: KEY)
    expected = Access(caller=CALLER, scopes=frozenset(RIGHTS[share]), case_id="case-1")
    assert is_share_token(token)
    assert links.verify(token, now=NOW) == links.verify(token, now=NOW + 7 * DAY - 1) == expected
    assert links.verify(token, now=NOW + 7 * DAY) is None


def test_a_link_fits_into_a_message() -> None:
    assert len(a_token(RIGHTS["retry"])) < 200


def test_a_link_signed_with_an_old_key_is_valid_until_the_key_is_removed() -> None:
    old = a_token(key=OTHER_KEY)
    assert ShareLinks(lambda: f"{KEY} {OTHER_KEY}").verify(old, now=NOW) is not None
    assert ShareLinks(lambda: KEY).verify(old, now=NOW) is None


def test_the_first_key_signs() -> None:
    assert ShareLinks(lambda: KEY).verify(a_token(key=f"{KEY} {OTHER_KEY}"), now=NOW) is not None


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_an_altered_token_opens_nothing(place: int, character: str) -> None:
    token = a_token()
    place %= len(token)
    altered = token[:place] + character + token[place + 1 :]
    # The last character of a base64 part has bits of no meaning.
    same = altered == token or token[place + 1 : place + 2] in ("", ".")
    assert same or ShareLinks(lambda: KEY).verify(altered, now=NOW) is None


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "eyJ..",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYXNlLTEifQ.",
        jwt.encode({"sub": "case-1", "scope": "read", "exp": NOW}, KEY, algorithm="HS512"),
        jwt.encode({"sub": "case-1", "scope": "read"}, KEY, algorithm="HS256"),
        jwt.encode({"sub": "case-1", "exp": NOW}, KEY, algorithm="HS256"),
    ],
)
def test_a_token_that_is_not_ours_opens_nothing(token: str) -> None:
    assert ShareLinks(lambda: KEY).verify(token, now=NOW) is None


@pytest.mark.parametrize("secret", ["", "short", f"{KEY} short"])
def test_a_weak_key_neither_signs_nor_opens(secret: str) -> None:
    with pytest.raises(ValueError, match="at least 32 characters"):
        a_token(key=secret)
    with pytest.raises(ValueError, match="at least 32 characters"):
        ShareLinks(lambda: secret).verify(a_token(), now=NOW)
