"""What Mosquitto's files say: passwords in its format, rights made from the accounts, a person's lines left alone."""

import base64
from pathlib import Path

import pytest

from caretaker.brokerfiles import (
    BEGIN,
    END,
    ITERATIONS,
    Account,
    Role,
    access_file,
    access_rules,
    agent_account,
    listener,
    password_line,
    password_matches,
    read_account,
    users,
    with_line,
    without_user,
    worker_account,
)
from caretaker.brokerfiles_tls import SERVER_DAYS
from wire.messages import MAX_MESSAGE_BYTES
from wire.topics import (
    agent_filter,
    alarm_topic,
    birth_topic,
    ingest_filters,
    readings_topic,
    receipt_topic,
    status_topic,
    unsequenced_topic,
)


def test_user_names_say_what_their_owner_is() -> None:
    assert read_account("school.canteen") == agent_account("school", "canteen")
    assert read_account("caretaker-ingest") == worker_account("ingest")
    assert read_account("caretaker-2") == Account(Role.WORKER, "caretaker-2", name="2")
    for user in ("school", "", ".", "school.", ".canteen", "a.b.c", "School.canteen", "caretaker-", "hall display"):
        assert read_account(user) == Account(Role.OTHER, user)


def test_an_agent_named_like_a_worker_is_still_an_agent() -> None:
    assert read_account("caretaker-ingest.x").role is Role.AGENT


def test_names_that_are_no_ids_get_no_account() -> None:
    for make in (lambda: agent_account("a.b", "c"), lambda: agent_account("a", "#"), lambda: worker_account("a/b")):
        with pytest.raises(ValueError, match="id"):
            make()


def test_a_password_line_is_in_mosquittos_format_and_opens_to_its_password_alone() -> None:
    line = password_line("school.canteen", "pässword", b"123456789012")
    user, _, rest = line.partition(":")
    empty, kind, iterations, salt, digest = rest.split("$")
    assert (user, empty, kind, iterations) == ("school.canteen", "", "7", str(ITERATIONS))
    assert base64.b64decode(salt) == b"123456789012"
    assert len(base64.b64decode(digest)) == 64
    assert password_matches(line, "pässword")
    assert not password_matches(line, "password")
    assert not password_matches(line.replace(f"${ITERATIONS}$", "$999$"), "pässword")


@pytest.mark.parametrize(
    "line", ["", "a", "a:", "a:plain", "a:$6$x$y", "a:$7$x$YQ==$YQ==", "a:$7$1$?$?", "a:$7$1$YQ=="]
)
def test_a_line_in_another_format_matches_nothing(line: str) -> None:
    assert not password_matches(line, "")


def test_lines_of_the_password_file_are_replaced_added_and_taken_out() -> None:
    text = with_line(with_line("", "a.b:1"), "c.d:2")
    assert text == "a.b:1\nc.d:2\n"
    assert with_line(text, "a.b:3") == "a.b:3\nc.d:2\n"
    assert with_line("x:1", "y:2") == "x:1\ny:2\n"  # a last line without its end
    assert without_user(text, "a.b") == "c.d:2\n"
    assert without_user(text, "a") == text
    assert users(text + "\nno user here\n") == ["a.b", "c.d"]


def allowed(account: Account, word: str) -> list[str]:
    return [rule.split()[2] for rule in access_rules(account) if rule.startswith(f"topic {word} ")]


def matches(pattern: str, topic: str) -> bool:
    """Whether an MQTT pattern covers a topic, wildcards of the topic taken as names."""
    wanted, given = pattern.split("/"), topic.split("/")
    for number, part in enumerate(wanted):
        if part == "#":
            return True
        if number >= len(given) or part not in ("+", given[number]):
            return False
    return len(wanted) == len(given)


def test_an_agent_has_exactly_the_topics_of_the_contract() -> None:
    account = agent_account("school", "canteen")
    writes, reads = allowed(account, "write"), allowed(account, "read")
    for topic in (
        readings_topic("school", "canteen", "b1", 7), unsequenced_topic("school", "canteen"),
        birth_topic("school", "canteen"), status_topic("school", "canteen"),
    ):  # fmt: skip
        assert any(matches(pattern, topic) for pattern in writes), topic
    assert reads == [agent_filter("school", "canteen")]
    for topic in (
        receipt_topic("school", "canteen"), readings_topic("school", "plant", "b1", 7),
        status_topic("annex", "canteen"), alarm_topic("school", "r", "a/m"),
    ):  # fmt: skip
        assert not any(matches(pattern, topic) for pattern in writes), topic
    assert not any("+" in pattern for pattern in writes + reads)


def test_a_worker_reads_what_ingest_subscribes_to_and_writes_receipts_and_alarms() -> None:
    account = worker_account("ingest")
    writes, reads = allowed(account, "write"), allowed(account, "read")
    assert all(any(matches(pattern, topic) for pattern in reads) for topic in ingest_filters())
    assert any(matches(pattern, receipt_topic("s", "a")) for pattern in writes)
    assert any(matches(pattern, alarm_topic("s", "r", "a/m")) for pattern in writes)
    assert not any(matches(pattern, readings_topic("s", "a", "b", 1)) for pattern in writes)
    assert not any(matches(pattern, status_topic("s", "a")) for pattern in writes)


def test_the_access_file_is_made_anew_and_what_a_person_wrote_around_it_stays() -> None:
    accounts = [agent_account("school", "canteen"), worker_account("ingest"), read_account("display")]
    fresh = access_file("", accounts)
    assert fresh.startswith(BEGIN)
    assert fresh.endswith(f"{END}\n")
    assert "display" not in fresh
    assert access_file(fresh, accounts) == fresh
    mine = "user display\ntopic read x"
    both = access_file(f"{mine}", accounts)
    assert both == f"{mine}\n{fresh}"
    after = f"{both}user other\n"
    assert access_file(after, []) == f"{mine}\n{BEGIN}\n\n{END}\nuser other\n"


def test_an_access_file_whose_part_has_no_end_is_refused() -> None:
    with pytest.raises(ValueError, match="end"):
        access_file(f"{BEGIN}\nuser x\n", [])


def test_the_listener_is_encrypted_bounded_and_knows_everybody() -> None:
    lines = listener("/etc/x", 8884).splitlines()
    for line in (
        "listener 8884", "certfile /etc/x/server.crt", "keyfile /etc/x/server.key", "allow_anonymous false",
        "password_file /etc/x/passwords", "acl_file /etc/x/access", "use_username_as_clientid true",
        f"message_size_limit {MAX_MESSAGE_BYTES}", "max_queued_messages 20000", "persistence true",
    ):  # fmt: skip
        assert line in lines
    # One listener, of which the settings above hold for all; Debian's main file already says where to persist.
    assert sum(line.startswith("listener") for line in lines) == 1
    assert not any(line.startswith(("per_listener_settings", "persistence_location")) for line in lines)


def test_the_page_names_every_right_that_the_files_give() -> None:
    page = (Path(__file__).parents[3] / "docs" / "brokers.md").read_text(encoding="utf-8")
    worker = worker_account("ingest")
    for pattern in allowed(worker, "write") + allowed(worker, "read"):
        assert f"`{pattern}`" in page
    for number in ("20,000 messages", "256 MiB", "256 KiB", "14 days", f"{SERVER_DAYS} days"):
        assert number in page
    # The same rules for the other brokers.
    agent = agent_account("school", "canteen")
    for pattern in allowed(agent, "write") + allowed(agent, "read"):
        assert f'"{pattern}"' in page
