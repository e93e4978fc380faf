"""What each function is configured with: one class a function, and the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self

from darkroom.domain.case import ShotKind
from darkroom.domain.timing import Timing


class MissingSetting(RuntimeError):
    """A variable that has no default is not set, or one has a value of the wrong kind."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is the environment variable of its name in upper case."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the fields from `environ`; raises MissingSetting naming the variable."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for item in fields(cls):
            name, kind = item.name.upper(), item.type
            text = environ.get(name)
            if text is None:
                if item.default is MISSING:
                    raise MissingSetting(f"{name} is not set")
                continue
            assert isinstance(kind, type)
            try:
                values[item.name] = kind(text)
            except ValueError as error:
                raise MissingSetting(f"{name} must be of type {kind.__name__}") from error
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class _Timed(Settings):
    grace_seconds: int = 90
    lease_seconds: int = 330
    deadline_seconds: int = 86_400
    max_retries: int = 3
    max_hops: int = 8

    @property
    def timing(self) -> Timing:
        """The waits and limits of a job; raises ValueError when they contradict each other."""
        return Timing(
            grace=self.grace_seconds * 1000,
            lease=self.lease_seconds * 1000,
            deadline=self.deadline_seconds * 1000,
            max_retries=self.max_retries,
            max_hops=self.max_hops,
        )


@dataclass(frozen=True, kw_only=True)
class InitiatorSettings(_Timed):
    """Accepts cases."""

    table_name: str
    worker_function: str
    link_secret: str
    public_url: str = ""
    """Where callers reach the API; empty means at its own address."""
    max_body_bytes: int = 262_144


@dataclass(frozen=True, kw_only=True)
class ReaderSettings(Settings):
    """Answers questions."""

    table_name: str
    bucket_name: str
    link_secret: str
    public_url: str = ""


@dataclass(frozen=True, kw_only=True)
class WebhookSettings(_Timed):
    """Takes snapshots."""

    table_name: str
    worker_function: str
    webhook_secret: str
    public_url: str = ""
    max_body_bytes: int = 262_144


@dataclass(frozen=True, kw_only=True)
class SweeperSettings(_Timed):
    """Looks after jobs nobody else will."""

    table_name: str
    bucket_name: str
    worker_function: str
    webhook_url: str
    sweep_limit: int = 200


@dataclass(frozen=True, kw_only=True)
class WorkerSettings(Settings):
    """Makes pictures."""

    bucket_name: str
    provider_secret: str
    webhook_secret: str
    provider_url: str = "https://generativelanguage.googleapis.com"
    provider_model: str = "gemini-nano-banana-2.1"
    provider_thinking: str = "minimal"
    """How much the model thinks before it draws; empty leaves it to the model."""
    image_price_usd: float = 0.0336
    """Of one 1K picture of the default model, list price of 2026-10-06."""
    concurrency: int = 14
    evidence_batch: int = 5
    location_batch: int = 4
    shot_timeout_seconds: float = 60.0
    reserve_seconds: float = 15.0
    image_size: int = 512
    image_quality: int = 80

    @property
    def batch_sizes(self) -> dict[ShotKind, int]:
        """Shots in one batch, by kind."""
        return {ShotKind.EVIDENCE: self.evidence_batch, ShotKind.LOCATION: self.location_batch}
