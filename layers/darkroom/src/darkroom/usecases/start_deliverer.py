"""Start a deliverer for a stored delivery."""

from darkroom.domain.errors import InvokeRefused
from darkroom.ports import DelivererInvoker

type DeliveryKey = tuple[str, str, int]
"""Case id, job id and version of a delivery."""


def start_deliverer(deliverers: DelivererInvoker, key: DeliveryKey) -> bool:
    """Start a deliverer; return False when none can be started. Then the sweeper starts one later."""
    try:
        deliverers.invoke(*key)
    except InvokeRefused:
        return False
    return True
