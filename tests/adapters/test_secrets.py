"""A provider's key in a secret, as text or in JSON."""

import asyncio

import boto3
import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws
from darkroom.adapters.providers import http
from darkroom.adapters.secrets import api_key, key_in
from darkroom.domain.shot_errors import Overloaded, ShotError, Unauthorized


@pytest.mark.parametrize("stored", ["the-key", '{"apiKey": "the-key"}', '{"other": 1, "apiKey": "the-key"}'])
def test_a_key_is_text_or_the_field_api_key_of_json(stored: str) -> None:
    assert key_in(stored) == "the-key"


@pytest.mark.parametrize(
    "stored", ["{}", '{"key": "secret-one"}', '{"apiKey": 7}', '{"apiKey": "secret-one"']
)
def test_json_without_that_field_says_so_and_is_not_quoted(stored: str) -> None:
    with pytest.raises(ValueError, match="JSON with the key in the field apiKey") as refused:
        key_in(stored)
    assert "secret-one" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_a_secret_without_a_key_is_an_error_for_the_operator() -> None:
    with pytest.raises(Unauthorized, match="in the field apiKey"):
        asyncio.run(http.usable_key(lambda: key_in("{}")))


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("AccessDeniedException", 400, Unauthorized),
        ("ResourceNotFoundException", 400, Unauthorized),
        ("DecryptionFailure", 400, Unauthorized),
        ("ThrottlingException", 400, Overloaded),
        ("InternalServiceError", 500, Overloaded),
    ],
)
def test_a_secret_that_cannot_be_read_is_no_defect_and_nothing_is_billed(
    monkeypatch: pytest.MonkeyPatch, code: str, status: int, error: type[ShotError]
) -> None:
    client = boto3.Session("id", "key", region_name="us-east-1").client("secretsmanager")
    stub = Stubber(client)
    stub.add_client_error(
        "get_secret_value", code, "of arn:aws:iam::1:user/somebody", http_status_code=status
    )
    stub.activate()
    monkeypatch.setattr(aws, "secretsmanager", lambda: client)
    with pytest.raises(error) as raised:
        asyncio.run(http.usable_key(api_key("the-secret")))
    assert not raised.value.billed
    assert "somebody" not in str(raised.value)
