"""SageMaker on this machine, for rehearsals and tests: real boto3 talks to it, and jobs are real processes.

It is our reading of AWS's documentation; what it shows is about our client and our jobs, not about AWS.
The page "Rehearse on this machine" of the guide says what it does and what it leaves out.
"""

from tuppence.aws.local.conditions import Conditions, Interruption, random_interruptions
from tuppence.aws.local.control_plane import ACCOUNT, LocalSageMaker
from tuppence.aws.local.replies import RefusedError

__all__ = ["ACCOUNT", "Conditions", "Interruption", "LocalSageMaker", "RefusedError", "random_interruptions"]
