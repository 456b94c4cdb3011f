"""The same jobs in a shell: `xargs` keeps 64 at once, `curl` makes each request.

`python -m benchmarks.with_xargs BASE_URL JOBS FOLDER` prints one JSON object; its processor time
is that of all the processes.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

from benchmarks.bare import IN_FLIGHT

#: One job; its number is `$1`. No other process than `curl` is started.
JOB = """\
set -eu
get() { curl --fail --silent --show-error --noproxy '*' "$@"; }
ask() { get -H 'Authorization: Bearer bench' "$@"; }
reply=$(ask -H 'Content-Type: application/json' -H "Idempotency-Key: $RUN-$1" --data \
  "{\\"model\\":\\"hailuo-pro\\",\\"prompt\\":\\"Number $1\\",\
\\"params\\":{\\"prompt_optimizer\\":\\"false\\"}}" "$BASE/api/v1/generations")
task=${reply#*'"id": "'}
task=${task%%'"'*}
while :; do
  reply=$(ask "$BASE/api/v1/generations/$task")
  case $reply in *'"status": "succeeded"'*) break ;; esac
done
url=${reply#*'"primary_url": "'}
get --output "$FOLDER/$1.mp4" "${url%%'"'*}"
"""


def measure(base: str, jobs: int, folder: Path) -> dict[str, float]:
    """Seconds by the clock and of processor time for so many jobs."""
    xargs = shutil.which("xargs")
    assert xargs is not None, "there is no xargs here"
    command = [xargs, "-P", str(IN_FLIGHT), "-n", "1", "sh", "-c", JOB, "job"]
    told = {"BASE": base, "FOLDER": str(folder), "RUN": str(uuid.uuid4())}
    numbers = "".join(f"{number}\n" for number in range(jobs))
    began = time.perf_counter()
    subprocess.run(command, input=numbers, text=True, check=True, env=os.environ | told)
    seconds = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"seconds": seconds, "cpu": used.ru_utime + used.ru_stime}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
