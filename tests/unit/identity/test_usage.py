import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pqproxy.identity.peer import Purpose
from pqproxy.identity.usage import permits_usage
from tests.support.pki import CLIENT_AUTH, SERVER_AUTH


@pytest.mark.parametrize(
    ("usages", "client", "server"),
    [
        ([CLIENT_AUTH], True, False),
        ([SERVER_AUTH], False, True),
        ([SERVER_AUTH, CLIENT_AUTH], True, True),
        ([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE], True, True),
        ([ExtendedKeyUsageOID.CODE_SIGNING], False, False),
    ],
)
def test_a_certificate_serves_the_roles_that_it_lists(usages, client, server):
    usage = x509.ExtendedKeyUsage(usages)

    assert permits_usage(usage, Purpose.CLIENT) is client
    assert permits_usage(usage, Purpose.SERVER) is server


@pytest.mark.parametrize("purpose", Purpose)
def test_without_the_extension_any_role_is_permitted(purpose):
    assert permits_usage(None, purpose)
