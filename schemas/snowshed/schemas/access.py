"""librdkafka's way of saying how to reach a cluster, translated to aiokafka's."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snowshed.schemas.connection import KafkaConnection
from snowshed.schemas.errors import ConfigurationError

__all__ = ["Access", "Untranslatable", "translate"]

_OF_SASL = ("sasl.", "enable.sasl.", "https.")
_OF_TLS = ("ssl.", "enable.ssl.")
_MECHANISMS = frozenset({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"})
_PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})
_PROBE = "probe"
"""librdkafka's word for the system's certificates, and its default."""
_OF_KERBEROS = "sasl.kerberos."
_TRUE, _FALSE = frozenset({"true", "t", "1"}), frozenset({"false", "f", "0"})


class Untranslatable(ConfigurationError):
    """aiokafka has nothing that corresponds to a librdkafka property; the message names it."""


@dataclass(frozen=True, slots=True)
class Access:
    """How aiokafka reaches a cluster."""

    bootstrap: str
    protocol: str = "PLAINTEXT"
    mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    """File or folder of trusted certificates; None for the system's."""
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = field(default=None, repr=False)
    verify: bool = True
    """Whether the broker's certificate is checked at all."""
    verify_name: bool = True
    """Whether it must name the host that was asked for."""

    def arguments(self) -> dict[str, Any]:
        """The arguments of `AIOKafkaClient`; reads the certificates.

        Raises:
            OSError: a certificate or key cannot be read.
        """
        return {"bootstrap_servers": self.bootstrap, **self.security()}

    def security(self) -> dict[str, Any]:
        """Those of them that one connection to a server takes too.

        Raises:
            OSError: a certificate or key cannot be read.
        """
        return {
            "security_protocol": self.protocol,
            "ssl_context": self._ssl_context() if self.protocol.endswith("SSL") else None,
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def _ssl_context(self) -> ssl.SSLContext:
        folder = self.ca if self.ca is not None and Path(self.ca).is_dir() else None
        context = ssl.create_default_context(cafile=None if folder else self.ca, capath=folder)
        context.check_hostname = self.verify and self.verify_name
        context.verify_mode = ssl.CERT_REQUIRED if self.verify else ssl.CERT_NONE
        if self.certificate is not None:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(self.certificate, self.key, self.key_password or "")
        return context


def translate(connection: KafkaConnection) -> Access:
    """The same access for aiokafka.

    Raises:
        Untranslatable: a property about security has no counterpart; guessing could weaken it.
    """
    given = connection.properties
    protocol = given.get("security.protocol", "plaintext").upper()
    if protocol not in _PROTOCOLS:
        raise Untranslatable(f"security.protocol={protocol} is none that aiokafka knows")
    access: dict[str, Any] = {}
    if protocol.startswith("SASL"):
        access |= _sasl(_part(given, _OF_SASL))
    if protocol.endswith("SSL"):
        access |= _tls(_part(given, _OF_TLS))
    return Access(connection.bootstrap, protocol, **access)


def _part(given: Mapping[str, str], prefixes: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name.startswith(prefixes)}


def _sasl(given: dict[str, str]) -> dict[str, Any]:
    mechanism = given.pop("sasl.mechanisms", given.pop("sasl.mechanism", "GSSAPI")).upper()
    if mechanism not in _MECHANISMS:
        known = ", ".join(sorted(_MECHANISMS))
        raise Untranslatable(f"sasl.mechanism={mechanism} is not supported here: only {known} are")
    username, password = given.pop("sasl.username", None), given.pop("sasl.password", None)
    if username is None or password is None:
        raise Untranslatable("sasl.username or sasl.password is missing")
    _refuse({name for name in given if not name.startswith(_OF_KERBEROS)})
    return {"mechanism": mechanism, "username": username, "password": password}


def _tls(given: dict[str, str]) -> dict[str, Any]:
    ca = given.pop("ssl.ca.location", _PROBE)
    access = {
        "ca": None if ca == _PROBE else ca,
        "certificate": given.pop("ssl.certificate.location", None),
        "key": given.pop("ssl.key.location", None),
        "key_password": given.pop("ssl.key.password", None),
        "verify": _boolean(
            "enable.ssl.certificate.verification", given.pop("enable.ssl.certificate.verification", "true")
        ),
        "verify_name": given.pop("ssl.endpoint.identification.algorithm", "https").lower() != "none",
    }
    _refuse(given)
    return access


def _refuse(names: Collection[str]) -> None:
    if names:
        raise Untranslatable(f"aiokafka has no counterpart of {', '.join(sorted(names))}")


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise Untranslatable(f"{name}={text} is neither true nor false")
    return text.lower() in _TRUE
