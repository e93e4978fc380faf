"""Check the receiver of callbacks that a submission names."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from darkroom.domain.errors import FieldError, InvalidInput
from darkroom.domain.receivers import (
    CallbackEvent,
    Receiver,
    ReceiverPolicy,
    canonical_host,
    is_host_name,
)

MAX_LENGTH = 2_000
"""Maximum characters of a receiver's URL."""


def receiver(url: str, events: Sequence[CallbackEvent], policy: ReceiverPolicy) -> Receiver:
    """Return the receiver at `url`. Empty `events` means all. Raise InvalidInput if `url` is not allowed."""
    for rule, is_kept in _rules(url, policy).items():
        if not is_kept:
            raise InvalidInput(f"callbackUrl {rule}", [FieldError("callbackUrl", rule)])
    return Receiver(url=url, events=tuple(dict.fromkeys(events)) or tuple(CallbackEvent))


def _rules(url: str, policy: ReceiverPolicy) -> dict[str, bool]:
    """Return each rule, with True if `url` keeps it."""
    try:
        parts = urlsplit(url)
        host = canonical_host(parts.hostname or "")
        port = parts.port
    except ValueError:
        parts = urlsplit("")
        host = ""
        port = None
    return {
        "must be ASCII without spaces; an international host is written as xn--...": all(
            "!" <= letter <= "~" for letter in url
        ),
        f"must be an address of {' or '.join(policy.schemes)}": parts.scheme in policy.schemes and bool(host),
        "must have neither a user nor a fragment": not (parts.username or parts.password or parts.fragment),
        "must have a host whose labels have 1 to 63 letters, digits or inner hyphens": is_host_name(host),
        "must have a port from 1 to 65535, or none": port != 0,
        "must be at a host that this deployment allows (CallbackHosts)": policy.allows(host),
    }
