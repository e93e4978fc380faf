"""The invariants of a job: after every write, and in the end."""

from collections.abc import Iterable

from darkroom.domain.adoption import stored_images
from darkroom.domain.job import Job, Status

from testing.builders import PRICE


class Violation(AssertionError):
    """A violated invariant: a defect of Darkroom, or of the simulation."""


def check(holds: bool, what: str) -> None:
    """Raise Violation with `what` unless it holds."""
    if not holds:
        raise Violation(what)


def check_write(old: Job | None, new: Job) -> None:
    """Raise Violation unless `new` may be stored after `old`."""
    check(not new.images.keys() & new.failures.keys(), "a shot is both done and failed")
    check({*new.images, *new.failures} <= {s.id for s in new.shots}, "a shot that is none of the job's")
    stopping = new.status is Status.CANCELLED and new.lease_until is not None
    check(
        (new.is_open or stopping) == (new.due_at is not None),
        "an open job is due, and a cancelled one whose worker may be alive; no other",
    )
    check(
        (new.status is Status.GENERATING) <= (new.claim is not None and new.lease_until is not None),
        "a generating job has a claim and a lease",
    )
    if new.status in (Status.COMPLETED, Status.PARTIAL, Status.FAILED):
        check(new.settled == len(new.shots), "a job that has ended knows how each shot ended")
        done = len(new.images)
        expected = Status.COMPLETED if done == len(new.shots) else Status.PARTIAL if done else Status.FAILED
        check(new.status is expected, "the status is derived from the counts")
    if old is None:
        return
    check(new.version == old.version + 1, "versions rise by one")
    check(new.run >= old.run, "runs never fall")
    if new.job_id != old.job_id:
        check(not old.is_open, "only a job that has ended is replaced")
        return
    check(old.images.items() <= new.images.items(), "a reported picture changed or disappeared")
    check(new.cost_micro_usd >= old.cost_micro_usd, "cost never falls")
    if not old.is_open:
        retried = (
            new.status is Status.PENDING and new.run == old.run + 1 and old.status is not Status.COMPLETED
        )
        stopped = old.status is new.status is Status.CANCELLED and new.run == old.run
        noted = old.status is new.status
        check(retried or stopped or noted, f"{old.status} is absorbing but for a retry, not {new.status}")


def check_end(job: Job, stored: Iterable[str], refused: frozenset[str]) -> None:
    """Raise Violation unless every possible picture is there, after the faults have stopped and one retry."""
    check(not job.is_open, "the job has not ended")
    broke = {shot_id for shot_id, failure in job.failures.items() if failure.code == "budget_exhausted"}
    check(job.max_cost_micro_usd is not None or not broke, "a job without a budget has exhausted it")
    missing = set(job.missing) - broke
    possible = {shot.id for shot in job.shots} - refused
    check(not missing & possible, f"missing although the provider could: {sorted(missing & possible)}")
    found = stored_images(job.digests, stored, case_id=job.case_id, job_id=job.job_id)
    check(found.keys() <= job.images.keys(), "a stored picture is not in the record")
    check(set(job.images.values()) <= set(stored), "a recorded picture is not in storage")
    check(job.cost_micro_usd >= len(job.images) * PRICE, "a picture was made and its cost not counted")
