"""librdkafka's properties in aiokafka's words, or a refusal."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from snowshed.schemas.access import Access, Untranslatable, translate
from snowshed.schemas.connection import KafkaConnection

PLAIN = {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"}


def translated(properties: dict[str, str]) -> Access:
    return translate(KafkaConnection("kafka:9093", properties))


def test_without_properties_it_is_plain_text() -> None:
    assert translated({}) == Access("kafka:9093")
    assert translated({}).arguments()["ssl_context"] is None


def test_properties_of_fetching_and_of_security_that_is_not_used_do_not_matter() -> None:
    unused = {"ssl.ca.location": "/ca", "sasl.mechanism": "GSSAPI", "https.ca.location": "/ca"}
    assert translated({"socket.keepalive.enable": "true", "client.id": "x", **unused}) == Access("kafka:9093")


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "scram-sha-512"])
@pytest.mark.parametrize("name", ["sasl.mechanism", "sasl.mechanisms"])
def test_passwords_are_translated(mechanism: str, name: str) -> None:
    given = {name: mechanism, "sasl.username": "u", "sasl.password": "p", "sasl.kerberos.keytab": "/unused"}
    access = translated({"security.protocol": "SASL_PLAINTEXT", **given})
    assert access == Access("kafka:9093", "SASL_PLAINTEXT", mechanism.upper(), "u", "p")
    assert access.arguments()["sasl_plain_password"] == "p"


def test_all_of_tls_is_translated() -> None:
    access = translated(
        {
            "security.protocol": "ssl",
            "ssl.ca.location": "/ca.pem",
            "ssl.certificate.location": "/me.pem",
            "ssl.key.location": "/me.key",
            "ssl.key.password": "secret",
            "ssl.endpoint.identification.algorithm": "none",
            "enable.ssl.certificate.verification": "false",
        }
    )
    assert access == Access(
        "kafka:9093",
        "SSL",
        ca="/ca.pem",
        certificate="/me.pem",
        key="/me.key",
        key_password="secret",
        verify=False,
        verify_name=False,
    )
    assert "secret" not in repr(access)


def test_the_system_s_certificates_are_those_that_librdkafka_probes_for() -> None:
    assert translated({"security.protocol": "ssl", "ssl.ca.location": "probe"}) == translated(
        {"security.protocol": "ssl"}
    )


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"security.protocol": "quic"}, "QUIC"),
        ({"security.protocol": "sasl_ssl"}, "GSSAPI"),
        ({**PLAIN, "sasl.mechanism": "OAUTHBEARER"}, "OAUTHBEARER"),
        ({**PLAIN, "sasl.oauthbearer.config": "x"}, "sasl.oauthbearer.config"),
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN", "sasl.username": "u"}, "sasl.password"),
        ({"security.protocol": "ssl", "ssl.ca.pem": "-----BEGIN"}, "ssl.ca.pem"),
        ({"security.protocol": "ssl", "ssl.crl.location": "/crl"}, "ssl.crl.location"),
        ({"security.protocol": "ssl", "enable.ssl.certificate.verification": "perhaps"}, "perhaps"),
    ],
)
def test_what_has_no_counterpart_is_refused_by_its_name(properties: dict[str, str], named: str) -> None:
    with pytest.raises(Untranslatable, match=named):
        translated(properties)


@pytest.mark.parametrize(
    ("properties", "mode", "names"),
    [
        ({}, ssl.CERT_REQUIRED, True),
        ({"ssl.endpoint.identification.algorithm": "none"}, ssl.CERT_REQUIRED, False),
        ({"enable.ssl.certificate.verification": "0"}, ssl.CERT_NONE, False),
    ],
)
def test_the_broker_s_certificate_is_checked_as_far_as_was_asked(
    properties: dict[str, str], mode: ssl.VerifyMode, names: bool
) -> None:
    context = translated({"security.protocol": "ssl", **properties}).arguments()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (mode, names)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    key, certificate = tmp_path / "me.key", tmp_path / "me.pem"
    subject = ["-subj", "/CN=me", "-days", "1", "-passout", "pass:secret"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *subject], check=True, capture_output=True)
    return certificate


def test_certificates_are_read_from_a_file_or_a_folder(certificate: Path) -> None:
    tls = {"security.protocol": "ssl", "ssl.ca.location": str(certificate)}
    trusted = translated(tls).arguments()["ssl_context"].get_ca_certs()
    assert len(trusted) == 1
    translated({**tls, "ssl.ca.location": str(certificate.parent)}).arguments()
    with pytest.raises(OSError, match="No such file"):
        translated({**tls, "ssl.ca.location": str(certificate.parent / "absent")}).arguments()


def test_a_key_opens_with_its_password_and_asks_nobody_for_it(certificate: Path) -> None:
    own = {"ssl.certificate.location": str(certificate), "ssl.key.location": str(certificate.with_suffix(".key"))}
    translated({"security.protocol": "ssl", **own, "ssl.key.password": "secret"}).arguments()
    with pytest.raises(ssl.SSLError):
        translated({"security.protocol": "ssl", **own}).arguments()
