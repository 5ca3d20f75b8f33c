from __future__ import annotations

import pytest
from botocore.session import Session

from tuppence.aws.regions import image_account, image_facts, image_uri, partition, regions, require_region
from tuppence.core.errors import InputError


def test_every_region_is_one_of_botocore_with_its_partition() -> None:
    session = Session()
    known = {name: session.get_available_regions("s3", partition_name=name) for name in ("aws", "aws-cn")}
    for region in regions():
        assert region in known[partition(region)]


def test_accounts_are_numbers_of_twelve_digits_and_most_regions_share_one() -> None:
    accounts = {region: image_account(region) for region in regions()}
    assert all(len(account) == 12 and account.isdigit() for account in accounts.values())
    assert sum(account == "763104351884" for account in accounts.values()) == 16
    assert accounts["eu-south-1"] == "692866216735"  # a region that became available later


def test_image_uris_fit_the_pattern_of_sagemaker() -> None:
    pattern = Session().get_service_model("sagemaker").shape_for("ContainerImage")
    for region in regions():
        for gpu in (False, True):
            assert len(image_uri(region, gpu=gpu)) <= pattern.metadata["max"]
    assert image_uri("eu-central-1", gpu=False).startswith("763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch:")


def test_unknown_regions_are_refused_with_near_ones() -> None:
    with pytest.raises(InputError, match="'us-east-7'") as refused:
        require_region("us-east-7")
    assert "us-east-1" in refused.value.hint
    with pytest.raises(InputError, match="us-gov-west-1"):
        image_uri("us-gov-west-1", gpu=True)


def test_the_image_has_the_torch_that_the_constraints_name() -> None:
    assert image_facts()["torch"] == "2.13.0"
    assert "2026-08-21" in image_facts()["source"]
