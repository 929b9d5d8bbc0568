"""TLS on ingest's connection to the broker: whom it trusts.

It decides nothing about messages or about when to connect. The certificate must be signed by the given authority (or,
without one, by the system's) and must name the host of the address; there is no switch that turns this off.
"""

import ssl

from domain.errors import CaretakerError
from ingest.settings import BrokerAddress


def context_of(address: BrokerAddress) -> ssl.SSLContext | None:
    """How to speak TLS; None when the address does not ask for it. CaretakerError when the authority cannot be used."""
    if not address.tls:
        return None
    try:
        return ssl.create_default_context(cafile=None if address.ca_file is None else str(address.ca_file))
    except OSError as error:  # ssl.SSLError, for a file that holds no certificate, is one too
        raise CaretakerError(
            f"broker.ca_file: {address.ca_file} cannot be used: {error.strerror or error}",
            "name the authority's certificate (PEM), e.g. the ca.crt that caretaker agents prepare wrote",
        ) from None
