"""--targets of pcl_tf.reproduce: which columns of whose manifest."""

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from pcl_tf.console import parsed
from tests.helpers.commands import command, refused


@pytest.fixture
def manifest(tmp_path):
    rows = [f"{i}.png,{i},{-i},{i % 2}" for i in range(10)]
    for i in range(10):
        Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "m.csv").write_text("\n".join(["path,yaw,pitch,smile", *rows]))
    return tmp_path / "m.csv"


def test_each_role_predicts_its_own_columns(manifest):
    with command("reproduce") as reproduce, flagsaver.flagsaver():
        flags = [f"--pose=regression:{manifest}", f"--expression=classification:{manifest}"]
        parsed(["reproduce", *flags, "--targets=pose:yaw,pitch", "--targets=expression:smile"])
        opened = reproduce._tasks(["expression", "pose"])
    (pose,), (expression,) = opened["pose"], opened["expression"]
    assert pose.names == ("yaw", "pitch") and pose.name == "m[yaw,pitch]"
    assert expression.names == ("0", "1") and np.bincount(expression.labels).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--targets=yaw"], "--targets=yaw: ROLE:COLUMN,.. is needed"),
        (["--targets=actions:AU1"], "beside --ROLE"),
        (["--targets=pose:yaw", "--targets=pose:pitch"], "--targets=pose:pitch: ROLE:COLUMN,.. is needed"),
        (["--targets=pose:roll"], "--targets=roll: no such column"),
    ],
)
def test_targets_that_cannot_be(manifest, tmp_path, flags, said):
    flags = [*flags, f"--pose=regression:{manifest}", "--table=4", f"--workdir={tmp_path / 'w'}"]
    assert said in refused("reproduce", *flags)
    assert not (tmp_path / "w").exists()
