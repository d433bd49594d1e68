"""Shared fixtures. Two logical CPUs exist in every process that runs tests, set before anything else runs."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest


def pytest_sessionstart(session):
    """Of several processes the first hands out tests and runs none: it need not wait for TensorFlow."""
    if session.config.getoption("dist", "no") == "no" or hasattr(session.config, "workerinput"):
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_runtest_setup():
    """Every test draws the same weights and inputs in every run, whichever tests came before it."""
    import keras

    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session", autouse=True)
def few_faces():
    """The generated tasks have few faces, and a face is rendered once for all tests of a process."""
    from pcl_tf.evaluation.corpora import generated
    from pcl_tf.heads import processes

    known, render = {}, processes.render

    def once(labels, size):
        key = *(labels[name].tobytes() for name in ("identity", "angles", "scene")), size
        return known[key] if key in known else known.setdefault(key, render(labels, size))

    processes.render, processes._FEW, generated.COUNT = once, 10**6, 160


@pytest.fixture(scope="session")  # a second strategy in one process would reuse the keys of the first one's collectives
def two_replicas():
    """MirroredStrategy over two logical CPUs."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def power_cut(monkeypatch):
    """A function that empties each file below a folder that was not synced since it was written, as a power cut may."""
    sync, synced = os.fsync, set()

    def noted(descriptor):
        sync(descriptor)
        synced.add((os.fstat(descriptor).st_ino, os.fstat(descriptor).st_mtime_ns))

    def cut(folder):
        for path in filter(os.path.isfile, folder.rglob("*")):
            if (path.stat().st_ino, path.stat().st_mtime_ns) not in synced:
                os.truncate(path, 0)

    monkeypatch.setattr("os.fsync", noted)
    return cut
