"""Lines of keys in TOML texts, whatever they are written like."""

import tomllib

import pytest

from edge.toml_lines import line_numbers, line_of

TEXT = '''\
# comment = 1
a = 1  # b = 2
"quoted key" = "x # y"

long = """
fake = 1
[fake]
a \\""" quote
""" # end
b.c = [1,
  2, # two
  {x = 1, "y.z" = [3,
    4]},
]
lit = \'\'\'
no = "1"\'\'\'\'
[t]
k = "]"
[t.sub."q.r"]
k = \'[\'
when = 2026-01-01T00:00:00Z
[[list]]
k = 1
[list.inner]
k = 2
[[list.deep]]
k = 3
[[list]]
[[list.deep]]
k = 4
[[list.deep]]
k = 5
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 2),
        (("quoted key",), 3),
        (("long",), 5),
        (("b",), 10),
        (("b", "c"), 10),
        (("b", "c", 1), 11),
        (("b", "c", 2, "x"), 12),
        (("b", "c", 2, "y.z", 1), 13),
        (("lit",), 15),
        (("t",), 17),
        (("t", "k"), 18),
        (("t", "sub", "q.r"), 19),
        (("t", "sub", "q.r", "k"), 20),
        (("t", "sub", "q.r", "when"), 21),
        (("list", 0), 22),
        (("list", 0, "k"), 23),
        (("list", 0, "inner", "k"), 25),
        (("list", 0, "deep", 0, "k"), 27),
        (("list", 1), 28),
        (("list", 1, "deep", 0, "k"), 30),
        (("list", 1, "deep", 1, "k"), 32),
    ],
)
def test_every_key_has_its_line(path, line) -> None:
    tomllib.loads(TEXT)
    assert line_numbers(TEXT)[path] == line


def test_windows_line_ends_count_once() -> None:
    assert line_numbers("a = 1\r\n\r\nb = 2\r\n")[("b",)] == 3


def test_an_unknown_path_has_the_line_of_what_is_around_it() -> None:
    lines = line_numbers(TEXT)
    assert line_of(lines, ("list", 1, "deep", 0, "missing")) == 29
    assert line_of(lines, ("nowhere",)) == 0
    assert line_numbers("") == {}
