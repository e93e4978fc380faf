"""Signatures by Standard Webhooks 1.0."""

import pytest
from darkroom.adapters.signing.standard_webhooks import TOLERANCE_S, sign, verify
from darkroom.domain.errors import BadSignature

OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
BODY = b'{"test": 2432232314}'
NOW = 1614265330


def signed(secret: str = OLD, body: bytes = BODY) -> dict[str, str]:
    return sign(secret, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp_s=NOW, body=body)


def test_the_signature_is_the_one_of_the_reference_libraries() -> None:
    # The vector that the libraries of the standard are tested with.
    assert signed()["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_signed_is_verified() -> None:
    verify(OLD, headers=signed(), body=BODY, now_s=NOW)


@pytest.mark.parametrize("secret", [f"{NEW} {OLD}", f"{OLD} {NEW}"])
def test_during_a_rotation_both_keys_verify(secret: str) -> None:
    for used in (OLD, NEW):
        verify(secret, headers=signed(used), body=BODY, now_s=NOW)


def test_every_key_signs_so_that_a_receiver_needs_one_of_them() -> None:
    for known in (NEW, OLD):
        verify(known, headers=signed(f"{NEW} {OLD}"), body=BODY, now_s=NOW)


def test_one_good_signature_among_several_is_enough() -> None:
    headers = signed()
    headers["webhook-signature"] = f"v1,AAAA v1a,BBBB {headers['webhook-signature']}"
    verify(OLD, headers=headers, body=BODY, now_s=NOW)


@pytest.mark.parametrize("age", [-TOLERANCE_S, TOLERANCE_S])
def test_within_the_tolerance_a_signature_is_fresh(age: int) -> None:
    verify(OLD, headers=signed(), body=BODY, now_s=NOW + age)


@pytest.mark.parametrize("age", [-TOLERANCE_S - 1, TOLERANCE_S + 1])
def test_outside_the_tolerance_a_signature_is_refused(age: int) -> None:
    with pytest.raises(BadSignature, match="webhook-timestamp"):
        verify(OLD, headers=signed(), body=BODY, now_s=NOW + age)


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-id": "msg_other"},
        {"webhook-timestamp": str(NOW + 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"webhook-signature": "\udcff"},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
    ],
)
def test_a_changed_header_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify(OLD, headers=signed() | changes, body=BODY, now_s=NOW)


def test_missing_headers_are_refused() -> None:
    with pytest.raises(BadSignature, match="required"):
        verify(OLD, headers={}, body=BODY, now_s=NOW)


def test_a_changed_body_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(OLD, headers=signed(), body=BODY + b" ", now_s=NOW)


def test_another_key_is_refused() -> None:
    with pytest.raises(BadSignature):
        verify(NEW, headers=signed(OLD), body=BODY, now_s=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "not base64!", "c2hvcnQ="])
def test_an_invalid_secret_is_never_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="base64 of at least 24 bytes") as raised:
        signed(secret)
    assert raised.value.__cause__ is None
