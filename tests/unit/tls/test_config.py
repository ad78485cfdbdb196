import dataclasses

import pytest

from pqproxy import tls
from pqproxy.tls.key_exchange import is_post_quantum
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential


def test_what_is_offered_by_default_is_post_quantum_only():
    server = tls.ServerConfig((credential(leaf()),), PROVIDER)
    client = tls.ClientConfig(PROVIDER)

    for config in (server, client):
        assert config.groups
        assert all(is_post_quantum(group) for group in config.groups)
    assert set(client.key_shares) <= set(client.groups)


def test_aes_256_comes_first():
    assert tls.ClientConfig(PROVIDER).cipher_suites == (0x1302, 0x1301)


def test_records_are_padded_by_default():
    assert tls.ClientConfig(PROVIDER).padding == 256


@pytest.mark.parametrize("scheme", [0x0401, 0x0501, 0x0601])
def test_pkcs1_signatures_are_accepted_in_chains_only(scheme):
    config = tls.ClientConfig(PROVIDER)

    assert scheme not in config.signature_schemes
    assert scheme in config.chain_signature_schemes


def test_a_configuration_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        tls.ClientConfig(PROVIDER).padding = 0


def test_a_credential_does_not_show_its_key():
    shown = repr(credential(leaf()))

    assert "private_key" not in shown
    assert "PrivateKey" not in shown


@pytest.mark.parametrize(
    ("asks", "protocol", "demanded"),
    [
        (tls.ClientAuthentication.NONE, b"x", False),
        (tls.ClientAuthentication.REQUEST, b"x", True),
        (tls.ClientAuthentication.REQUEST, b"y", False),
        (tls.ClientAuthentication.REQUEST, None, False),
        (tls.ClientAuthentication.REQUIRE, None, True),
    ],
)
def test_where_certificates_are_asked_for_a_protocol_may_demand_one(asks, protocol, demanded):
    config = tls.ServerConfig(
        (), PROVIDER, client_authentication=asks, certificate_protocols=(b"x",)
    )

    assert config.demands_certificate(protocol) is demanded
