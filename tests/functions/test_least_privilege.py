"""Compare the requests that each function sends to AWS with its permissions in the template, both ways.

Each function does everything it can do, on moto. A statement of its policies must allow each request,
with resource and condition, and each permission must be used, with each prefix of keys
(`dynamodb:LeadingKeys`). moto does not enforce the condition on keys, so the keys are recorded here.
"""

import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from darkroom.adapters import aws as clients

from testing.functions import Functions
from testing.template import FUNCTIONS, as_list, name_of, statements_of
from tests.functions.aws_requests import CALLER, AwsRequest, Recorder, permissions_of
from tests.functions.walkthrough import call_everything

# Sent by Lambda or Secrets Manager with the function's role, so no client of ours sends them.
BY_LAMBDA = {
    ("worker", "kms:Decrypt"),
    ("worker", "sqs:SendMessage"),
    ("observer", "sqs:SendMessage"),
    *(("recovery", f"sqs:{action}") for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")),
    *(
        ("observer", f"dynamodb:{action}")
        for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    ),
}


def allowed(statement: dict[str, Any], one: AwsRequest) -> bool:
    """Return True if a statement of the template allows the request."""
    return (
        one.action in as_list(statement["Action"])
        and any(covers(name_of(resource), one.resource) for resource in as_list(statement["Resource"]))
        and all(fits(statement.get("Condition", {}), key) for key in one.together)
    )


def covers(resource: str, wanted: str) -> bool:
    if wanted == "the-worker":
        return resource.endswith("-worker") or resource == "WorkerFunction.Arn"
    if wanted == "the-deliverer":
        return resource == "DelivererFunction.Arn"
    if wanted.startswith("foundation-model/"):
        return resource.endswith("::foundation-model/${BedrockModel}")
    return fnmatchcase(wanted, resource)


def fits(condition: dict[str, Any], key: str) -> bool:
    patterns = patterns_of(condition)
    return not patterns or any(fnmatchcase(key, pattern) for pattern in patterns)


def patterns_of(condition: dict[str, Any]) -> list[str]:
    return [
        pattern
        for operator, names in condition.items()
        if operator.endswith("StringLike")
        for given in names.values()
        for pattern in as_list(given)
    ]


@pytest.fixture
def recorder(functions: Functions) -> Iterator[Recorder]:
    """Record the requests of all clients while a function runs."""
    found = Recorder()
    recorded_clients = [
        *(make() for make in (clients.dynamodb, clients.s3, clients.secretsmanager)),
        *(make() for make in (clients.lambda_, clients.sqs)),
        clients.bedrock("us-west-2", 14),
        clients.s3(attempts=3),  # the worker's
    ]
    for client in recorded_clients:
        client.meta.events.register("provide-client-params", found, unique_id="recorder")
    load = functions.load

    def recorded(name: str, handler: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            token = CALLER.set(name)
            try:
                return handler(*arguments)
            finally:
                CALLER.reset(token)

        call.__name__ = "recorded"
        return call

    def load_recorded(name: str, **variables: str) -> Any:
        module = load(name, **variables)
        if module.handler.__name__ != "recorded":
            vars(module)["handler"] = recorded(name, module.handler)
        return module

    functions.load = load_recorded  # type: ignore[method-assign]
    yield found
    for client in recorded_clients:
        client.meta.events.unregister("provide-client-params", unique_id="recorder")


def test_each_function_has_exactly_the_permissions_that_it_uses(
    functions: Functions, recorder: Recorder
) -> None:
    call_everything(functions)
    assert {one.function for one in recorder.seen} == FUNCTIONS.keys()
    refused = [
        one
        for one in recorder.seen
        if not any(allowed(statement, one) for statement in statements_of(one.function))
    ]
    assert refused == [], (
        "the template does not allow these: add the action, or the key's prefix to LeadingKeys"
    )
    unused_keys = [
        (function, statement["Action"], pattern)
        for function in FUNCTIONS
        for statement in statements_of(function)
        for pattern in patterns_of(statement.get("Condition", {}))
        if not any(
            allowed(statement, one) and fnmatchcase(one.key, pattern)
            for one in recorder.seen
            if one.function == function
        )
    ]
    assert unused_keys == [], "no function uses keys with these prefixes: remove them from the template"
    unused = [
        (function, action, name_of(resource))
        for function in FUNCTIONS
        for statement in statements_of(function)
        for action in as_list(statement["Action"])
        if (function, action) not in BY_LAMBDA
        for resource in as_list(statement["Resource"])
        if not any(
            allowed({**statement, "Action": action, "Resource": resource}, one)
            for one in recorder.seen
            if one.function == function
        )
    ]
    assert unused == [], "no function uses these: remove them from the template"


ITEM_ACTIONS = {
    f"dynamodb:{name}" for name in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_permission_for_items_is_limited_to_key_prefixes(function: str) -> None:
    for statement in statements_of(function):
        if ITEM_ACTIONS & set(as_list(statement["Action"])):
            # ForAllValues is true for a request without keys, so Null must refuse it.
            assert statement["Condition"].keys() == {"ForAllValues:StringLike", "Null"}, statement
            assert statement["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
            patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert all(re.fullmatch(r"[a-z]+:\*", pattern) for pattern in patterns), patterns


def test_an_aws_operation_without_a_known_permission_is_an_error() -> None:
    with pytest.raises(AssertionError, match="DeleteItem is not known"):
        list(permissions_of("DeleteItem", {}))
