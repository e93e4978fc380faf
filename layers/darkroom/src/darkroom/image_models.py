"""The image models of a worker, as its settings choose them."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import httpx

from darkroom.adapters import aws
from darkroom.adapters.providers import prices
from darkroom.adapters.providers.bedrock import Bedrock
from darkroom.adapters.providers.daily_reset import day_ends
from darkroom.adapters.providers.gemini import Gemini
from darkroom.adapters.providers.openai import OpenAI
from darkroom.adapters.secrets import Secret, api_key
from darkroom.domain.quota import Limits
from darkroom.ports import ImageProvider
from darkroom.settings import InvalidSetting, WorkerSettings
from darkroom.worker.image_model import ImageModel, Latencies

type _Made = tuple[str, str, ImageProvider]
"""Model, quality and provider."""

type _Secrets = Callable[[str], Secret]
"""Return the secret with the given name or ARN."""


def image_models(
    settings: WorkerSettings, client: httpx.AsyncClient, secrets: _Secrets = api_key
) -> list[ImageModel]:
    """Return the first image model and then the fallback; raise InvalidSetting for an unknown provider.

    The configured limits and price are those of the first. The fallback has no configured limit; a
    429 from it makes workers wait.
    """

    def image_model(name: str, limits: Limits, price_usd: float) -> ImageModel:
        if name not in _MAKERS:
            raise InvalidSetting(f"IMAGE_PROVIDER and FALLBACK_PROVIDER must be one of {sorted(_MAKERS)}")
        model, quality, provider = _MAKERS[name](settings, client, secrets)
        listed = prices.price(name, model, quality)
        return ImageModel(
            name=f"{name}/{model}",
            provider=provider,
            limits=limits,
            price_micro_usd=round(Decimal(repr(price_usd)) * 1_000_000) or listed.micro_usd,
            latencies=Latencies(policy=settings.hedging),
            day_until=day_ends(settings.quota_day_zone),
        )

    first = image_model(settings.image_provider, settings.limits, settings.image_price_usd)
    if not settings.fallback_provider:
        return [first]
    return [first, image_model(settings.fallback_provider, Limits(), 0.0)]


def _gemini(settings: WorkerSettings, client: httpx.AsyncClient, secrets: _Secrets) -> _Made:
    model = settings.gemini_model
    provider = Gemini(
        client,
        base_url=settings.gemini_url,
        model=model,
        thinking=settings.gemini_thinking,
        key=secrets(settings.gemini_secret),
    )
    return model, "", provider


def _openai(settings: WorkerSettings, client: httpx.AsyncClient, secrets: _Secrets) -> _Made:
    model = settings.openai_model
    quality = settings.openai_quality
    key = secrets(settings.openai_secret)
    provider = OpenAI(client, base_url=settings.openai_url, model=model, quality=quality, key=key)
    return model, quality, provider


def _bedrock(settings: WorkerSettings, _: httpx.AsyncClient, __: _Secrets) -> _Made:
    model = settings.bedrock_model
    concurrency = settings.concurrency
    runtime = aws.bedrock(settings.bedrock_region, concurrency)
    return model, "", Bedrock(runtime, model=model, concurrency=concurrency)


_MAKERS: Mapping[str, Callable[[WorkerSettings, httpx.AsyncClient, _Secrets], _Made]] = {
    "gemini": _gemini,
    "openai": _openai,
    "bedrock": _bedrock,
}
