"""Starts deliverers by asynchronous invocation, so that no receiver delays whoever found the news."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.errors import InvokeRefused
from darkroom.wire.callbacks import DeliveryOrder
from darkroom.wire.model import dump

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaDeliverers:
    """See DelivererInvoker."""

    def __init__(self, client: "LambdaClient", function: str) -> None:
        self._client = client
        self._function = function

    def invoke(self, case_id: str, job_id: str, version: int) -> None:
        """See DelivererInvoker."""
        order = dump(DeliveryOrder(case_id=case_id, job_id=job_id, version=version)).encode()
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=order)
        except (ClientError, BotoCoreError) as error:
            raise InvokeRefused(f"no deliverer could be started: {type(error).__name__}") from error
