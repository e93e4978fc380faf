"""Who is told of a job, and of what."""

from dataclasses import dataclass
from enum import StrEnum


class CallbackEvent(StrEnum):
    """What has happened to a job."""

    GENERATING = "image-job.generating"
    PROGRESS = "image-job.progress"
    COMPLETED = "image-job.completed"
    PARTIAL = "image-job.partial"
    FAILED = "image-job.failed"
    CANCELLED = "image-job.cancelled"


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A caller's address, and what it wants to hear of."""

    url: str
    events: tuple[CallbackEvent, ...] = tuple(CallbackEvent)


@dataclass(frozen=True, kw_only=True)
class ReceiverPolicy:
    """Where receivers may be."""

    hosts: tuple[str, ...]
    """Lower-case names; one that begins with `*.` is every name below it."""
    private: bool = False
    """Whether plain HTTP and private addresses are allowed: on a laptop only."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """How they may be spoken to."""
        return ("https", "http") if self.private else ("https",)

    def allows(self, host: str) -> bool:
        """Whether a receiver may be at `host`."""
        host = host.lower().rstrip(".")
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.hosts)
