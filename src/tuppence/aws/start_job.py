"""Unpacks the code of a job and starts its entry point in this process. It travels beside `code.zip`.

Its arguments are the sha256 of the archive and, for other jobs than training, the module to start.

Only the standard library is at hand here. The archive is ours; its sha256 is an argument, because a damaged one would
fail somewhere in the middle of the job.
"""

import hashlib
import os
import sys
import tempfile
import zipfile
from pathlib import Path


def main() -> None:
    """Replaces this process: SIGTERM must reach the entry point, which is then process 1 of the container."""
    archive = Path(__file__).with_name("code.zip")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != sys.argv[1]:
        sys.exit(f"error: {archive} is damaged")
    folder = tempfile.mkdtemp(prefix="tuppence-code-")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)  # drops the parts of a name that lead out of the folder
    places = [folder]
    if sys.version_info[:2] == (3, 12):  # the image's; a rehearsal may run another one, which has these packages
        places.append(str(Path(folder, "wheels")))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    module = sys.argv[2] if len(sys.argv) > 2 else "tuppence.aws.entry"
    os.execve(sys.executable, [sys.executable, "-m", module], environment)


if __name__ == "__main__":
    main()
