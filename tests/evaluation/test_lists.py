"""One reader of all lists: whatever wrote them, the same text, or a line that says what is wrong."""

import pytest

from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_lines, read_table


@pytest.mark.parametrize(("encoding", "end"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-8", "\r")])
def test_a_mark_and_line_ends_change_nothing(tmp_path, encoding, end):
    path = tmp_path / "list.txt"
    path.write_bytes(end.join(["Zoë\t1", "", "  B 2  "]).encode(encoding))
    assert read_lines(path) == [(1, "Zoë\t1"), (3, "B 2")]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("a\nZoë 1\n".encode("latin-1"), "line 2: not UTF-8; save it as UTF-8"),
        ("\ufeffa\nZoë 1\nZoë".encode()[:-1], "line 3: not UTF-8"),
        ("a\nb".encode("utf-16"), "line 1: not UTF-8"),
        (b"", "is empty"),
        (b" \r\n\t\n", "is empty"),
    ],
)
def test_an_unreadable_list_is_refused_in_one_line(tmp_path, data, match):
    (tmp_path / "list.txt").write_bytes(data)
    with pytest.raises(Refused, match=match) as error:
        read_lines(tmp_path / "list.txt")
    assert "\n" not in str(error.value) and "list.txt" in str(error.value)


def table(tmp_path, text, **kwargs):
    (tmp_path / "t.csv").write_text(text)
    return read_table(tmp_path / "t.csv", **kwargs)


def test_blanks_unnamed_columns_and_rows_of_another_width(tmp_path):
    found = table(
        tmp_path, ',Path , label,Unnamed: 2\n0, a.png,x ,7\n\n1,b.png\n , ,,\n2,"c,d.png",y,8\n', reserved=("path",)
    )
    assert found.header == ("path", "label") and found.unnamed == 2 and found.ragged == {4: 2}
    assert found.rows == [(2, {"path": "a.png", "label": "x"}), (6, {"path": "c,d.png", "label": "y"})]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_may_be_separated_as_excel_does(tmp_path, separator):
    found = table(tmp_path, "path;a,b;c\n1,5.png;x;0,5\n".replace(";", separator))
    assert found.header == ("path", "a,b", "c") and found.rows == [(2, {"path": "1,5.png", "a,b": "x", "c": "0,5"})]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path,yaw,yaw \na.png,1,2\n", "two columns are called 'yaw'"),
        ('path,label\n"a.png,x\nb.png,y\n', "cannot be read as a CSV"),
        (",,\n", "is empty"),
    ],
)
def test_tables_that_would_be_misread_are_refused(tmp_path, text, match):
    with pytest.raises(Refused, match=match):
        table(tmp_path, text)
