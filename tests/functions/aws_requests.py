"""Record the requests that functions send to AWS, and name the permissions that they need."""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

SECRETS = {
    "webhook": "WebhookSecret",
    "link": "LinkSecret",
    "share": "ShareSecret",
    "tokens": "ApiTokens",
    "gemini": "GeminiSecret",
    "openai": "OpenAiSecret",
    "callback": "CallbackSecret",
}


@dataclass(frozen=True)
class AwsRequest:
    """A permission that one request to AWS needs."""

    function: str
    action: str
    resource: str
    key: str = ""
    """Partition key of an item, or the key or prefix of an object."""
    together: frozenset[str] = frozenset()
    """All keys of the request. One statement must allow all keys of a transaction or batch."""


@dataclass
class Recorder:
    """The recorded requests of each function."""

    seen: set[AwsRequest] = field(default_factory=set)

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        # Requests to Bedrock come from threads without CALLER. Only the worker sends them.
        function = "worker" if model.name == "InvokeModel" else CALLER.get()
        if function is not None:
            found = list(permissions_of(model.name, params))
            together = frozenset(key for _, _, key in found)
            self.seen.update(AwsRequest(function, *one, together) for one in found)


def permissions_of(operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the permissions that a request needs: action, resource, key."""
    if operation not in PERMISSIONS:
        raise AssertionError(f"{operation} is not known here: add the permission that it needs")
    yield from PERMISSIONS[operation](operation, params)


def of_item(operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield f"dynamodb:{operation}", TABLE, (params.get("Key") or params["Item"])["pk"]["S"]


def of_transaction(_: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for item in params["TransactItems"]:
        [(kind, one)] = item.items()
        yield from of_item(f"{kind}Item", one)


def of_batch(_: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in params["RequestItems"]["jobs"]["Keys"]:
        yield from of_item("BatchGetItem", {"Key": key})


def of_object(operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield f"s3:{operation}", f"${{ImageBucket.Arn}}/{params['Key']}", params["Key"]


TABLE = "JobsTable.Arn"


PERMISSIONS: Mapping[str, Callable[[str, dict[str, Any]], Iterator[tuple[str, str, str]]]] = {
    "GetItem": of_item,
    "PutItem": of_item,
    "UpdateItem": of_item,
    "TransactWriteItems": of_transaction,
    "TransactGetItems": of_transaction,
    "BatchGetItem": of_batch,
    "Query": lambda _, p: iter([("dynamodb:Query", f"${{{TABLE}}}/index/{p['IndexName']}", "")]),
    "ListObjectsV2": lambda _, p: iter([("s3:ListBucket", "ImageBucket.Arn", p["Prefix"])]),
    "GetObject": of_object,
    "PutObject": of_object,
    "GetSecretValue": lambda _, p: iter([("secretsmanager:GetSecretValue", SECRETS[p["SecretId"]], "")]),
    "Invoke": lambda _, p: iter([("lambda:InvokeFunction", p["FunctionName"], "")]),
    "SendMessage": lambda _, __: iter([("sqs:SendMessage", "WorkerFailures.Arn", "")]),
    "InvokeModel": lambda _, p: iter([("bedrock:InvokeModel", f"foundation-model/{p['modelId']}", "")]),
}


CALLER: ContextVar[str | None] = ContextVar("CALLER", default=None)
