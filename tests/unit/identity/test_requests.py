import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.identity.certificates import ALGORITHMS, LeafNames, common_name
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.requests import MAX_REQUESTS, build_request, holds_request, read_requests
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",), ("llm.test",), ("10.0.0.7", "::1"))


def pem_of(der):
    body = base64.encodebytes(der)
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + body + b"-----END CERTIFICATE REQUEST-----\n"


def foreign(*extensions, key=None, subject="somebody"):
    """What another program may ask for."""
    key = key or pki.key("ecdsa-p256")
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name(subject))
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(serialization.Encoding.PEM)


def san(*names):
    return x509.SubjectAlternativeName(names)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_we_ask_for_is_what_is_read(algorithm):
    key = ALGORITHMS[algorithm]()

    (request,) = read_requests(build_request(key, "llm", NAMES), "llm.csr")

    assert request.algorithm == algorithm
    assert request.public_key == key.public_key()
    assert request.names == NAMES


def test_a_file_may_hold_a_request_of_each_algorithm():
    pem = b"".join(
        build_request(pki.key(algorithm), "llm", NAMES)
        for algorithm in ("mldsa65-ecdsa-p256", "ecdsa-p256")
    )

    assert [one.algorithm for one in read_requests(pem, "llm.csr")] == [
        "mldsa65-ecdsa-p256",
        "ecdsa-p256",
    ]


@pytest.mark.parametrize("half", ["ML-DSA-65", "ECDSA-P256-SHA256"])
def test_a_request_with_one_broken_half_is_refused_and_the_half_is_named(half):
    """Whoever forges one half must not get a certificate for the other."""
    pem = build_request(pki.key("mldsa65-ecdsa-p256"), "llm", NAMES)
    der = bytearray(x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER))
    # The ECDSA half is the last of the file, and the ML-DSA half is before it.
    der[-1 if half.startswith("ECDSA") else -200] ^= 1

    with pytest.raises(IdentityError, match=f"the {half} half does not verify") as error:
        read_requests(pem_of(bytes(der)), "llm.csr")

    assert str(error.value).startswith("llm.csr: request 1 does not prove")


def test_a_composite_request_under_the_name_of_another_algorithm_is_refused():
    """The outer algorithm is not signed: it must be the key's."""
    pem = build_request(pki.key("mldsa65-ecdsa-p256"), "llm", NAMES)
    der = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    oid = bytes.fromhex("2b0601050507062d")  # 1.3.6.1.5.5.7.6.45
    at = der.rindex(oid)
    changed = der[: at + len(oid) - 1] + b"\x28" + der[at + len(oid) :]

    with pytest.raises(IdentityError, match="not signed with MLDSA65-ECDSA-P256-SHA512"):
        read_requests(pem_of(changed), "llm.csr")


def test_a_signature_of_somebody_elses_is_refused():
    one = foreign(san(x509.DNSName("a.test")))
    der = bytearray(x509.load_pem_x509_csr(one).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(IdentityError, match="the signature does not verify"):
        read_requests(pem_of(bytes(der)), "a.csr")


def test_what_is_not_taken_is_told():
    pem = foreign(
        san(x509.DNSName("a.test")),
        x509.BasicConstraints(ca=True, path_length=None),
        x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
    )

    (request,) = read_requests(pem, "a.csr")

    assert request.names.every == ("a.test",)
    assert request.ignored == ("subject CN=somebody", "basicConstraints", "1.2.3")


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "holds no certificate request"),
        (foreign(), "asks for no name that peers can check"),
        (foreign(san(x509.RFC822Name("a@b.test"))), "not certified here: RFC822Name"),
        (foreign(san(x509.UniformResourceIdentifier("https://a.test"))), "does not start with"),
        (foreign(san(x509.UniformResourceIdentifier("spiffe://corp"))), "names a trust domain"),
        (foreign(san(x509.DNSName("a b"))), "is not a DNS name"),
        (foreign(san()), "a certificate needs a name"),
        (
            foreign(san(x509.DNSName("a.test")), key=ed25519.Ed25519PrivateKey.generate()),
            "of a kind that no peer of ours takes",
        ),
        (
            foreign(san(x509.DNSName("a.test")), key=ec.generate_private_key(ec.SECP521R1())),
            "of a kind that no peer of ours takes",
        ),
        (foreign(san(x509.DNSName("a.test"))) * 2, "two requests of one algorithm"),
        (foreign(san(x509.DNSName("a.test"))) * (MAX_REQUESTS + 1), "at most 8 are read"),
        (pem_of(b"\x30\x03\x02\x01"), "request 1 does not parse"),
    ],
)
def test_what_cannot_be_certified_is_refused_by_name(pem, message):
    with pytest.raises(IdentityError, match=message) as error:
        read_requests(pem, "a.csr")

    assert str(error.value).startswith("a.csr")
    assert error.value.fix


def test_old_programs_call_it_a_new_request():
    pem = foreign(san(x509.DNSName("a.test"))).replace(b"CERTIFICATE", b"NEW CERTIFICATE")

    assert holds_request(pem)
    assert len(read_requests(pem, "a.csr")) == 1


@given(
    algorithm=st.sampled_from(["mldsa65-ecdsa-p256", "ecdsa-p256"]),
    at=st.integers(0, 10_000),
    patch=st.binary(max_size=4),
    removed=st.integers(0, 4),
)
def test_whatever_is_changed_in_a_request_it_is_refused(algorithm, at, patch, removed):
    """Who brings a request chooses every byte of it."""
    pem = build_request(pki.key(algorithm), "llm", NAMES)
    der = x509.load_pem_x509_csr(pem).public_bytes(serialization.Encoding.DER)
    at %= len(der)
    changed = der[:at] + patch + der[at + removed :]
    if changed == der:
        return

    with pytest.raises(IdentityError):
        read_requests(pem_of(changed), "llm.csr")
