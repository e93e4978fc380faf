"""Start deliverers by asynchronous invocation, so that a slow receiver delays nobody else."""

from collections import deque
from typing import TYPE_CHECKING, override

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.errors import InvokeRefused
from darkroom.ports import Clock, DelivererInvoker
from darkroom.wire.callbacks import DeliveryOrder
from darkroom.wire.model import dump

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


DELIVERER_LIFETIME_MS = 20_000
"""Time of a slow deliverer, in ms: 15 s for the receiver, the rest to start and to store the outcome.

A deliverer may take longer: the time-out of its function is 30 s.
"""


class LambdaDeliverers(DelivererInvoker):
    """Start deliverers, at most `max_concurrent` of them within `DELIVERER_LIFETIME_MS`.

    The limit is on starts, and each process counts its own. None: any number.
    """

    def __init__(
        self, client: "LambdaClient", function: str, clock: Clock, *, max_concurrent: int | None = None
    ) -> None:
        self._client = client
        self._function = function
        self._clock = clock
        self._max_concurrent = max_concurrent
        self._starts = deque[int](maxlen=max_concurrent)
        """Times of the latest starts, in epoch milliseconds."""

    @override
    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        self._count_start()
        order = dump(DeliveryOrder(case_id=case_id, job_id=job_id, version=version)).encode()
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=order)
        except (ClientError, BotoCoreError) as error:
            raise InvokeRefused(f"no deliverer could be started: {type(error).__name__}") from error

    def _count_start(self) -> None:
        """Count one more start; raise InvokeRefused when `max_concurrent` deliverers may still be running."""
        if self._max_concurrent is None:
            return
        now = self._clock()
        if len(self._starts) == self._max_concurrent and now - self._starts[0] < DELIVERER_LIFETIME_MS:
            raise InvokeRefused("as many deliverers as may run at once were started")
        self._starts.append(now)
