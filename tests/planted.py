"""Faults planted by hand, one at a time: is each still caught by the test that is there for it?

  python tests/planted.py         all, some minutes
  python tests/planted.py dwa     those that have this word in their lines

Works on a copy of the tree and prints for each fault: caught, SURVIVED, or STALE where its file no longer has the line once.
Exit code 0 if all are caught. Run it before and after a redesign; pytest does not collect it.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]

# What is wrong; the file and the test that must fail; the line, or a part of it, as it is and as it is planted.
FAULTS = """
DWA favours the loss that falls fast
pcl_tf/losses/dwa.py tests/losses/test_golden.py::test_dwa
- softmax(ratio / temperature)
+ softmax(-ratio / temperature)

the cross-entropy normalises over anchors
pcl_tf/losses/info_nce.py tests/losses/test_library.py::test_nt_xent_is_eq6
- tf.reduce_logsumexp(logits, axis=1) - logits[:, 0]
+ tf.reduce_logsumexp(logits, axis=0)[0] - logits[:, 0]

NT-Xent takes another image's view for the positive
pcl_tf/losses/face_contrast.py tests/losses/test_library.py::test_nt_xent_is_eq6
- partner = (anchor + rows // 2) % rows
+ partner = (anchor + rows // 2 + 1) % rows

no gradient passes to the other replicas' views
pcl_tf/losses/gather.py tests/methods/test_pcl.py::test_two_replicas_are_one
- context.all_gather(x, axis=0)
+ context.all_gather(tf.stop_gradient(x), axis=0)

L_orth is of the cosine, not of its square
pcl_tf/losses/orthogonality.py tests/losses/test_orthogonality.py
- return tf.reduce_mean(tf.square(cosine))
+ return tf.reduce_mean(cosine)

each decoded face is held against the other's pose
pcl_tf/losses/reconstruction.py tests/methods/test_what_networks_see.py::test_noise_is_on_the_inputs_and_not_on_the_targets
- [image, augmented, image, augmented]
+ [augmented, image, augmented, image]

L_dis reaches the decoder alone
pcl_tf/methods/pcl.py tests/methods/test_objective.py::test_eq7_of_the_gradient
- out = self.encoded_apart(clean + tf.concat(noise, axis=0))
+ out = tf.nest.map_structure(tf.stop_gradient, self.encoded_apart(clean + tf.concat(noise, axis=0)))

noise and copies move the encoder's statistics
pcl_tf/methods/base.py tests/methods/test_pcl.py::test_the_encoder_keeps_moving_statistics_of_face_views_alone
- with keras.StatelessScope():
+ with keras.name_scope("apart"):

the keys of MoCo are trained
pcl_tf/methods/moco.py tests/methods/test_moco.py::test_no_gradient_reaches_the_keys
- unit(tf.stop_gradient(tf.cast(key, tf.float32)))
+ unit(tf.cast(key, tf.float32))

the key encoder forgets by its momentum
pcl_tf/methods/moco.py tests/methods/test_moco.py::test_a_step_moves_the_query_then_the_key_and_fills_the_queue
- rest = 1.0 - self.method.momentum
+ rest = self.method.momentum

a gradient is that of one replica
pcl_tf/methods/base.py tests/methods/test_pcl.py::test_two_replicas_are_one
- self.optimizer.scale_loss(loss / self.replicas)
+ self.optimizer.scale_loss(loss)

both views are of one quadrant
pcl_tf/views/geometry.py tests/views/test_views.py::test_quadrants_of_the_two_views_differ_and_lie_inside
- axis=1)[:, self.which]
+ axis=1)[:, 0]

every replica draws the first one's numbers
pcl_tf/seeds.py tests/views/test_views.py::test_two_replicas_see_the_rows_of_one
- x[self.replica * rows : (self.replica + 1) * rows]
+ x[:rows]

a resumed run leaves out a batch
pcl_tf/data/pipeline.py tests/data/test_pipeline.py::test_a_resumed_run_sees_the_batches_of_one_that_never_stopped
- tf.data.Dataset.range(first_step, total_steps)
+ tf.data.Dataset.range(first_step + (first_step > 0), total_steps)

a person may be trained and tested on
pcl_tf/evaluation/task.py tests/evaluation/test_manifest.py::test_a_subject_on_both_sides_of_the_split_is_refused
- if self.subjects is not None:
+ if False:

folds share people
pcl_tf/evaluation/task.py tests/evaluation/test_manifest.py::test_subjects_make_exclusive_folds
- return tuple(GroupKFold(count).split(subjects, groups=subjects))
+ return folds_from(np.arange(len(subjects)) % count)

intervals resample images of known people
pcl_tf/evaluation/bootstrap.py tests/evaluation/test_bootstrap.py::test_the_interval_of_people_is_the_standard_error_of_people
- if drawn_from.people is not None:
+ if False:

a threshold is chosen on its own fold
pcl_tf/evaluation/verification.py tests/evaluation/test_verification.py::test_the_threshold_of_a_fold_never_sees_the_fold
- best_threshold(values[~here], same[~here])
+ best_threshold(values[here], same[here])

a picture of a fold teaches the layer that answers for it
pcl_tf/evaluation/verification.py tests/evaluation/test_verification.py::test_a_picture_of_a_fold_teaches_no_layer_of_it_whatever_its_file_is_called
- return ~held & ~np.isin(pairs, pairs[held]).any(1)
+ return ~held

F1 counts no false alarms
pcl_tf/evaluation/kinds.py tests/evaluation/test_kinds.py::test_f1_equals_scikit_learn_and_a_hand_computed_case
- total = 2 * tp + fp + fn
+ total = 2 * tp + fn

a file has its name before it is on the disk
pcl_tf/store.py tests/test_store.py::test_what_has_its_name_outlasts_a_power_cut
- sync(aside)
+

a file is written over in place
pcl_tf/store.py tests/test_killed.py::test_what_was_killed_ends_as_what_was_not
- else os.replace(aside, path)
+ else shutil.copy(aside, path)

pairs: a frame is its own other
pcl_tf/data/clips.py tests/data/test_pairs.py
- drawn = drawn + (drawn >= before) * (after - before)
+ drawn = drawn + (drawn >= before) * (after - before - 1)

pairs: the gap is never kept
pcl_tf/data/clips.py tests/data/test_pairs.py
- self.gap = max(0.0, gap - 1e-3)
+ self.gap = 0.0 * max(0.0, gap - 1e-3)

pairs: a flow's axes are exchanged
pcl_tf/warp.py tests/networks/test_warp.py
- y + flow[..., 1] * ((height - 1) / 2), x + flow[..., 0]
+ y + flow[..., 0] * ((height - 1) / 2), x + flow[..., 1]

pairs: the hardest images are kept
pcl_tf/losses/kept.py tests/losses/test_kept.py
- tf.argsort(every, stable=True)
+ tf.argsort(-every, stable=True)

pairs: FAb-Net's target is read from itself
pcl_tf/methods/fabnet.py tests/methods/test_fabnet.py
- return warp(source, flow), flow
+ return warp(target, flow), flow

pairs: TCAE's pose follows the action
pcl_tf/methods/tcae.py tests/methods/test_tcae.py
- self.pose_code(features["pose"])
+ self.pose_code(features["face"])

pairs: pixels get a gradient on TCAE's way back
pcl_tf/methods/tcae.py tests/methods/test_tcae.py
- warp(tf.stop_gradient(image), net
+ warp(image, net

pairs: FaceCycle rebuilds a frame from its own neutral face
pcl_tf/methods/facecycle.py tests/methods/test_facecycle.py::test_each_loss_by_itself
- tf.roll(image, x.shape[0] // 2, axis=0)
+ tf.roll(image, x.shape[0], axis=0)

pairs: L_pose's negatives are the frame itself
pcl_tf/methods/pcl.py tests/methods/test_pcl_on_pairs.py
- copies = tf.repeat(other, count, axis=0)
+ copies = tf.repeat(images, count, axis=0)

pairs: L_face's positives are one frame
pcl_tf/methods/base.py tests/methods/test_pcl_on_pairs.py
- (first, other if self.method.face_positives == "frames" else first)
+ (first, first)
"""


def pytest(tree: pathlib.Path, *tests: str) -> int:
    """The exit code of pytest in a tree: 0 all pass, 1 some fail, others none could be run."""
    options = "-m pytest -q -x -o addopts= -p no:randomly -p no:cacheprovider".split()
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run([sys.executable, *options, *tests], cwd=tree, env=env, capture_output=True).returncode


def verdict(tree: pathlib.Path, file: str, test: str, *, line: str, planted: str) -> str:
    """Plants a fault in a file of the tree, runs its test, and takes it out again."""
    text = (tree / file).read_text() if (tree / file).is_file() else ""
    if text.count(line) != 1:
        return "STALE"
    (tree / file).write_text(text.replace(line, planted))
    try:
        return "caught" if pytest(tree, test) == 1 else "SURVIVED"
    finally:
        (tree / file).write_text(text)


def main(word: str = "") -> int:
    """Plants the faults that have a word in their lines. Returns the exit code."""
    faults = [fault.splitlines() for fault in FAULTS.strip().split("\n\n") if word in fault]
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for name in ("pcl_tf", "recipes", "tests"):
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", tree)
        if code := pytest(tree, *{place.split()[1] for _, place, *_ in faults}):
            print(f"pytest ends with {code} before a fault is planted: no test can be said to catch any.")
            return 1
        found = []
        for name, place, now, planted in faults:
            found.append(verdict(tree, *place.split(), line=now[2:], planted=planted[2:]))
            print(f"{found[-1]:9} {name} ({place})", flush=True)
    return 0 if set(found) == {"caught"} else 1


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:2]))
