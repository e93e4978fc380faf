"""Who is told of a job, and of what."""

import re
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
    """Names; one that begins with `*.` is every name below it."""
    private: bool = False
    """Whether plain HTTP and private addresses are allowed: on a laptop only."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """How they may be spoken to."""
        return ("https", "http") if self.private else ("https",)

    def allows(self, host: str) -> bool:
        """Whether a receiver may be at `host`."""
        host = canonical_host(host)
        names = map(canonical_host, self.hosts)
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_HOST = 253


def canonical_host(host: str) -> str:
    """Return the one form in which hosts are compared and reached: lower case, without the root's dot."""
    return host.lower().removesuffix(".")


def is_host_name(host: str) -> bool:
    """Return whether a resolver takes `host`, which is in its canonical form."""
    labels = host.split(".")
    return len(host) <= _MAX_HOST and all(
        _LABEL.fullmatch(label) and _is_decodable(label) for label in labels
    )


def _is_decodable(label: str) -> bool:
    """Return whether an international label (`xn--...`) stands for a text; any other label does."""
    if not label.startswith("xn--"):
        return True
    coded = label.removeprefix("xn--").encode()
    try:
        text = coded.decode("punycode")
        return text.isprintable() and text.encode("punycode") == coded
    except ValueError:
        return False
