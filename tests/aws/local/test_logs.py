"""CloudWatch Logs through real boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(local):
    sagemaker = local()
    for number in range(25):
        sagemaker.logs.append(GROUP, "job/algo-1-1", f"step {number}", 1000 + number)
    sagemaker.logs.append(GROUP, "other/algo-1-1", "", 2000)
    return sagemaker.client("logs")


def test_streams_are_found_by_prefix(logs):
    found = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="job/")["logStreams"]
    assert [stream["logStreamName"] for stream in found] == ["job/algo-1-1"]
    assert found[0]["lastEventTimestamp"] == 1024
    with pytest.raises(ClientError, match="log group does not exist"):
        logs.describe_log_streams(logGroupName="/aws/other")


def test_events_are_read_forward_until_the_token_stays(logs):
    where = {"logGroupName": GROUP, "logStreamName": "job/algo-1-1", "startFromHead": True, "limit": 10}
    read, token = [], None
    while True:
        answer = logs.get_log_events(**where, **({"nextToken": token} if token else {}))
        read += [event["message"] for event in answer["events"]]
        if answer["nextForwardToken"] == token:
            break
        token = answer["nextForwardToken"]
    assert read == [f"step {number}" for number in range(25)]


def test_events_are_read_backward(logs):
    where = {"logGroupName": GROUP, "logStreamName": "job/algo-1-1", "limit": 10}
    last = logs.get_log_events(**where)
    assert [event["message"] for event in last["events"]] == [f"step {number}" for number in range(15, 25)]
    before = logs.get_log_events(**where, nextToken=last["nextBackwardToken"])
    assert [event["message"] for event in before["events"]] == [f"step {number}" for number in range(5, 15)]


def test_events_are_filtered_by_time_and_term(logs):
    found = logs.filter_log_events(logGroupName=GROUP, startTime=1003, endTime=1020, filterPattern='"step 1"')
    assert [event["message"] for event in found["events"]] == ["step 10", *(f"step {n}" for n in range(11, 20))]
    with pytest.raises(ClientError, match="terms and quoted phrases only"):
        logs.filter_log_events(logGroupName=GROUP, filterPattern="{ $.loss > 3 }")


def test_groups_are_listed_with_their_size_and_deleted(logs):
    group = logs.describe_log_groups()["logGroups"][0]
    assert group["logGroupName"] == GROUP
    assert group["storedBytes"] == sum(len(f"step {number}") for number in range(25)) + 1
    logs.delete_log_group(logGroupName=GROUP)
    assert logs.describe_log_groups()["logGroups"] == []
