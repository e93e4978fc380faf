"""The metrics of a deployment, as its operators see them."""

from typing import Self

from darkroom.domain.metrics import Count, Totals, Window
from darkroom.wire.model import Wire, usd


class MetricsView(Wire):
    """How the deployment did in a window. Times are seconds; left out where nothing was counted."""

    window: Window
    cases_submitted: int
    jobs_completed: int
    jobs_partial: int
    jobs_failed: int
    jobs_cancelled: int
    images_requested: int
    images_completed: int
    images_failed: int
    images_refused: int
    success_rate: float | None = None
    """Of the pictures decided on, the share that was made; refusals are among those decided on."""
    failure_rate: float | None = None
    """Of them, the share that failed for another reason than a refusal."""
    generation_time_p50: float | None = None
    """From the submission to the job's first ending."""
    generation_time_p95: float | None = None
    webhook_latency_p50: float | None = None
    """From the worker's sending a snapshot to its being in the job."""
    webhook_latency_p95: float | None = None
    retries: int
    stuck_now: int
    """Jobs that have been generating for over ten minutes, and no worker owns them."""
    cost_usd: float
    wasted_usd: float

    @classmethod
    def of(cls, window: Window, totals: Totals, stuck: int) -> Self:
        """`totals` as callers see them."""
        counts = totals.counts
        return cls(
            window=window,
            cases_submitted=counts[Count.CASES],
            jobs_completed=counts[Count.ENDED_COMPLETED],
            jobs_partial=counts[Count.ENDED_PARTIAL],
            jobs_failed=counts[Count.ENDED_FAILED],
            jobs_cancelled=counts[Count.ENDED_CANCELLED],
            images_requested=counts[Count.REQUESTED],
            images_completed=counts[Count.COMPLETED],
            images_failed=counts[Count.FAILED],
            images_refused=counts[Count.REFUSED],
            success_rate=totals.success_rate,
            failure_rate=totals.failure_rate,
            generation_time_p50=_seconds(totals.generation_percentile(0.5)),
            generation_time_p95=_seconds(totals.generation_percentile(0.95)),
            webhook_latency_p50=_seconds(totals.webhook_percentile(0.5)),
            webhook_latency_p95=_seconds(totals.webhook_percentile(0.95)),
            retries=counts[Count.RETRIES],
            stuck_now=stuck,
            cost_usd=usd(counts[Count.COST]),
            wasted_usd=usd(counts[Count.WASTED]),
        )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 3)
