"""A call says what its arguments are: of more than three, those behind the third are given by name."""

import ast

import pytest

from tests.helpers.processes import ROOT

MOST = 3
THEIRS = {
    ("pcl_tf/views/borrowed.py", name): "keras_cv calls it as it calls TensorFlow's generator"
    for name in ("uniform", "normal", "gamma")
} | {("pcl_tf/views/base.py", "_seeded"): "tf.function hands over the arguments of Chain._traced as they come"}


def functions(body):
    """Functions of a module and methods of its classes; functions inside them are called beside where they stand."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from functions(node.body)
        elif isinstance(node, ast.FunctionDef):
            yield node


def by_place(node):
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


FILES = sorted([*(ROOT / "pcl_tf").rglob("*.py"), *(ROOT / "recipes").glob("*.py")])


def test_no_argument_behind_the_third_is_told_by_its_place():
    wide = {
        (str(path.relative_to(ROOT)), node.name)
        for path in FILES
        for node in functions(ast.parse(path.read_text()).body)
        if len(by_place(node)) > MOST
    }
    assert wide == set(THEIRS)


@pytest.mark.parametrize(
    "code, names", [("def f(a, b, *, c): 0", ["a", "b"]), ("class A:\n def g(self, x, /, y): 0", ["x", "y"])]
)
def test_what_is_counted(code, names):
    (node,) = functions(ast.parse(code).body)
    assert by_place(node) == names
