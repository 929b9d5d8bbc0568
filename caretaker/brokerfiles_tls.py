"""A certificate authority of the school's own, and the broker's certificate signed by it, made by the program openssl.

For a broker in a local network, whose name no public authority can confirm. Nothing here is a library: `openssl` is
on every machine that serves TLS, and docs/brokers.md shows the same two steps by hand. The authority's key stays with
Caretaker (in its data folder), never with the broker; its certificate is what agents trust.
"""

import ipaddress
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from caretaker.brokerfiles_folder import make_folder, write_whole
from domain.errors import CaretakerError

AUTHORITY_DAYS = 3650
SERVER_DAYS = 825  # the longest that common TLS libraries accept of a server
MOST_HOSTS = 20
_LONGEST_HOST = 253

_AUTHORITY_CONFIG = """\
[req]
distinguished_name = name
x509_extensions = extensions
prompt = no
[name]
CN = Caretaker broker authority {mark}
[extensions]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
_SERVER_CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {first}
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyAgreement
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


def alternative_names(hosts: Sequence[str]) -> str:
    """`DNS:` and `IP:` entries for the hosts. CaretakerError for what is neither a host name nor an address."""
    if not 1 <= len(hosts) <= MOST_HOSTS:
        raise CaretakerError(
            f"{len(hosts)} hosts", f"name 1 to {MOST_HOSTS}: each --host by which agents reach the broker"
        )
    return ", ".join(_name(host) for host in hosts)


def make_authority(folder: Path) -> tuple[Path, Path]:
    """Key and certificate of the authority in that folder, made when they are not there."""
    key, certificate = folder / "ca.key", folder / "ca.crt"
    if key.exists() and certificate.exists():
        return key, certificate
    if key.exists() or certificate.exists():
        raise CaretakerError(
            f"{folder} has only one of ca.key and ca.crt", "put the other back, or remove both to begin anew"
        )
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        (work / "config").write_text(_AUTHORITY_CONFIG.format(mark=secrets.token_hex(4)))
        _new_key(work / "key")
        _openssl("req", "-x509", "-new", "-sha256", "-config", work / "config", "-key", work / "key",
                 "-days", str(AUTHORITY_DAYS), "-out", work / "certificate")  # fmt: skip
        _store(folder, [(key, work / "key", 0o600), (certificate, work / "certificate", 0o644)])
    return key, certificate


def make_server(authority: tuple[Path, Path], hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """A new key and a certificate for those hosts (PEM), signed by the authority."""
    names = alternative_names(hosts)
    key, certificate = authority
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        first = hosts[0] if len(hosts[0]) <= 64 else "broker"  # what a common name can hold; it is not what counts
        (work / "config").write_text(_SERVER_CONFIG.format(first=first, names=names))
        _new_key(work / "key")
        _openssl("req", "-new", "-sha256", "-config", work / "config", "-key", work / "key", "-out", work / "request")
        _openssl("x509", "-req", "-sha256", "-in", work / "request", "-CA", certificate, "-CAkey", key,
                 "-set_serial", str(secrets.randbits(127)), "-days", str(SERVER_DAYS), "-extfile", work / "config",
                 "-extensions", "extensions", "-out", work / "certificate")  # fmt: skip
        return (work / "key").read_bytes(), (work / "certificate").read_bytes()


def _name(host: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(host)}"
    except ValueError:
        pass
    labels = host.removesuffix(".").split(".")
    legal = all(
        0 < len(label) <= 63 and label.replace("-", "").isalnum() and label.isascii() and label.strip("-") == label
        for label in labels
    )
    if not legal or len(host) > _LONGEST_HOST:
        raise CaretakerError(
            f"{host!r} is neither a host name nor an IP address", "e.g. --host broker.lan --host 10.0.0.5"
        )
    return f"DNS:{host}"


def _new_key(path: Path) -> None:
    _openssl("ecparam", "-genkey", "-noout", "-name", "prime256v1", "-out", path)


def _store(folder: Path, files: list[tuple[Path, Path, int]]) -> None:
    try:
        make_folder(folder, 0o700)
        for target, source, mode in files:
            write_whole(target, source.read_bytes(), mode)
    except OSError as error:
        raise CaretakerError(f"{folder} cannot be written: {error.strerror}", "check its rights") from None


def _openssl(*words: str | Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        raise CaretakerError(
            "the program openssl is not installed", "apt-get install openssl, or bring certificates of your own"
        )
    done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - a fixed program, checked words
    if done.returncode:
        raise CaretakerError(f"openssl {words[0]} failed: {done.stderr.strip()[-500:]}", "is ca.crt and ca.key a pair?")
