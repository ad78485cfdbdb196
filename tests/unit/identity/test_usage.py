import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pqproxy.identity.peer import Purpose
from pqproxy.identity.usage import permits_usage
from tests.support.pki import CLIENT_AUTH, SERVER_AUTH


@pytest.mark.parametrize(
    ("usages", "client", "server", "signer"),
    [
        ([CLIENT_AUTH], True, False, True),
        ([SERVER_AUTH], False, True, False),
        ([SERVER_AUTH, CLIENT_AUTH], True, True, True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True, True, True),
        ([ExtendedKeyUsageOID.CODE_SIGNING], False, False, True),
        ([ExtendedKeyUsageOID.EMAIL_PROTECTION], False, False, False),
    ],
)
def test_a_certificate_serves_the_roles_that_it_lists(usages, client, server, signer):
    usage = x509.ExtendedKeyUsage(usages)

    assert permits_usage(usage, Purpose.CLIENT) is client
    assert permits_usage(usage, Purpose.SERVER) is server
    assert permits_usage(usage, Purpose.SIGNER) is signer


@pytest.mark.parametrize("purpose", Purpose)
def test_without_the_extension_any_role_is_permitted(purpose):
    assert permits_usage(None, purpose)
