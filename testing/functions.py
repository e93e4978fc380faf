"""Each function's real app.py, wired to moto, with the variables that the template gives it."""

import importlib
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from darkroom.adapters import aws as clients
from darkroom.adapters.dynamodb.jobs import DynamoDBJobs
from darkroom.domain.job import end
from darkroom.domain.shot_errors import Overloaded
from moto import mock_aws

from local import cloudformation, package
from testing.tables import create_table

EVENTS = package.ROOT / "events"
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
TOKEN = "a-token-of-at-least-32-characters-for-all"
SECRETS = {
    "webhook": SECRET,
    "link": "a link secret",
    "share": "a-share-secret-of-at-least-32-bytes",
    "tokens": json.dumps({"name": "default", "scopes": "submit read operate", "token": TOKEN}),
    "gemini": "the-key",
    "openai": "a-key",
    "callback": "a-callback-secret-of-the-deployment",
}
VALUES = {
    "TABLE_NAME": "jobs",
    "BUCKET_NAME": "pictures",
    "WORKER_FUNCTION": "the-worker",
    "DELIVERER_FUNCTION": "the-deliverer",
    "CALLBACK_SECRET": "callback",
    "CALLBACK_HOSTS": "127.0.0.1",
    "CALLBACK_PRIVATE": "true",
    "API_URL": "https://api.example.com",
    "STATUS_URL": "https://status.example.com",
    "WEBHOOK_SECRET": "webhook",
    "LINK_SECRET": "link",
    "SHARE_SECRET": "share",
    "API_TOKENS": "tokens",
    "GEMINI_SECRET": "gemini",
    "OPENAI_SECRET": "openai",
    "WEBHOOK_URL": "https://api.example.com/api/webhook/image-progress",
    "RECOVERY_QUEUE": "https://sqs.us-east-1.amazonaws.com/123456789012/worker-failures",
}


def event(name: str) -> dict[str, Any]:
    """Return a sample event of `events/`."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded


def request(method: str, path: str, **changes: Any) -> dict[str, Any]:
    """Return an event of the HTTP API."""
    made = event("reader") | {"rawPath": path, **changes}
    made["requestContext"]["http"] |= {"method": method, "path": path}
    return made


def fail(case_id: str) -> None:
    """End the job of the case without a picture and without cost."""
    jobs = DynamoDBJobs(clients.dynamodb(), "jobs")
    job = jobs.get(case_id)
    jobs.save(end(job, now=job.created_at, error=Overloaded("busy")))


@dataclass(frozen=True)
class Context:
    """The context that Lambda passes with the event."""

    seconds: float = 300.0
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id: str = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return round(self.seconds * 1000)


@dataclass(frozen=True)
class Response:
    """The response of an HTTP function."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Functions:
    """The functions. Each is imported anew, in the environment of this test."""

    setenv: Callable[[str, str], None]
    loaded: dict[str, ModuleType] = field(default_factory=dict)

    def load(self, name: str, **variables: str) -> ModuleType:
        if name not in self.loaded:
            template = cloudformation.load(package.ROOT / "template.yaml")
            given = cloudformation.variables(template, f"{name.capitalize()}Function", other="")
            for variable, default in given.items():
                self.setenv(variable, variables.get(variable, VALUES.get(variable, default)))
            self.loaded[name] = importlib.import_module(f"functions.{name}.app")
            for handler in logging.getLogger(name).handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.stream = sys.stdout  # Powertools keeps the stream of the first import
        return self.loaded[name]

    def forget(self, name: str) -> None:
        """Unload a function, as when its execution environment ends."""
        module = self.loaded.pop(name)
        del sys.modules[module.__name__]
        if name == "deliverer":
            module.SENDER.close()
        if name == "worker":
            module.RUNNER.run(module.CLIENT.aclose())
            module.RUNNER.close()

    def call(self, name: str, incoming: dict[str, Any]) -> Response:
        result = self.load(name).handler(incoming, Context())
        headers = {key.lower(): value for key, value in result["headers"].items()}
        return Response(result["statusCode"], headers, result["body"])


@contextmanager
def deployment(setenv: Callable[[str, str], None]) -> Iterator[Functions]:
    """Open a deployment: its functions, in an account with its table, bucket and secrets.

    moto accepts asynchronous invocations of any function and runs none.
    """
    with mock_aws(config={"lambda": {"use_docker": False}, "iam": {"load_aws_managed_policies": False}}):
        create_table(clients.dynamodb(), "jobs")
        clients.s3().create_bucket(Bucket="pictures")
        clients.sqs().create_queue(QueueName="worker-failures")
        for name, value in SECRETS.items():
            clients.secretsmanager().create_secret(Name=name, SecretString=value)
        setenv("POWERTOOLS_METRICS_NAMESPACE", "Darkroom/test")
        made = Functions(setenv)
        yield made
        for name in list(made.loaded):
            made.forget(name)
