"""How ingest's credential and the broker's authority are set, and what the doctor says of them."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from caretaker.brokerfiles_tls import SERVER_DAYS, make_authority, make_server
from caretaker.doctor import CERTIFICATE_SOON, Finding, Verdict, examine
from caretaker.process import now_ms
from caretaker.settings import BrokerSettings, Settings, load_settings
from domain.errors import CaretakerError, InputError
from domain.times import DAY
from tests.support import free_port, needs


def settings(folder: Path, **broker: object) -> Settings:
    return Settings(data_dir=folder / "data", broker=BrokerSettings.model_validate(broker))


def findings(given: Settings, now: int | None = None) -> list[Finding]:
    """What the doctor says of the broker."""
    words = ("broker", "password", "credential", "certificate")
    return [found for found in examine(given, now or now_ms()) if any(word in found.what for word in words)]


def test_paths_are_relative_to_the_file_and_the_user_is_the_workers(tmp_path: Path) -> None:
    (tmp_path / "caretaker.toml").write_text(
        'worker = "second"\n[broker]\nurl = "mqtts://h"\nca_file = "ca.crt"\npassword_file = "p"\nfiles_dir = "/m"\n'
    )
    (tmp_path / "p").write_text("s3cret\n")
    found = load_settings(tmp_path / "caretaker.toml")
    assert found.broker.ca_file == tmp_path / "ca.crt"
    assert found.broker.files_dir == Path("/m")
    assert found.broker_credential == ("caretaker-second", "s3cret")
    assert "s3cret" not in repr(found)


def test_a_user_in_the_address_stays_and_a_password_there_counts_without_a_file(tmp_path: Path) -> None:
    assert settings(tmp_path).broker_credential == ("", "")
    assert settings(tmp_path, url="mqtt://u:p%40ss@h").broker_credential == ("u", "p@ss")
    (tmp_path / "p").write_text("x")
    assert settings(tmp_path, url="mqtts://u@h", password_file=tmp_path / "p").broker_credential == ("u", "x")


def test_a_password_file_that_is_empty_or_absent_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        _ = settings(tmp_path, url="mqtt://h", password_file=tmp_path / "p").broker_credential
    (tmp_path / "p").write_text("\n")
    with pytest.raises(InputError, match="is empty"):
        _ = settings(tmp_path, url="mqtt://h", password_file=tmp_path / "p").broker_credential


@pytest.mark.parametrize("url", ["mqtts://", "mqtts://h:0", "ssl://h", "mqtts:h"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    (tmp_path / "caretaker.toml").write_text(f'[broker]\nurl = "{url}"\n')
    with pytest.raises(CaretakerError, match="mqtts:// for TLS"):
        load_settings(tmp_path / "caretaker.toml")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mqtt://192.0.2.1:1", "without credentials"),
        ("mqtts://192.0.2.1:1", "without credentials"),
        ("mqtt://u:p@192.0.2.1:1", "in clear"),
        ("mqtts://u:p@192.0.2.1:1", ""),
        ("mqtt://127.0.0.2:1", ""),
        ("mqtt://localhost:1", ""),
        ("mqtt://[::1]:1", ""),
        ("embedded", ""),
    ],
)
def test_the_doctor_warns_of_an_open_broker_in_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    monkeypatch.setattr(socket, "create_connection", refuse)
    found = [finding for finding in findings(settings(tmp_path, url=url)) if "does not answer" not in finding.what]
    assert [finding.verdict for finding in found] == ([Verdict.WARNING] if words else [])
    for finding in found:
        assert words in finding.what
        assert "docs/brokers.md" in finding.remedy
        assert "u:p@" not in finding.what


def refuse(*arguments: object, **more: object) -> socket.socket:
    raise ConnectionRefusedError(111, "Connection refused")


def test_the_doctor_looks_at_the_password_file_and_the_authority(tmp_path: Path) -> None:
    url = f"mqtt://127.0.0.1:{free_port()}"
    absent = findings(settings(tmp_path, url=url, password_file=tmp_path / "p"))[-1]
    assert (absent.verdict, "broker.password_file" in absent.what) == (Verdict.WRONG, True)
    (tmp_path / "p").write_text("x")
    (tmp_path / "p").chmod(0o644)
    loose = findings(settings(tmp_path, url=url, password_file=tmp_path / "p"))[-1]
    assert (loose.verdict, loose.remedy) == (Verdict.WARNING, f"chmod 600 {tmp_path / 'p'}")
    (tmp_path / "p").chmod(0o600)
    assert len(findings(settings(tmp_path, url=url, password_file=tmp_path / "p"))) == 1
    plain = findings(settings(tmp_path, url=url, ca_file=tmp_path / "ca.crt"))[-1]
    assert "not encrypted" in plain.what
    unreadable = findings(settings(tmp_path, url=url.replace("mqtt", "mqtts"), ca_file=tmp_path / "ca.crt"))[0]
    assert (unreadable.verdict, "broker.ca_file" in unreadable.what) == (Verdict.WRONG, True)


@contextmanager
def tls_server(folder: Path, hosts: list[str]) -> Iterator[tuple[int, Path]]:
    """A port that shakes hands and hangs up, and the authority of its certificate."""
    authority = make_authority(folder / "authority")
    key, certificate = make_server(authority, hosts)
    (folder / "key").write_bytes(key)
    (folder / "certificate").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listener.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], authority[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def test_the_doctor_tries_the_certificate_and_says_when_it_ends(tmp_path: Path) -> None:
    needs("openssl", "openssl")
    with tls_server(tmp_path, ["localhost"]) as (port, authority):
        given = settings(tmp_path, url=f"mqtts://localhost:{port}", ca_file=authority)
        assert [found.verdict for found in findings(given)] == [Verdict.OK]
        soon = now_ms() + SERVER_DAYS * DAY - CERTIFICATE_SOON
        assert [found.verdict for found in findings(given, soon - DAY)] == [Verdict.OK]
        ends = findings(given, soon + DAY)[1]
        assert (ends.verdict, "prepare" in ends.remedy) == (Verdict.WARNING, True)
        by_address = findings(settings(tmp_path, url=f"mqtts://127.0.0.1:{port}", ca_file=authority))[0]
        assert (by_address.verdict, "cannot be trusted" in by_address.what) == (Verdict.WRONG, True)
        _, other = make_authority(tmp_path / "other")
        wrong = findings(settings(tmp_path, url=f"mqtts://localhost:{port}", ca_file=other))[0]
        assert (wrong.verdict, "certificate verify failed" in wrong.what) == (Verdict.WRONG, True)
