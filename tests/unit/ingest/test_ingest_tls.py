"""Ingest's connection: its address, its credentials, and whom it trusts."""

import ssl
import subprocess
from pathlib import Path

import pytest

from domain.errors import CaretakerError
from ingest.settings import BrokerAddress, IngestSettings, broker_address, parse_broker
from ingest.tls import context_of
from tests.support import needs


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Key and certificate of `localhost`, signed by itself."""
    key, path = tmp_path / "key", tmp_path / "certificate"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(path)]
    subprocess.run([needs("openssl", "openssl"), *words, *files], check=True, capture_output=True, timeout=30)
    return key, path


def test_an_encrypted_address_has_its_own_port() -> None:
    assert parse_broker("mqtts://h") == BrokerAddress("h", 8883, tls=True)
    assert parse_broker("mqtts://h:1") == BrokerAddress("h", 1, tls=True)
    assert parse_broker("mqtt://h") == BrokerAddress("h", 1883)


@pytest.mark.parametrize("url", ["mqtt://u:hush@h/topic", "http://u:hush@h", "mqtt://u:hush@", "mqtt://u:hush@h:port"])
def test_a_password_in_a_wrong_address_is_not_repeated(url: str) -> None:
    with pytest.raises(CaretakerError) as caught:
        parse_broker(url)
    assert "hush" not in str(caught.value)


def test_credentials_and_authority_of_the_settings_count(tmp_path: Path) -> None:
    plain = broker_address(IngestSettings("mqtts://u:p@h"))
    assert (plain.user, plain.password, plain.ca_file) == ("u", "p", None)
    settings = IngestSettings("mqtts://u:p@h", broker_user="i", broker_password="s3cret", broker_ca=tmp_path)
    found = broker_address(settings)
    assert (found.user, found.password, found.ca_file) == ("i", "s3cret", tmp_path)
    assert "s3cret" not in repr(found) + repr(settings)


def test_a_plain_connection_stays_plain() -> None:
    assert context_of(BrokerAddress("h", 1883)) is None


def test_an_encrypted_one_checks_certificate_and_name(certificate: tuple[Path, Path]) -> None:
    for authority in (None, certificate[1]):
        context = context_of(BrokerAddress("h", 8883, tls=True, ca_file=authority))
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_an_authority_that_cannot_be_used_is_told_with_a_remedy(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.crt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CaretakerError, match=r"broker\.ca_file: .*ca\.crt cannot be used") as caught:
        context_of(BrokerAddress("h", 8883, tls=True, ca_file=path))
    assert "PEM" in caught.value.remedy
