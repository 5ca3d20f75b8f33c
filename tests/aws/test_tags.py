from __future__ import annotations

import pytest
import regex
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from tuppence.aws.tags import LONGEST_NAME, PREFIX, as_mapping, is_ours, name_of, tags
from tuppence.core.errors import InputError

SHAPES = Session().get_service_model("sagemaker")


def pattern_of(shape: str) -> regex.Pattern[str]:
    return regex.compile(SHAPES.shape_for(shape).metadata["pattern"])


@given(st.lists(st.text(max_size=90), min_size=1, max_size=3), st.from_regex(r"[a-z0-9]{1,15}", fullmatch=True))
def test_names_are_valid_names_of_jobs_and_endpoints(parts: list[str], last: str) -> None:
    name = name_of(*parts, last)
    assert name.startswith(PREFIX)
    assert name.endswith(last)
    assert len(name) <= LONGEST_NAME
    for shape in ("TrainingJobName", "EndpointName", "ModelName", "ProcessingJobName"):
        assert pattern_of(shape).fullmatch(name)


def test_a_name_without_a_letter_is_refused() -> None:
    with pytest.raises(InputError, match="no letter and no digit"):
        name_of("…", "--")
    with pytest.raises(InputError, match="too long"):
        name_of("a" * 60)


def test_tags_are_valid_for_sagemaker_and_recognized() -> None:
    made = tags("training-job", run="runs/tiny", cap_usd="10")
    for tag in made:
        assert pattern_of("TagKey").fullmatch(tag["Key"])
        assert pattern_of("TagValue").fullmatch(tag["Value"])
    assert as_mapping(made)["tuppence-cap-usd"] == "10"
    assert is_ours("anything", as_mapping(made))


@pytest.mark.parametrize("value", ["a" * 257, "curly {}", "line\u0000"])
def test_values_that_aws_refuses_are_refused(value: str) -> None:
    with pytest.raises(InputError, match="cannot be the value of the tag tuppence-run"):
        tags("training-job", run=value)


def test_a_name_with_the_prefix_inside_a_word_is_not_ours() -> None:
    assert not is_ours("my-tuppence-x")
    assert is_ours("/aws/sagemaker/Endpoints/tuppence-chat")
