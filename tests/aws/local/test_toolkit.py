"""AWS's own toolkit starts our entry point, as a job does that names no ContainerEntrypoint.

    python -m venv V && V/bin/pip install 'setuptools<81' sagemaker-training==5.1.4 sagemaker-pytorch-training==3.0.0
    TUPPENCE_TOOLKIT=V/bin/train pytest -m soak tests/aws/local/test_toolkit.py

The toolkit keeps SIGTERM to itself: a job under it would lose what was trained since its last checkpoint. Jobs of
`tuppence aws launch` name the entry point as their ContainerEntrypoint.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest
from tests.aws.local.test_real_lives import ROLE, data, words  # noqa: F401  a fixture

from tuppence.aws.local import Conditions, LocalSageMaker

TRAIN = os.environ.get("TUPPENCE_TOOLKIT", "")
PROGRAM = """
import os, sys
from pathlib import Path
code = Path(os.environ["SAGEMAKER_BASE_DIR"], "input/data/code")
os.execv({python!r}, [{python!r}, str(code / "start_job.py"), {digest!r}])
"""
SCRIPT = """
set -e
config=$SAGEMAKER_BASE_DIR/input/config
sed -i s/algo-1/localhost/g $config/resourceconfig.json  # the toolkit looks its hosts up
cp {program} $SAGEMAKER_BASE_DIR/code/program.py
cat > $config/hyperparameters.json <<END
{{"sagemaker_program": "\\"program.py\\"", "sagemaker_submit_directory": "\\"$SAGEMAKER_BASE_DIR/code\\""}}
END
export SAGEMAKER_TRAINING_MODULE=sagemaker_pytorch_container.training:main PATH={bin}:$PATH
exec {train}
"""


@pytest.mark.soak
@pytest.mark.skipif(not TRAIN, reason="TUPPENCE_TOOLKIT does not name AWS's toolkit")
def test_the_toolkit_runs_our_entry_point(data, tmp_path):  # noqa: F811
    from tuppence.aws.launch import Wish, prepare, submit
    from tuppence.cli.verb_line import read_verb_line

    with LocalSageMaker(tmp_path / "rehearsal", conditions=Conditions(lead_seconds=0)) as local, local.applied():
        local.client("s3").create_bucket(Bucket="bucket")
        (tmp_path / "work").mkdir()
        wish = Wish("ml.g4dn.xlarge", budget_usd=2, with_wheels=False, bucket="bucket", role_arn=ROLE)
        prepared = prepare(read_verb_line(words(data, "runs/toolkit", 20)), wish, tmp_path / "work")
        specification = prepared.request["AlgorithmSpecification"]
        program, script = tmp_path / "program.py", tmp_path / "run.sh"
        program.write_text(PROGRAM.format(python=sys.executable, digest=prepared.plan.code_sha256))
        quoted = {"program": program, "bin": Path(TRAIN).parent, "train": TRAIN}
        script.write_text(SCRIPT.format(**{name: shlex.quote(str(path)) for name, path in quoted.items()}))
        specification["ContainerEntrypoint"] = ["bash", str(script)]
        job = local.wait(submit(prepared), timeout=300)
        assert job.status == "Completed", job.failure
        assert local.client("s3").get_object(Bucket="bucket", Key="runs/toolkit/model/model.safetensors")
        events = local.logs.of_job("/aws/sagemaker/TrainingJobs", job.name)
        assert any("Invoking script with the following command" in event["message"] for event in events)
