"""The machines of a run: who they are, waiting for them, and going on after one was lost."""

import dataclasses
import json
import os
import socket
import sys
import time
from typing import NoReturn

from pcl_tf.errors import Refused, Unreachable

MISSING = 5  # exit code: other machines did not come, or were lost again and again
_RESTARTS = "PCL_RESTARTS"  # how often this command began again, and at which step it last did
_MOST_RESTARTS = 10  # without a new step in between


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The machines of a run."""

    members: tuple[str, ...] = ("",)  # host:port of each, the chief first
    index: int = 0  # which of them this process is

    @property
    def writer(self) -> bool:
        """Whether this process writes logs, checkpoints and exports."""
        return self.index == 0


def from_environment() -> Cluster:
    """Reads TF_CONFIG, as Kubernetes' TFJob, Slurm scripts and TensorFlow's own guides set it.

    Raises:
      Refused: it is missing or says something else.
    """
    text = os.environ.get("TF_CONFIG", "")
    example = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        by_type, task = {"chief": [], "worker": [], **config["cluster"]}, config["task"]
        members = (*by_type["chief"], *by_type["worker"])
        index = members.index(dict(enumerate(by_type[task["type"]]))[int(task["index"])])  # -1 is none
        int(members[index].rpartition(":")[2])  # a port
        if len(by_type) > 2:
            raise ValueError(f"task {task} of {by_type}")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise Refused(
            f"--strategy=multiworker: TF_CONFIG={text!r} is not usable ({error}); on the first of two machines it is for"
            f" instance {example}. There are workers, and a chief if you like, but no ps or evaluator."
        ) from error
    return Cluster(members, index)


def wait_for_all(cluster: Cluster, seconds: float) -> None:
    """Returns when every machine of a run is there. TensorFlow itself would wait for ever, and hold Python's lock.

    Each listens at its own port until it has reached all others, then leaves the port to TensorFlow, which listens too.

    Raises:
      Refused: the own port cannot be listened at.
      Unreachable: some did not come in these seconds.
    """
    port = int(cluster.members[cluster.index].rpartition(":")[2])
    missing = [m for i, m in enumerate(cluster.members) if i != cluster.index]
    end = time.monotonic() + seconds
    try:
        listening = socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise Refused(f"TF_CONFIG gives this machine port {port}, which cannot be listened at: {error}.") from error
    with listening:
        while missing := [m for m in missing if not _listens(m)]:
            if time.monotonic() > end:
                raise Unreachable(
                    f"not all machines came within {seconds:g} s (--join_timeout): nobody listens at {', '.join(missing)}."
                )
            time.sleep(0.2)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=2):
            return True
    except OSError:
        return False


def begin_again(why: str | Exception, step: int | None) -> NoReturn:
    """Replaces this process by the same command, which joins the others and resumes from the newest checkpoint.

    TensorFlow cannot take a machine back into a running job. Does not return. step: where this process stands.
    """
    before, last = (os.environ.get(_RESTARTS) or "0 None").split()
    count = int(before) + 1 if last == str(step) else 1
    lines = str(why).strip().splitlines() or ["no reason given"]
    reason = next((line for line in lines if "aborted by" in line or "rror" in line), lines[0])
    if count > _MOST_RESTARTS:
        print(f"error: began again {_MOST_RESTARTS} times at step {step}; the last reason: {reason}", file=sys.stderr)
        os._exit(MISSING)
    print(f"A machine was lost ({reason[:200]}); joining again.", file=sys.stderr, flush=True)
    os.environ[_RESTARTS] = f"{count} {step}"
    os.execv(sys.executable, sys.orig_argv)
