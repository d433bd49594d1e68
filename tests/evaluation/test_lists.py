"""One reader of all lists: whatever wrote them, the same text, or a line that says what is wrong."""

import pytest

from pcl_tf.errors import Refused
from pcl_tf.evaluation.lists import read_lines, read_table


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_change_nothing(tmp_path, encoding, end):
    path = tmp_path / "list.txt"
    path.write_bytes(end.join(["Zoë\t1", "", "  B 2  "]).encode(encoding))
    assert read_lines(path) == [(1, "Zoë\t1"), (3, "B 2")]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ("a\nZoë 1\n".encode("latin-1"), "line 2: not UTF-8; save it as UTF-8"),
        ("a\nb".encode("utf-16-le"), "line 1: holds zero bytes"),
        (b"", "is empty"),
        (b" \r\n\t\n", "is empty"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_line(tmp_path, data, match):
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


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("path;yaw\na.png;0,5\n", "separated by ';'"),
        ("path\tyaw\na.png\t1\n", "separated by tabs"),
        ("path,yaw,yaw \na.png,1,2\n", "two columns are called 'yaw'"),
        ('path,label\n"a.png,x\nb.png,y\n', "cannot be read as a CSV"),
        (",,\n", "is empty"),
    ],
)
def test_tables_that_would_be_misread_are_refused(tmp_path, text, match):
    with pytest.raises(Refused, match=match):
        table(tmp_path, text)
