"""The metrics of a deployment, as its operators see them."""

from typing import Self

from darkroom.domain.metrics import Count, Totals, Window
from darkroom.wire.model import Wire, usd


class MetricsView(Wire):
    """The metrics of a window. Times are seconds. Rates and times are absent if nothing was counted."""

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
    """Completed pictures divided by completed, failed and refused ones."""
    failure_rate: float | None = None
    """Failed pictures, without refused ones, divided by completed, failed and refused ones."""
    generation_time_p50: float | None = None
    """Median of the seconds from a case's submission to the first end of its job."""
    generation_time_p95: float | None = None
    webhook_latency_p50: float | None = None
    """Median of the seconds from the sending of a snapshot to its arrival at the webhook."""
    webhook_latency_p95: float | None = None
    retries: int
    stuck_now: int
    """Number of jobs that have been generating for over ten minutes and that no worker owns."""
    cost_usd: float
    wasted_usd: float

    @classmethod
    def of(cls, window: Window, totals: Totals, stuck: int) -> Self:
        """Return the view of `totals`. `stuck` is the number of stuck jobs."""
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
