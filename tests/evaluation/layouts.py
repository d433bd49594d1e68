"""Corpora in small, each in the layout it is handed out in, with real image files."""

import csv

import numpy as np
from PIL import Image
from scipy.io import savemat

AUS = (1, 2, 4, 6, 9, 12, 25, 26)
PEOPLE = tuple(f"SN{s + 1:03d}" for s in range(6))
LFW = ("2\t1", "A_B\t1\t2", "A_B\t1\tC\t1", "C\t1\t2", "C\t2\tA_B\t2")
CPLFW = tuple(f"P{(i + second) % 20}_1.jpg {i % 2}" for i in range(20) for second in (0, 1))


def photo(path, value, size=(12, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


def fer2013(root):
    with open(root / "fer2013.csv", "w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["emotion", "pixels", "Usage"])
        for i, usage in enumerate(["Training"] * 4 + ["PublicTest"] * 2 + ["PrivateTest"] * 2):
            rows.writerow([i % 2 + 3, " ".join([str(10 * i)] * 48 * 48), usage])


def rafdb(root):
    listed = root / "basic" / "EmoLabel" / "list_patition_label.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("train_00001.jpg 5\ntrain_00002.jpg 4\ntest_0001.jpg 4\n")
    for i, name in enumerate(("train_00001", "train_00002", "test_0001")):
        photo(root / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg", 80 * i)


def lfw(root):
    (root / "pairs.txt").write_text("\n".join(LFW) + "\n")
    for k, name in enumerate(("A_B/A_B_0001", "A_B/A_B_0002", "C/C_0001", "C/C_0002")):
        photo(root / "lfw-deepfunneled" / f"{name}.jpg", 60 * k)


def cplfw(root):
    for i in range(20):
        photo(root / "aligned images" / f"P{i}_1.jpg", 10 * i)
    (root / "pairs_CPLFW.txt").write_text("\n".join(CPLFW))


def disfa_labels(root):
    for person in PEOPLE:
        for j, au in enumerate(AUS):
            path = root / "ActionUnit_Labels" / person / f"{person}_au{au}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{frame},{(frame + j) % 4}\n" for frame in range(1, 5)))


def disfa(root):
    disfa_labels(root)
    for s, person in enumerate(PEOPLE):
        for frame in range(1, 6):  # the fifth has no label
            photo(root / "Frames" / person / f"{frame:05d}.png", 20 * frame + s)


def pose_file(image, pitch, yaw, roll, points):
    marks = np.array([[10.0, 30, 20], [12.0, 12, 40]])
    pose = np.array([[*np.deg2rad([pitch, yaw, roll]), 0, 0, 0, 1]])
    savemat(image.with_suffix(".mat"), {"Pose_Para": pose, points: marks})


def aflw2000(root):
    for i, (folder, points) in enumerate(
        (("300W_LP/AFW", "pt2d"), ("300W_LP/AFW_Flip", "pt2d"), ("AFLW2000", "pt3d_68"))
    ):
        for k in range(2):
            path = root / folder / f"x{k}.jpg"
            photo(path, 40 * (2 * i + k), size=(60, 50))
            pose_file(path, 5, 20 if k == 0 else 120 * (i == 2), -7, points)  # one test face is turned too far


def bu3dfe(root):
    for split in ("train", "test"):
        for k in range(3):
            photo(root / split / f"yaw{k}" / "f.png", 30 * k)


MAKERS = {f.__name__: f for f in (fer2013, rafdb, lfw, cplfw, disfa, aflw2000, bu3dfe)}
