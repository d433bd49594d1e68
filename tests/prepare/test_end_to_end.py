"""From videos to an encoder, by the commands that README gives."""

import pathlib
import signal
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import tensorflow as tf

from pcl_tf.heads.people import sample_clip
from pcl_tf.heads.render import render
from tests.prepare.videos import write_video


@pytest.mark.slow
def test_from_videos_to_an_encoder(tmp_path):
    """A tree of VoxCeleb's layout, a preparation stopped by SIGTERM and begun again, a training on it, its export."""
    for person in range(6):
        for clip in range(2):
            faces = render(sample_clip(50, 0, [person], clip=clip), 96)
            write_video(tmp_path / f"vox/id{person}/video/{clip:05}.mp4", faces)

    def start(module, *arguments):
        line = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(process):
        said, _ = process.communicate(timeout=600)
        assert process.returncode == 0, said[-3000:]
        return said

    prepare = ("pcl_tf.prepare", "voxceleb", f"--data={tmp_path}/vox", f"--out={tmp_path}/data")
    stopped = start(*prepare, "--workers=1")
    while not list(tmp_path.glob("data/.vox*/*/*.zip")) and stopped.poll() is None:
        time.sleep(0.005)
    stopped.terminate()
    said, _ = stopped.communicate(timeout=60)
    assert stopped.returncode == 128 + signal.SIGTERM and "the same command goes on" in said
    early = [*tmp_path.glob("data/.vox*/*/*.zip")]
    assert 0 < len(early) < 6 and not any(zipfile.ZipFile(path).testzip() for path in early)
    assert not list(tmp_path.glob("data/voxceleb/*/*/prepared.json"))
    said = finish(start(*prepare))
    assert "12 clips, 144 frames, 6 identities" in said
    data = next(word for word in said.split() if word.startswith("--data="))
    run = tmp_path / "run"
    finish(start("pcl_tf.train", "--recipe=vox64:smoke", data, f"--workdir={run}", "--recipe.total_steps=3"))
    (export,) = pathlib.Path(run, "export").iterdir()
    encoder = tf.saved_model.load(str(export))
    features = encoder.embed(np.zeros((2, 64, 64, 3), np.float32))
    assert {"face_aware", "face", "pose"} <= set(features)
    assert all(np.isfinite(value).all() for value in features.values())
