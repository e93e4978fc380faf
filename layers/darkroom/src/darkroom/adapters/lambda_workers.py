"""Start workers by asynchronous invocation of the worker function."""

from typing import TYPE_CHECKING, override

from botocore.exceptions import BotoCoreError, ClientError

from darkroom.domain.errors import InvokeRefused
from darkroom.domain.run import WorkOrder
from darkroom.ports import WorkerInvoker
from darkroom.wire.model import dump
from darkroom.wire.order import WorkerEvent

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


class LambdaWorkers(WorkerInvoker):
    """Start workers. Lambda delivers an order at least once, or drops it after `MaximumEventAgeInSeconds`."""

    def __init__(self, client: "LambdaClient", function: str) -> None:
        self._client = client
        self._function = function

    @override
    def invoke(self, order: WorkOrder) -> None:
        payload = dump(WorkerEvent.of(order)).encode()
        try:
            self._client.invoke(FunctionName=self._function, InvocationType="Event", Payload=payload)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "unknown")
            raise InvokeRefused(f"the worker could not be started: {code}") from error
        except BotoCoreError as error:
            name = type(error).__name__
            raise InvokeRefused(f"the worker could not be started: {name}") from error
