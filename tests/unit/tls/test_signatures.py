import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pqproxy.crypto import key_algorithm
from pqproxy.tls.alerts import AlertDescription, FatalAlert, WeakAuthentication
from pqproxy.tls.schemes import CHAIN_SCHEMES, HANDSHAKE_SCHEMES, SCHEMES
from pqproxy.tls.signatures import (
    CLIENT_CONTEXT,
    SERVER_CONTEXT,
    CertificateVerifyCheck,
    certificate_verify_content,
    leaf_public_key,
)
from tests.support import pki
from tests.support.loopback import PROVIDER

HASH = bytes(range(48))
SCHEME_OF = {
    "ecdsa-p256": 0x0403,
    "ecdsa-p384": 0x0503,
    "rsa-2048": 0x0804,
    "mldsa44": 0x0904,
    "mldsa65": 0x0905,
    "mldsa87": 0x0906,
}


def leaf(algorithm="ecdsa-p256"):
    return pki.root().issue(name=f"sig-{algorithm}", algorithm=algorithm)


def check(own, **changes):
    values = {
        "provider": PROVIDER,
        "accepted": HANDSHAKE_SCHEMES,
        "context": SERVER_CONTEXT,
        "transcript_hash": HASH,
        "leaf": own.chain_der[0],
    }
    return CertificateVerifyCheck(**{**values, **changes})


def sign(own, scheme, context=SERVER_CONTEXT, transcript_hash=HASH):
    algorithm = PROVIDER.signatures[SCHEMES.get(scheme).algorithm]
    return algorithm.sign(own.key, certificate_verify_content(context, transcript_hash))


def refused(call, description):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is description


@pytest.mark.parametrize("algorithm", pki.ALGORITHMS)
def test_a_proof_by_each_kind_of_key_is_accepted(algorithm):
    own, scheme = leaf(algorithm), SCHEME_OF[algorithm]

    check(own).verify(scheme, sign(own, scheme))


@pytest.mark.parametrize("algorithm", pki.ALGORITHMS)
def test_a_changed_signature_is_refused(algorithm):
    own, scheme = leaf(algorithm), SCHEME_OF[algorithm]
    signature = bytearray(sign(own, scheme))
    signature[-1] ^= 1

    refused(lambda: check(own).verify(scheme, bytes(signature)), AlertDescription.DECRYPT_ERROR)


@pytest.mark.parametrize(
    "signature", [b"", b"\0", b"\x30\x00", bytes(72), bytes(3309), b"\xff" * 65535]
)
@pytest.mark.parametrize("algorithm", pki.ALGORITHMS)
def test_garbage_for_a_signature_is_decrypt_error_and_no_crash(algorithm, signature):
    own = leaf(algorithm)

    refused(
        lambda: check(own).verify(SCHEME_OF[algorithm], signature), AlertDescription.DECRYPT_ERROR
    )


def test_a_server_proof_is_no_client_proof():
    """Without the context a signature of one role could be replayed as the other's."""
    own = leaf()
    signature = sign(own, 0x0403, CLIENT_CONTEXT)

    check(own, context=CLIENT_CONTEXT).verify(0x0403, signature)
    refused(lambda: check(own).verify(0x0403, signature), AlertDescription.DECRYPT_ERROR)


def test_a_proof_of_another_handshake_is_refused():
    own = leaf()
    signature = sign(own, 0x0403, transcript_hash=bytes(48))

    refused(lambda: check(own).verify(0x0403, signature), AlertDescription.DECRYPT_ERROR)


@pytest.mark.parametrize("scheme", [0x0401, 0x0501, 0x0601, 0x0807, 0x0203, 0x0A0A, 0])
def test_a_scheme_for_chains_only_or_unknown_is_refused(scheme):
    own = leaf("rsa-2048")
    everything = check(own, accepted=(*CHAIN_SCHEMES, scheme))

    refused(lambda: everything.verify(scheme, b""), AlertDescription.ILLEGAL_PARAMETER)


def test_a_scheme_that_was_not_offered_is_refused_as_too_weak():
    """Sound as it is: whoever cannot do better than what we asked for is told apart."""
    own = leaf()
    signature = sign(own, 0x0403)

    with pytest.raises(WeakAuthentication, match="ecdsa_secp256r1_sha256, which was not") as caught:
        check(own, accepted=(0x0905,)).verify(0x0403, signature)
    assert caught.value.description is AlertDescription.ILLEGAL_PARAMETER


def test_who_verifies_is_told_what_kind_of_key_it_was():
    assert check(leaf()).verify(0x0403, sign(leaf(), 0x0403)).key_algorithm == "ecdsa-p256"


def test_a_proof_is_named_and_judged_by_the_table_of_the_connection():
    """Under other numbers the usual one means nothing, however good the signature is."""
    own = leaf("mldsa65-ecdsa-p256")
    moved = SCHEMES.with_code_points({"mldsa65-ecdsa-p256": 0xFE90})
    offered = moved.handshake_schemes()
    signature = sign(own, 0xFE45)

    check(own, schemes=moved, accepted=offered).verify(0xFE90, signature)
    with pytest.raises(WeakAuthentication, match="0xfe45, which was not offered"):
        check(own, schemes=moved, accepted=offered).verify(0xFE45, signature)


@pytest.mark.parametrize(
    ("algorithm", "scheme"),
    [("ecdsa-p256", 0x0503), ("ecdsa-p256", 0x0905), ("mldsa65", 0x0906), ("rsa-2048", 0x0403)],
)
def test_a_scheme_that_does_not_fit_the_key_is_refused(algorithm, scheme):
    """TLS 1.3 ties the curve to the scheme: P-256 never signs as ecdsa_secp384r1_sha384."""
    refused(lambda: check(leaf(algorithm)).verify(scheme, b""), AlertDescription.ILLEGAL_PARAMETER)


def test_a_certificate_that_does_not_parse_is_bad():
    refused(lambda: leaf_public_key(b"\x30\x03abc"), AlertDescription.BAD_CERTIFICATE)
    refused(lambda: leaf_public_key(leaf().chain_der[0][:-1]), AlertDescription.BAD_CERTIFICATE)


@pytest.mark.parametrize("algorithm", ["ed25519", "rsa-1024", "ecdsa-p521"])
def test_a_key_that_we_do_not_accept_is_unsupported(algorithm):
    own = leaf(algorithm).chain_der[0]

    refused(lambda: leaf_public_key(own), AlertDescription.UNSUPPORTED_CERTIFICATE)


def test_a_key_that_may_not_sign_is_unsupported():
    """A certificate for key encipherment only proves nothing by a signature."""
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=True,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = self_signed(x509.CertificateBuilder().add_extension(usage, critical=True))

    refused(lambda: leaf_public_key(certificate), AlertDescription.UNSUPPORTED_CERTIFICATE)


def test_a_certificate_without_key_usage_may_sign():
    assert (
        leaf_public_key(self_signed(x509.CertificateBuilder()))
        == pki.key("ecdsa-p256").public_key()
    )


def self_signed(builder):
    """DER of a certificate that holds these extensions and no others."""
    own = pki.key("ecdsa-p256")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    certificate = (
        builder.subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(1)
        .not_valid_before(pki.NOT_BEFORE)
        .not_valid_after(pki.NOT_AFTER)
        .sign(own, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.DER)


def test_an_rsassa_pss_key_is_unsupported():
    """The library loads it like any RSA key, but the rsae schemes are not for it."""
    certificate = x509.load_pem_x509_certificate(RSASSA_PSS_CERTIFICATE)
    assert key_algorithm(certificate.public_key()) == "rsa"

    der = certificate.public_bytes(Encoding.DER)

    refused(lambda: leaf_public_key(der), AlertDescription.UNSUPPORTED_CERTIFICATE)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of the library, once a process
def test_a_changed_certificate_never_crashes_us():
    """Its version and its key's algorithm among others, one byte at a time."""
    der = leaf().chain_der[0]
    for position in range(len(der)):
        changed = bytearray(der)
        changed[position] ^= 0x55
        try:
            key = leaf_public_key(bytes(changed))
        except FatalAlert:
            continue
        assert key_algorithm(key) == "ecdsa-p256"


def test_the_signed_content_is_what_the_standard_writes():
    content = certificate_verify_content(CLIENT_CONTEXT, HASH)

    assert content == b"\x20" * 64 + b"TLS 1.3, client CertificateVerify\x00" + HASH
    assert SERVER_CONTEXT == b"TLS 1.3, server CertificateVerify"


# Of a key that was thrown away; `cryptography` cannot make such a certificate.
RSASSA_PSS_CERTIFICATE = b"""-----BEGIN CERTIFICATE-----
MIIDZzCCAhqgAwIBAgIUbDYfwKmLkYrQUWjP0J5smKqO2egwQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIEAgIA3jAOMQwwCgYDVQQDDANwc3MwIBcNMjYxMTIwMTMyMjQ3WhgPMjA4MTA4
MjMxMzIyNDdaMA4xDDAKBgNVBAMMA3BzczCCASAwCwYJKoZIhvcNAQEKA4IBDwAw
ggEKAoIBAQDX13Szq8bqA/nFl9jNEIjzIAl9/0DxdLJJ3PSTYEfXjRkJ1VHa7vGN
zq8+UBxpOETAtThBcABmsu8brwGe44J4Y/LZJEcucIpC6fqzsvmGgJv/f5cN9hXO
Fz9/+5ec6Z+5lr03XXZjhmvcN6V6ZkyyYFfkTMuT8mJCwv7iSGUcOA7Kj8nJoaBJ
n21wnw7j8594UaqfS2TtYJDBBlZKnjKj766aE8UjKVjnFSeIF5CHUEO0V9a/LK6B
pt3i6R14OCNc9oXdamlhg4DUC2xe+F/3ABtZAAUCJW2YpBa/kSeZH+7OjZhT+PJb
r2QZGRAOEWhJrXg+JgCisp0d4TAcftftAgMBAAGjUzBRMB0GA1UdDgQWBBS0ncT2
7BZk91KO2Q4Lx2rhZ6T2EDAfBgNVHSMEGDAWgBS0ncT27BZk91KO2Q4Lx2rhZ6T2
EDAPBgNVHRMBAf8EBTADAQH/MEIGCSqGSIb3DQEBCjA1oA8wDQYJYIZIAWUDBAIB
BQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAIBBQCiBAICAN4DggEBALX600/P
Yy1efkyXl71SyqnG1YtRLTrNM7Rtjap1KKUhLUNlQ6iw4q7F1IHBLcG0xsJptHTY
cypAxuoQDEXArXw0IexauO+cdNzPULAypz0bHbdNLKI2nGSTXLJ37pN/AcwVVNlN
03kVNL+7T0M76jw5xKpqbAu1myRxZggYV70s0sCzAv8+mqcq3651vdRFmQ6L/wg3
OTqDfQzryhq3in6B2N8i1yQpMeqTkG/UsV9CHFt5rcXobWP8KJqRCL+rFZv8ZXVy
Wc0ZPRupwjNHg6ZGBhcQVWHPiCAjb7HSCl1TUZGjQ/KNAht9TFUBhgMzedf9iO1t
i1YULWFRs+24ALo=
-----END CERTIFICATE-----
"""


def test_a_certificate_of_thousands_of_names_is_refused_unparsed():
    """Parsing them takes ten milliseconds, which a client may not have of us for the asking."""
    names = tuple(f"a{number}" for number in range(2000))

    refused(
        lambda: leaf_public_key(pki.root().issue(dns=names).chain_der[0]),
        AlertDescription.BAD_CERTIFICATE,
    )


def test_a_name_of_bits_among_others_is_bad():
    """Of such a name the library raises no ValueError; it must not pass for a bug of ours."""
    common_name = bytes.fromhex("0603550403")
    text, bits = common_name + b"\x0c\x02ab", common_name + b"\x03\x02\x00b"
    name = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ab")]))
    der = pki.root().issue(extra=((x509.SubjectAlternativeName([name]), False),)).chain_der[0]
    assert der.count(text) == 1

    refused(lambda: leaf_public_key(der.replace(text, bits)), AlertDescription.BAD_CERTIFICATE)
