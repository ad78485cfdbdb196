"""What a certificate may be used for: extendedKeyUsage, on leaves and on authorities."""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pqproxy.identity.peer import Purpose

USAGE = {
    Purpose.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH,
    Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH,
}
USAGE_NAMES = {Purpose.CLIENT: "clientAuth", Purpose.SERVER: "serverAuth"}


def permits_usage(usage: x509.ExtendedKeyUsage | None, purpose: Purpose) -> bool:
    """Whether a certificate with this extension may serve; without it any use is permitted."""
    if usage is None:
        return True
    return USAGE[purpose] in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage
