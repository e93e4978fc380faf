"""The settings of each function: one class for each. Only this module reads the environment."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Self

from darkroom.domain.hedging import HedgePolicy
from darkroom.domain.quota import Limits
from darkroom.domain.receivers import ReceiverPolicy
from darkroom.domain.run_policy import AttemptPolicy, RunPolicy
from darkroom.domain.shot_errors import ShotError
from darkroom.domain.timing import KEEP_DAYS, Timing

_TRUTH = {"true": True, "false": False}


class InvalidSetting(RuntimeError):
    """A variable without a default is not set, or a variable has a value that is not valid."""


# eq and repr are off because nothing uses them, and each method that a dataclass makes slows the start.
@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Settings:
    """Base of all settings. Each field is read from the environment variable of its name in upper case."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings in `environ`; raise InvalidSetting, which names the variable."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for item in fields(cls):
            name = item.name.upper()
            kind = item.type
            text = environ.get(name)
            if text is None:
                if item.default is MISSING:
                    raise InvalidSetting(f"{name} is not set")
                continue
            assert isinstance(kind, type)
            try:
                values[item.name] = _TRUTH[text] if kind is bool else kind(text)
            except (KeyError, ValueError) as error:
                raise InvalidSetting(f"{name} must be of type {kind.__name__}") from error
        return cls(**values)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _RetentionSettings(Settings):
    keep_days: int = KEEP_DAYS
    """Days that the items of a job are kept after its end."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _TimingSettings(_RetentionSettings):
    grace_seconds: int = Timing.grace // 1000
    lease_seconds: int = Timing.lease // 1000
    deadline_seconds: int = Timing.deadline // 1000
    max_lost_runs: int = Timing.max_lost_runs
    max_hops: int = Timing.max_hops

    @property
    def timing(self) -> Timing:
        """The waits and limits of a job. Raises ValueError when they contradict each other."""
        return Timing(
            grace=self.grace_seconds * 1000,
            lease=self.lease_seconds * 1000,
            deadline=self.deadline_seconds * 1000,
            max_lost_runs=self.max_lost_runs,
            max_hops=self.max_hops,
        )


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _BodySettings(Settings):
    max_body_bytes: int = 262_144
    """Bytes of the largest body that the function accepts."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class _DelivererStartSettings(_RetentionSettings):
    deliverer_function: str
    deliverer_concurrency: int = 0
    """Reserved concurrency of the deliverer, which is also its maximum; 0: none is reserved."""
    unreserved_deliverers: int = 50
    """Deliverers that one process of this function may start within 20 s while no concurrency is reserved."""

    @property
    def max_concurrent_deliverers(self) -> int | None:
        """Deliverers that one process of this function may start within 20 s; None: Lambda limits them."""
        return None if self.deliverer_concurrency else self.unreserved_deliverers


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InitiatorSettings(_TimingSettings, _BodySettings):
    """Settings of the function that accepts, retries and cancels cases."""

    table_name: str
    worker_function: str
    link_secret: str
    share_secret: str
    share_days: int = 7
    """Days that a share link is valid."""
    cases_per_day: int = 500
    """Cases of one caller on one day, submitted or in a retry that costs money; 0: no limit."""
    public_url: str = ""
    """Address at which callers reach the API; empty: its own address."""
    status_url: str = ""
    """Address of the status documents; empty: none are written."""
    callback_hosts: str = ""
    """Hosts of allowed receivers, separated by commas; `*.example.com` means all names below; empty: none."""
    callback_private: bool = False
    """True if receivers may use plain HTTP: for a laptop only."""

    @property
    def receivers(self) -> ReceiverPolicy:
        """The receivers of callbacks that a case may name."""
        hosts = tuple(host.strip().lower() for host in self.callback_hosts.split(",") if host.strip())
        return ReceiverPolicy(hosts=hosts, private=self.callback_private)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AuthorizerSettings(Settings):
    """Settings of the function that authenticates callers."""

    api_tokens: str
    share_secret: str


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReaderSettings(Settings):
    """Settings of the function that returns jobs, pictures and metrics."""

    table_name: str
    bucket_name: str
    link_secret: str
    public_url: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WebhookSettings(_TimingSettings, _BodySettings):
    """Settings of the function that receives snapshots."""

    table_name: str
    worker_function: str
    webhook_secret: str
    public_url: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ObserverSettings(_DelivererStartSettings):
    """Settings of the function that counts changes of jobs and stores callbacks for them."""

    table_name: str
    link_secret: str
    api_url: str
    """Address at which callers reach the API, for the links to pictures."""
    bucket_name: str
    status_url: str = ""
    """Address of the status documents; empty: none are written."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DelivererSettings(_RetentionSettings):
    """Settings of the function that sends callbacks."""

    table_name: str
    callback_secret: str
    callback_private: bool = False
    """True if receivers may have private addresses and use plain HTTP: for a laptop only."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class CallbacksSettings(_DelivererStartSettings):
    """Settings of the function that returns and replays callbacks."""

    table_name: str
    callback_secret: str
    public_url: str = ""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SweeperSettings(_DelivererStartSettings, _TimingSettings):
    """Settings of the function that continues or ends jobs that are due."""

    table_name: str
    bucket_name: str
    worker_function: str
    webhook_url: str
    sweep_limit: int = 5_000
    """Jobs that one sweep reads: more than it has time for."""
    sweep_threads: int = 16
    redeliver_limit: int = 200
    """Deliveries that one sweep starts."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RecoverySettings(_TimingSettings):
    """Settings of the function that replaces lost workers."""

    table_name: str
    bucket_name: str
    worker_function: str
    webhook_url: str
    recovery_queue: str
    """Address of the queue that holds the records of failed invocations."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WorkerSettings(_RetentionSettings):
    """Settings of the function that makes pictures."""

    table_name: str
    bucket_name: str
    webhook_secret: str

    image_provider: str = "gemini"
    """`gemini`, `bedrock` or `openai`."""
    fallback_provider: str = ""
    """Provider for the errors in `fallback_on`; empty: none."""
    fallback_on: str = (
        "throttled,overloaded,timed_out,no_image,bad_image,"
        "quota_exhausted,unauthorized,account_unusable,misconfigured,model_retired"
    )
    """Codes of errors, separated by commas, after which the fallback provider is called.

    By default without `refused`, because a prompt that one provider refuses is not offered to another; an
    operator may add it. By default without `invalid` too, because it is about the caller's own text.
    """
    gemini_secret: str = ""
    gemini_url: str = "https://generativelanguage.googleapis.com"
    gemini_model: str = "gemini-nano-banana-2.1"
    gemini_thinking: str = "auto"
    """Thinking level that is sent; `auto`: one that the model is documented to take; `none`: none."""
    openai_secret: str = ""
    openai_url: str = "https://api.openai.com"
    openai_model: str = "gpt-image-2"
    openai_quality: str = "medium"
    bedrock_region: str = "us-west-2"
    bedrock_model: str = "stability.stable-image-core-v1:1"

    image_price_usd: float = 0.0
    """US dollars for one picture; 0: the price in adapters/providers/prices.py."""
    daily_budget_usd: float = 0.0
    """US dollars that all jobs together may cost on one day (UTC); 0: no limit."""
    requests_per_minute: int = 0
    """Requests of all workers together in one minute; 0: only the provider's responses limit them."""
    requests_per_day: int = 0
    """Requests of all workers together on one day; 0: only the provider's responses limit them."""
    quota_day_zone: str = "America/Los_Angeles"
    """Time zone in which the provider's day ends at midnight. The default is Google's."""

    concurrency: int = RunPolicy.concurrency
    """Requests to the provider that one worker may have at once."""
    evidence_batch: int = RunPolicy.evidence_batch
    location_batch: int = RunPolicy.location_batch
    strict_batches: bool = False
    """True if a batch waits for the end of the one before."""
    request_timeout_seconds: float = AttemptPolicy.request_timeout
    shot_timeout_seconds: float = AttemptPolicy.shot_timeout
    reserve_seconds: float = RunPolicy.reserve_s
    """Seconds at the end of a worker's time that are kept for its last snapshot."""
    hedge_share: float = RunPolicy.hedge_share
    """Extra requests per run = `hedge_share` × number of shots, rounded down; 0: none."""
    latency_median_seconds: float = HedgePolicy.prior_median
    """Median of a request's time that a worker assumes before it has seen any."""
    latency_p95_seconds: float = HedgePolicy.prior_p95
    """95th percentile of a request's time that a worker assumes before it has seen any."""

    image_size: int = 512
    """Side of a picture, in pixels."""
    jpeg_quality: int = 80

    @property
    def limits(self) -> Limits:
        """Limits of the requests to the provider's model."""
        return Limits(per_minute=self.requests_per_minute or None, per_day=self.requests_per_day or None)

    @property
    def daily_budget_micro_usd(self) -> int | None:
        """The daily budget in millionths of a US dollar; None: no limit."""
        return round(self.daily_budget_usd * 1_000_000) or None

    @property
    def hedging(self) -> HedgePolicy:
        """Latency that is expected before any was seen. Raises ValueError for invalid values."""
        return HedgePolicy(
            prior_median=self.latency_median_seconds,
            prior_p95=self.latency_p95_seconds,
        )

    @property
    def fallback_codes(self) -> frozenset[str]:
        """The codes in `fallback_on`. Raises InvalidSetting for one that no error has."""
        codes = frozenset(code.strip() for code in self.fallback_on.split(",") if code.strip())
        known = {error.code for error in ShotError.__subclasses__()}
        if codes - known:
            raise InvalidSetting(f"FALLBACK_ON: {sorted(codes - known)} are none of {sorted(known)}")
        return codes
