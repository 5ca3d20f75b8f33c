"""The oracle of types and required members is botocore's own validator; of the rest, AWS's documented limits."""

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tuppence.aws.validation import as_aws_says, problems, service_model, validate
from tuppence.core.errors import InputError

ROLE = "arn:aws:iam::123456789012:role/tuppence"


def job(**changes):
    """The smallest parameters of a training job, with changes; a change to None removes a member."""
    parameters = {
        "TrainingJobName": "first",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "image:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    } | changes
    return {name: value for name, value in parameters.items() if value is not None}


def names(**changes):
    return [problem.name() for problem in problems("sagemaker", "CreateTrainingJob", job(**changes))]


def test_a_good_job_passes():
    validate("sagemaker", "CreateTrainingJob", job())


@pytest.mark.parametrize(
    ("changes", "name", "rule"),
    [
        ({"TrainingJobName": "a" * 64}, "TrainingJobName", "has 64 characters, more than 63"),
        ({"TrainingJobName": "under_score"}, "TrainingJobName", "does not match"),
        ({"RoleArn": "arn:aws:iam::1234:role/tuppence"}, "RoleArn", "does not match"),
        ({"HyperParameters": {"a": "x" * 2501}}, "HyperParameters.a", "more than 2,500"),
        ({"HyperParameters": {str(n): "1" for n in range(101)}}, "HyperParameters", "has 101 entries, more than 100"),
        ({"Environment": {"1A": "x"}}, "Environment.1A", "does not match"),
        ({"Tags": [{"Key": "k", "Value": "v"}] * 51}, "Tags", "has 51 items, more than 50"),
        ({"Tags": [{"Key": "k"}]}, "Tags[0].Value", "is missing"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "StoppingCondition.MaxRuntimeInSeconds", "is below 1"),
        (
            {"StoppingCondition": {"MaxPendingTimeInSeconds": 2_419_201}},
            "StoppingCondition.MaxPendingTimeInSeconds",
            "is above 2,419,200",
        ),
        ({"ResourceConfig": {"InstanceType": "ml.nope"}}, "ResourceConfig.InstanceType", "is none of"),
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 21_601}}, "ResourceConfig.KeepAlivePeriodInSeconds", "above"),
        ({"OutputDataConfig": None}, "OutputDataConfig", "is missing"),
        ({"Colour": "red"}, "Colour", "is unknown"),
        ({"EnableManagedSpotTraining": "yes"}, "EnableManagedSpotTraining", "is not true or false"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": True}}, "StoppingCondition.MaxRuntimeInSeconds", "whole number"),
        (
            {"AlgorithmSpecification": {"TrainingInputMode": "File", "ContainerEntrypoint": ["x" * 257]}},
            "AlgorithmSpecification.ContainerEntrypoint[0]",
            "more than 256",
        ),
        (
            {"AlgorithmSpecification": {"TrainingInputMode": "file"}},
            "AlgorithmSpecification.TrainingInputMode",
            "is none of Pipe, File, FastFile",
        ),
    ],
)
def test_an_error_names_parameter_and_rule(changes, name, rule):
    with pytest.raises(InputError) as caught:
        validate("sagemaker", "CreateTrainingJob", job(**changes))
    assert caught.value.message.startswith(f"{name} ")
    assert rule in caught.value.message
    assert "CreateTrainingJob" in caught.value.hint


def test_all_that_botocore_refuses_is_refused():
    shape = (
        botocore.session.get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    )
    values = [None, True, 0, -1, 1.5, "", "text", b"x", [], [1], {}, {"a": 1}, [{}], ["x"]]
    refused = 0
    for member in shape.members:
        for value in values:
            parameters = {**job(), member: value}
            if ParamValidator().validate(parameters, shape).has_errors():
                refused += 1
                assert problems("sagemaker", "CreateTrainingJob", parameters), (member, value)
    assert refused > 200


def test_values_are_escaped_and_cut():
    with pytest.raises(InputError) as caught:
        validate("sagemaker", "CreateTrainingJob", job(TrainingJobName="\x1b[31m\n" + "a" * 500))
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message
    assert "\\x1b[31m\\n" in caught.value.message
    assert len(caught.value.message) < 200
    assert "\x1b" not in str(names(**{"\x1b[2J": 1}))


def test_environment_values_are_not_shown():
    with pytest.raises(InputError) as caught:
        validate("sagemaker", "CreateTrainingJob", job(Environment={"TOKEN": "hunter2" * 100}))
    assert "hunter2" not in caught.value.message
    assert caught.value.message.startswith("Environment.TOKEN")
    text = as_aws_says(problems("sagemaker", "CreateTrainingJob", job(Environment={"TOKEN": "hunter2" * 100})))
    assert "hunter2" not in text


def test_aws_message_has_its_form():
    found = problems("sagemaker", "CreateTrainingJob", job(Tags=[{"Key": "", "Value": "v"}]))
    assert as_aws_says(found) == (
        "1 validation error detected: Value '' at 'tags.1.member.key' failed to satisfy constraint: "
        "Member must have length greater than or equal to 1"
    )


def test_unknown_services_and_operations_are_refused():
    with pytest.raises(InputError, match="no service 'sagewriter'"):
        validate("sagewriter", "CreateTrainingJob", {})
    with pytest.raises(InputError, match="no operation 'BuyTrainingJob'"):
        validate("sagemaker", "BuyTrainingJob", {})


def test_operations_without_parameters_pass():
    validate("sts", "GetCallerIdentity", {})


def test_almost_all_patterns_of_sagemaker_can_be_checked():
    from tuppence.aws.validation import _compiled

    model = service_model("sagemaker")
    patterns = {model.shape_for(name).metadata.get("pattern") for name in model.shape_names} - {None}
    assert sum(_compiled(pattern) is not None for pattern in patterns) > 0.98 * len(patterns)
