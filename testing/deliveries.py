"""A delivery of a callback for tests."""

from dataclasses import replace
from typing import Any

from darkroom.domain.callbacks import Delivery
from darkroom.domain.receivers import CallbackEvent

from testing.builders import NOW


def a_delivery(**changes: Any) -> Delivery:
    """Return a delivery that is due now, with the fields in `changes` replaced."""
    delivery = Delivery(
        case_id="case-1",
        job_id="job-1",
        version=1,
        event=CallbackEvent.PROGRESS,
        url="https://game.example/hook",
        caller="game",
        body='{"data": "—"}',
        created_at=NOW,
        due_at=NOW,
    )
    return replace(delivery, **changes)
