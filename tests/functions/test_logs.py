"""The logs of the functions: one correlation id for each job, and no secrets."""

import json
import re
from typing import Any

import pytest
from darkroom.adapters import aws as clients

from local import fake_gemini
from testing.function_calls import change_event, run_worker, submission_event
from testing.functions import SECRETS, TOKEN, Functions, event, request

JOB = "/api/cases/case-42/image-job"
# Faults of the fake provider. Some of its error texts quote the key and the prompt.
FAULTS = [["safety"], ["500", "truncated"], ["503", "no-image"], ["429", "bad-image"]]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def a_whole_case(functions: Functions, config: fake_gemini.Config) -> list[str]:
    """Call every function for a case, and return the texts that must not be logged."""
    authorizer = functions.load("authorizer")
    for token in (TOKEN, f"{TOKEN}-altered"):
        incoming = event("authorizer")
        incoming["identitySource"] = [f"Bearer {token}"]
        authorizer.handler(incoming, None)
    accepted = functions.call("initiator", event("initiator")).json
    shared = accepted["shareUrl"].partition("#")[2]
    incoming = event("authorizer")
    incoming["identitySource"] = [f"Bearer {shared}"]
    authorizer.handler(incoming, None)
    functions.call(
        "initiator", event("initiator") | {"body": event("initiator")["body"].replace(":[{", ":[")}
    )
    functions.call("webhook", event("webhook"))
    run_worker(functions, config)
    secret = [shared, TOKEN, *SECRETS.values()]
    for images in ("links", "inline"):
        response = functions.call(
            "reader", request("GET", JOB, queryStringParameters={"images": images})
        ).json
        for shot_id, link in response["evidenceImages"].items():
            secret.append(link)
            if images == "links":
                query = {"s": link.partition("?s=")[2]}
                path = f"/api/cases/case-42/images/{shot_id}"
                found = functions.call("reader", request("GET", path, queryStringParameters=query))
                secret += [query["s"], found.headers["location"], "X-Amz-Signature"]
    functions.load("sweeper").handler({}, None)
    functions.load("observer").handler(submission_event(), None)
    functions.load("observer").handler(change_event(), None)
    body = json.loads(event("initiator")["body"])
    for item in (*body["evidence"], *body["locations"]):
        secret += [item["name"], item["description"], item["description"][:40]]
    return secret


@pytest.mark.parametrize("fault", [[], *FAULTS], ids=str)
def test_nothing_that_must_stay_secret_is_printed(
    functions: Functions,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fault: list[str],
) -> None:
    script = {"Torn letter": fault} if fault else {}
    secret = a_whole_case(functions, fake_gemini.Config(latency_median=0, script=script))
    captured = capsys.readouterr()
    printed = captured.out + captured.err + caplog.text
    assert len(lines(captured.out)) > 12
    assert [mark for mark in secret if mark in printed] == []


def test_a_refused_provider_key_is_not_printed(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = a_whole_case(functions, fake_gemini.Config(latency_median=0, key="another-key"))
    printed = "".join(capsys.readouterr())
    assert '"unauthorized"' in printed
    assert [mark for mark in secret if mark in printed] == []


def test_an_unexpected_error_is_logged_without_the_data_of_the_case(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    clients.dynamodb().delete_table(TableName="jobs")
    functions.call("initiator", event("initiator"))
    functions.call("reader", request("GET", JOB))
    printed = "".join(capsys.readouterr())
    assert "unexpected_error" in printed
    assert "harbour water" not in printed


def test_the_job_id_is_on_every_line_about_a_job_from_submission_to_sweep(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    a_whole_case(functions, fake_gemini.Config(latency_median=0))
    printed = lines(capsys.readouterr().out)
    job_id = functions.call("reader", request("GET", JOB)).json["jobId"]
    about = [
        line
        for line in printed
        if line.get("action") or line.get("message") in ("run_ended", "job_swept", "unrequested_model")
    ]
    assert {line["service"] for line in about} >= {"initiator", "worker", "webhook"}
    assert {line.get("correlation_id") for line in about} == {job_id}


def test_each_request_has_one_log_line(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    functions.call("initiator", event("initiator"))
    functions.call("reader", request("GET", "/api/nowhere"))
    first, second = lines(capsys.readouterr().out)
    assert (first["message"], first["status_code"], first["caller"]) == ("request_handled", 202, "default")
    assert (first["action"], first["case_id"], first["shots"]) == ("case_submitted", "case-42", 3)
    assert (second["status_code"], "action" in second) == (404, False)


def test_timestamps_have_the_format_that_lambda_needs_to_filter_by_level(
    functions: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    functions.call("initiator", event("initiator"))
    [line] = lines(capsys.readouterr().out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", line["timestamp"])
    assert line["level"] == "INFO"
