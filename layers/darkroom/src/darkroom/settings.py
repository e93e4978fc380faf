"""What each function is configured with: one class a function, and the only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self

from darkroom.domain.case import ShotKind
from darkroom.domain.errors import ShotError
from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.receivers import ReceiverPolicy
from darkroom.domain.timing import Timing

_FLAGS = {"true": True, "false": False}


class MissingSetting(RuntimeError):
    """A variable that has no default is not set, or one has a value of the wrong kind."""


# Neither compared nor printed by anybody: each method that a dataclass makes costs a part of the start.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
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
                values[item.name] = _FLAGS[text] if kind is bool else kind(text)
            except (KeyError, ValueError) as error:
                raise MissingSetting(f"{name} must be of type {kind.__name__}") from error
        return cls(**values)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Timed(Settings):
    grace_seconds: int = Timing.grace // 1000
    lease_seconds: int = Timing.lease // 1000
    deadline_seconds: int = Timing.deadline // 1000
    max_lost_runs: int = Timing.max_lost_runs
    max_hops: int = Timing.max_hops
    keep_days: int = 30
    """Days that a job is kept after its end."""

    @property
    def timing(self) -> Timing:
        """The waits and limits of a job; raises ValueError when they contradict each other."""
        return Timing(
            grace=self.grace_seconds * 1000,
            lease=self.lease_seconds * 1000,
            deadline=self.deadline_seconds * 1000,
            max_lost_runs=self.max_lost_runs,
            max_hops=self.max_hops,
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _Delivering(Settings):
    deliverer_function: str
    deliverer_concurrency: int = 0
    """Concurrency of Lambda reserved for deliverers, which bounds them; 0: none is."""
    unreserved_deliverers: int = 50
    """Deliverers that one process of this function may have running while none are reserved."""

    @property
    def deliverers_at_once(self) -> int | None:
        """Deliverers that one process of this function may have running; None: Lambda bounds them."""
        return None if self.deliverer_concurrency else self.unreserved_deliverers


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InitiatorSettings(_Timed):
    """Accepts cases."""

    table_name: str
    worker_function: str
    link_secret: str
    share_secret: str
    share_days: int = 7
    cases_per_day: int = 500
    """Of one caller; 0: no limit."""
    public_url: str = ""
    """Where callers reach the API; empty means at its own address."""
    status_url: str = ""
    """Where status documents are read; empty: none are written."""
    callback_hosts: str = ""
    """Where receivers of callbacks may be, by commas; `*.example.com` is every name below; empty: nowhere."""
    callback_private: bool = False
    """Whether they may speak plain HTTP: on a laptop only."""
    max_body_bytes: int = 262_144

    @property
    def receivers(self) -> ReceiverPolicy:
        """Who may be told."""
        hosts = tuple(host.strip().lower() for host in self.callback_hosts.split(",") if host.strip())
        return ReceiverPolicy(hosts=hosts, private=self.callback_private)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AuthorizerSettings(Settings):
    """Says who calls."""

    api_tokens: str
    share_secret: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReaderSettings(Settings):
    """Answers questions."""

    table_name: str
    bucket_name: str
    link_secret: str
    public_url: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WebhookSettings(_Timed):
    """Takes snapshots."""

    table_name: str
    worker_function: str
    webhook_secret: str
    public_url: str = ""
    max_body_bytes: int = 262_144


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ObserverSettings(_Delivering):
    """Counts what changes, and tells receivers of it."""

    table_name: str
    link_secret: str
    api_url: str
    """Where callers reach the API: pictures are linked there."""
    bucket_name: str
    status_url: str = ""
    """Where status documents are read; empty: none are written."""
    keep_days: int = 30


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DelivererSettings(Settings):
    """Tries deliveries."""

    table_name: str
    callback_secret: str
    callback_private: bool = False
    """Whether receivers may have private addresses and speak plain HTTP: on a laptop only."""
    keep_days: int = 30


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CallbacksSettings(_Delivering):
    """Answers questions about callbacks."""

    table_name: str
    callback_secret: str
    public_url: str = ""
    keep_days: int = 30


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SweeperSettings(_Delivering, _Timed):
    """Looks after jobs nobody else will."""

    table_name: str
    bucket_name: str
    worker_function: str
    webhook_url: str
    sweep_limit: int = 5_000
    """Jobs of one sweep: more than it has time for."""
    sweep_threads: int = 16
    redeliver_limit: int = 200


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WorkerSettings(Settings):
    """Makes pictures. Where 0 or an empty text means something, its description says what."""

    table_name: str
    bucket_name: str
    webhook_secret: str

    image_provider: str = "gemini"
    """`gemini`, `bedrock` or `openai`."""
    fallback_provider: str = ""
    """Asked when `fallback_on` says that another provider can help; empty: none."""
    fallback_on: str = (
        "throttled,overloaded,timed_out,no_image,bad_image,"
        "quota_exhausted,unauthorized,account_unusable,misconfigured,model_retired"
    )
    """Codes of errors, by commas: all that another provider may not have.

    Without `refused`, because what one provider refuses is not shopped around, and without `invalid`,
    which is about what the caller wrote.
    """
    gemini_secret: str = ""
    gemini_url: str = "https://generativelanguage.googleapis.com"
    gemini_model: str = "gemini-nano-banana-2.1"
    gemini_thinking: str = "auto"
    """The level sent with each request: `auto` sends what the model is documented to take, `none` none."""
    openai_secret: str = ""
    openai_url: str = "https://api.openai.com"
    openai_model: str = "gpt-image-2"
    openai_quality: str = "medium"
    bedrock_region: str = "us-west-2"
    bedrock_model: str = "stability.stable-image-core-v1:1"

    image_price_usd: float = 0.0
    """Of one picture; 0: what adapters/providers/prices.py knows of the model."""
    keep_days: int = 30
    """Days that a job is kept after its end, and its budget with it."""
    daily_budget_usd: float = 0.0
    """What all jobs together may cost in a day (UTC); 0: no limit."""
    requests_per_minute: int = 0
    """Of all workers together to the provider's model; 0: the provider's own answers decide."""
    requests_per_day: int = 0
    """The same for a day; 0: the provider's own answers decide."""
    quota_day_zone: str = "America/Los_Angeles"
    """Where the provider's day ends at midnight; Google's does there."""

    concurrency: int = 14
    evidence_batch: int = 5
    location_batch: int = 4
    strict_batches: bool = False
    request_timeout_seconds: float = 60.0
    shot_timeout_seconds: float = 120.0
    reserve_seconds: float = 15.0
    hedge_share: float = 0.5
    """At most so many extra requests a shot for those that are late; 0: none."""
    latency_median_seconds: float = 8.0
    latency_p95_seconds: float = 20.0
    """What a worker expects of a request before it has seen any."""

    image_size: int = 512
    jpeg_quality: int = 80

    @property
    def batch_sizes(self) -> dict[ShotKind, int]:
        """Shots in one batch, by kind."""
        return {ShotKind.EVIDENCE: self.evidence_batch, ShotKind.LOCATION: self.location_batch}

    @property
    def limits(self) -> Limits:
        """Of the requests to the provider's model."""
        return Limits(per_minute=self.requests_per_minute or None, per_day=self.requests_per_day or None)

    @property
    def daily_budget_micro_usd(self) -> int | None:
        """In millionths of a US dollar; None without limit."""
        return round(self.daily_budget_usd * 1_000_000) or None

    @property
    def hedging(self) -> HedgePolicy:
        """When and how often a late request gets a second one; raises ValueError for nonsense."""
        return HedgePolicy(
            share=self.hedge_share,
            prior_median=self.latency_median_seconds,
            prior_p95=self.latency_p95_seconds,
        )

    @property
    def fallback_codes(self) -> frozenset[str]:
        """The codes in `fallback_on`; raises MissingSetting when one is no error's."""
        codes = frozenset(code.strip() for code in self.fallback_on.split(",") if code.strip())
        known = {error.code for error in ShotError.__subclasses__()}
        if codes - known:
            raise MissingSetting(f"FALLBACK_ON: {sorted(codes - known)} are none of {sorted(known)}")
        return codes
