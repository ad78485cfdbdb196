"""What a certificate may be used for: extendedKeyUsage, on leaves and on authorities.

Who signs content speaks for itself, as a client does; so one identity serves for both. A
certificate for servers alone, such as the web's authorities give to whoever answers at a name,
does not say that.
"""

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pqproxy.identity.peer import Purpose

USAGE = {
    Purpose.CLIENT: (ExtendedKeyUsageOID.CLIENT_AUTH,),
    Purpose.SERVER: (ExtendedKeyUsageOID.SERVER_AUTH,),
    Purpose.SIGNER: (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.CODE_SIGNING),
}
USAGE_NAMES = {
    Purpose.CLIENT: "clientAuth",
    Purpose.SERVER: "serverAuth",
    Purpose.SIGNER: "clientAuth or codeSigning",
}


def permits_usage(usage: x509.ExtendedKeyUsage | None, purpose: Purpose) -> bool:
    """Whether a certificate with this extension may serve; without it any use is permitted."""
    if usage is None:
        return True
    permitted = (*USAGE[purpose], ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    return any(each in usage for each in permitted)
