"""Several real processes on loopback train as one, lose members and go on."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from pcl_tf import cluster
from tests.helpers.commands import done

SMALL_STEPS = (  # so that rounding does not grow from step to step
    "--recipe.optimizer.learning_rate=1e-5",
    "--recipe.watch.log_every=1",
    "--recipe.watch.images_every=0",
    "--recipe.watch.generated=0",
)


def addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    found = [f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]
    for s in sockets:
        s.close()
    return found


def cluster_of(workers, index=0):
    """TF_CONFIG of one of the workers."""
    return json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def start(workdir, flags, workers=None, index=0):
    """A process of ``python -m pcl_tf.train``, alone or as one of the workers; its output goes to a file."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-m", "pcl_tf.train", f"--workdir={workdir}", *flags]
    if workers:
        environment["TF_CONFIG"] = cluster_of(workers, index)
        command.append("--strategy=multiworker")
    log = open(f"{workdir}.{index}.log", "a")
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def said(workdir, index=0):
    return pathlib.Path(f"{workdir}.{index}.log").read_text()


def finish(processes, workdir, code=0):
    for i, p in enumerate(processes):
        assert p.wait(timeout=400) == code, said(workdir, i)[-3000:]


def train(workdir, flags):
    """Trains in two processes to the end."""
    workers = addresses(2)
    finish([start(workdir, flags, workers, i) for i in range(2)], workdir)
    return outcome(workdir)


def outcome(workdir):
    """(step, last losses, weights of the backbone)."""
    result = json.loads((workdir / "result.json").read_text())
    losses = {k: v for k, v in result["last"].items() if k.startswith("loss") or k.startswith("abs_cos")}
    return result["step"], losses, keras.models.load_model(workdir / "backbone.keras").get_weights()


def assert_same(a, b):
    assert a[0] == b[0] and a[1].keys() == b[1].keys()
    for name, value in a[1].items():
        np.testing.assert_allclose(value, b[1][name], rtol=2e-4, atol=1e-5, err_msg=name)
    for x, y in zip(a[2], b[2], strict=True):
        np.testing.assert_allclose(x, y, atol=2e-5)


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path):
    flags = ["--recipe=vox64:smoke", "--recipe.total_steps=4", "--recipe.epoch_steps=2", *SMALL_STEPS]
    alone = start(tmp_path / "one", flags)
    finish([alone], tmp_path / "one")
    assert_same(outcome(tmp_path / "one"), train(tmp_path / "two", flags))
    assert not list((tmp_path / "two").rglob("*.part"))
    assert "Epoch" in said(tmp_path / "two") and "Epoch" not in said(tmp_path / "two", 1)


LONG = ["--recipe=vox64:smoke,simclr", "--recipe.total_steps=120", "--recipe.epoch_steps=40", *SMALL_STEPS]


def wait_for_step(workdir, step, processes):
    """Until a checkpoint of this step or a later one is there."""
    began = time.monotonic()
    while time.monotonic() - began < 200:
        found = [int(p.stem.rsplit("-", 1)[1]) for p in workdir.glob("checkpoints/ckpt-*.index")]
        if max(found, default=-1) >= step:
            return
        assert all(p.poll() is None for p in processes), [said(workdir, i)[-2000:] for i in range(len(processes))]
        time.sleep(0.1)
    raise AssertionError(f"no checkpoint of step {step}: {said(workdir)[-2000:]}")


@pytest.mark.slow
def test_a_killed_worker_comes_back_and_nothing_is_lost(tmp_path):
    """Either of two is killed, then one is asked to stop; the run ends as one that was never disturbed."""
    undisturbed = train(tmp_path / "calm", LONG)
    workdir, workers = tmp_path / "hit", addresses(2)
    both = [start(workdir, LONG, workers, i) for i in range(2)]
    for victim, step in ((1, 20), (0, 50)):
        wait_for_step(workdir, step, both)
        both[victim].kill()
        both[victim].wait()
        both[victim] = start(workdir, LONG, workers, victim)
    wait_for_step(workdir, 80, both)
    assert "A machine was lost" in said(workdir, 0) and "A machine was lost" in said(workdir, 1)
    both[1].send_signal(signal.SIGTERM)
    finish(both, workdir, 143)
    saved = [line for i in range(2) for line in said(workdir, i).splitlines() if line.startswith("Saved at step")]
    assert len(saved) == 2 and saved[0] == saved[1]
    finish([start(workdir, LONG, workers, i) for i in range(2)], workdir)
    assert_same(undisturbed, outcome(workdir))


def test_a_worker_that_never_comes_is_named(tmp_path, monkeypatch):
    workers = addresses(2)
    monkeypatch.setenv("TF_CONFIG", cluster_of(workers))
    asked = ["--recipe=vox64:smoke", f"--workdir={tmp_path / 'w'}", "--strategy=multiworker", "--join_timeout=1"]
    told = done("train", *asked, code=cluster.MISSING).stderr
    assert f"nobody listens at {workers[1]}." in told and "--join_timeout" in told


@pytest.mark.parametrize(
    "text, index",
    [
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}', 1),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": 0}}', 1),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}', 0),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', None),
        ('{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "worker", "index": 0}}', None),
        ('{"cluster": {"worker": ["a:1"]}}', None),
        ("[]", None),
        ("", None),
    ],
)
def test_tf_config(text, index, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    if index is None:
        with pytest.raises(cluster.Refused, match="TF_CONFIG=.*for instance"):
            cluster.from_environment()
    else:
        found = cluster.from_environment()
        assert (found.index, found.writer, found.members) == (index, index == 0, ("a:1", "b:1"))


def test_beginning_again_has_an_end(monkeypatch, capfd):
    begun = []
    monkeypatch.setattr(os, "execv", lambda *args: begun.append(os.environ["PCL_RESTARTS"]))
    monkeypatch.setattr(os, "_exit", lambda code: begun.append(code))
    monkeypatch.setenv("PCL_RESTARTS", "")
    for step in [None, 50, *[100] * 10]:
        cluster.begin_again("Collective ops is aborted by: gone", step)
    assert begun[-1] == "10 100" and cluster.MISSING not in begun
    cluster.begin_again("gone", 100)
    assert cluster.MISSING in begun and "10 times at step 100" in capfd.readouterr().err
