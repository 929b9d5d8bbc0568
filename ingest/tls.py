"""TLS on ingest's connection to the broker: whom it trusts, and what select cannot see of an encrypted socket.

It decides nothing about messages or about when to connect. The certificate must be signed by the given authority (or,
without one, by the system's) and must name the host of the address; there is no switch that turns this off.
"""

import ssl
from typing import Any

from paho.mqtt.client import Client

from domain.errors import CaretakerError
from ingest.settings import BrokerAddress


def secure(client: Client, address: BrokerAddress) -> None:
    """Let the client speak TLS when the address says so. CaretakerError when the authority's file cannot be used."""
    if not address.tls:
        return
    try:
        context = ssl.create_default_context(cafile=None if address.ca_file is None else str(address.ca_file))
    except OSError as error:  # ssl.SSLError, for a file that holds no certificate, is one too
        raise CaretakerError(
            f"broker.ca_file: {address.ca_file} cannot be used: {error.strerror or error}",
            "name the authority's certificate (PEM), e.g. the ca.crt that caretaker agents prepare wrote",
        ) from None
    client.tls_set_context(context)


def unread(sock: Any) -> bool:
    """Whether decrypted bytes wait inside the socket: select sees only what still lies encrypted in the kernel."""
    return isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
