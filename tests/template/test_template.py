"""The template, the code and the samples agree."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from darkroom import settings
from darkroom.adapters.dynamodb import daily_limit, quota
from darkroom.adapters.signing import image_links
from darkroom.api import responses
from darkroom.api.app import WEBHOOK_PATH
from darkroom.domain import errors
from darkroom.domain.timing import Timing

from local import cloudformation, openapi, package

ROOT = package.ROOT
TEMPLATE = cloudformation.load(ROOT / "template.yaml")
RESOURCES = TEMPLATE["Resources"]
FUNCTIONS = {
    logical_id.removesuffix("Function").lower(): resource["Properties"]
    for logical_id, resource in RESOURCES.items()
    if resource["Type"] == "AWS::Serverless::Function"
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def name_of(resource: Any) -> str:
    """A resource as one string: the text of a Sub, the path of a GetAtt, the target of a Ref."""
    if isinstance(resource, dict):
        [(kind, inner)] = resource.items()
        if kind == "Fn::If":
            return name_of(inner[1])
        return ".".join(inner) if isinstance(inner, list) else str(inner)
    return str(resource)


def statements_of(function: str) -> list[dict[str, Any]]:
    """All there may be; those under a condition are left out when it does not hold."""
    given = [s for policy in FUNCTIONS[function]["Policies"] for s in policy["Statement"]]
    for statement in given:
        assert "Fn::If" not in statement or statement["Fn::If"][2] == {"Ref": "AWS::NoValue"}
    return [s["Fn::If"][1] if "Fn::If" in s else s for s in given]


def granted(function: str) -> set[tuple[str, str]]:
    statements = statements_of(function)
    assert all(s["Effect"] == "Allow" for s in statements)
    return {
        (action, name_of(resource))
        for s in statements
        for action in as_list(s["Action"])
        for resource in as_list(s["Resource"])
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_function_may_do_anything_to_everything(function: str) -> None:
    for action, resource in granted(function):
        assert "*" not in action
        assert resource != "*"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_the_settings_it_reads_and_no_others(function: str) -> None:
    kind = getattr(settings, f"{function.capitalize()}Settings")
    given = FUNCTIONS[function]["Environment"]["Variables"]
    known = {name.upper() for name in kind.__dataclass_fields__}
    assert given.keys() <= known
    kind.load(cloudformation.variables(TEMPLATE, f"{function.capitalize()}Function"))


def test_the_providers_secrets_exist_only_for_those_that_are_used() -> None:
    variables = FUNCTIONS["worker"]["Environment"]["Variables"]
    for provider, prefix in (("Gemini", "GEMINI"), ("OpenAi", "OPENAI")):
        makes, secret = f"Makes{provider}Secret", f"{provider}Secret"
        assert RESOURCES[secret]["Condition"] == makes
        either = {"Fn::If": [makes, {"Ref": secret}, {"Ref": f"{secret}Arn"}]}
        assert variables[f"{prefix}_SECRET"]["Fn::If"] == [f"Uses{provider}", either, ""]


def test_the_worker_may_touch_the_quota_and_the_purses_but_no_job() -> None:
    [statement] = [s for s in statements_of("worker") if "dynamodb:PutItem" in as_list(s["Action"])]
    prefixes = [f"{quota.QUOTA_PREFIX}*", f"{quota.BUDGET_PREFIX}*"]
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": prefixes},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_missing_variable_is_named(function: str) -> None:
    kind = getattr(settings, f"{function.capitalize()}Settings")
    with pytest.raises(settings.MissingSetting, match=r"[A-Z_]+ is not set"):
        kind.load({})


def test_a_variable_of_the_wrong_kind_is_named() -> None:
    given = {
        "TABLE_NAME": "t",
        "BUCKET_NAME": "b",
        "WORKER_FUNCTION": "w",
        "DELIVERER_FUNCTION": "d",
        "WEBHOOK_URL": "u",
        "SWEEP_LIMIT": "many",
    }
    with pytest.raises(settings.MissingSetting, match="SWEEP_LIMIT must be of type int"):
        settings.SweeperSettings.load(given)


def test_the_templates_defaults_do_not_contradict_each_other() -> None:
    defaults = {k: v.get("Default") for k, v in TEMPLATE["Parameters"].items()}
    timing = Timing(
        grace=defaults["GraceSeconds"] * 1000,
        lease=defaults["LeaseSeconds"] * 1000,
        deadline=defaults["DeadlineSeconds"] * 1000,
        max_lost_runs=defaults["MaxLostRuns"],
    )
    assert timing == Timing()
    worker = FUNCTIONS["worker"]
    assert worker["Timeout"] * 1000 == timing.worker_timeout
    assert worker["EventInvokeConfig"]["MaximumEventAgeInSeconds"] * 1000 == timing.event_age


@pytest.mark.parametrize("name", ["GraceSeconds", "LeaseSeconds", "DeadlineSeconds", "MaxLostRuns"])
@pytest.mark.parametrize("bound", ["MinValue", "MaxValue"])
def test_no_value_a_parameter_allows_contradicts_the_other_defaults(name: str, bound: str) -> None:
    fields = {"GraceSeconds": "grace", "LeaseSeconds": "lease", "DeadlineSeconds": "deadline"}
    value = TEMPLATE["Parameters"][name][bound]
    if name in fields:
        Timing(**{fields[name]: value * 1000})
    else:
        Timing(max_lost_runs=value)


def test_the_worker_is_never_retried_by_lambda_and_its_losses_are_kept() -> None:
    asynchronous = FUNCTIONS["worker"]["EventInvokeConfig"]
    assert asynchronous["MaximumRetryAttempts"] == 0
    assert name_of(asynchronous["DestinationConfig"]["OnFailure"]["Destination"]) == "WorkerFailures.Arn"


def test_a_lost_event_raises_an_alarm() -> None:
    alarm = RESOURCES["WorkerFailuresAlarm"]["Properties"]
    [dimension] = alarm["Dimensions"]
    assert name_of(dimension["Value"]) == "WorkerFailures.QueueName"
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_bucket_is_listed_only_where_pictures_are(function: str) -> None:
    for statement in statements_of(function):
        if "s3:ListBucket" in as_list(statement["Action"]):
            assert statement["Condition"] == {"StringLike": {"s3:prefix": "cases/*"}}


def test_the_sweeper_comes_every_minute() -> None:
    [schedule] = FUNCTIONS["sweeper"]["Events"].values()
    assert schedule["Type"] == "Schedule"
    assert schedule["Properties"]["Schedule"] == "rate(1 minute)"


def test_the_bucket_is_private_encrypted_and_kept() -> None:
    bucket = RESOURCES["ImageBucket"]
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    [rule, _] = RESOURCES["ImageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (rule["Effect"], rule["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_the_cdn_if_there_is_one_may_read_status_documents_and_nothing_else() -> None:
    [_, rule] = RESOURCES["ImageBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition, statement, otherwise = rule["Fn::If"]
    assert (condition, otherwise) == ("MakesStatusCdn", {"Ref": "AWS::NoValue"})
    assert (statement["Action"], name_of(statement["Resource"])) == (
        "s3:GetObject",
        f"${{ImageBucket.Arn}}/{image_links.STATUS_PREFIX}*",
    )
    assert name_of(statement["Condition"]["StringEquals"]["aws:SourceArn"]).endswith("/${StatusCdn}")
    made = {name: r for name, r in RESOURCES.items() if r["Type"].startswith("AWS::CloudFront::")}
    assert made
    assert {r["Condition"] for r in made.values()} == {"MakesStatusCdn"}


def routes() -> list[dict[str, Any]]:
    return [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]


def test_every_route_asks_who_calls_but_signed_ones_the_page_and_what_is_no_route() -> None:
    auth = RESOURCES["HttpApi"]["Properties"]["Auth"]
    assert auth["DefaultAuthorizer"] == "Callers"
    assert auth["Authorizers"]["Callers"]["FunctionArn"] == {"Fn::GetAtt": ["AuthorizerFunction", "Arn"]}
    assert auth["Authorizers"]["Callers"]["Identity"]["Headers"] == ["Authorization"]
    exempt = {r.get("Path", "$default") for r in routes() if "Auth" in r}
    signed = {"/api/webhook/image-progress", "/api/cases/{caseId}/images/{shotId}"}
    same_for_all = {"/cases/{caseId}", "/assets/{name}"}
    assert exempt == {*signed, *same_for_all, "$default"}


def test_the_description_says_which_routes_need_a_token() -> None:
    described = json.loads(openapi.TARGET.read_text())
    assert described["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    for route in routes():
        if "Path" in route and route["Method"] != "HEAD":
            operation = described["paths"][route["Path"]][route["Method"].lower()]
            assert ("security" in operation) == ("Auth" not in route)
            assert ("401" in operation["responses"]) == ("Auth" not in route or "webhook" in route["Path"])


def test_the_initiator_updates_only_what_callers_have_submitted() -> None:
    [statement] = [s for s in statements_of("initiator") if s["Action"] == "dynamodb:UpdateItem"]
    assert statement["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{daily_limit.PREFIX}*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_submitting_and_snapshots_have_limits_of_their_own_at_the_gateway() -> None:
    api_properties = RESOURCES["HttpApi"]["Properties"]
    limits = {k: v["ThrottlingRateLimit"] for k, v in api_properties["RouteSettings"].items()}
    limits["POST /api/generate-case-images"] = max(
        TEMPLATE["Parameters"]["SubmitsPerSecond"]["AllowedValues"]
    )
    usual = api_properties["DefaultRouteSettings"]["ThrottlingRateLimit"]
    assert limits["POST /api/generate-case-images"] < usual < limits[f"POST {WEBHOOK_PATH}"]
    assert limits.keys() <= {f"{r['Method']} {r['Path']}" for r in routes() if "Path" in r}


def test_callbacks_cannot_take_all_of_the_accounts_concurrency() -> None:
    assert TEMPLATE["Parameters"]["DelivererConcurrency"]["Default"] == 0  # a new account can reserve nothing
    reserved = FUNCTIONS["deliverer"]["ReservedConcurrentExecutions"]["Fn::If"]
    assert reserved == ["ReservesDeliverers", {"Ref": "DelivererConcurrency"}, {"Ref": "AWS::NoValue"}]
    starting = [
        name for name in FUNCTIONS if ("lambda:InvokeFunction", "DelivererFunction.Arn") in granted(name)
    ]
    assert sorted(starting) == ["callbacks", "observer", "sweeper"]
    for name in starting:
        given = FUNCTIONS[name]["Environment"]["Variables"]["DELIVERER_CONCURRENCY"]
        assert given == {"Ref": "DelivererConcurrency"}
        kind = getattr(settings, f"{name.capitalize()}Settings")
        variables = cloudformation.variables(TEMPLATE, f"{name.capitalize()}Function")
        assert kind.load(variables).deliverers_at_once == 50
        assert kind.load(variables | {"DELIVERER_CONCURRENCY": "7"}).deliverers_at_once is None


def test_replays_are_throttled_at_the_gateway_by_literals() -> None:
    limits = RESOURCES["HttpApi"]["Properties"]["RouteSettings"]
    replay = limits["POST /api/cases/{caseId}/image-job/callbacks/{version}/replay"]
    assert replay == {"ThrottlingRateLimit": 2, "ThrottlingBurstLimit": 5}


def test_every_route_of_the_template_is_described_and_has_a_handler() -> None:
    events = [
        (name, event["Properties"])
        for name, function in FUNCTIONS.items()
        for event in function.get("Events", {}).values()
        if event["Type"] == "HttpApi" and "Path" in event["Properties"]
    ]
    described = json.loads(openapi.TARGET.read_text())["paths"]
    assert {(e["Method"].lower(), e["Path"]) for _, e in events if e["Method"] != "HEAD"} == {
        (method, path) for path, methods in described.items() for method in methods
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_get_route_has_its_head_with_the_same_authorizer_and_nothing_else_has(function: str) -> None:
    found: dict[str, list[dict[str, Any]]] = {"GET": [], "HEAD": []}
    for event in FUNCTIONS[function].get("Events", {}).values():
        if event["Properties"].get("Method") in found:
            rest = {name: value for name, value in event["Properties"].items() if name != "Method"}
            found[event["Properties"]["Method"]].append(rest)
    assert found["GET"] == found["HEAD"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_has_its_folder_its_sample_and_its_log(function: str) -> None:
    assert FUNCTIONS[function]["CodeUri"] == f"functions/{function}"
    assert (ROOT / "events" / f"{function}.json").exists()
    assert FUNCTIONS[function]["LoggingConfig"]["LogGroup"] == {"Ref": f"{function.capitalize()}Logs"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_short(function: str) -> None:
    lines = (ROOT / "functions" / function / "app.py").read_text().splitlines()
    assert len(lines) <= 100


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_collector_waits_from_the_first_import_of_ours_until_the_start_is_over(function: str) -> None:
    text = (ROOT / "functions" / function / "app.py").read_text()
    libraries = re.findall(r"^(?:import|from) ((?:darkroom|aws_lambda_powertools)\S*)", text, re.MULTILINE)
    assert libraries[0] == "darkroom.startup"
    assert text.count("\ndarkroom.startup.done()\n") == 1


def subclasses(kind: type[Any]) -> set[type[Any]]:
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))


@pytest.mark.parametrize("error", sorted(subclasses(errors.RequestError), key=str))
def test_every_error_a_caller_can_mend_has_a_status_of_its_own(error: type[errors.RequestError]) -> None:
    if error is not errors.RequestError:
        assert 400 <= responses.STATUS[error] < 500


def test_every_error_has_a_code_of_its_own_and_stands_in_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    kinds = subclasses(errors.DarkroomError) - {errors.DarkroomError}
    assert sorted(drawn) == sorted(kind.__name__ for kind in kinds)
    codes = [kind.code for kind in kinds if kind is not errors.RequestError]
    assert len(codes) == len(set(codes))


def test_what_the_layer_needs_is_pinned_with_hashes() -> None:
    project = tomllib.loads((ROOT / "layers/darkroom/pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=]", d)[0] for d in project["dependencies"]}
    pinned = (ROOT / "layers/darkroom/src/requirements.txt").read_text()
    names = set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))
    assert needed <= names
    assert all("--hash=" in block for block in re.split(r"\n(?=[a-z])", pinned)[1:])


@pytest.mark.parametrize("name", ["requirements/dev.txt", "layers/darkroom/src/requirements.txt"])
def test_tests_run_on_what_the_layer_ships(name: str) -> None:
    def versions(path: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(), re.MULTILINE))

    shipped = versions(ROOT / "layers/darkroom/src/requirements.txt")
    assert shipped.items() <= versions(ROOT / name).items()


def test_the_changelog_names_the_version() -> None:
    version = tomllib.loads((ROOT / "layers/darkroom/pyproject.toml").read_text())["project"]["version"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_each_folder_of_functions_is_one_function_of_the_template() -> None:
    folders = {name: function["CodeUri"] for name, function in FUNCTIONS.items()}
    assert folders == {name: f"functions/{name}" for name in package.functions()}
