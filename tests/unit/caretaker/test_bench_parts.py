"""What the benchmark decides without a process: its plan, the search, its load, its site, its report."""

import json
import struct
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from caretaker.bench import report, search, site
from caretaker.bench.consumers import Counted
from caretaker.bench.installation import settings_text
from caretaker.bench.line_writer import bodies
from caretaker.bench.load import drain, lag
from caretaker.bench.machine import describe, program, two_cores
from caretaker.bench.packets import BEYOND, METRICS, WITHIN, Load, connect_packet, length_bytes, points_of
from caretaker.bench.plan import FULL, QUICK, Part, Plan, median, parts_of, percentile
from caretaker.bench.publisher import Generator, Orders
from caretaker.bench.run import NEEDED, PARTS, _note
from caretaker.bench.servers import MAX_QUEUED, free_port, influxdb_configuration, listens, mosquitto_configuration
from caretaker.cli import build
from caretaker.settings import load_settings
from domain.catalogue_file import load_catalogue
from domain.errors import CaretakerError
from rules.loading import load_rules
from wire.decode import DecodedPack, decode_pack
from wire.topics import Kind, Topic, parse_topic

T0 = 1_760_000_000_123


def test_a_load_goes_on_where_the_one_before_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caretaker.bench.publisher.time.time_ns", lambda: 1_000_000 * T0)

    def sent(first: int, number: int) -> bytes:
        generator = Generator.__new__(Generator)  # without a broker
        generator._orders = Orders(1, Load(site.SITE, "b1", 3, 5, 5), number, 0, 0, T0, 1000, first)
        generator.sent = 0
        return generator._messages(number)

    assert sent(0, 7) == sent(0, 4) + sent(4, 3)
    assert sent(0, 3) != sent(3, 3)


def test_the_full_form_is_what_the_issue_of_speed_asks_for() -> None:
    assert (FULL.runs, FULL.hold, FULL.pack_readings) == (5, 30.0, 60)
    assert FULL.growth_points == (1_000, 10_000, 100_000)
    assert (FULL.latency_rate, FULL.growth_rate, FULL.agent_points, FULL.outbox_hours) == (2_000, 10_000, 50, 72)
    assert FULL.hold_beside <= FULL.hold
    assert QUICK.runs == 1


def test_parts_are_named_in_any_order_and_run_in_one() -> None:
    assert parts_of("") == tuple(Part)
    assert parts_of("packs, single,") == (Part.SINGLE, Part.PACKS)
    with pytest.raises(CaretakerError, match="there is no part speed"):
        parts_of("single,speed")


def test_every_part_can_be_run_and_says_what_it_needs() -> None:
    assert set(PARTS) == set(NEEDED) == set(Part)


@pytest.mark.parametrize(("figures", "middle"), [([3.0], 3.0), ([5.0, 1.0, 3.0], 3.0), ([4.0, 1.0], 2.5)])
def test_the_median_is_the_middle(figures: list[float], middle: float) -> None:
    assert median(figures) == middle


def test_percentiles_are_figures_that_were_measured() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert (percentile(hundred, 0.5), percentile(hundred, 0.99), percentile(hundred, 1.0)) == (50, 99, 100)
    assert percentile([7.0], 0.99) == percentile([7.0], 0.0) == 7.0
    for empty in (median, lambda none: percentile(none, 0.5)):
        with pytest.raises(ValueError, match="no figure"):
            empty([])


@pytest.mark.parametrize("capacity", [700.0, 4_000.0, 21_000.0])
def test_the_search_comes_close_to_what_a_consumer_can_do(capacity: float) -> None:
    tried: list[float] = []

    def held(rate: float) -> bool:
        tried.append(rate)
        return rate <= capacity

    found = search.find(held, 4_000.0)
    assert capacity / search.CLOSE <= found <= capacity
    settled = search.settle(held, found, 1.04)
    assert capacity / 1.04 < settled <= capacity
    assert len(tried) < 60


@pytest.mark.parametrize("estimate", [8_000.0, 10_000.0, 12_500.0])
def test_a_good_estimate_makes_the_search_short(estimate: float) -> None:
    tried: list[float] = []

    def held(rate: float) -> bool:
        tried.append(rate)
        return rate <= 10_000.0

    found = search.find(held, estimate)
    assert 10_000.0 / search.CLOSE <= found <= 10_000.0
    assert len(tried) <= 8


def test_a_short_trial_that_failed_by_bad_luck_is_repeated() -> None:
    answers = iter([False, True, *[False] * 100])
    assert search.find(lambda _: next(answers), 1_000.0) >= 1_000.0


def test_a_consumer_that_holds_nothing_ends_the_search_with_nothing() -> None:
    tried: list[float] = []

    def never(rate: float) -> bool:
        tried.append(rate)
        return False

    assert search.settle(never, search.find(never, 100.0), 1.04) == 0.0
    assert len(tried) < 80


def test_a_consumer_without_an_end_stops_the_search() -> None:
    assert search.settle(lambda _: True, search.find(lambda _: True, 1.0), 1.04) < 2.0**20 * 2


def test_lag_counts_from_when_a_message_was_due() -> None:
    assert lag(now=10.0, start=8.0, rate=100, count=1_000, taken=150) == pytest.approx(0.5)
    assert lag(now=10.0, start=8.0, rate=100, count=150, taken=150) == 0.0
    assert lag(now=7.0, start=8.0, rate=100, count=1_000, taken=0) == 0.0


def test_draining_ends_when_nothing_comes_any_more() -> None:
    numbers = iter([1, 2, 3, *[3] * 100])
    assert drain(lambda: next(numbers), 10, 0.3) == 3


def test_draining_ends_at_once_when_all_is_there() -> None:
    assert drain(lambda: 7, 7, 60.0) == 7


def split(packet: bytes) -> tuple[str, int, bytes]:
    """Topic, packet id and payload of a PUBLISH whose length stands in one to four bytes."""
    assert packet[0] == 0x32
    head, length, shift = 1, 0, 0
    while True:
        length |= (packet[head] & 0x7F) << shift
        shift += 7
        head += 1
        if not packet[head - 1] & 0x80:
            break
    assert len(packet) == head + length
    (size,) = struct.unpack_from(">H", packet, head)
    topic = packet[head + 2 : head + 2 + size].decode()
    (packet_id,) = struct.unpack_from(">H", packet, head + 2 + size)
    return topic, packet_id, packet[head + 4 + size :]


def decoded(payload: bytes, points: int, per_agent: int) -> DecodedPack:
    catalogue = load_catalogue(site.catalogue_text(points, per_agent), "site.yaml")
    pack = decode_pack(payload, site=site.SITE, received=T0, points=catalogue.by_name, sequenced=True)
    assert isinstance(pack, DecodedPack)
    assert pack.rejected == ()
    return pack


@pytest.mark.parametrize(
    ("length", "written"), [(0, b"\0"), (127, b"\x7f"), (128, b"\x80\x01"), (16_384, b"\x80\x80\x01")]
)
def test_lengths_are_written_as_mqtt_wants_them(length: int, written: bytes) -> None:
    assert length_bytes(length) == written


@pytest.mark.parametrize("length", [-1, 128**4])
def test_impossible_lengths_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        length_bytes(length)


def test_the_generator_says_who_it_is() -> None:
    packet = connect_packet("bench", 60)
    assert packet == b"\x10\x11\0\x04MQTT\x04\x02\0\x3c\0\x05bench"


def test_messages_of_one_reading_visit_every_point_of_every_agent_in_turn() -> None:
    load = Load(site.SITE, "b1", 2, 10, 1, hot_every=0)
    seen, topics = [], []
    for index in range(20):
        topic, packet_id, payload = split(load.message(index, index + 1, T0 + index, T0))
        topics.append(parse_topic(topic))
        pack = decoded(payload, 20, 10)
        assert packet_id == index + 1
        assert (pack.time.tolist(), pack.upto, pack.sent, pack.low) == ([T0 + index], T0 + index, T0, 1)
        seen += pack.names
    assert sorted(seen) == sorted(f"{asset}/{metric}" for asset, metric, _ in points_of(0, 20))
    assert topics[:3] == [
        Topic(Kind.READINGS, site.SITE, "a0", "b1", 1),
        Topic(Kind.READINGS, site.SITE, "a1", "b1", 1),
        Topic(Kind.READINGS, site.SITE, "a0", "b1", 2),
    ]


def test_a_pack_of_sixty_carries_each_of_its_points_once_in_its_unit() -> None:
    _, _, payload = split(Load(site.SITE, "b1", 2, 60, 60).message(1, 9, T0, T0))
    pack = decoded(payload, 120, 60)
    assert list(pack.names) == [f"{asset}/{metric}" for asset, metric, _ in points_of(60, 60)]
    assert set(pack.time.tolist()) == {T0}


def test_now_and_then_values_are_beyond_the_limits() -> None:
    load = Load(site.SITE, "b1", 1, 5, 5, hot_every=3)
    hot = [decoded(split(load.message(index, 1, T0, T0))[2], 5, 5).value.max() > 3_000 for index in range(7)]
    assert hot == [True, False, False, True, False, False, True]


def test_every_point_has_three_rules_which_normal_readings_leave_alone() -> None:
    rules = load_rules(site.rules_text(instant=False), "rules.yaml").rules
    for number, (metric, _) in enumerate(METRICS):
        own = [rule for rule in rules.values() if rule.applies_to.metric == metric]
        assert len(own) == 3
        limits = [level.condition for rule in own for level in rule.levels]
        assert any(getattr(limit, "above", None) is not None and BEYOND[number] > limit.above for limit in limits)
        assert all(WITHIN[number] + 3 / 8 < (getattr(limit, "above", None) or 1e9) for limit in limits)
    assert len(load_rules(site.rules_text(instant=True), "rules.yaml").rules) == len(rules) + 1


@pytest.mark.parametrize(("points", "per_agent", "agents"), [(60, 60, 1), (1_000, 50, 20), (125, 125, 1)])
def test_every_point_of_the_site_has_its_agent(points: int, per_agent: int, agents: int) -> None:
    catalogue = load_catalogue(site.catalogue_text(points, per_agent), "site.yaml")
    assert len(catalogue.by_name) == points
    assert {point.agent for point in catalogue.by_name.values()} == {f"a{number}" for number in range(agents)}
    for asset, metric, unit in points_of(0, points):
        assert catalogue.by_name[f"{asset}/{metric}"].unit.code == unit
    assert site.point_count(points - 1) == points


def test_the_peers_lines_are_whole_requests_of_five_thousand() -> None:
    made = list(bodies(60, 12_000, T0))
    lines = [line for body in made for line in body.decode().split("\n")]
    assert [body.count(b"\n") + 1 for body in made] == [5_000, 5_000, 2_000]
    assert lines[0] == f"temperature,area=hall,asset=f0,point=f0/temperature,site=bench " \
        f"value=4.25,quality=0,received={T0} {T0 - 200_000}"  # fmt: skip
    assert len({line.rpartition(" ")[0].partition(" ")[0] + line.rpartition(" ")[2] for line in lines}) == 12_000


def test_a_clients_count_is_read_from_its_output() -> None:
    numbers = Counted(numbers=True)
    assert not numbers.ready
    for chunk in (b"0\n1", b"2\n17\n2", b"0"):
        numbers.listen(chunk)
    assert numbers.ready
    assert numbers.taken() == 17
    lines = Counted(numbers=False)
    for chunk in (b"x\nx\n", b"x", b"\n"):
        lines.listen(chunk)
    assert lines.taken() == 3


def test_the_settings_of_an_installation_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(settings_text(1884, "http://127.0.0.1:8087/bench"))
    settings = load_settings(tmp_path / "c.toml")
    assert (settings.broker_url, settings.data_dir) == ("mqtt://127.0.0.1:1884", tmp_path / "data")


def test_servers_keep_to_the_loopback_address(tmp_path: Path) -> None:
    broker = mosquitto_configuration(1884)
    assert "listener 1884 127.0.0.1" in broker
    assert f"max_queued_messages {MAX_QUEUED}" in broker
    assert influxdb_configuration(tmp_path, 1, 2).count("127.0.0.1:") == 2
    assert not listens(free_port())


FIGURES = {
    "single": {"messages_per_s": 21_000.5, "peer_per_s": 20_000.0, "ratio": 1.0500249, "mosquitto_sub_per_s": 40_000.0,
               "mosquitto_sub_ratio": 0.525},
    "growth": [{"points": 1_000, "cpu_us_per_reading": 20.0, "rss_mb": 100.0, "lag_s": 0.2},
               {"points": 100_000, "cpu_us_per_reading": 25.0, "rss_mb": 900.0, "lag_s": 0.3}],
}  # fmt: skip


def test_the_report_for_programs_is_one_object_with_what_was_measured() -> None:
    found = json.loads(report.as_json(FIGURES))
    assert list(found) == ["single", "growth"]
    assert found["single"]["ratio"] == 1.05
    assert found["growth"][1] == {"points": 100_000, "cpu_us_per_reading": 25.0, "rss_mb": 900.0, "lag_s": 0.3}


def test_the_report_for_people_shows_what_is_to_be_reached() -> None:
    table = report.as_table(FIGURES, {"cores": "2"}, "Measured.")
    assert table.startswith("Measured.\n\ncores 2.\n\n| part |")
    assert "| single | ratio to that | 1.05 | ≥ 1.0 |" in table
    assert "| growth | processor per reading, last to first | 1.25 | ≤ 1.3 |" in table
    assert "latency" not in table


def test_every_row_of_the_table_has_four_cells() -> None:
    figures = {part: {key: 1.0 for key, *_ in rows} for part, rows in report.ROWS.items()}
    table = report.as_table(figures | {"growth": FIGURES["growth"]}, {}, "")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert {line.count(" | ") + line.count("| |") for line in rows[2:]} <= {3, 4}
    assert len(rows) == 2 + sum(len(part) for part in report.ROWS.values()) + 3


def test_the_table_replaces_what_stands_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_into(page, "new")
    assert page.read_text() == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(CaretakerError, match="no place for the figures"):
        report.write_into(page, "new")


def test_the_documents_page_has_the_marks() -> None:
    page = Path(__file__).parents[3] / "docs" / "benchmarks.md"
    assert page.read_text(encoding="utf-8").count(report.BEGIN) == 1


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caretaker.bench.machine.shutil.which", lambda *_, **__: None)
    with pytest.raises(CaretakerError, match=r"influxd.*\n.*apt-get install influxdb"):
        program("influxd")


def test_one_core_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3})
    with pytest.raises(CaretakerError, match="two processor cores"):
        two_cores()
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {7, 3, 5})
    assert (two_cores().load, two_cores().consumer) == (3, 5)


def test_the_machine_is_described_in_words(tmp_path: Path) -> None:
    described = describe(tmp_path)
    assert described["python"].startswith("3.")
    assert all(value and "\n" not in value for value in described.values())
    assert yaml.safe_load(described["cores"]) >= 1


def test_how_often_is_a_choice_and_the_table_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Plan] = []
    monkeypatch.setattr("caretaker.bench.run.measure", lambda plan, *rest: asked.append(plan) or "done")
    runner = CliRunner()
    for words in (["--runs", "3"], ["--quick", "--runs", "2"], []):
        assert runner.invoke(build(), ["bench", *words]).stdout == "done\n"
    assert [(one.runs, one.growth_runs, one.hold) for one in asked] == [(3, 3, 30.0), (2, 2, 5.0), (5, 5, 30.0)]
    assert _note(asked[0]).endswith("with the full form: medians of 3 runs.")
    assert "short form" in _note(asked[1])
    assert runner.invoke(build(), ["bench", "--runs", "0"]).exit_code == 2
