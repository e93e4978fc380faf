"""What each function asks of AWS, seen at its clients, held against the template: both ways.

Every function goes through all it can do, on moto. Each request must be allowed by a statement of
its own policies, with resource and condition; and each thing allowed must have been asked for, each
prefix of keys (`dynamodb:LeadingKeys`) too. moto enforces none of it, so the keys are recorded here.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from botocore.stub import Stubber
from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.adapters.dynamodb.outbox import DynamoDBOutbox
from darkroom.domain.callbacks import Delivery
from darkroom.domain.receivers import CallbackEvent

from local import fake_gemini
from testing.builders import a_case, a_job
from testing.function_calls import a_submission, an_event, deliver, run_worker, serving, snapshot
from testing.functions import TOKEN, Context, Functions, event, request
from testing.template import FUNCTIONS, as_list, name_of, statements_of

JOB = "/api/cases/case-42/image-job"
CALLER: ContextVar[str | None] = ContextVar("CALLER", default=None)

# Done by Lambda or Secrets Manager with the function's role, so never seen at a client.
BY_LAMBDA = {
    ("worker", "kms:Decrypt"),
    ("worker", "sqs:SendMessage"),
    ("observer", "sqs:SendMessage"),
    *(
        ("observer", f"dynamodb:{action}")
        for action in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    ),
}
# The secrets of these tests, as the template names them.
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
class Asked:
    """One thing asked of AWS."""

    function: str
    action: str
    resource: str
    key: str = ""
    """Of the table the partition key, of the bucket the object or prefix."""
    together: frozenset[str] = frozenset()
    """All keys of the request: of a transaction or batch one statement must allow them all."""


@dataclass
class Recorder:
    """Remembers what each function asks for."""

    seen: set[Asked] = field(default_factory=set)

    def __call__(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        # Bedrock is asked from threads of its own, which know no caller; only the worker has them.
        function = "worker" if model.name == "InvokeModel" else CALLER.get()
        if function is not None:
            found = list(asked(model.name, params))
            together = frozenset(key for _, _, key in found)
            self.seen.update(Asked(function, *one, together) for one in found)


def asked(operation: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The permissions that a request needs: action, resource, key."""
    if operation not in PERMISSIONS:
        raise AssertionError(f"{operation} is not known here: say which permission it needs")
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
    "InvokeModel": lambda _, p: iter([("bedrock:InvokeModel", f"foundation-model/{p['modelId']}", "")]),
}


def allowed(statement: dict[str, Any], one: Asked) -> bool:
    """Whether a statement of the template allows it."""
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
    """Listens at all clients while a function runs."""
    found = Recorder()
    listened = [
        *(make() for make in (clients.dynamodb, clients.s3, clients.secretsmanager, clients.lambda_)),
        clients.bedrock("us-west-2", 14),
        clients.s3(attempts=3),  # the worker's
    ]
    for client in listened:
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
    for client in listened:
        client.meta.events.unregister("provide-client-params", unique_id="recorder")


def go_through_everything(functions: Functions) -> None:
    """All that functions do, told by what their callers can make them do."""
    link = submit_and_authorize(functions)
    run_worker(functions, fake_gemini.Config(latency_median=0), maxCostUsd=5)
    ask(functions, "GET", JOB, images="inline")
    found = ask(functions, "GET", JOB)
    ask(functions, "GET", JOB + "/timeline")
    ask(functions, "GET", JOB + "/request")
    ask(functions, "GET", "/api/cases/case-42/image-status")
    ask(functions, "GET", "/api/metrics/image-generation")
    [picture, _] = found.json["evidenceImages"].values()
    ask(functions, "GET", "/api/cases/case-42/images/evidence-1", s=picture.partition("?s=")[2])
    assert link
    again = submit(functions, "again")
    ask(functions, "DELETE", "/api/cases/again/image-job")
    ask(functions, "POST", "/api/cases/again/image-job/retry")
    run_worker(functions, fake_gemini.Config(latency_median=0), caseId="again", jobId=again["jobId"], run=2)
    for other in ("openai", "bedrock"):
        develop_elsewhere(functions, other)
    job = submit(functions, "continued")
    for number, kind in enumerate(("claim", "continue"), 1):
        answer = deliver(functions, snapshot(job, caseId="continued", kind=kind, sequence=number))
        assert answer.status == 200, answer.text
    ask(functions, "DELETE", "/api/cases/continued/image-job")
    DynamoDBJobs(clients.dynamodb(), "jobs").create(replace(a_job(), due_at=1), a_case())
    functions.load("observer").handler(a_submission(), None)
    functions.load("observer").handler(an_event(), None)
    heard = an_event()
    heard["Records"][0]["dynamodb"]["NewImage"] |= {
        "version": {"N": "3"},
        "images": {"M": {"evidence-1": {"S": "a-key"}}},
    }
    functions.load("observer").handler(heard, None)
    version = tell_a_receiver(functions)
    functions.load("sweeper").handler({}, Context())
    ask(functions, "GET", JOB + "/callbacks")
    ask(functions, "POST", f"{JOB}/callbacks/{version}/replay")
    ask(functions, "GET", "/api/callback-secret")


def tell_a_receiver(functions: Functions) -> int:
    """Of what the observer heard; nobody listens there. The version that it was told of."""
    stored = DynamoDBJobs(clients.dynamodb(), "jobs").get("case-42")
    outbox = DynamoDBOutbox(clients.dynamodb(), "jobs")
    told = Delivery(
        case_id="case-42",
        job_id=stored.job_id,
        version=stored.version,
        event=CallbackEvent.PROGRESS,
        url="http://127.0.0.1:1/",
        caller="game",
        body="{}",
        created_at=1,
        due_at=1,
    )
    outbox.add(replace(told, version=stored.version - 1))  # for the sweeper
    outbox.add(told)
    order = {"caseId": "case-42", "jobId": stored.job_id, "version": stored.version}
    assert functions.load("deliverer").handler(order, None) == {"state": "pending"}
    return stored.version


def submit_and_authorize(functions: Functions) -> str:
    job = functions.call("initiator", event("initiator")).json
    token = str(job["shareUrl"]).partition("#")[2]
    for bearer in (TOKEN, token):
        incoming = event("authorizer")
        incoming["identitySource"] = [f"Bearer {bearer}"]
        assert functions.load("authorizer").handler(incoming, None)["isAuthorized"]
    return token


def submit(functions: Functions, case_id: str) -> dict[str, Any]:
    body = json.loads(event("initiator")["body"]) | {"caseId": case_id}
    job: dict[str, Any] = functions.call("initiator", event("initiator") | {"body": json.dumps(body)}).json
    return job


def develop_elsewhere(functions: Functions, provider: str) -> None:
    """A worker of another provider, which is refused at once."""
    job = submit(functions, f"by-{provider}")
    with (
        serving(fake_gemini.Server(fake_gemini.Config())) as nowhere,
        Stubber(clients.bedrock("us-west-2", 14)) as stubber,
    ):
        functions.setenv("OPENAI_URL", nowhere)
        functions.load("worker", IMAGE_PROVIDER=provider)
        for _ in range(3):
            stubber.add_client_error("invoke_model", "AccessDeniedException", http_status_code=403)
        run_worker(functions, fake_gemini.Config(latency_median=0), caseId=job["caseId"], jobId=job["jobId"])


def ask(functions: Functions, method: str, path: str, **query: str) -> Any:
    name = "callbacks" if "callback" in path else "reader" if method == "GET" else "initiator"
    answer = functions.call(name, request(method, path, queryStringParameters=query))
    assert answer.status < 400, answer.text
    return answer


def test_each_function_may_do_what_it_does_and_nothing_else(functions: Functions, recorder: Recorder) -> None:
    go_through_everything(functions)
    assert {one.function for one in recorder.seen} == FUNCTIONS.keys()
    refused = [
        one
        for one in recorder.seen
        if not any(allowed(statement, one) for statement in statements_of(one.function))
    ]
    assert refused == [], "the template lacks these: add the action, or the key's prefix to LeadingKeys"
    unasked = [
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
    assert unasked == [], "nobody asks for keys of these prefixes: take them out of the template"
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
    assert unused == [], "nobody asks for these"


ITEM_ACTIONS = {
    f"dynamodb:{name}" for name in ("BatchGetItem", "DeleteItem", "GetItem", "PutItem", "UpdateItem")
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_permission_for_items_names_the_prefixes_of_their_keys(function: str) -> None:
    for statement in statements_of(function):
        if ITEM_ACTIONS & set(as_list(statement["Action"])):
            # ForAllValues is true for a request without keys, so Null must refuse it.
            assert statement["Condition"].keys() == {"ForAllValues:StringLike", "Null"}, statement
            assert statement["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
            patterns = statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
            assert all(re.fullmatch(r"[a-z]+:\*", pattern) for pattern in patterns), patterns


def test_a_request_that_no_permission_is_known_for_is_noticed() -> None:
    with pytest.raises(AssertionError, match="DeleteItem is not known"):
        list(asked("DeleteItem", {}))
