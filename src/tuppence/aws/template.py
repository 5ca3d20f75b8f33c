"""The CloudFormation template of `tuppence aws init`, as a pure function of its settings.

The stack has a private bucket, the role that training jobs run with, a policy for the person who launches jobs, and a
budget that sends an email. The launcher's policy has two halves. The first allows jobs within bounds. The second denies
jobs outside them, so that another policy of the same person, such as that of an administrator, does not widen them.
Both apply only to jobs whose name begins with `tuppence-`.

`tuppence.aws.stack` creates the stack. Nothing here uses the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import yaml

from tuppence.aws import regions
from tuppence.aws.tags import OWNER, PREFIX, name_of, tags
from tuppence.core.errors import InputError

DEFAULT_NAME = "stack"
DEFAULT_MAX_HOURS = 24.0
LONGEST_JOB_HOURS = 28 * 24
"""SageMaker's own limit of a training job."""

OLD_VERSION_DAYS = 7
UPLOAD_DAYS = 2
ALARM_SHARES = (50, 80, 100)
"""Percentages of the budget at which an email is sent."""

DEFAULT_INSTANCES = (
    *("ml.g4dn.xlarge", "ml.g4dn.2xlarge", "ml.g5.xlarge", "ml.g5.2xlarge", "ml.g6.xlarge", "ml.g6e.xlarge"),
    *("ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.c7i.xlarge"),
)
"""What jobs may run on if `--instances` is not given: machines with one GPU, and small CPUs for data."""

JOB_LOG_GROUPS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs")
_LOG_GROUPS = (*JOB_LOG_GROUPS, f"/aws/sagemaker/Endpoints/{PREFIX}")
_VERSION = "2012-10-17"


@dataclass(frozen=True)
class StackSettings:
    """What a stack allows.

    Attributes:
        region: code of the AWS region.
        name: short name; the stack is `tuppence-NAME`.
        instances: instance types that jobs may use, with `ml.`.
        max_hours: the longest `MaxRuntimeInSeconds` of a job, in hours.
        budget_usd: dollars a month at which emails are sent; None for no budget.
        email: who gets the emails.
    """

    region: str
    name: str = DEFAULT_NAME
    instances: tuple[str, ...] = DEFAULT_INSTANCES
    max_hours: float = DEFAULT_MAX_HOURS
    budget_usd: float | None = None
    email: str | None = None

    def __post_init__(self) -> None:
        regions.require_region(self.region)
        stack_name(self.name)
        if not self.instances:
            raise InputError("--instances has no instance type", "give one, such as ml.g4dn.xlarge")
        if not 0 < self.max_hours <= LONGEST_JOB_HOURS:
            raise InputError(
                f"--max-hours {self.max_hours:g} is not possible",
                f"SageMaker's jobs last up to {LONGEST_JOB_HOURS} hours",
            )
        if self.budget_usd is not None and not 0 < self.budget_usd < 1e9:
            raise InputError(
                f"--budget {self.budget_usd:g} is no amount of dollars", "give US dollars a month, such as 100"
            )
        if (self.budget_usd is None) != (self.email is None):
            raise InputError(
                "a budget needs --budget and --email",
                "give both, or neither: an alarm without an address reaches nobody",
            )
        if self.email is not None and (self.email.count("@") != 1 or not 3 <= len(self.email) <= 50):
            raise InputError(
                f"--email {self.email!r} is no email address that AWS Budgets accepts",
                "give one of up to 50 characters",
            )

    @property
    def max_seconds(self) -> int:
        """The longest `MaxRuntimeInSeconds` of a job."""
        return max(math.floor(self.max_hours * 3600), 1)


def stack_name(name: str = DEFAULT_NAME) -> str:
    """Returns the name of the stack in CloudFormation.

    Raises:
        InputError: the short name cannot be a part of it.

    Example:
        >>> stack_name(), stack_name("team-a")
        ('tuppence-stack', 'tuppence-team-a')
    """
    full = name_of(name, longest=40)  # the generated name of the bucket has 63 characters at most
    if full != PREFIX + name.lower():
        raise InputError(f"{name!r} cannot be the name of a stack", "use small letters, digits and single hyphens")
    return full


def render(settings: StackSettings) -> dict[str, Any]:
    """Returns the template as plain dicts and lists."""
    resources: dict[str, Any] = {
        "Bucket": _bucket(),
        "BucketPolicy": _bucket_policy(),
        "ExecutionRole": _execution_role(settings),
        "LauncherPolicy": _launcher_policy(settings),
    }
    if settings.budget_usd is not None:
        resources["Budget"] = _budget(settings.budget_usd, str(settings.email))
    outputs = {
        "Bucket": ("Bucket of runs, data and models", {"Ref": "Bucket"}),
        "RoleArn": ("Role that jobs run with", {"Fn::GetAtt": ["ExecutionRole", "Arn"]}),
        "LauncherPolicyArn": ("Policy for people who launch jobs", {"Ref": "LauncherPolicy"}),
        "MaxRuntimeInSeconds": ("Longest job that the policy allows", str(settings.max_seconds)),
        "InstanceTypes": ("Instance types that the policy allows", ",".join(settings.instances)),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "tuppence: bucket, role, launcher's policy and budget for training jobs on SageMaker",
        "Resources": resources,
        "Outputs": {name: {"Description": text, "Value": value} for name, (text, value) in outputs.items()},
    }


def as_text(template: dict[str, Any]) -> str:
    """Returns a template as YAML, the same text for the same template."""
    return yaml.dump(template, Dumper=_NoAliases, sort_keys=False, width=120)


class _NoAliases(yaml.SafeDumper):
    """Writes equal parts in full: CloudFormation refuses YAML's aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _bucket() -> dict[str, Any]:
    return {
        "Type": "AWS::S3::Bucket",
        # a bucket with objects cannot be deleted: `init --destroy` empties it first
        "DeletionPolicy": "Delete",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "replaced-and-deleted-versions",  # such as pruned checkpoints
                        "Status": "Enabled",
                        "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSION_DAYS},
                        "ExpiredObjectDeleteMarker": True,
                    },
                    {
                        "Id": "incomplete-uploads",
                        "Status": "Enabled",
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UPLOAD_DAYS},
                    },
                ]
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "VersioningConfiguration": {"Status": "Enabled"},
            "Tags": tags("bucket"),
        },
    }


def _bucket_policy() -> dict[str, Any]:
    both = [_sub("${Bucket.Arn}"), _sub("${Bucket.Arn}/*")]
    return {
        "Type": "AWS::S3::BucketPolicy",
        "Properties": {
            "Bucket": {"Ref": "Bucket"},
            "PolicyDocument": _policy(
                _statement("Deny", "s3:*", both, {"Bool": {"aws:SecureTransport": "false"}}, "OnlyTLS", "*"),
                _statement("Deny", "s3:*", both, {"NumericLessThan": {"s3:TlsVersion": "1.2"}}, "OnlyNewTLS", "*"),
            ),
        },
    }


def _execution_role(settings: StackSettings) -> dict[str, Any]:
    trust = {
        "Sid": "JobsOfThisAccount",
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    images = [
        _sub(
            "arn:${AWS::Partition}:ecr:${AWS::Region}:" + regions.image_account(settings.region) + ":repository/pytorch"
        ),
        _sub("arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/" + PREFIX + "*"),
    ]
    namespaces = [
        "tuppence",
        "/aws/sagemaker/TrainingJobs",
        "/aws/sagemaker/ProcessingJobs",
        "/aws/sagemaker/Endpoints",
    ]
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": "tuppence: what a training job may do",
            "AssumeRolePolicyDocument": _policy(trust),
            "MaxSessionDuration": 3600,
            "Policies": [
                {
                    "PolicyName": "job",
                    "PolicyDocument": _policy(
                        *_bucket_access(),
                        _allow("Logs", ["logs:CreateLogGroup", "logs:DescribeLogStreams"], _log_groups(_LOG_GROUPS)),
                        _allow("LogLines", ["logs:CreateLogStream", "logs:PutLogEvents"], _log_streams(_LOG_GROUPS)),
                        _allow(
                            "Metrics",
                            ["cloudwatch:PutMetricData"],
                            "*",
                            {"StringEquals": {"cloudwatch:namespace": namespaces}},
                        ),
                        _allow(
                            "Images",
                            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
                            images,
                        ),
                        _allow("ImageLogin", ["ecr:GetAuthorizationToken"], "*"),
                        # the start of the billed time, which is before the start of the container
                        _allow("BilledTime", ["sagemaker:DescribeTrainingJob"], _jobs("training-job")),
                    ),
                }
            ],
            "Tags": tags("role"),
        },
    }


def _launcher_policy(settings: StackSettings) -> dict[str, Any]:
    create = ["sagemaker:CreateTrainingJob", "sagemaker:CreateProcessingJob"]
    both = [_jobs("training-job"), _jobs("processing-job")]
    everywhere = [_jobs("training-job", "*"), _jobs("processing-job", "*")]
    seconds, types, warm = "sagemaker:MaxRuntimeInSeconds", "sagemaker:InstanceTypes", "sagemaker:KeepAlivePeriod"
    instances, limit = list(settings.instances), str(settings.max_seconds)
    within = {
        "NumericLessThanEquals": {seconds: limit},
        "NumericLessThanEqualsIfExists": {warm: "0"},
        "ForAllValues:StringEquals": {types: instances},
        # ForAllValues alone is true for a request without the key
        "Null": {types: "false"},
        "StringEquals": {f"aws:RequestTag/{OWNER[0]}": OWNER[1]},
    }
    tagging = {
        "StringEquals": {
            "sagemaker:TaggingAction": ["CreateTrainingJob", "CreateProcessingJob"],
        }
    }
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {
            "Description": "tuppence: launch training jobs of bounded length on chosen instance types",
            "PolicyDocument": _policy(
                _allow("LaunchWithinBounds", create, both, within),
                _allow("TagWhatIsLaunched", ["sagemaker:AddTags"], both, tagging),
                _deny("NoLongJobs", create, everywhere, {"NumericGreaterThan": {seconds: limit}}),
                _deny("NoUnboundedJobs", create, everywhere, {"Null": {seconds: "true"}}),
                _deny("NoOtherInstances", create, everywhere, {"ForAnyValue:StringNotEquals": {types: instances}}),
                _deny("NoUnknownInstances", create, everywhere, {"Null": {types: "true"}}),
                _allow(
                    "SeeAndStop",
                    [
                        *("sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"),
                        *("sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"),
                        "sagemaker:ListTags",
                    ],
                    both,
                ),
                _allow(
                    "List",
                    [
                        *("sagemaker:ListTrainingJobs", "sagemaker:ListProcessingJobs"),
                        *("servicequotas:ListServiceQuotas", "pricing:GetProducts"),
                    ],
                    "*",
                ),
                _allow(
                    "PassOnlyTheRoleOfJobs",
                    ["iam:PassRole"],
                    {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
                    {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
                ),
                *_bucket_access(),
                _allow("ReadLogs", ["logs:DescribeLogStreams", "logs:FilterLogEvents"], _log_groups(JOB_LOG_GROUPS)),
                _allow("ReadLogLines", ["logs:GetLogEvents"], _log_streams(JOB_LOG_GROUPS)),
                _allow("ReadThisStack", ["cloudformation:DescribeStacks"], {"Ref": "AWS::StackId"}),
            ),
        },
    }


def _bucket_access() -> list[dict[str, Any]]:
    objects = [
        *("s3:GetObject", "s3:GetObjectAttributes", "s3:PutObject", "s3:DeleteObject"),
        *("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    ]
    lists = ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
    return [_allow("ListBucket", lists, _sub("${Bucket.Arn}")), _allow("Objects", objects, _sub("${Bucket.Arn}/*"))]


def _budget(usd: float, email: str) -> dict[str, Any]:
    def alarm(kind: str, share: int) -> dict[str, Any]:
        return {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": share,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [{"SubscriptionType": "EMAIL", "Address": email}],
        }

    key, value = OWNER
    return {
        "Type": "AWS::Budgets::Budget",
        "Properties": {
            "Budget": {
                "BudgetName": _sub("${AWS::StackName}-${AWS::Region}"),
                "BudgetType": "COST",
                "TimeUnit": "MONTHLY",
                "BudgetLimit": {"Amount": round(usd, 2), "Unit": "USD"},
                "CostFilters": {"TagKeyValue": [f"user:{key}${value}"]},
            },
            "NotificationsWithSubscribers": [
                *(alarm("ACTUAL", share) for share in ALARM_SHARES),
                alarm("FORECASTED", ALARM_SHARES[-1]),
            ],
            "ResourceTags": tags("budget"),
        },
    }


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": _VERSION, "Statement": list(statements)}


def _statement(
    effect: str,
    actions: str | list[str],
    resources: Any,
    condition: dict[str, Any] | None,
    sid: str,
    principal: str | None = None,
) -> dict[str, Any]:
    statement: dict[str, Any] = {"Sid": sid, "Effect": effect}
    if principal is not None:
        statement["Principal"] = principal
    statement |= {"Action": actions, "Resource": resources}
    return statement | ({"Condition": condition} if condition else {})


def _allow(sid: str, actions: list[str], resources: Any, condition: dict[str, Any] | None = None) -> dict[str, Any]:
    return _statement("Allow", actions, resources, condition, sid)


def _deny(sid: str, actions: list[str], resources: Any, condition: dict[str, Any]) -> dict[str, Any]:
    return _statement("Deny", actions, resources, condition, sid)


def _jobs(kind: str, region: str = "${AWS::Region}") -> dict[str, str]:
    return _sub(f"arn:${{AWS::Partition}}:sagemaker:{region}:${{AWS::AccountId}}:{kind}/{PREFIX}*")


def _log_groups(names: tuple[str, ...]) -> list[dict[str, str]]:
    return [
        _sub(f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{name}*") for name in names
    ]


def _log_streams(names: tuple[str, ...]) -> list[dict[str, str]]:
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
    return [_sub(f"{group}{name}*:log-stream:*") for name in names]


def _sub(text: str) -> dict[str, str]:
    return {"Fn::Sub": text}
