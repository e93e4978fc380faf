"""A secret of one's own: the key as text, or in JSON."""

import asyncio

import pytest
from darkroom.adapters import answers
from darkroom.adapters.secrets import key_in
from darkroom.domain.errors import Unauthorized


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


def test_a_secret_that_holds_no_key_is_for_the_operator_to_mend() -> None:
    with pytest.raises(Unauthorized, match="in the field apiKey"):
        asyncio.run(answers.usable(lambda: key_in("{}")))
