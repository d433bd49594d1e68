"""The benchmark of a probe: real parts by a clock of the test's, because no machine is as fast in one second as in the next."""

import types

import pytest

from pcl_tf import recipe as recipes
from pcl_tf.benchmark import probe as benchmark
from recipes import quickstart

SECONDS = {"encode": [10.0, 14.0], "lbfgs": [1.0, 4.0], "adam": [2.0, 12.0]}


@pytest.mark.slow
def test_a_probe_is_measured_in_turns(monkeypatch):
    clock, order = types.SimpleNamespace(now=0.0), []
    left = {name: list(seconds) for name, seconds in SECONDS.items()}
    extract, evaluate = benchmark.extract, benchmark.evaluate

    def took(name, found):
        order.append(name)
        clock.now += left[name].pop(0)
        return found

    monkeypatch.setattr(benchmark, "time", types.SimpleNamespace(perf_counter=lambda: clock.now))
    monkeypatch.setattr(benchmark, "extract", lambda *args, **kwargs: took("encode", extract(*args, **kwargs)))
    monkeypatch.setattr(
        benchmark, "evaluate", lambda *args, **kwargs: took(kwargs["solver"], evaluate(*args, **kwargs))
    )
    found = benchmark.probe(recipes.resolve(quickstart.get_config("smoke")), rounds=2)
    assert order == ["encode", "lbfgs", "adam"] * 2
    assert found["encoded_images_per_second"] == found["images"] / 12 > 0
    assert (found["lbfgs_seconds"], found["adam_seconds"]) == (2.5, 7.0)
    assert found["adam_over_lbfgs"] == 2.5  # the median of 2 and 3, not 7 / 2.5
    assert found["spreads"] == pytest.approx([4 / 12, 3 / 2.5, 10 / 7])
