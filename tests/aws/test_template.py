"""The template of the stack: valid for CloudFormation, least privilege, and bounds that AWS enforces."""

from __future__ import annotations

import copy
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.aws.iam_policy import allowed, resolve
from tests.aws.test_job import PLAN

from tuppence.aws.job import request_of
from tuppence.aws.regions import regions
from tuppence.aws.template import DEFAULT_INSTANCES, StackSettings, as_text, render, stack_name
from tuppence.core.errors import InputError
from tuppence.cost.hardware import instances
from tuppence.cost.rates import price_of

ACCOUNT = "123456789012"
WITH_BUDGET = StackSettings("us-east-1", budget_usd=100, email="someone@example.org")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tuppence-stack-ExecutionRole-1ABC"
BUCKET = "arn:aws:s3:::tuppence-stack-bucket-1abc"
NAMES = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "tuppence-stack",
    "AWS::StackId": f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/tuppence-stack/0f",
    "Bucket": BUCKET.rpartition(":")[2],
    "Bucket.Arn": BUCKET,
    "ExecutionRole": ROLE.rpartition("/")[2],
    "ExecutionRole.Arn": ROLE,
}


def policies_of(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The policies for identities, with their names resolved."""
    resources = template["Resources"]
    found = {
        "launcher": resources["LauncherPolicy"]["Properties"]["PolicyDocument"],
        "job": resources["ExecutionRole"]["Properties"]["Policies"][0]["PolicyDocument"],
    }
    return {name: resolve(policy, NAMES) for name, policy in found.items()}


POLICIES = policies_of(render(StackSettings("us-east-1", instances=("ml.g5.xlarge", "ml.m5.large"), max_hours=2)))
ADMINISTRATOR = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def test_cfn_lint_and_the_parser_of_yaml_accept_every_form(tmp_path: Path) -> None:
    from cfnlint.api import ManualArgs, lint

    text = as_text(render(WITH_BUDGET))
    assert yaml.safe_load(text) == render(WITH_BUDGET)
    assert len(text.encode()) < 51_200  # CloudFormation's limit of a template in a request
    found = lint(text, config=ManualArgs(regions=["us-east-1"], include_checks=["I"]))
    assert [f"{one.rule.id} {one.message}" for one in found] == []


def test_cfn_lint_finds_a_planted_fault() -> None:
    from cfnlint.api import ManualArgs, lint

    template = copy.deepcopy(render(StackSettings("us-east-1")))
    template["Resources"]["Bucket"]["Properties"]["VersioningConfiguration"]["Status"] = "On"
    found = lint(as_text(template), config=ManualArgs(regions=["us-east-1"]))
    assert [one.rule.id for one in found] == ["E3030"]


def test_policies_are_within_the_sizes_of_iam() -> None:
    large = StackSettings("us-east-1", name="a" * 30, instances=tuple(f"ml.p5en.{n}xlarge" for n in range(40)))
    for settings, limits in ((large, {"launcher": 6144, "job": 10_240}),):
        for name, policy in policies_of(render(settings)).items():
            assert len("".join(json.dumps(policy).split())) < limits[name]


def test_the_image_of_the_region_can_be_pulled() -> None:
    for region in regions():
        role = json.dumps(render(StackSettings(region))["Resources"]["ExecutionRole"])
        assert ":repository/pytorch" in role
    assert "692866216735:repository/pytorch" in json.dumps(render(StackSettings("eu-south-1")))


def findings(policy: dict[str, Any]) -> dict[str, Any]:
    """What cloudsplaining finds in a policy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from cloudsplaining.scan.policy_document import PolicyDocument

        document = PolicyDocument(policy)
        found = {
            "privilege escalation": document.allows_privilege_escalation,
            "data exfiltration": document.allows_data_exfiltration_actions,
            "permissions management": document.permissions_management_without_constraints,
            "writes without constraints": document.write_actions_without_constraints,
            "tagging without constraints": document.tagging_actions_without_constraints,
            "service wildcard": document.service_wildcard,
            "credentials exposure": document.credentials_exposure,
            "infrastructure": document.infrastructure_modification,
            "NotAction": document.contains_statement_using_not_action,
        }
    return {name: value for name, value in found.items() if value}


def test_cloudsplaining_finds_nothing_in_our_policies_and_much_in_a_careless_one() -> None:
    assert findings(POLICIES["launcher"]) == {}
    # the one call of a job for a credential: the login to pull its image, which AWS asks of every role of a job
    assert findings(POLICIES["job"]) == {"credentials exposure": ["ecr:GetAuthorizationToken"]}
    careless = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["iam:PassRole", "sagemaker:CreateTrainingJob", "s3:*"], "Resource": "*"}
        ],
    }
    assert {"data exfiltration", "service wildcard", "infrastructure"} <= findings(careless).keys()


def statements() -> Iterator[dict[str, Any]]:
    for policy in policies_of(render(WITH_BUDGET)).values():
        yield from policy["Statement"]


def arn_pattern(form: str) -> re.Pattern[str]:
    """The ARNs of a form such as `arn:${Partition}:s3:::${BucketName}/${ObjectName}`; some names have slashes."""
    parts = re.split(r"(\$\{\w+\})", form)
    with_slash = ("${ObjectName}", "${LogGroupName}", "${RoleNameWithPath}", "${LogStreamName}", "${RepositoryName}")
    return re.compile(
        "".join(
            ("[^:]+" if part in with_slash else "[^:/]+") if part.startswith("${") else re.escape(part)
            for part in parts
        )
    )


@pytest.mark.parametrize("statement", list(statements()), ids=lambda one: one["Sid"])
def test_actions_exist_and_take_the_resources_and_conditions_of_their_statement(statement: dict[str, Any]) -> None:
    from policy_sentry.querying.actions import get_action_data

    resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    used = {key.split("/")[0] for block in statement.get("Condition", {}).values() for key in block}
    for action in statement["Action"]:
        service, name = action.split(":")
        found = get_action_data(service, name)
        assert found, f"{action} does not exist"
        known = {key.split("/")[0] for row in found[service] for key in row["condition_keys"]}
        if name == "CreateProcessingJob":
            known.add("sagemaker:KeepAlivePeriod")  # of training jobs, and only IfExists
        assert used <= known, f"{action} has no condition keys {used - known}"
        formats = {row["resource_arn_format"] for row in found[service]}
        if resources == ["*"]:
            assert formats == {"*"}, f"{action} can be bound to a resource"
        else:
            arns = [arn_pattern(form) for form in formats - {"*"}]
            assert any(arn.fullmatch(one) for one in resources for arn in arns), f"{action} takes other resources"


JOB = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:training-job/tuppence-tiny"
GOOD: dict[str, Any] = {
    "sagemaker:MaxRuntimeInSeconds": "7200",
    "sagemaker:InstanceTypes": ["ml.g5.xlarge"],
    "aws:RequestTag/created-by": "tuppence",
}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


LAUNCHES = [
    ("within bounds", JOB, GOOD, True),
    ("two allowed types", JOB, GOOD | {"sagemaker:InstanceTypes": ["ml.g5.xlarge", "ml.m5.large"]}, True),
    ("no warm pool, said so", JOB, GOOD | {"sagemaker:KeepAlivePeriod": "0"}, True),
    ("a second too long", JOB, GOOD | {"sagemaker:MaxRuntimeInSeconds": "7201"}, False),
    ("no bound", JOB, without("sagemaker:MaxRuntimeInSeconds"), False),
    ("another instance", JOB, GOOD | {"sagemaker:InstanceTypes": ["ml.p5.48xlarge"]}, False),
    ("one of two is another", JOB, GOOD | {"sagemaker:InstanceTypes": ["ml.g5.xlarge", "ml.p5.48xlarge"]}, False),
    ("no instance", JOB, without("sagemaker:InstanceTypes"), False),
    ("a warm pool", JOB, GOOD | {"sagemaker:KeepAlivePeriod": "3600"}, False),
    ("no tag", JOB, without("aws:RequestTag/created-by"), False),
    ("another name", JOB.replace("tuppence-", "shop-"), GOOD, False),
    ("another region", JOB.replace("us-east-1", "eu-west-1"), GOOD, False),
    ("another account", JOB.replace(ACCOUNT, "999999999999"), GOOD, False),
]


@pytest.mark.parametrize(("what", "job", "context", "expected"), LAUNCHES, ids=[case[0] for case in LAUNCHES])
def test_a_launcher_can_start_jobs_within_bounds_only(
    what: str, job: str, context: dict[str, Any], expected: bool
) -> None:
    for action, resource in (
        ("sagemaker:CreateTrainingJob", job),
        ("sagemaker:CreateProcessingJob", job.replace("training-job", "processing-job")),
    ):
        assert allowed([POLICIES["launcher"]], action, resource, context) is expected, what


@pytest.mark.parametrize(
    "what", ["a second too long", "no bound", "another instance", "one of two is another", "no instance"]
)
def test_an_administrator_with_the_policy_cannot_pass_the_bounds_either(what: str) -> None:
    [(_, job, context, _)] = [case for case in LAUNCHES if case[0] == what]
    for place in (job, job.replace("us-east-1", "eu-west-1")):
        assert allowed([ADMINISTRATOR], "sagemaker:CreateTrainingJob", place, context)
        assert not allowed([ADMINISTRATOR, POLICIES["launcher"]], "sagemaker:CreateTrainingJob", place, context)
    other = job.replace("tuppence-", "shop-")
    assert allowed([ADMINISTRATOR, POLICIES["launcher"]], "sagemaker:CreateTrainingJob", other, context)


@pytest.mark.parametrize("index", range(5))
def test_each_condition_of_a_launch_is_needed(index: int) -> None:
    """Without any one of the conditions, some launch that must be refused is allowed."""
    policy = copy.deepcopy(POLICIES["launcher"])
    policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    condition = policy["Statement"][0]["Condition"]
    assert len(condition) == 5
    del condition[list(condition)[index]]
    refused = [(job, context) for _, job, context, expected in LAUNCHES if not expected]
    assert any(allowed([policy], "sagemaker:CreateTrainingJob", job, context) for job, context in refused)


def test_the_request_of_launch_is_within_the_bounds() -> None:
    request = request_of(PLAN)
    resources = request["ResourceConfig"]
    context = {
        "sagemaker:MaxRuntimeInSeconds": str(request["StoppingCondition"]["MaxRuntimeInSeconds"]),
        "sagemaker:InstanceTypes": [resources["InstanceType"]],
        "sagemaker:KeepAlivePeriod": str(resources.get("KeepAlivePeriodInSeconds", 0)),
        **{f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in request["Tags"]},
    }
    policy = policies_of(render(StackSettings("us-east-1")))["launcher"]
    job = JOB.rpartition("/")[0] + "/" + request["TrainingJobName"]
    assert allowed([policy], "sagemaker:CreateTrainingJob", job, context)
    assert not allowed(
        [policy], "sagemaker:CreateTrainingJob", job, context | {"sagemaker:InstanceTypes": ["ml.p5.48xlarge"]}
    )


PASSED = {"iam:PassedToService": "sagemaker.amazonaws.com"}
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/sagemaker"
OTHERS: list[tuple[str, str, str, dict[str, Any], bool]] = [
    ("launcher", "iam:PassRole", ROLE, PASSED, True),
    ("launcher", "iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}, False),
    ("launcher", "iam:PassRole", ROLE, {}, False),
    ("launcher", "iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/Admin", PASSED, False),
    ("launcher", "s3:PutObject", f"{BUCKET}/runs/tiny/run.yaml", {}, True),
    ("launcher", "s3:PutObject", "arn:aws:s3:::other/runs/tiny/run.yaml", {}, False),
    ("launcher", "s3:DeleteBucket", BUCKET, {}, False),
    ("launcher", "s3:PutBucketPolicy", BUCKET, {}, False),
    ("launcher", "sagemaker:StopTrainingJob", JOB, {}, True),
    ("launcher", "sagemaker:StopTrainingJob", JOB.replace("tuppence-", "shop-"), {}, False),
    ("launcher", "sagemaker:UpdateTrainingJob", JOB, {}, False),
    ("launcher", "sagemaker:CreateEndpoint", JOB.replace("training-job", "endpoint"), {}, False),
    ("launcher", "sagemaker:AddTags", JOB, {"sagemaker:TaggingAction": "CreateTrainingJob"}, True),
    ("launcher", "sagemaker:AddTags", JOB, {}, False),
    ("launcher", "logs:GetLogEvents", f"{LOGS}/TrainingJobs:log-stream:tuppence-tiny/algo-1", {}, True),
    ("launcher", "logs:FilterLogEvents", f"{LOGS}/TrainingJobs", {}, True),
    ("launcher", "logs:DeleteLogGroup", f"{LOGS}/TrainingJobs", {}, False),
    ("launcher", "cloudformation:DescribeStacks", NAMES["AWS::StackId"], {}, True),
    ("launcher", "cloudformation:UpdateStack", NAMES["AWS::StackId"], {}, False),
    ("job", "s3:GetObject", f"{BUCKET}/data/shard-00000.bin", {}, True),
    ("job", "s3:DeleteObject", f"{BUCKET}/runs/tiny/checkpoints/step-1/state.json", {}, True),
    ("job", "s3:DeleteObjectVersion", f"{BUCKET}/runs/tiny/run.yaml", {}, False),
    ("job", "s3:GetObject", "arn:aws:s3:::other/secret", {}, False),
    ("job", "s3:PutLifecycleConfiguration", BUCKET, {}, False),
    ("job", "sagemaker:DescribeTrainingJob", JOB, {}, True),
    ("job", "sagemaker:DescribeTrainingJob", JOB.replace("tuppence-", "shop-"), {}, False),
    ("job", "sagemaker:CreateTrainingJob", JOB, GOOD, False),
    ("job", "iam:PassRole", ROLE, PASSED, False),
    ("job", "logs:PutLogEvents", f"{LOGS}/TrainingJobs:log-stream:tuppence-tiny/algo-1", {}, True),
    ("job", "logs:PutLogEvents", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:shop:log-stream:x", {}, False),
    ("job", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "/aws/sagemaker/TrainingJobs"}, True),
    ("job", "cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": "shop"}, False),
    ("job", "ecr:BatchGetImage", "arn:aws:ecr:us-east-1:763104351884:repository/pytorch", {}, True),
    ("job", "ecr:BatchGetImage", "arn:aws:ecr:us-east-1:763104351884:repository/other", {}, False),
]


@pytest.mark.parametrize(("who", "action", "resource", "context", "expected"), OTHERS)
def test_what_a_launcher_and_a_job_may_do(
    who: str, action: str, resource: str, context: dict[str, Any], expected: bool
) -> None:
    assert allowed([POLICIES[who]], action, resource, context) is expected


def test_the_bucket_refuses_everyone_without_tls() -> None:
    policy = resolve(render(WITH_BUDGET)["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"], NAMES)
    both = [ADMINISTRATOR, policy]
    for version, expected in (("1.3", True), ("1.2", True), ("1.1", False)):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": version}
        assert allowed(both, "s3:GetObject", f"{BUCKET}/x", context) is expected
    assert not allowed(both, "s3:GetObject", f"{BUCKET}/x", {"aws:SecureTransport": "false"})
    assert {one["Principal"] for one in policy["Statement"]} == {"*"}


def test_only_sagemaker_for_this_account_can_use_the_role() -> None:
    [trust] = resolve(render(WITH_BUDGET)["Resources"]["ExecutionRole"], NAMES)["Properties"][
        "AssumeRolePolicyDocument"
    ]["Statement"]
    assert trust["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_default_instances_have_prices_and_can_run_the_image() -> None:
    for instance in DEFAULT_INSTANCES:
        assert price_of(instance).usd > 0
        known = instances().get(instance.removeprefix("ml."))
        assert known is None or known.refused is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"region": "mars-1"}, "mars-1"),
        ({"name": "Team A"}, "cannot be the name"),
        ({"name": "x" * 60}, "too long"),
        ({"instances": ()}, "no instance type"),
        ({"max_hours": 0}, "--max-hours 0"),
        ({"max_hours": float("nan")}, "--max-hours nan"),
        ({"max_hours": 673}, "--max-hours 673"),
        ({"budget_usd": -1.0, "email": "a@b.org"}, "--budget -1"),
        ({"budget_usd": 10.0}, "needs --budget and --email"),
        ({"email": "a@b.org"}, "needs --budget and --email"),
        ({"budget_usd": 10.0, "email": "nobody"}, "no email address"),
    ],
)
def test_impossible_settings_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        StackSettings(**{"region": "us-east-1"} | changed)


def test_a_stack_has_the_prefix() -> None:
    assert stack_name("team-a") == "tuppence-team-a"
