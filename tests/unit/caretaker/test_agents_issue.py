"""Who gets a credential, what the audit says of it, what is handed over, and the commands around it."""

import stat
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from caretaker import agents as module
from caretaker.agents import (
    Issued,
    add_agent,
    add_worker,
    prepare,
    revoke_agent,
    revoke_worker,
    write_kit,
    write_password,
)
from caretaker.brokerfiles import agent_account, password_matches
from caretaker.brokerfiles_folder import ACCESS, LISTENER, PASSWORDS, BrokerFolder
from caretaker.commands.agents import app
from domain.errors import CaretakerError, NotFoundError
from edge.config import load_config
from store.operational.store import OperationalStore
from tests.support import needs

NOW = 1_790_000_000_000
SITE = """\
site: {id: school, title: School}
areas: [{id: kitchen, title: Kitchen}]
assets:
  - {id: fridge-1, type: refrigerator, area: kitchen, title: Fridge, points: {temperature: {interval: 60s}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> BrokerFolder:
    return BrokerFolder(tmp_path / "data" / "mosquitto")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OperationalStore]:
    (tmp_path / "data").mkdir()
    with closing(OperationalStore(f"sqlite:///{tmp_path}/data/operational.sqlite")) as opened:
        opened.apply_site("school", [("site.yaml", SITE)], "li", NOW)
        yield opened


def add(folder: BrokerFolder, store: OperationalStore, agent: str = "canteen", renew: bool = False) -> Issued | None:
    return add_agent(folder, store, "school", agent, renew=renew, by="li", now=NOW)


def actions(store: OperationalStore) -> list[tuple[object, object, object]]:
    """Broker entries of the site's audit, oldest first: who, what, about whom."""
    entries = [entry for entry in store.audit("school", 100) if str(entry["action"]).startswith("broker_")]
    return [(entry["by"], entry["action"], entry["detail"]["user"]) for entry in reversed(entries)]  # type: ignore[index]


def test_an_agent_gets_a_credential_once_and_the_audit_says_so(folder: BrokerFolder, store: OperationalStore) -> None:
    issued = add(folder, store)
    assert issued is not None
    assert issued.account == agent_account("school", "canteen")
    assert password_matches(folder.text(PASSWORDS), issued.password)
    assert issued.password not in folder.text(PASSWORDS) + repr(issued)
    before = folder.text(PASSWORDS)
    assert add(folder, store) is None
    assert folder.text(PASSWORDS) == before
    assert actions(store) == [("li", "broker_credential_issued", "school.canteen")]


def test_two_credentials_are_never_alike(folder: BrokerFolder, store: OperationalStore) -> None:
    one, other = add(folder, store), add(folder, store, "plant")
    assert one is not None
    assert other is not None
    assert one.password != other.password
    assert len(one.password) == 32


def test_a_renewed_credential_replaces_the_former(folder: BrokerFolder, store: OperationalStore) -> None:
    old, new = add(folder, store), add(folder, store, renew=True)
    assert old is not None
    assert new is not None
    assert password_matches(folder.text(PASSWORDS), new.password)
    assert not password_matches(folder.text(PASSWORDS), old.password)
    assert [action for _, action, _ in actions(store)] == ["broker_credential_issued", "broker_credential_renewed"]


def test_a_lost_access_file_is_made_again_by_the_next_command(folder: BrokerFolder, store: OperationalStore) -> None:
    add(folder, store)
    (folder.path / ACCESS).unlink()
    assert add(folder, store) is None
    assert "user school.canteen" in folder.text(ACCESS)


def test_an_unknown_site_and_a_bad_id_get_nothing(folder: BrokerFolder, store: OperationalStore) -> None:
    with pytest.raises(NotFoundError, match="no site 'annex'") as caught:
        add_agent(folder, store, "annex", "canteen", renew=False, by="li", now=NOW)
    assert caught.value.remedy == "known: school"
    for site, agent in (("school", "a.b"), ("School", "a"), ("school", "#"), ("school", "")):
        with pytest.raises(CaretakerError, match="is not a valid"):
            add_agent(folder, store, site, agent, renew=False, by="li", now=NOW)
        with pytest.raises(CaretakerError, match="is not a valid"):
            revoke_agent(folder, store, site, agent, by="li", now=NOW)
    for call in (add_worker, revoke_worker):
        with pytest.raises(CaretakerError, match="worker id"):
            call(folder, store, "a/b", by="li", now=NOW, **({"renew": False} if call is add_worker else {}))
    assert not folder.path.exists()
    assert actions(store) == []


def test_nothing_is_issued_that_the_audit_could_not_take(
    folder: BrokerFolder, store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "note", refuse)
    with pytest.raises(RuntimeError):
        add(folder, store)
    assert folder.accounts() == []


def test_a_revocation_does_not_wait_for_the_audit(
    folder: BrokerFolder, store: OperationalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(folder, store)
    monkeypatch.setattr(store, "note", refuse)
    with pytest.raises(RuntimeError):
        revoke_agent(folder, store, "school", "canteen", by="li", now=NOW)
    assert folder.accounts() == []


def refuse(*arguments: object) -> None:
    raise RuntimeError("the store is away")


def test_revoking_takes_one_agent_and_says_whether_there_was_one(folder: BrokerFolder, store: OperationalStore) -> None:
    add(folder, store)
    add(folder, store, "plant")
    assert revoke_agent(folder, store, "school", "canteen", by="li", now=NOW)
    assert not revoke_agent(folder, store, "school", "canteen", by="li", now=NOW)
    assert [account.user for account in folder.accounts()] == ["school.plant"]
    assert "school.canteen" not in folder.text(ACCESS)
    assert actions(store)[-1] == ("li", "broker_credential_revoked", "school.canteen")


def test_a_workers_credential_is_in_every_sites_audit(folder: BrokerFolder, store: OperationalStore) -> None:
    assert add_worker(folder, store, "ingest", renew=False, by="li", now=NOW) is not None
    assert add_worker(folder, store, "ingest", renew=False, by="li", now=NOW) is None
    assert revoke_worker(folder, store, "ingest", by="li", now=NOW)
    assert not revoke_worker(folder, store, "ingest", by="li", now=NOW)
    assert [action for _, action, _ in actions(store)] == ["broker_credential_issued", "broker_credential_revoked"]


def test_the_kit_is_a_configuration_that_the_agent_takes(
    folder: BrokerFolder, store: OperationalStore, tmp_path: Path
) -> None:
    needs("openssl", "openssl")
    prepare(folder, tmp_path / "authority", ["broker.lan"], 8883, "")
    issued = add(folder, store)
    assert issued is not None
    kit = tmp_path / "kit"
    authority = (tmp_path / "authority" / "ca.crt").read_bytes()
    written = write_kit(kit, issued, "mqtts://broker.lan:8884", authority)
    assert written == [kit / "password", kit / "ca.crt", kit / "edge.toml"]
    assert stat.S_IMODE((kit / "password").stat().st_mode) == 0o600
    with (kit / "edge.toml").open("a") as file:
        file.write('[[source]]\nkind = "onewire"\n')
    config = load_config(kit / "edge.toml")
    assert (config.site, config.agent) == ("school", "canteen")
    broker = config.broker
    assert (broker.host, broker.port, broker.tls, broker.user) == ("broker.lan", 8884, True, "school.canteen")
    assert (broker.password, broker.ca_file) == (issued.password, kit / "ca.crt")
    # A second kit brings a new password and leaves the sensors that somebody described.
    again = add(folder, store, renew=True)
    assert again is not None
    assert write_kit(kit, again, "mqtts://broker.lan:8884", authority) == [kit / "password", kit / "ca.crt"]
    assert load_config(kit / "edge.toml").broker.password == again.password


def test_without_tls_the_kit_has_no_authority(tmp_path: Path) -> None:
    issued = Issued(agent_account("school", "canteen"), "x")
    assert write_kit(tmp_path / "kit", issued, "mqtt://h", b"") == [
        tmp_path / "kit/password",
        tmp_path / "kit/edge.toml",
    ]
    assert "ca_file" not in tomllib.loads((tmp_path / "kit/edge.toml").read_text())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CaretakerError, match="cannot be written"):
        write_password(tmp_path / "file" / "password", "x")
    (tmp_path / "kit" / "ca.crt").mkdir(parents=True)
    with pytest.raises(CaretakerError, match="--kit"):
        write_kit(tmp_path / "kit", Issued(agent_account("a", "b"), "x"), "mqtts://h", b"x")


def test_preparing_needs_hosts_or_certificates_of_ones_own(folder: BrokerFolder, tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match=r"server\.crt and server\.key") as caught:
        prepare(folder, tmp_path / "authority", [], 8883, "")
    assert "--host" in caught.value.remedy
    folder.write("server.crt", b"own", 0o644)
    folder.write("server.key", b"own", 0o600)
    prepare(folder, tmp_path / "authority", [], 8883, "/mosquitto/caretaker")
    assert folder.text("server.crt") == "own"
    assert "certfile /mosquitto/caretaker/server.crt" in folder.text(LISTENER)
    assert not (tmp_path / "authority").exists()


def test_a_path_that_mosquitto_cannot_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match="no path with spaces"):
        prepare(BrokerFolder(tmp_path / "my broker"), tmp_path, ["a"], 8883, "")


def test_a_bad_host_leaves_nothing_behind(folder: BrokerFolder, tmp_path: Path) -> None:
    with pytest.raises(CaretakerError, match="neither"):
        prepare(folder, tmp_path / "authority", ["a b"], 8883, "")
    assert not folder.path.exists()
    assert not (tmp_path / "authority").exists()


@pytest.fixture
def command(tmp_path: Path, store: OperationalStore) -> Callable[..., Result]:
    """Runs `caretaker agents` on the installation in that folder."""
    config = tmp_path / "caretaker.toml"
    config.write_text('data_dir = "data"\n[broker]\nurl = "mqtts://u:p@broker.lan"\n')

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, [*words, "--config", str(config)])

    return run


def test_the_commands_from_nothing_to_a_revoked_agent(command, folder: BrokerFolder, tmp_path: Path) -> None:
    needs("openssl", "openssl")
    assert "Nobody has a credential" in command("list").output
    first = command("prepare", "--host", "broker.lan").output
    assert "credentials/ingest.password: the password of caretaker-ingest" in first
    assert "keep it from the broker" in first
    assert "ingest has a credential already" in command("prepare", "--host", "broker.lan").output
    shown = command("add", "school", "canteen").output
    password = shown.partition("shown this once): ")[2].splitlines()[0]
    assert password_matches(next(line for line in folder.text(PASSWORDS).splitlines() if "canteen" in line), password)
    assert module.REREAD in shown
    assert "--renew makes a new one" in command("add", "school", "canteen").output
    kit = tmp_path / "kit"
    assert str(kit / "edge.toml") in command("add", "school", "plant", "--kit", str(kit)).output
    assert 'broker = "mqtts://school.plant@broker.lan"' in (kit / "edge.toml").read_text()
    assert (kit / "ca.crt").read_text() == folder.text("ca.crt")
    assert command("list").output.split() == [
        "caretaker-ingest", "ingest", "worker", "school.canteen", "agent", "school.plant", "agent",
    ]  # fmt: skip
    assert "no credential any more" in command("revoke", "school", "canteen").output
    assert "has no credential." in command("revoke", "school", "canteen").output
    assert "canteen" not in command("list").output


def test_further_workers_come_and_go(command, tmp_path: Path) -> None:
    assert "caretaker-second" in command("worker", "second").output
    path = tmp_path / "data/credentials/second.password"
    before = path.read_text()
    assert "already" in command("worker", "second").output
    command("worker", "second", "--renew")
    assert path.read_text() != before
    assert "no credential any more" in command("worker", "second", "--revoke").output
    assert "has no credential." in command("worker", "second", "--revoke").output


def test_a_kit_needs_an_address_that_agents_can_reach(command, tmp_path: Path) -> None:
    kit = str(tmp_path / "kit")
    wrong = command("add", "school", "canteen", "--kit", kit, "--address", "http://x")
    assert isinstance(wrong.exception, CaretakerError)
    (tmp_path / "caretaker.toml").write_text('data_dir = "data"\n')
    embedded = command("add", "school", "canteen", "--kit", kit)
    assert isinstance(embedded.exception, CaretakerError)
    assert "--address" in embedded.exception.remedy
    assert "Nobody" in command("list").output
    given = command("add", "school", "canteen", "--kit", kit, "--address", "mqtt://me:secret@10.0.0.5:1884")
    assert given.exit_code == 0
    assert 'broker = "mqtt://school.canteen@10.0.0.5:1884"' in (tmp_path / "kit/edge.toml").read_text()


def test_the_folder_is_that_of_the_option_or_the_setting(command, tmp_path: Path) -> None:
    command("add", "school", "canteen", "--broker-dir", str(tmp_path / "given"))
    assert (tmp_path / "given" / PASSWORDS).exists()
    (tmp_path / "caretaker.toml").write_text('data_dir = "data"\n[broker]\nfiles_dir = "set"\n')
    command("add", "school", "canteen")
    assert (tmp_path / "set" / PASSWORDS).exists()
    assert not (tmp_path / "data" / "mosquitto").exists()
