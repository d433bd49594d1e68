"""Tables: rows, arithmetic over seeds, equal budgets; and the commands on generated faces."""

import json
import shutil
import types

import numpy as np
import pytest
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.console import parsed
from pcl_tf.errors import Refused
from pcl_tf.evaluation.corpora import generated
from pcl_tf.methods import METHODS
from pcl_tf.methods.build import encoder_passes
from pcl_tf.reproduce import paper, tables
from pcl_tf.reproduce.runs import Runs, equal_steps
from pcl_tf.reproduce.tables import over_seeds, paired
from recipes import common
from tests.helpers.commands import command, done, refused


class Fake:
    """Runs whose results are a function of row, seed and task."""

    steps = {"": 10, "untrained": 0} | dict.fromkeys([*common.ABLATIONS, *METHODS], 10)

    def __init__(self):
        self.asked = []

    def result(self, model, seed, task, feature):
        self.asked.append((model, seed, task.name, feature))
        value = {"simclr": 0.5, "": 0.6}.get(model, 0.4) + 0.01 * seed
        return {"metric": "accuracy", "value": value, "interval": [value - 0.1, value + 0.1], "detail": {"a": value}}


slow = pytest.mark.slow
TASKS = {role: [types.SimpleNamespace(name=f"{role}_task", kind="", origin="")] for role in paper.ROLES}


@pytest.mark.parametrize("number", paper.TABLES)
def test_every_table_can_be_filled(number):
    table = paper.TABLES[number]
    rows = tables.fill(table, TASKS, Fake(), seeds=[0, 1, 2])
    text = tables.markdown(number, table, rows)
    assert text.count("\n| ") == len(table.rows) + 2
    for row in table.rows:
        assert row.model is None or row.model in ("lbp", "hog", "pixels", *Fake.steps)
        for value in row.paper.values():
            assert str(value) in text
    if number <= 4:
        fewer, of_clips = paper.possible(table, clips=False, vgg=False).rows, {"fabnet", "tcae", "frames"}
        assert "quoted" in text or number == 4
        assert of_clips <= {row.model for row in table.rows} and not of_clips & {row.model for row in fewer}
        assert all("without VGG-19" in row.label for row in fewer if row.model == "facecycle")
        assert all(row.model is not None or row.paper for row in fewer)
        left = {row.model for row in paper.possible(table, clips=True, vgg=False, quoted=["facecycle"]).rows}
        assert left == {row.model for row in table.rows} - {"facecycle"} | {None}


def test_means_spreads_and_differences_by_seed():
    rows = {r["label"]: r["ours"] for r in tables.fill(paper.TABLES[1], TASKS, Fake(), seeds=[0, 1, 2])}
    found = rows["PCL"]["expression_task"]
    assert found["mean"] == pytest.approx(0.61) and found["std"] == pytest.approx(0.01)
    assert found["interval"] == pytest.approx([0.51, 0.71]) and found["difference"] == pytest.approx((0.1, 0))
    assert rows["SimCLR"]["expression_task"]["difference"] is None and not rows["BMVC'20"]
    assert tables._cell(found) == "61.00 ± 1.00 [51.0, 71.0] (+10.00 ± 0.00)"


def test_baselines_are_probed_once_and_features_of_table_7_are_asked_for():
    one, seven = Fake(), Fake()
    tables.fill(paper.TABLES[1], TASKS, one, seeds=[3, 4])
    asked = {model: [s for m, s, _, _ in one.asked if m == model] for model in ("lbp", "")}
    assert asked == {"lbp": [3], "": [3, 4]}
    tables.fill(paper.TABLES[7], TASKS, seven, seeds=[0])
    assert {f for _, _, _, f in seven.asked} == {"face", "pose", "face_aware", "face+pose"}


def test_baselines_are_reported_at_both_features_and_the_learnt_layer_beside_the_cosine():
    class Learnt(Fake):
        def result(self, *args, **named):
            found = super().result(*args, **named)
            return found | {"learnt": {**found, "value": found["value"] + 0.2}}

    fake = Learnt()
    rows = {r["label"]: r for r in tables.fill(paper.TABLES[2], TASKS, fake, seeds=[0])}
    assert {f for m, _, _, f in fake.asked if m == "simclr"} == {"face_aware", "face"}
    assert {f for m, _, _, f in fake.asked if m == "moco"} == {"face_aware", "face"}
    for row in ("HoG", "SimCLR at F_f", "PCL"):
        ours = rows[row]["ours"]
        learnt = ours["verification_task, PCA and whitening"]["mean"]
        assert learnt == pytest.approx(ours["verification_task, raw cosine"]["mean"] + 0.2)


def test_statistics_by_hand():
    result = {"metric": "MAE", "interval": [1, 3], "detail": {}}
    found = over_seeds([{**result, "value": v} for v in (1.0, 2.0, 6.0)])
    assert found["mean"] == 3 and found["std"] == pytest.approx(np.sqrt(7))
    assert paired([1, 2, 6], [0, 2, 1]) == (2.0, pytest.approx(np.std([1, 0, 5], ddof=1)))
    assert paired([1], [2]) == (-1.0, None) and paired([1, 2], [1]) is None


def test_budgets_are_equal_in_encoder_passes():
    def passes(arg, *overrides):
        return encoder_passes(recipes.resolve(recipes.named("small64", arg, overrides)))

    assert passes("") == passes("pose") == 2 * 128 + 2 * 32 + 4 * 26
    assert passes("dis") == passes("orth") == passes("no_pose") == 2 * 128 + 2 * 32
    assert passes("simclr") == passes("simclr_pose") == 2 * 128
    assert passes("moco", "method.both_directions=False") == 2 * 128  # a query and a key
    assert passes("moco") == 4 * 128  # each view is a query once and a key once
    full = passes("") * 100
    assert equal_steps("small64", ["", "simclr", "moco"], ["method.pose_weight=0.1"], steps=100) == {
        "": 100,
        "simclr": full // (2 * 128),
        "moco": full // (4 * 128),
        "untrained": 0,
    }


def test_only_what_is_trained_is_asked_for_its_passes():
    with command("reproduce") as reproduce:
        parsed(["reproduce"])
        trained = {n: reproduce._variants([table]) for n, table in paper.TABLES.items()}
        assert trained[7] == [""] and trained[5] == ["", "simclr", "dis", "orth", "pose"]
        assert trained[1] == ["", "simclr", "moco", "frames", "fabnet", "tcae", "facecycle"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"overrides": ["method.temperature=0.2"]}, "method.temperature: 0.07 -> 0.2"),
        ({"overrides": ["watch.generated=0"]}, ""),  # what is watched changes no number
        ({"source": "faces.zip"}, "data.source: generated -> faces.zip"),
        ({"precision": "mixed_bfloat16"}, "precision: float32 -> mixed_bfloat16"),
    ],
)
def test_a_finished_run_of_other_settings_is_not_taken_for_this_one(changed, said, tmp_path):
    asked = {"recipe": "small64", "source": "generated", "steps": {"simclr": 7}}
    workdir = Runs(tmp_path, **asked).workdir("simclr", 3)
    workdir.mkdir(parents=True)
    made = recipes.named("small64", "simclr", ["seed=3", "total_steps=7", "data.source=generated"])
    (workdir / "recipe.json").write_text(recipes.to_json(recipes.resolve(made)))
    (workdir / "result.json").write_text(json.dumps({"step": 7, "precision": "float32"}))
    assert Runs(tmp_path, **asked).pretrained("simclr", 3) == workdir
    if not said:
        assert Runs(tmp_path, **(asked | changed)).pretrained("simclr", 3) == workdir
        return
    with pytest.raises(Refused) as error:
        Runs(tmp_path, **(asked | changed)).pretrained("simclr", 3)
    text = str(error.value)
    assert text.startswith(f"{workdir} was pre-trained with other") and said in text and "another --workdir" in text


# The tables are tested, not the runs themselves.
TINY = ["--base=vox64:smoke", "--steps=3", "--image_size=32", "--set=data.generated_images=64"]
TINY += ["--set=watch.generated=0", "--set=watch.images_every=0", "--set=network.backbone=patch_cnn"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Table 7 and Fig. 4 of a tiny run."""
    path = tmp_path_factory.mktemp("tables")
    done("reproduce", "--table=7", f"--workdir={path}", *TINY, "--expression=generated_expression")
    done("reconstruct", f"--workdir={path / 'runs' / 'pcl-0'}", f"--out={path / 'figure4.png'}")
    shutil.copytree(path / "probes", path / "probes of table 7")  # other tables add to them
    return path


@slow
def test_table_7_and_figure_4_on_generated_faces_are_made_once(folder):
    rows = json.loads((folder / "tables" / "table7.json").read_text())
    assert [r["label"] for r in rows] == ["F_f", "F_p", "F_s", "F_f + F_p"]
    for row in rows:
        pairs = {f"generated_verification, {how}" for how in ("raw cosine", "PCA and whitening")}
        assert set(row["ours"]) == {f"generated_{r}" for r in paper.ROLES if r != "verification"} | pairs
        for found in row["ours"].values():
            low, high = found["interval"]
            assert low <= found["mean"] <= high
    probes = [json.loads(p.read_text()) for p in (folder / "probes of table 7").glob("*.json")]
    assert len(probes) == 16 and sum(p["images_encoded"] for p in probes) == generated.COUNT  # shared
    for name in ("figure4.png", "figure4_swap.png"):
        assert np.asarray(Image.open(folder / name)).std() > 10
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() and p.parent.name != "tables"}
    assert "pre-training" not in done("reproduce", "--table=7", f"--workdir={folder}", *TINY).stdout
    assert {p: p.stat().st_mtime_ns for p in before} == before


@slow
def test_table_1_trains_what_it_compares_with_equal_encoder_passes(folder):
    done("reproduce", "--table=1", f"--workdir={folder}", *TINY, "--expression=generated_expression")
    assert (folder / "tables" / "table1.md").read_text().startswith("**Table 1.**")
    steps = {p.name: json.loads((p / "result.json").read_text())["step"] for p in (folder / "runs").iterdir()}
    # 3 steps of 2 * 32 + 2 * 16 + 2 * 10 images; of MoCo each view is a query and a key: 4 * 32 images a step
    others = {"frames-0": 3, "fabnet-0": 5, "facecycle-0": 5, "tcae-0": 2}  # 2, 2 and 5 passes of each of 32 pairs
    assert steps == {"pcl-0": 3, "simclr-0": 5, "moco-0": 2, "untrained-0": 0, **others}


def test_a_variant_gets_the_steps_that_the_flag_says(tmp_path, monkeypatch):
    def runs(*_, steps, **__):
        raise Refused(f"moco {steps['moco']}, simclr {steps['simclr']}, pcl {steps['']}")

    monkeypatch.setattr("pcl_tf.reproduce.runs.Runs", runs)
    words = ["--table=1", f"--workdir={tmp_path}", *TINY, "--steps_of=moco=9"]
    assert "moco 9, simclr 5, pcl 3" in refused("reproduce", *words)


def test_a_run_that_fails_ends_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr("pcl_tf.reproduce.runs._call", lambda command: 3)
    said = done("reproduce", "--table=7", f"--workdir={tmp_path}", *TINY, "--image_size=16", code=1).stderr
    assert "pre-training pcl-0 ended with exit code 3" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--table=1 --quote=facecicle", "--quote=facecicle: not one of dis, fabnet, facecycle,"),
        ("--table=1,12", "--table=12: not one of 1, 2, 3, 4, 5, 6, 7."),
        ("--table=1 --seeds=4294967296", "different whole numbers from 0 to 1000000"),
        ("--table=1 --expression=fer2013 --data_dir=/nowhere", "/nowhere is no folder"),
        ("--table=7 --scale=full", "where is it"),
        ("--table=7 --set=total_steps=5", "--set=total_steps=5: give --steps instead"),
        ("--table=2 --steps_of=untrained=9", "--steps_of=untrained=9: not VARIANT=STEPS of one of "),
        ("--table=2 --steps_of=simclr=9,moco", "--steps_of=moco: not VARIANT=STEPS of one of "),
    ],
)
def test_errors(words, said, tmp_path):
    assert said in refused("reproduce", *words.split(), f"--workdir={tmp_path}")


@slow
def test_reconstruct_says_what_is_wrong(folder, tmp_path):
    assert "no recipe.json" in done("reconstruct", f"--workdir={tmp_path}", code=2).stderr
    (tmp_path / "a.png").write_bytes(b"no image")
    ended = done("reconstruct", f"--workdir={folder / 'runs' / 'pcl-0'}", f"--data={tmp_path}", code=2)
    assert "fewer than two faces" in ended.stderr
