from __future__ import annotations

import pytest
from botocore.stub import Stubber
from tests.aws.answers import at, described, transitions

from tuppence.aws.jobs import billed_lives, describe, job_of, list_jobs, stop

NAME = "tuppence-pretrain-tiny-1"


def test_a_life_is_billed_from_the_download_to_the_interruption() -> None:
    phases = [("Starting", 0), ("Downloading", 60), ("Training", 300), ("Interrupted", 1000)]
    again = [("Starting", 1010), ("Downloading", 1500), ("Training", 1700), ("Uploading", 2000), ("Completed", 2030)]
    job = job_of(described(SecondaryStatusTransitions=transitions(*phases, *again)), "us-east-1")
    assert billed_lives(job.phases, at(9999)) == [940, 530]


def test_a_running_job_is_billed_until_now() -> None:
    job = job_of(described(), "us-east-1")
    assert job.billed_seconds(at(3660)) == 3600


def test_the_billable_seconds_of_aws_are_used_once_a_job_has_ended() -> None:
    ended = described(TrainingJobStatus="Completed", SecondaryStatus="Completed", BillableTimeInSeconds=1800)
    job = job_of(ended, "us-east-1")
    assert job.billed_seconds() == 1800
    assert job.dollars() == pytest.approx(0.7364 / 2)


def test_every_instance_is_billed_and_the_selected_type_counts() -> None:
    chosen = {
        "InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g6.xlarge"}],
        "SelectedInstanceType": "ml.g6.xlarge",
        "SelectedInstanceCount": 2,
        "VolumeSizeInGB": 30,
    }
    ended = described(
        TrainingJobStatus="Stopped", SecondaryStatus="Stopped", BillableTimeInSeconds=3600, ResourceConfig=chosen
    )
    assert job_of(ended, "us-east-1").dollars() == pytest.approx(2 * 1.127)


def test_the_price_of_an_unknown_region_is_none() -> None:
    assert job_of(described(), "mars-north-1").dollars() is None


def test_only_jobs_with_our_prefix_are_listed(sagemaker: Stubber) -> None:
    names = [NAME, "shop-tuppence-x"]
    summaries = [
        {
            "TrainingJobName": name,
            "TrainingJobArn": described(name)["TrainingJobArn"],
            "CreationTime": at(0),
            "TrainingJobStatus": "InProgress",
        }
        for name in names
    ]
    asked = {"NameContains": "tuppence-", "SortBy": "CreationTime", "SortOrder": "Descending"}
    sagemaker.add_response("list_training_jobs", {"TrainingJobSummaries": summaries}, asked)
    sagemaker.add_response("describe_training_job", described(), {"TrainingJobName": NAME})
    assert [job.name for job in list_jobs()] == [NAME]


def test_a_job_is_stopped_once(sagemaker: Stubber) -> None:
    sagemaker.add_response("describe_training_job", described(), {"TrainingJobName": NAME})
    sagemaker.add_response("stop_training_job", {}, {"TrainingJobName": NAME})
    stopping = described(TrainingJobStatus="Stopping", SecondaryStatus="Stopping")
    sagemaker.add_response("describe_training_job", stopping, {"TrainingJobName": NAME})
    assert stop(NAME).status == "Stopping"
    sagemaker.add_response("describe_training_job", stopping, {"TrainingJobName": NAME})
    assert stop(NAME).status == "Stopping"


def test_a_job_as_json_has_its_limits_and_its_bill(sagemaker: Stubber) -> None:
    ended = described(TrainingJobStatus="Completed", SecondaryStatus="Completed", BillableTimeInSeconds=3600)
    sagemaker.add_response("describe_training_job", ended, {"TrainingJobName": NAME})
    found = describe(NAME).as_dict()
    assert (found["billed_seconds"], found["billed_usd"]) == (3600.0, 0.7364)
    assert (found["max_runtime_seconds"], found["max_wait_seconds"], found["spot"]) == (3600, 4200, True)
