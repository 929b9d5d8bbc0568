"""The operations behind routes and pages: bounded, and the same for both."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.command_pages import local
from api.commands import Said
from api.i18n import choose
from api.live import resume_id
from api.operations import DEFAULT_SPAN, LONGEST_SPAN, MOST_WINDOWS, Operations, Span
from api.problems import ProblemError
from api.security import host_of
from domain.alarms import AlarmKey
from domain.errors import ConflictError, IllegalTransitionError, NotFoundError
from domain.times import HOUR, MINUTE, SECOND

KEY = AlarmKey("cold-high", "fridge-1/temperature")


@pytest.fixture
def operations(bench: Any) -> Operations:
    found: Operations = bench.app.state.operations
    return found


def test_the_span_is_the_last_day_unless_asked_otherwise(bench: Any, operations: Operations) -> None:
    assert operations.span(None, None) == Span(bench.now + 1 - DEFAULT_SPAN, bench.now + 1)
    assert operations.span(None, HOUR + DEFAULT_SPAN) == Span(HOUR, HOUR + DEFAULT_SPAN)
    assert operations.span(5, 6) == Span(5, 6)
    assert operations.span(0, LONGEST_SPAN) == Span(0, LONGEST_SPAN)


@pytest.mark.parametrize(("start", "end"), [(6, 5), (5, 5), (0, LONGEST_SPAN + 1)])
def test_a_span_that_is_empty_or_too_long_is_refused(operations: Operations, start: int, end: int) -> None:
    with pytest.raises(ProblemError) as refused:
        operations.span(start, end)
    assert refused.value.status == 422


def test_windows_are_bounded_by_number_not_by_length(operations: Operations) -> None:
    exact = Span(0, MOST_WINDOWS * MINUTE)
    assert len(operations.windows("school", KEY.point, exact, MINUTE).start) == 0
    with pytest.raises(ProblemError, match="5000"):
        operations.windows("school", KEY.point, exact, MINUTE - SECOND)


def test_the_state_of_a_site_is_of_one_moment(bench: Any, operations: Operations) -> None:
    bench.all_measured()
    bench.raise_alarm()
    state = operations.state("school")
    assert state.now == bench.now
    assert [alarm.key for alarm in state.alarms] == [KEY]
    assert set(state.readings) == set(state.known.catalogue.by_name)


def test_what_is_over_and_answered_is_not_in_the_state(bench: Any, operations: Operations) -> None:
    bench.raise_alarm()
    bench.clear_alarm()
    operations.commands.acknowledge("school", KEY, Said("Wang Fang", "", None))
    assert operations.state("school").alarms == ()


def test_a_refused_command_changes_nothing(bench: Any, operations: Operations) -> None:
    with pytest.raises(NotFoundError):
        operations.commands.acknowledge("school", KEY, Said("Wang Fang", "", None))
    bench.raise_alarm()
    with pytest.raises(ConflictError):
        operations.commands.acknowledge("school", KEY, Said("Wang Fang", "", 7))
    operations.commands.acknowledge("school", KEY, Said("Wang Fang", "seen", 1))
    with pytest.raises(IllegalTransitionError):
        operations.commands.acknowledge("school", KEY, Said("Li Lei", "", None))
    assert [one.by for one in bench.console.log] == ["", "Wang Fang"]


PATHS = (
    "/api/v1/alarms", "/api/v1/transitions", "/api/v1/dead-letters", "/api/v1/sites/school/excursions",
    "/api/v1/sites/school/gaps", "/api/v1/sites/school/points/fridge-1/temperature/history", "/", "/alarms",
    "/assets/fridge-1", "/charts/fridge-1/temperature",
)  # fmt: skip
NAMES = ("site", "state", "priority", "rule", "point", "limit", "offset", "from", "to", "step", "after", "before",
         "lang", "asset", "page", "range", "theme")  # fmt: skip
WILD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["school", "-1", "0", "1", "9" * 30, "1e309", "nan", "2026-03-01T00:00:00Z", "5min", "open", "\0"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), query=st.dictionaries(st.sampled_from(NAMES), WILD, max_size=4))
def test_no_query_is_ever_a_defect(bench: Any, path: str, query: dict[str, str]) -> None:
    for accept in ("text/html", "application/json"):
        answer = bench.get(path, params=query, headers={"accept": accept})
        assert answer.status_code in (200, 404, 422), answer.text


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/transitions?after={2**63}",
        f"/api/v1/transitions?before={2**63}",
        f"/api/v1/dead-letters?before={2**63}",
        f"/api/v1/sites/school/events?after={2**63}",
        f"/alarms?before={2**63}",
    ],
)
def test_an_id_that_no_store_can_hold_is_refused(bench: Any, path: str) -> None:
    assert bench.get(path).status_code == 422


@given(st.text(max_size=60))
def test_what_browsers_send_is_read_without_a_defect(text: str) -> None:
    assert choose(text, text, text, "en") in ("en", "zh")
    assert local(text).startswith("/")
    assert resume_id(text) is None or resume_id(text) >= 0
    assert isinstance(host_of(text), str)
