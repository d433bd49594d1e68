"""Keys that say how long a run goes on, what it keeps and where it looks: one short run, and what it left behind."""

import types

import keras
import pytest
import tensorflow as tf
from PIL import Image

from pcl_tf import recipe as recipes
from pcl_tf.choices import ANGLES
from pcl_tf.evaluation import generated
from pcl_tf.training import loop
from pcl_tf.training.callbacks import restored_signals
from pcl_tf.training.workdir import Workdir
from recipes import common
from tests.helpers.keys import RUN
from tests.helpers.methods import SIDE, tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a short run with the values of RUN leaves behind, says, and asks of the probe of generated faces."""
    folder = tmp_path_factory.mktemp("keys")
    for i in range(4):
        path = folder / "people" / str(i % 2) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (SIDE, SIDE), (60 * i,) * 3).save(path)
    values = {key: value for key, (value, _) in RUN.items()}
    values |= {key: str(folder / values[key]) for key in ("data.cache", "watch.labelled")}
    c, seen, asked = tiny("vox64:smoke,simclr", {"method.face_views": "flip", **values}), [], []
    features = dict.fromkeys((*generated.CLASSES, *ANGLES), 0.0)
    with pytest.MonkeyPatch.context() as patch, restored_signals():
        patch.setattr(
            generated, "measure", lambda embed, size, **counts: asked.append(sum(counts.values())) or {"face": features}
        )
        fit = keras.Model.fit
        patch.setattr(keras.Model, "fit", lambda model, *data, **how: seen.append(how) or fit(model, *data, **how))
        patch.setattr(loop, "export_run", lambda recipe, workdir, *trained, **_: workdir / "export")
        patch.setattr(loop, "write_card", lambda *of: None)
        result = loop.run(c, Workdir(folder / "w", c), loop.Computing(tf.distribute.get_strategy()))
    steps = {}
    for path in (folder / "w" / "logs").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                steps.setdefault(value.tag, []).append(event.step)
    return types.SimpleNamespace(
        result=result,
        steps=steps,
        generated=asked[0],
        epoch=seen[0]["steps_per_epoch"],
        saved=sorted(int(path.stem.split("-")[1]) for path in (folder / "w" / "checkpoints").glob("ckpt-*.index")),
        cache="kept" if list((folder / "kept").glob("faces-*")) else "",
    )


@pytest.mark.parametrize("key", RUN)
def test_a_key_of_a_run_does_what_it_says(run, key):
    value, said = RUN[key]
    assert value != recipes.flatten(common.base())[key] and said(run) == value
