"""Receivers of callbacks: their addresses, the events they get, and the hosts that are allowed."""

import re
from dataclasses import dataclass, field
from enum import StrEnum

from darkroom.domain.words import Unknown


class CallbackEvent(StrEnum):
    """Type of a callback message."""

    GENERATING = "image-job.generating"
    PROGRESS = "image-job.progress"
    COMPLETED = "image-job.completed"
    PARTIAL = "image-job.partial"
    FAILED = "image-job.failed"
    CANCELLED = "image-job.cancelled"


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """Address to which a caller's callbacks are sent, and the events it gets."""

    url: str
    events: tuple[CallbackEvent | str, ...] = tuple(CallbackEvent)
    unknown: Unknown = field(default_factory=dict)
    """Stored attributes that this release does not know."""


@dataclass(frozen=True, kw_only=True)
class ReceiverPolicy:
    """Hosts at which receivers are allowed."""

    hosts: tuple[str, ...]
    """Host names. `*.example.com` allows every name below example.com."""
    private: bool = False
    """True if plain HTTP and private addresses are allowed. Only for development on a laptop."""

    @property
    def schemes(self) -> tuple[str, ...]:
        """URL schemes that are allowed."""
        return ("https", "http") if self.private else ("https",)

    def allows(self, host: str) -> bool:
        """Return True if a receiver may be at `host`."""
        host = canonical_host(host)
        names = map(canonical_host, self.hosts)
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in names)


_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MAX_HOST = 253


def canonical_host(host: str) -> str:
    """Return `host` in the form in which hosts are compared and reached: lower case, without a final dot."""
    return host.lower().removesuffix(".")


def is_host_name(host: str) -> bool:
    """Return True if `host`, in its canonical form, has the form of a DNS name. No name is resolved."""
    labels = host.split(".")
    return len(host) <= _MAX_HOST and all(
        _LABEL.fullmatch(label) and _is_decodable(label) for label in labels
    )


def _is_decodable(label: str) -> bool:
    """Return True if the label is not international (`xn--...`), or decodes to printable text."""
    if not label.startswith("xn--"):
        return True
    coded = label.removeprefix("xn--").encode()
    try:
        text = coded.decode("punycode")
        return text.isprintable() and text.encode("punycode") == coded
    except ValueError:
        return False
