"""The prices of pictures."""

from decimal import Decimal

import pytest
from darkroom.adapters.providers.prices import PRICES, Price, price


@pytest.mark.parametrize(
    ("provider", "model", "micro_usd"),
    [
        ("gemini", "gemini-nano-banana-2.1", 33_600),
        ("gemini", "gemini-3.1-flash-lite-image", 33_600),
        ("gemini", "gemini-3-pro-image", 134_000),
        ("gemini", "gemini-3.1-flash-image", 67_000),
        ("bedrock", "stability.stable-image-core-v1:1", 40_000),
        ("bedrock", "stability.sd3-5-large-v1:0", 80_000),
        ("bedrock", "stability.stable-image-ultra-v1:1", 140_000),
    ],
)
def test_a_model_has_one_price_whatever_the_quality(provider: str, model: str, micro_usd: int) -> None:
    for quality in ("", "high"):
        assert price(provider, model, quality).micro_usd == micro_usd


@pytest.mark.parametrize(("quality", "micro_usd"), [("low", 6_000), ("medium", 53_000), ("high", 211_000)])
def test_the_price_of_an_openai_model_depends_on_the_quality(quality: str, micro_usd: int) -> None:
    assert price("openai", "gpt-image-2", quality).micro_usd == micro_usd


@pytest.mark.parametrize(
    ("provider", "model", "quality"),
    [
        ("gemini", "a-new-model", ""),
        ("another", "gemini-nano-banana-2.1", ""),
        ("openai", "gpt-image-2", ""),
        ("openai", "gpt-image-2", "auto"),
        ("", "", ""),
    ],
)
def test_an_unknown_model_costs_as_much_as_the_dearest(provider: str, model: str, quality: str) -> None:
    assert price(provider, model, quality).usd == max(entry.usd for entry in PRICES.values())


def test_every_price_has_a_source_and_a_date() -> None:
    for entry in PRICES.values():
        assert entry.source
        assert entry.as_of == "2026-11-23"


def test_a_fraction_of_a_micro_dollar_is_rounded_up() -> None:
    assert Price(Decimal("0.0000001"), "a test", "2026-11-23").micro_usd == 1
