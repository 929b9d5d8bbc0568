"""Whatever TOML accepts, the line finder walks to its end and finds every key of it."""

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.toml_lines import line_numbers

KEY = st.one_of(
    st.sampled_from(["a", "b-1", '"q k"', "'l.k'", '"#"', '"\\"e"']),
    st.tuples(st.sampled_from(["a", "c"]), st.sampled_from(["x", '"y"'])).map(".".join),
)
SCALAR = st.sampled_from(
    ["1", "-1.5", "true", '"#]}"', "'\\'", '"\\\\"', "1979-05-27", '"""a\n"b" ] \\""""', "'''\n'x'''", '""']
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[" + ", # c ]\n ".join(items) + "]"),
        st.tuples(st.sampled_from(["k", '"k}"']), inner).map(lambda pair: "{" + f"{pair[0]} = {pair[1]}" + "}"),
    ),
    max_leaves=6,
)
LINE = st.one_of(
    st.tuples(KEY, VALUE).map(" = ".join), st.just("# [no] = 1"), st.just(""),
    KEY.map(lambda key: f"[{key}]"), KEY.map(lambda key: f"[[ {key} ]] # c"),
)  # fmt: skip


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from paths(child, (*path, key))


@settings(max_examples=200, deadline=None)
@given(st.lists(LINE, max_size=8).map("\n".join))
def test_every_key_that_toml_knows_has_a_line(text) -> None:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = line_numbers(text)
    for path in paths(values):
        # An escaped quote stays escaped in the finder's names; such a key is found by the table around it.
        if not any(isinstance(part, str) and '"' in part for part in path):
            assert 1 <= lines[path] <= text.count("\n") + 1
