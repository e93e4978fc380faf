"""The parameters of a deployment are grouped, described, and agree with each other and with the code."""

import re
from collections import Counter
from typing import Any

import pytest
from darkroom import settings
from darkroom.domain.timing import Timing

from testing.template import FUNCTIONS, PARAMETERS, RESOURCES, TEMPLATE, variables_of

INTERFACE = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]
GROUPED = [name for group in INTERFACE["ParameterGroups"] for name in group["Parameters"]]


def test_every_parameter_is_in_exactly_one_group() -> None:
    assert Counter(GROUPED) == Counter(list(PARAMETERS))


def test_the_parameters_have_the_order_of_their_groups() -> None:
    assert list(PARAMETERS) == GROUPED


def test_only_parameters_have_labels() -> None:
    assert INTERFACE["ParameterLabels"].keys() <= PARAMETERS.keys()


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_description_has_one_or_two_sentences(name: str) -> None:
    description = PARAMETERS[name]["Description"]
    assert description.endswith(".")
    assert len(re.findall(r"\. (?=[A-Z0-9])", description)) <= 1


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_description_says_what_0_or_empty_means(name: str) -> None:
    parameter = PARAMETERS[name]
    if parameter["Default"] == "":
        assert "empty means" in parameter["Description"].lower()
    if parameter.get("MinValue") == 0:
        assert re.search(r"\b0\b", parameter["Description"])


UNITS = {
    "Seconds": "seconds",
    "Days": "days",
    "PerMinute": "per minute",
    "PerSecond": "per second",
    "PerDay": "day",
    "Usd": "us dollars",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_description_names_the_unit_that_the_name_ends_with(name: str) -> None:
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            assert unit in PARAMETERS[name]["Description"].lower()


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_used(name: str) -> None:
    used = {key: value for key, value in TEMPLATE.items() if key not in ("Parameters", "Metadata")}
    assert re.search(rf"'Ref': '{name}'|\${{{name}}}", str(used))


def test_the_defaults_do_not_contradict_each_other() -> None:
    defaults = {name: parameter["Default"] for name, parameter in PARAMETERS.items()}
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
def test_no_allowed_value_contradicts_the_other_defaults(name: str, bound: str) -> None:
    fields = {"GraceSeconds": "grace", "LeaseSeconds": "lease", "DeadlineSeconds": "deadline"}
    value = PARAMETERS[name][bound]
    if name in fields:
        Timing(**{fields[name]: value * 1000})
    else:
        Timing(max_lost_runs=value)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_is_given_the_settings_it_reads_and_no_others(function: str) -> None:
    kind = getattr(settings, f"{function.capitalize()}Settings")
    given = FUNCTIONS[function]["Environment"]["Variables"]
    known = {name.upper() for name in kind.__dataclass_fields__}
    assert given.keys() <= known
    kind.load(variables_of(function))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_missing_variable_is_named(function: str) -> None:
    kind = getattr(settings, f"{function.capitalize()}Settings")
    with pytest.raises(settings.InvalidSetting, match=r"[A-Z_]+ is not set"):
        kind.load({})


def test_a_variable_of_the_wrong_kind_is_named() -> None:
    given = variables_of("sweeper") | {"SWEEP_LIMIT": "many"}
    with pytest.raises(settings.InvalidSetting, match="SWEEP_LIMIT must be of type int"):
        settings.SweeperSettings.load(given)


def selected(value: Any, parameter: str, chosen: Any) -> Any:
    """Return what conditions on `parameter` select from `value` when the parameter is `chosen`."""
    while isinstance(value, dict):
        condition, yes, no = value["Fn::If"]
        left, right = TEMPLATE["Conditions"][condition]["Fn::Equals"]
        assert left == {"Ref": parameter}
        value = yes if right == chosen else no
    return value


@pytest.mark.parametrize("allowed", PARAMETERS["SubmitsPerSecond"]["AllowedValues"])
def test_the_gateway_admits_as_many_submissions_as_the_parameter_says(allowed: int) -> None:
    limits = RESOURCES["HttpApi"]["Properties"]["RouteSettings"]["POST /api/generate-case-images"]
    assert selected(limits["ThrottlingRateLimit"], "SubmitsPerSecond", allowed) == allowed


def test_the_providers_secrets_are_created_only_for_providers_in_use_without_a_secret_of_the_operator() -> (
    None
):
    variables = FUNCTIONS["worker"]["Environment"]["Variables"]
    for provider, prefix in (("Gemini", "GEMINI"), ("OpenAi", "OPENAI")):
        makes, secret = f"Makes{provider}Secret", f"{provider}Secret"
        assert RESOURCES[secret]["Condition"] == makes
        either = {"Fn::If": [makes, {"Ref": secret}, {"Ref": f"{secret}Arn"}]}
        assert variables[f"{prefix}_SECRET"]["Fn::If"] == [f"Uses{provider}", either, ""]


def accepts(parameter: str, value: str) -> bool:
    return re.fullmatch(PARAMETERS[parameter]["AllowedPattern"], value) is not None


ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:games/gemini"


@pytest.mark.parametrize("name", ["GeminiSecretArn", "OpenAiSecretArn"])
def test_a_secret_of_the_operator_is_given_by_its_whole_arn_which_the_policy_needs(name: str) -> None:
    assert accepts(name, "")
    assert accepts(name, f"{ARN}-AbC123")
    for partial in (ARN, f"{ARN}-AbC12", f"{ARN}-AbC1234", "games/gemini", f"{ARN} -AbC123"):
        assert not accepts(name, partial), partial


def test_a_kms_key_is_given_by_its_arn_and_not_by_an_alias() -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert accepts("SecretKmsKeyArn", key)
    assert not accepts("SecretKmsKeyArn", "arn:aws:kms:eu-central-1:123456789012:alias/games")


def test_a_bedrock_model_is_a_foundation_model_which_the_worker_may_invoke() -> None:
    assert accepts("BedrockModel", "stability.stable-image-core-v1:1")
    for other in (
        "us.stability.stable-image-core-v1:1",
        "global.stability.x",
        "arn:aws:bedrock:us-west-2::x",
    ):
        assert not accepts("BedrockModel", other), other
