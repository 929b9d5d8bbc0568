"""Mosquitto secured by `caretaker agents`, as docs/brokers.md says: who may do what, and the whole path over TLS."""

import json
import os
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from caretaker.brokerfiles import password_matches
from caretaker.brokerfiles_folder import BrokerFolder
from caretaker.brokerfiles_tls import make_authority
from tests.secured_broker import CARETAKER, ROOT, Client, SecuredBroker, eventually, page_blocks
from tests.support import free_port, listens, needs, wait_until

pytestmark = pytest.mark.integration

OWN = "caretaker/1/school/agents/canteen"
OTHER = "caretaker/1/school/agents/plant"
ELSEWHERE = "caretaker/1/annex/agents/canteen"
ALARM = "caretaker/1/school/alarms/too-warm/fridge-1/temperature"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """The page followed to the first agent, and two more agents."""
    broker = SecuredBroker(tmp_path_factory.mktemp("secured"))
    broker.describe("school", "annex")
    try:
        broker.follow(0)
        assert "kits/canteen/password" in broker.follow(1)
        broker.add("school", "plant")
        broker.agents("add", "annex", "canteen", "--kit", str(broker.folder / "kits/annex-canteen"))
        broker.reload()
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def canteen(broker: SecuredBroker) -> Iterator[Client]:
    client = eventually(lambda: broker.client("school.canteen", broker.password("canteen")))
    yield client
    client.close()


@pytest.fixture
def plant(broker: SecuredBroker) -> Iterator[Client]:
    client = eventually(lambda: broker.client("school.plant", broker.password("plant")))
    yield client
    client.close()


@pytest.fixture
def ingest(broker: SecuredBroker) -> Iterator[Client]:
    client = eventually(lambda: broker.client("caretaker-ingest", broker.worker_password()))
    client.subscribe("caretaker/1/#")
    yield client
    client.close()


def test_an_agent_publishes_and_gets_its_receipt(canteen: Client, ingest: Client) -> None:
    canteen.subscribe(f"{OWN}/receipt")
    for topic in (f"{OWN}/readings/b1/1", f"{OWN}/readings", f"{OWN}/birth", f"{OWN}/status"):
        canteen.publish(topic, b"x")
        wait_until(ingest.has(topic), 10, topic)
    ingest.publish(f"{OWN}/receipt", b'{"boot":"b1","through":1}', retain=True)
    wait_until(canteen.has(f"{OWN}/receipt"), 10, "the receipt came")


@pytest.mark.parametrize(
    "topic",
    [
        f"{OTHER}/readings/b1/1", f"{OTHER}/readings", f"{OTHER}/birth", f"{OTHER}/status", f"{OTHER}/receipt",
        f"{OWN}/receipt", f"{OWN}/other", f"{ELSEWHERE}/readings/b1/1", ALARM, "caretaker/1/school/x", "elsewhere",
    ],
)  # fmt: skip
def test_an_agent_cannot_write_what_is_not_its_own(canteen: Client, ingest: Client, topic: str) -> None:
    canteen.publish(topic, b"forged")
    canteen.publish(f"{OWN}/readings", b"marker")  # what follows on the same connection arrives after it
    wait_until(ingest.has(f"{OWN}/readings"), 10, "the marker came")
    assert (topic, b"forged") not in ingest.got


def test_an_agent_cannot_read_what_is_not_its_own(canteen: Client, plant: Client, ingest: Client) -> None:
    canteen.subscribe("#", "caretaker/1/#", f"{OTHER}/receipt", f"{OTHER}/readings/#", "$SYS/#", ALARM)
    plant.publish(f"{OTHER}/readings/b1/1", b"x")
    wait_until(ingest.has(f"{OTHER}/readings/b1/1"), 10, "ingest got it")
    ingest.publish(f"{OTHER}/receipt", b"{}", retain=True)
    ingest.publish(ALARM, b"{}")
    ingest.publish(f"{OWN}/receipt", b"marker")
    wait_until(lambda: (f"{OWN}/receipt", b"marker") in canteen.got, 10, "its own receipt came")
    assert canteen.topics() == {f"{OWN}/receipt"}


def test_ingest_writes_receipts_and_alarms_and_cannot_invent_readings(
    canteen: Client, plant: Client, ingest: Client
) -> None:
    ingest.publish(f"{OTHER}/readings/b2/1", b"forged")
    ingest.publish(ALARM, b'{"state":"unacknowledged"}', retain=True)
    wait_until(lambda: (ALARM, b'{"state":"unacknowledged"}') in ingest.got, 10, "the alarm is there")
    assert f"{OTHER}/readings/b2/1" not in ingest.topics()
    ingest.publish(ALARM, b"", retain=True)


@pytest.mark.parametrize(
    ("user", "password"),
    [("", ""), ("school.canteen", ""), ("school.canteen", "guess"), ("school.nobody", "x"), ("caretaker-ingest", "x")],
)
def test_without_the_right_credential_nobody_connects(broker: SecuredBroker, user: str, password: str) -> None:
    client = broker.client(user, password)
    client.close()
    assert client.refused == "Not authorized"


def test_one_agents_password_does_not_open_anothers_name(broker: SecuredBroker) -> None:
    client = broker.client("school.plant", broker.password("canteen"))
    client.close()
    assert client.refused == "Not authorized"


def test_a_wrong_authority_or_host_is_refused_by_the_client(broker: SecuredBroker, tmp_path: Path) -> None:
    _, other = make_authority(tmp_path / "other")
    right = broker.files / "ca.crt"
    assert shake_hands(broker.port, right, "localhost") == shake_hands(broker.port, right, "127.0.0.1") == ""
    assert "certificate verify failed" in shake_hands(broker.port, other, "localhost")
    assert "127.0.0.2" in shake_hands(broker.port, right, "127.0.0.2")


def shake_hands(port: int, authority: Path, host: str) -> str:
    """Why TLS refuses, empty when it does not."""
    context = ssl.create_default_context(cafile=str(authority))
    with socket.create_connection((host, port), 10) as plain:
        try:
            context.wrap_socket(plain, server_hostname=host).close()
        except ssl.SSLError as error:
            return str(error)
    return ""


def test_nobody_takes_over_anothers_session_by_its_client_id(broker: SecuredBroker, canteen: Client) -> None:
    thief = broker.client("school.plant", broker.password("plant"), client_id="school.canteen")
    canteen.publish(f"{OWN}/readings", b"still here")
    assert thief.up
    assert canteen.up
    thief.close()


def test_a_message_beyond_the_limit_is_thrown_away(canteen: Client, ingest: Client) -> None:
    canteen.publish(f"{OWN}/readings/b1/1", bytes(256 * 1024))
    wait_until(ingest.has(f"{OWN}/readings/b1/1"), 10, "the largest message came")
    canteen.publish(f"{OWN}/readings/b1/2", bytes(256 * 1024 + 1))
    canteen.publish(f"{OWN}/readings", b"marker")
    wait_until(ingest.has(f"{OWN}/readings"), 10, "the marker came")
    assert f"{OWN}/readings/b1/2" not in ingest.topics()


def test_a_revoked_agent_is_cut_off_and_stays_out_and_the_others_stay(broker: SecuredBroker, plant: Client) -> None:
    password = broker.add("school", "guest")
    broker.reload()
    guest = eventually(lambda: broker.client("school.guest", password))
    assert "school.guest has no credential any more" in broker.agents("revoke", "school", "guest")
    broker.reload()
    wait_until(lambda: not guest.up, 10, "the guest is cut off")
    guest.close()
    again = broker.client("school.guest", password)
    again.close()
    assert again.refused == "Not authorized"
    plant.publish(f"{OTHER}/readings", b"x")
    assert plant.up


def test_the_pages_list_and_revocation_do_what_it_says(broker: SecuredBroker) -> None:
    said = broker.follow(2)
    assert "school.canteen                   agent" in said
    assert "caretaker-ingest                 ingest worker" in said
    client = broker.client("school.canteen", broker.password("canteen"))
    client.close()
    assert client.refused == "Not authorized"
    broker.agents("add", "school", "canteen", "--kit", str(broker.folder / "kits/canteen"))
    broker.reload()
    eventually(lambda: broker.client("school.canteen", broker.password("canteen"))).close()


def test_mosquittos_own_program_and_ours_write_the_same_format(broker: SecuredBroker, tmp_path: Path) -> None:
    program = needs("mosquitto_passwd", "mosquitto")
    (tmp_path / "theirs").touch(0o600)
    subprocess.run([program, "-b", str(tmp_path / "theirs"), "hall-display", "s3cret"], check=True, timeout=20)
    line = (tmp_path / "theirs").read_text()
    assert password_matches(line, "s3cret")
    assert not password_matches(line, "secret")
    # A person's own user and rule stay, and work.
    folder = BrokerFolder(broker.files)
    folder.write("passwords", (folder.text("passwords") + line).encode(), 0o600)
    rule = page_blocks("conf")[0]
    folder.write("access", (rule + folder.text("access")).encode(), 0o600)
    broker.agents("add", "school", "late", "--kit", str(broker.folder / "kits/late"))
    assert rule in folder.text("access")
    broker.reload()
    display = eventually(lambda: broker.client("hall-display", "s3cret"))
    display.subscribe("#")
    ingest = eventually(lambda: broker.client("caretaker-ingest", broker.worker_password()))
    ingest.publish(f"{OWN}/receipt", b"{}")
    ingest.publish(ALARM, b"{}")
    wait_until(display.has(ALARM), 10, "the display shows the alarm")
    assert display.topics() == {ALARM}
    display.close()
    ingest.close()


def test_certificates_made_by_hand_as_the_page_says_serve_too(broker: SecuredBroker, tmp_path: Path) -> None:
    (tmp_path / "names").write_text("subjectAltName = DNS:localhost\n")
    for line in broker.localized(page_blocks("sh")[3]).splitlines():
        subprocess.run(line, shell=True, check=True, cwd=tmp_path, timeout=60, capture_output=True)
    files = tmp_path / "files"
    files.mkdir()
    for name in ("server.crt", "server.key"):
        (files / name).write_bytes((tmp_path / name).read_bytes())
    port, config = free_port(), tmp_path / "caretaker.toml"
    config.write_text(f'data_dir = "data"\n[broker]\nurl = "mqtts://localhost:{port}"\nfiles_dir = "files"\n')
    broker.run("caretaker", "agents", "prepare", "--port", str(port), "--seen-as", str(files), "--config", str(config))
    main = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()
    (tmp_path / "persisted").mkdir()
    main = main.replace("/mosquitto/data", str(tmp_path / "persisted")).replace("/mosquitto/caretaker", str(files))
    (tmp_path / "main.conf").write_text(main + ("user root\n" if os.geteuid() == 0 else ""))
    process = subprocess.Popen(
        [broker.program, "-c", str(tmp_path / "main.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: listens(port), 10, "mosquitto listens")
        password = (tmp_path / "data/credentials/ingest.password").read_text().strip()
        client = Client(port, tmp_path / "ca.crt", "caretaker-ingest", password, "x")
        assert client.up
        client.close()
    finally:
        process.terminate()
        process.wait(10)


ROWS = 500


def configure(kit: Path) -> Path:
    """The kit's configuration with a recording as its source."""
    lines = [f"{1_790_000_000_000 + n * 1000},fridge-1/temperature,{n % 7}" for n in range(ROWS)]
    (kit / "rows.csv").write_text("\n".join(["time,point,value", *lines]))
    path = kit / "edge.toml"
    text = path.read_text().partition("[[source]]")[0]
    path.write_text(text + '\n[[source]]\nkind = "csv"\npath = "rows.csv"\ntimes = "until_now"\n')
    return path


def test_the_whole_path_over_tls_from_the_agents_kit_to_the_store(broker: SecuredBroker, tmp_path: Path) -> None:
    broker.add("school", "path")
    broker.reload()
    path = configure(broker.folder / "kits/path")
    with (tmp_path / "up.txt").open("wb") as log:
        up = subprocess.Popen([CARETAKER, "up", "--config", str(broker.config)], stdout=log, stderr=log)
    try:
        edge = subprocess.run(
            [CARETAKER, "edge", "--config", str(path), "--until-done"], capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip
        assert edge.returncode == 0, edge.stderr
        assert "agent stopped" in edge.stderr
        wait_until(lambda: stored(broker) == ROWS, 30, "every reading is stored")
        doctor = subprocess.run(
            [CARETAKER, "doctor", "--config", str(broker.config)], capture_output=True, text=True, timeout=60,
            check=False,
        ).stdout  # fmt: skip
        assert f"broker localhost:{broker.port} answers" in doctor
        assert "credential" not in doctor
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(30)


def stored(broker: SecuredBroker) -> int:
    from contextlib import closing

    from store.series_sqlite import SqliteSeriesStore

    if not (broker.data / "series.sqlite").exists():
        return 0
    with closing(SqliteSeriesStore(broker.data / "series.sqlite")) as series:
        return series.count("school")


def test_an_agent_that_cannot_connect_says_why(broker: SecuredBroker, tmp_path: Path) -> None:
    broker.add("school", "wrong")  # not reread by the broker: it does not know the password
    kit = broker.folder / "kits/wrong"
    path = configure(kit)
    assert "Not authorized" in said(path, "refused the connection")
    _, other = make_authority(tmp_path / "other")
    (kit / "ca.crt").write_bytes(other.read_bytes())
    assert "certificate verify failed" in said(path, "cannot be reached")
    (kit / "ca.crt").write_text("no certificate")
    done = subprocess.run(
        [CARETAKER, "edge", "--config", str(path), "--check"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "edge.toml:6: ca_file" in done.stderr


def said(path: Path, words: str) -> str:
    """The line of the agent's log that has these words."""
    log = path.parent / "log.txt"
    with log.open("wb") as file:
        edge = subprocess.Popen([CARETAKER, "edge", "--config", str(path)], stdout=file, stderr=file)
    try:
        wait_until(lambda: words in log.read_text(), 20, words)
    finally:
        edge.terminate()
        edge.wait(20)
    return next(line for line in log.read_text().splitlines() if words in line)


def test_every_change_is_in_the_audit(broker: SecuredBroker) -> None:
    from contextlib import closing

    from store.operational.store import OperationalStore

    with closing(OperationalStore(f"sqlite:///{broker.data}/operational.sqlite")) as store:
        entries = store.audit("school", 1000)
        assert store.verify_audit("school") is None
    actions = {str(entry["action"]) for entry in entries}
    assert {"broker_credential_issued", "broker_credential_revoked"} <= actions
    assert broker.password("plant") not in json.dumps(entries, default=str)
