"""Rows of results as text and as cells: values, differences, groups, and intervals of few units."""

from pcl_tf.results import table

ROW = {"model": "pcl", "model_step": 7, "task": "lfw", "feature": "face", "solver": "lbfgs", "metric": "accuracy"}
ROW |= {"value": 0.7, "interval": [0.6, 0.8], "resampled": "pairs", "units": 90, "counts": {"pairs": 90}}
ROW |= {"learnt": None, "groups": {}}
GROUP = {"value": 0.5, "interval": [0.25, 0.75], "count": 20, "resampled": "subjects", "units": 12}
GROUPS = {"groups": {"f": GROUP, "m": {**GROUP, "value": 0.75, "units": 2}}, "too_few": {"x": 3, "y": 1}, "without": 7}
GROUPS |= {"gap": {"value": 0.25, "interval": [0.1, 0.3], "between": ["f", "m"]}, "labels_left_out": ["AU9"]}


def test_differences_stand_beneath_their_values_and_similarities_have_names():
    less = {"to": "hog", "value": 0.0123, "interval": (-0.01, 0.03)}
    less |= {"learnt": {"value": -0.5, "interval": (-0.6, -0.4)}}
    row = {**ROW, "learnt": {"value": 0.8, "interval": (0.7, 0.9)}, "difference": less}
    cells = table.cells([row])
    assert [line[5:] for line in cells] == [
        ["accuracy, raw cosine", "70.00 %", "60.00 .. 80.00", 90],
        ["accuracy, raw cosine, less hog in points", "+1.23", "-1.00 .. +3.00", ""],
        ["accuracy, PCA and whitening", "80.00 %", "70.00 .. 90.00", 90],
        ["accuracy, PCA and whitening, less hog in points", "-50.00", "-60.00 .. -40.00", ""],
    ]
    assert cells[0][:5] == ["pcl", 7, "lfw", "face", "lbfgs"]
    printed = "pcl lfw face lbfgs +1.23 -1.00 .. +3.00 accuracy, raw cosine, less hog in points"
    assert table.text([row]).splitlines()[2].split() == printed.split()


def test_groups_stand_beneath_the_whole_and_an_interval_of_few_people_has_their_number():
    row = {**ROW, "metric": "F1", "groups": {"sex": GROUPS}}
    cells = table.cells([row])
    assert [(c[2], c[5], c[6], c[8]) for c in cells[1:]] == [
        ("lfw, sex: f", "F1", "50.00 %", 20),
        ("lfw, sex: m", "F1", "75.00 %", 20),
        ("lfw, sex: m", "largest gap of F1, less f in points", "+25.00", ""),
    ]
    assert cells[2][7] == "25.00 .. 75.00 (2 subjects alone)" and {len(c) for c in cells} == {len(table.HEADER)}
    lines = table.text([row], header=False).splitlines()
    assert len(lines) == 5 and "(2 subjects alone)" in lines[2]
    assert lines[4].strip() == (
        "sex: fewer than 10 rows, or one person, not scored: x (3), y (1); of no group: 7;"
        " F1 without AU9, which not every group shows"
    )


def test_a_metric_that_is_no_share_is_not_in_percent():
    cells = table.cells([{**ROW, "metric": "MAE", "value": 7.5, "interval": [7, 8], "counts": {"test": 3}}])
    assert cells[0][5:] == ["MAE", "7.50", "7.00 .. 8.00", 3]
