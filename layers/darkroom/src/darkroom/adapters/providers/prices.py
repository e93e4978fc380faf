"""The price of one picture of 1 megapixel by model, so that a budget can be kept before the bill comes.

These are list prices without discounts, tax and the fraction of a cent that the prompt costs. No provider
publishes them as data, so each has its source and date. Where sources conflict, the higher price is here.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

_LITELLM = "litellm 1.109.1, model price map"
_TABLES = "secondary price tables, none of them Google's own"
_FAL = "fal.ai, its price for gpt-image-2 at 1024x1024; OpenAI's own is by token"


@dataclass(frozen=True)
class Price:
    """The price of one picture, and where it is from."""

    usd: Decimal
    """US dollars."""
    source: str
    as_of: str
    """Date of the source."""

    @property
    def micro_usd(self) -> int:
        """The price in millionths of a dollar, rounded up."""
        return int((self.usd * 1_000_000).to_integral_value(ROUND_CEILING))


def _price(usd: str, source: str) -> Price:
    return Price(Decimal(usd), source, as_of="2026-11-23")


PRICES = {
    ("gemini", "gemini-nano-banana-2.1"): _price("0.0336", "BerriAI/litellm discussion 44983"),
    ("gemini", "gemini-3.1-flash-lite-image"): _price("0.0336", "1120 recorded output tokens at $30/M"),
    ("gemini", "gemini-3-pro-image"): _price("0.134", _TABLES),
    ("gemini", "gemini-3.1-flash-image"): _price("0.067", _TABLES),
    ("bedrock", "stability.stable-image-core-v1:1"): _price("0.04", "three secondary sources agree"),
    ("bedrock", "stability.sd3-5-large-v1:0"): _price("0.08", "stdapi-ai/stdapi.ai#93; awslabs says 0.065"),
    ("bedrock", "stability.stable-image-ultra-v1:1"): _price("0.14", f"{_LITELLM}; awslabs says 0.08"),
    ("openai", "gpt-image-2/low"): _price("0.006", _FAL),
    ("openai", "gpt-image-2/medium"): _price("0.053", _FAL),
    ("openai", "gpt-image-2/high"): _price("0.211", _FAL),
}
"""Prices by provider and model. OpenAI's models have one for each quality."""


def price(provider: str, model: str, quality: str = "") -> Price:
    """Return the price of one picture; for a model that is not in the table, the highest price in it."""
    for name in (f"{model}/{quality}", model):
        if found := PRICES.get((provider, name)):
            return found
    return max(PRICES.values(), key=lambda entry: entry.usd)
