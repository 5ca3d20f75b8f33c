"""Refusals as boto3 sees them; who may call."""

from __future__ import annotations

import http.client
import json

import pytest
from botocore.exceptions import ClientError
from tests.aws.local.jobs import job, run, spot

from tuppence.aws.local import Conditions

QUICK = Conditions(lead_seconds=0)
COMMAND = ["true"]


def refused(sagemaker, request):
    with pytest.raises(ClientError) as caught:
        sagemaker.client("sagemaker").create_training_job(**request)
    return caught.value.response["Error"]


def test_what_breaks_a_description_or_a_rule_is_a_validation_error(local, prefix):
    sagemaker = local(QUICK)
    resources = {"InstanceType": "ml.nope", "InstanceCount": 1, "VolumeSizeInGB": 1}
    error = refused(sagemaker, job(prefix, COMMAND, ResourceConfig=resources))
    assert error["Code"] == "ValidationException"
    assert "'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum" in error["Message"]
    assert "MaxWaitTimeInSeconds" in refused(sagemaker, spot(prefix, COMMAND, runtime=10, wait=9))["Message"]
    uri = {"S3DataType": "S3Prefix", "S3Uri": f"{prefix}/nothing"}
    data = [{"ChannelName": "train", "DataSource": {"S3DataSource": uri}}]
    assert "No S3 objects found" in refused(sagemaker, job(prefix, COMMAND, InputDataConfig=data))["Message"]
    assert sagemaker.client("sagemaker").list_training_jobs()["TrainingJobSummaries"] == []


def test_quotas_of_spot_and_on_demand_differ(local, prefix):
    names = ["ml.g4dn.xlarge for spot training job usage", "ml.g4dn.xlarge for training job usage"]
    sagemaker = local(Conditions(lead_seconds=0, quotas={names[0]: 0.0, names[1]: 1.0}))
    error = refused(sagemaker, spot(prefix, COMMAND))
    assert error["Code"] == "ResourceLimitExceeded"
    assert names[0] in error["Message"]
    assert run(sagemaker, job(prefix, COMMAND))["TrainingJobStatus"] == "Completed"
    pages = sagemaker.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    values = {quota["QuotaName"]: quota["Value"] for page in pages for quota in page["Quotas"]}
    assert [values[name] for name in names] == [0.0, 1.0]
    assert "ml.g5.xlarge for training warm pool usage" in values


def test_names_are_taken_until_the_job_is_deleted(local, prefix):
    sagemaker = local(QUICK)
    client = sagemaker.client("sagemaker")
    run(sagemaker, job(prefix, COMMAND))
    assert refused(sagemaker, job(prefix, COMMAND))["Code"] == "ResourceInUse"
    client.delete_training_job(TrainingJobName="job")
    with pytest.raises(ClientError, match="Requested resource not found"):
        client.describe_training_job(TrainingJobName="job")
    assert run(sagemaker, job(prefix, COMMAND))["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="in status Completed"):
        client.stop_training_job(TrainingJobName="job")


def test_lists_are_filtered_sorted_and_cut_into_pages(local, prefix):
    sagemaker = local(QUICK)
    client = sagemaker.client("sagemaker")
    for number in range(5):
        run(sagemaker, job(prefix, ["false"] if number == 2 else COMMAND, f"job-{number}"))

    def names(**filters):
        pages = client.get_paginator("list_training_jobs").paginate(**filters)
        return [row["TrainingJobName"] for page in pages for row in page["TrainingJobSummaries"]]

    assert names() == ["job-4", "job-3", "job-2", "job-1", "job-0"]
    assert names(SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}) == names()[::-1]
    assert names(NameContains="b-3") == ["job-3"]
    assert names(StatusEquals="Failed") == ["job-2"]
    assert client.list_training_jobs(StatusEquals="Failed", MaxResults=2)["TrainingJobSummaries"] == []
    times = [row["CreationTime"] for row in client.list_training_jobs()["TrainingJobSummaries"]]
    assert names(CreationTimeAfter=times[1]) == ["job-4", "job-3"]


def test_what_is_not_here_is_an_empty_list(local):
    client = local(QUICK).client("sagemaker")
    assert client.list_endpoints()["Endpoints"] == []
    with pytest.raises(ClientError, match="has no operation CreateEndpoint"):
        client.create_endpoint(EndpointName="e", EndpointConfigName="c")


def test_throttled_calls_come_through_by_retries(local, prefix):
    sagemaker = local(Conditions(lead_seconds=0, throttle_every=3))
    client = sagemaker.client("sagemaker")
    attempts = [client.list_training_jobs()["ResponseMetadata"]["RetryAttempts"] for _ in range(3)]
    assert sum(attempts) == 1


def test_a_warm_pool_is_billed_until_it_ends(local, prefix):
    sagemaker = local(QUICK, scale=1000)
    client = sagemaker.client("sagemaker")
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    run(sagemaker, job(prefix, COMMAND, ResourceConfig={**resources, "KeepAlivePeriodInSeconds": 3600}))
    assert client.describe_training_job(TrainingJobName="job")["WarmPoolStatus"]["Status"] == "Available"
    with pytest.raises(ClientError, match="warm pool"):
        client.delete_training_job(TrainingJobName="job")
    client.update_training_job(TrainingJobName="job", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    pool = client.describe_training_job(TrainingJobName="job")["WarmPoolStatus"]
    assert pool["Status"] == "Terminated"
    assert 0 < pool["ResourceRetainedBillableTimeInSeconds"] <= 3600


def test_only_who_knows_the_key_may_call(local, prefix):
    sagemaker = local(QUICK)
    host = sagemaker.endpoint.removeprefix("http://")

    def call(**headers):
        connection = http.client.HTTPConnection(host)
        connection.request("POST", "/", b"{}", {"X-Amz-Target": "SageMaker.ListTrainingJobs", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("__type")

    key = sagemaker.environment["AWS_ACCESS_KEY_ID"]
    good = f"AWS4-HMAC-SHA256 Credential={key}/20261128/us-east-1/sagemaker/aws4_request, Signature=0"
    assert call() == (403, "MissingAuthenticationToken")
    assert call(Authorization=good.replace(key, "AKIAOTHER")) == (403, "UnrecognizedClientException")
    assert call(Authorization=good, Host="rebound.example:80") == (403, "AccessDeniedException")
    assert call(Authorization=good) == (200, None)
