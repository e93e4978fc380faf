"""Send second looks to the queue that the recovery function consumes."""

from typing import TYPE_CHECKING, override

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.errors import Contention
from darkroom.domain.recovery import SecondLook
from darkroom.ports import RecoveryQueue
from darkroom.wire.model import dump
from darkroom.wire.recovery import SecondLookMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_DELAY_S = 900
"""Longest delay of a message, in seconds. One that comes too early is sent again for the rest."""


class SqsRecovery(RecoveryQueue):
    """Send messages to one queue of SQS, each with a delay."""

    def __init__(self, client: "SQSClient", queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    @override
    def send(self, look: SecondLook, *, delay_s: int) -> None:
        body = dump(SecondLookMessage.of(look))
        delay = min(delay_s, MAX_DELAY_S)
        try:
            self._client.send_message(QueueUrl=self._queue_url, MessageBody=body, DelaySeconds=delay)
        except (ClientError, BotoCoreError) as error:
            raise Contention(
                f"the queue of the recovery cannot be reached: {type(error).__name__}"
            ) from error
