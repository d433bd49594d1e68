"""Results as Markdown and LaTeX: everything in the cells stands as it is."""

from pcl_tf.evaluation import tables
from pcl_tf.reproduce import paper
from pcl_tf.reproduce import tables as reproduced

HOSTILE = "a|b & 5 % _x_ {$y^2}~ \\n ± #\nnext"


def test_markdown_of_any_text():
    assert tables.markdown(["x", "y"], [[HOSTILE, 1]]).splitlines() == [
        "| x | y |",
        "| --- | --- |",
        "| a\\|b & 5 % _x_ {$y^2}~ \\n ± # next | 1 |",
    ]


def test_latex_of_any_text():
    lines = tables.latex(["x", "y"], [[HOSTILE, 1], ["[a]", ""]]).splitlines()
    assert lines[1:5] == [r"\begin{tabular}{ll}", r"\toprule", r"x & y \\", r"\midrule"]
    escaped = r"a|b \& 5 \% \_x\_ \{\$y\textasciicircum{}2\}\textasciitilde{} \textbackslash{}n $\pm$ \# next"
    assert lines[5] == escaped + r" & 1 \\"
    assert lines[6] == r"{[a]} &  \\"  # a bracket after \\ would be its argument
    assert lines[7:] == [r"\bottomrule", r"\end{tabular}"]


def test_rows_with_all_that_they_may_have_and_rows_of_before():
    group = {"value": 0.5, "interval": [0.25, 0.75], "count": 20}
    told = {"groups": {"f": group}, "gap": {"value": 0.125, "interval": [0, 0.25], "between": ["m", "f"]}}
    new = {"model": "m", "model_step": 7, "task": "t", "feature": "face", "solver": "knn", "metric": "accuracy"}
    new |= {"value": 0.5, "interval": [0.4, 0.6], "counts": {"pairs": 9}, "learnt": group, "groups": {"sex": told}}
    old = {"model_digest": "m", "task": "u", "feature": "pose", "metric": "MAE", "value": 7.5}
    cells = tables.result_cells([new, old])
    assert cells[0] == ["m", 7, "t", "face", "knn", "accuracy", "50.00 %", "40.00 .. 60.00", 9]
    assert [(c[2], c[5], c[6], c[8]) for c in cells[1:4]] == [
        ("t", "accuracy, layer learnt on pairs", "50.00 %", 9),
        ("t, sex: f", "accuracy", "50.00 %", 20),
        ("t, sex: m to f", "largest gap of accuracy in points", "12.50", ""),
    ]
    assert cells[4] == ["", "", "u", "pose", "", "MAE", "7.50", "", ""]
    assert all(len(c) == len(tables.HEADER) for c in cells)


def test_the_papers_tables_as_latex():
    found = {"metric": "accuracy", "mean": 0.5, "std": 0.01, "interval": [0.4, 0.6], "difference": None}
    rows = [{"label": "F_f", "model": "", "paper": {"LFW": 78.5}, "ours": {"my_lfw": found}}]
    lines = reproduced.latex(7, paper.TABLES[7], rows).splitlines()
    assert lines[0] == "% Table 7. Features of PCL"
    assert lines[4] == r" & my\_lfw & paper: LFW \\" and lines[6] == r"F\_f & 50.00 $\pm$ 1.00 [40.0, 60.0] & 78.5 \\"
