"""The school's own authority and the broker's certificate, made by the real openssl and tried by a real handshake."""

import shutil
import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from caretaker import brokerfiles_tls
from caretaker.brokerfiles_tls import MOST_HOSTS, SERVER_DAYS, alternative_names, make_authority, make_server
from domain.errors import CaretakerError
from tests.support import needs


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path]:
    needs("openssl", "openssl")
    return make_authority(tmp_path / "authority")


def handshake(folder: Path, server: tuple[bytes, bytes], authority: Path, host: str) -> str:
    """What a client says about the server's certificate; empty: nothing against it."""
    key, certificate = folder / "server.key", folder / "server.crt"
    key.write_bytes(server[0])
    certificate.write_bytes(server[1])
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            serving.wrap_socket(theirs, server_side=True).close()
        except OSError:
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    context = ssl.create_default_context(cafile=str(authority))
    try:
        context.wrap_socket(ours, server_hostname=host).close()
    except ssl.SSLError as error:
        return str(error)
    finally:
        ours.close()
        thread.join(10)
    return ""


def test_a_certificate_is_trusted_for_its_hosts_and_for_no_other(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    server = make_server(authority, ["broker.lan", "10.0.0.5", "fd00::5"])
    for host in ("broker.lan", "10.0.0.5", "fd00::5"):
        assert handshake(tmp_path, server, authority[1], host) == ""
    assert "Hostname mismatch" in handshake(tmp_path, server, authority[1], "other.lan")
    assert "IP address mismatch" in handshake(tmp_path, server, authority[1], "10.0.0.6")


def test_another_authority_is_not_enough(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    server = make_server(authority, ["broker.lan"])
    _, other = make_authority(tmp_path / "other")
    assert "certificate verify failed" in handshake(tmp_path, server, other, "broker.lan")


def test_the_authority_stays_and_its_key_is_for_its_owner_alone(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    before = [path.read_bytes() for path in authority]
    assert make_authority(tmp_path / "authority") == authority
    assert [path.read_bytes() for path in authority] == before
    assert stat.S_IMODE(authority[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(authority[0].parent.stat().st_mode) == 0o700
    # A renewed certificate is another, and as good.
    first, second = make_server(authority, ["a"]), make_server(authority, ["a"])
    assert first != second
    assert handshake(tmp_path, second, authority[1], "a") == ""


def test_half_an_authority_is_not_replaced(authority: tuple[Path, Path]) -> None:
    authority[0].unlink()
    with pytest.raises(CaretakerError, match=r"only one of ca\.key and ca\.crt"):
        make_authority(authority[0].parent)


def test_the_certificate_ends_when_the_page_says(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    (tmp_path / "c.crt").write_bytes(make_server(authority, ["a"])[1])
    found = ssl._ssl._test_decode_cert(str(tmp_path / "c.crt"))  # type: ignore[attr-defined]  # CPython's own decoder
    lasts = ssl.cert_time_to_seconds(found["notAfter"]) - ssl.cert_time_to_seconds(found["notBefore"])
    assert lasts == SERVER_DAYS * 86_400


@pytest.mark.parametrize(
    "host", ["", "a b", "*.lan", "a..b", "-a", "a-", "a,IP:1.2.3.4", "a\nb", "ä.lan", "x" * 64, "a_b"]
)
def test_what_is_no_host_is_refused_before_it_reaches_openssl(host: str) -> None:
    with pytest.raises(CaretakerError, match="neither a host name nor an IP address"):
        alternative_names([host])


def test_hosts_are_named_by_kind_and_are_few() -> None:
    assert alternative_names(["broker.lan", "10.0.0.5"]) == "DNS:broker.lan, IP:10.0.0.5"
    for hosts in ([], ["a"] * (MOST_HOSTS + 1)):
        with pytest.raises(CaretakerError, match=f"{len(hosts)} hosts"):
            alternative_names(hosts)


def test_a_host_too_long_for_a_common_name_is_served_all_the_same(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    host = ".".join(["abcdefghijklmnop"] * 5)
    assert handshake(tmp_path, make_server(authority, [host]), authority[1], host) == ""


def test_without_openssl_the_remedy_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CaretakerError, match="apt-get install openssl"):
        make_authority(tmp_path)


def test_what_openssl_says_is_passed_on(tmp_path: Path, authority: tuple[Path, Path]) -> None:
    authority[0].write_text("no key")
    with pytest.raises(CaretakerError, match="openssl x509 failed"):
        make_server(authority, ["a"])
    assert brokerfiles_tls.make_authority(authority[0].parent) == authority  # it is not looked into, nor replaced
