"""The image models that the settings select, with their prices and limits."""

from dataclasses import replace

import pytest
from darkroom.adapters import http_client
from darkroom.domain.quota import Limits
from darkroom.domain.shot_errors import ShotError
from darkroom.image_models import image_models
from darkroom.settings import InvalidSetting, WorkerSettings
from darkroom.worker.image_model import ImageModel
from moto import mock_aws

SETTINGS = WorkerSettings(table_name="t", bucket_name="b", webhook_secret="s")


def chosen(**changes: object) -> list[ImageModel]:
    with mock_aws():
        return image_models(replace(SETTINGS, **changes), http_client.client(1))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("provider", "name", "price"),
    [
        ("gemini", "gemini/gemini-nano-banana-2.1", 33_600),
        ("bedrock", "bedrock/stability.stable-image-core-v1:1", 40_000),
        ("openai", "openai/gpt-image-2", 53_000),
    ],
)
def test_a_provider_comes_with_its_model_and_list_price(provider: str, name: str, price: int) -> None:
    [image_model] = chosen(image_provider=provider)
    assert (image_model.name, image_model.price_micro_usd) == (name, price)
    assert image_model.limits == Limits()


def test_configured_limits_and_prices_apply_to_the_first_provider_only() -> None:
    first, second = chosen(
        fallback_provider="bedrock", requests_per_minute=10, requests_per_day=500, image_price_usd=0.02
    )
    assert (first.price_micro_usd, first.limits) == (20_000, Limits(per_minute=10, per_day=500))
    assert (second.name.partition("/")[0], second.limits) == ("bedrock", Limits())
    assert second.price_micro_usd == 40_000


def test_a_model_of_unknown_price_has_the_highest_known_price() -> None:
    [image_model] = chosen(gemini_model="gemini-of-tomorrow")
    assert image_model.price_micro_usd == 211_000


@pytest.mark.parametrize("field", ["image_provider", "fallback_provider"])
def test_an_unknown_provider_is_an_error_that_names_the_setting(field: str) -> None:
    with pytest.raises(InvalidSetting, match=r"must be one of \['bedrock', 'gemini', 'openai'\]"):
        chosen(**{field: "imagen"})


def test_unknown_fallback_codes_are_an_error_that_names_them() -> None:
    ours = {"storage_failed", "deadline_exceeded", "too_large", "retries_exhausted", "budget_exhausted"}
    the_callers = {"refused", "invalid"}
    assert SETTINGS.fallback_codes == {e.code for e in ShotError.__subclasses__()} - ours - the_callers
    with pytest.raises(InvalidSetting, match="weather"):
        _ = replace(SETTINGS, fallback_on="overloaded, weather").fallback_codes
