"""Score against encoder passes: the power law in closed form, its interval by simulation, and what is written."""

import json

import numpy as np
import pytest
from PIL import Image

from pcl_tf.reproduce import budgets
from pcl_tf.reproduce.tables import fill
from tests.helpers import labelled
from tests.helpers.commands import done, refused

PASSES = [1000, 2000, 4000, 8000]


class Task:
    def __init__(self, name):
        self.name = name


class Runs:
    """Results that follow a power law of the budget: what is wrong is ``factor * passes ** -0.2``."""

    FACTOR = {"": 1.5, "simclr": 1.2}

    def __init__(self, passes):
        self.passes, self.steps = passes, {"": passes, "simclr": passes, "untrained": 0}

    def result(self, model, seed, task, feature):
        wrong = self.FACTOR[model] * self.passes**-0.2 if model in self.FACTOR else 0.5
        metric, value = ("MAE", 10 * wrong) if "pose" in task.name else ("accuracy", 1 - wrong)
        return {"metric": metric, "value": value, "interval": [value - 0.01, value + 0.01], "detail": {}}


@pytest.fixture
def found():
    tasks = {"expression": [Task("faces")], "pose": [Task("pose_of_heads")]}
    return budgets.curves({n: fill(budgets.table(tasks), tasks, Runs(n), seeds=[0, 1]) for n in reversed(PASSES)})


def test_a_power_law_is_found_and_goes_on():
    values = [3.0 * n**-0.25 for n in PASSES]
    law = budgets.power_law(PASSES, values, [(v, v) for v in values], at=[80_000, 1])
    assert law["exponent"] == pytest.approx((0.25, 0.25, 0.25))
    assert law["at"][0] == pytest.approx([3.0 * 80_000**-0.25] * 3) and law["at"][1] == pytest.approx([3.0] * 3)


def test_two_points_by_hand():
    law = budgets.power_law([10, 1000], [0.8, 0.2], [(0.8, 0.8), (0.2, 0.2)], at=[100_000])
    assert law["exponent"][0] == pytest.approx(np.log(4) / np.log(100))
    assert law["at"][0][0] == pytest.approx(0.05)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty():
    rng, truth, std, held = np.random.default_rng(0), 0.2, 0.01, 0
    for trial in range(200):
        seen = 2.0 * np.array(PASSES) ** -truth + rng.normal(size=4) * std
        law = budgets.power_law(PASSES, seen, [(v - 1.96 * std, v + 1.96 * std) for v in seen], at=[1], seed=trial)
        held += law["exponent"][1] <= truth <= law["exponent"][2]
    assert 180 <= held <= 199


def test_curves_are_sorted_and_a_score_rises_where_an_error_falls(found):
    line = found["faces"]["PCL"]
    assert line["passes"] == PASSES and line["mean"] == sorted(line["mean"]) and line["std"] == [0, 0, 0, 0]
    assert line["exponent"][0] == pytest.approx(0.2)
    middle, low, high = line["predicted"][10]
    assert middle == pytest.approx(1 - 1.5 * 80_000**-0.2) and low < middle < high
    middle, low, high = found["pose_of_heads"]["SimCLR"]["predicted"][100]
    assert middle == pytest.approx(12 * 800_000**-0.2) and low < middle < high
    assert "exponent" not in found["faces"]["HoG"]


def test_tables_and_picture(found, tmp_path):
    text = budgets.markdown(found)
    assert text.count("| PCL |") == 2 and "| HoG | 50.00 [49.0, 51.0] |" in text and "0.200 [" in text
    assert "x 100, predicted" in text and "1,000 | 2,000" in text
    budgets.picture(found, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as image:
        assert image.width > 2 * image.height  # a panel for each of the two tasks


def test_a_mean_outside_of_its_interval_is_drawn(found, tmp_path):
    line = found["faces"]["PCL"]
    line["interval"][0] = [line["mean"][0] + 0.001, line["mean"][0] + 0.01]
    budgets.picture(found, tmp_path / "p.png")
    assert (tmp_path / "p.png").stat().st_size > 10_000


@pytest.mark.parametrize("given", ["5", "5,5", "5,x", "0,5", "5,-1", "5,²"])
def test_budgets_that_are_none_are_refused(given, tmp_path):
    said = refused("reproduce", f"--budgets={given}", f"--workdir={tmp_path}")
    assert f"--budgets={given}: two different" in said


@pytest.mark.slow
def test_curves_of_runs(tmp_path):
    """Untrained, SimCLR and PCL at two budgets of equal passes, and HoG."""
    done(
        *["reproduce", "--budgets=4,2", f"--workdir={tmp_path}", "--base=vox64:smoke", "--image_size=32"],
        *["--set=data.generated_images=64", "--set=watch.generated=0", "--set=watch.images_every=0"],
        *labelled.roles(tmp_path),
    )
    found = json.loads((tmp_path / "tables" / "budgets.json").read_text())
    few, more = found["pose"]["PCL"]["passes"]
    assert more == 2 * few and len(found) == 4
    assert found["pose"]["HoG"]["mean"][0] == found["pose"]["HoG"]["mean"][1]
    assert found["pose"]["PCL"]["mean"][0] != found["pose"]["PCL"]["mean"][1]
    ran = {p.parent.relative_to(tmp_path).as_posix() for p in tmp_path.glob("runs-*/*/result.json")}
    assert ran == {f"runs-{b}/{name}-0" for b in (2, 4) for name in ("pcl", "simclr", "untrained")}
    assert (tmp_path / "tables" / "budgets.png").stat().st_size > 10_000
