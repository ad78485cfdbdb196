from itertools import permutations

import pytest
from cryptography import x509

from pqproxy.config.values import TrustFiles
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.pem import encode
from pqproxy.identity.roots import declared_domain, read_roots
from tests.support import pki
from tests.support.chains import COMPOSITE, MALFORMED_CHAINS

ROOT = pki.root()


def files(*pem):
    return TrustFiles("mesh", pem, "roots.pem")


def certificate(*extensions, private=None):
    """A self-signed certificate with these extensions only."""
    private = private or pki.key("ecdsa-p256", "bare")
    name = ROOT.certificate.subject
    builder = (
        x509.CertificateBuilder(name, name, private.public_key(), 1)
        .not_valid_before(pki.NOT_BEFORE)
        .not_valid_after(pki.NOT_AFTER)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(private, pki.hashes.SHA256())


AUTHORITY = x509.BasicConstraints(ca=True, path_length=None)


def test_roots_are_read_from_every_part_once():
    other = pki.root("mldsa65", name="other")

    roots = read_roots(files(ROOT.certificate_pem + other.certificate_pem, ROOT.certificate_pem))

    assert [root.certificate for root in roots] == [ROOT.certificate, other.certificate]
    assert [root.subject for root in roots] == ["CN=root", "CN=other"]


def test_an_empty_set_is_an_error():
    with pytest.raises(IdentityError, match="trust mesh: holds no roots"):
        read_roots(files())


def test_a_broken_block_is_named_with_its_part_of_the_set():
    with pytest.raises(IdentityError, match=r"^trust mesh: roots\.pem \(part 2\): block 1 is not"):
        read_roots(files(ROOT.certificate_pem, ROOT.certificate_pem.replace(b"MII", b"MIJ", 1)))


def test_of_a_bundle_with_a_key_the_roots_are_believed():
    """What `certs export` writes may be named once for the identity and once for the roots."""
    leaf = ROOT.intermediate().issue(dns=("a.test",))

    for bundle in map(b"".join, permutations(
        (leaf.key_pem, leaf.certificate_pem, ROOT.certificate_pem)
    )):  # fmt: skip
        assert [root.certificate for root in read_roots(files(bundle))] == [ROOT.certificate]


def test_a_bundle_without_roots_is_refused():
    leaf = ROOT.issue(dns=("a.test",))

    with pytest.raises(IdentityError, match="holds a private key"):
        read_roots(files(leaf.key_pem + leaf.certificate_pem))


def test_a_key_alone_is_called_one():
    with pytest.raises(IdentityError, match="holds a private key, which has no place"):
        read_roots(files(ROOT.issue().key_pem))


def test_a_private_key_among_roots_is_an_error_that_does_not_show_it():
    leaf = ROOT.issue(dns=("a.test",))

    with pytest.raises(IdentityError, match="holds a private key") as error:
        read_roots(files(ROOT.certificate_pem + leaf.key_pem))

    assert leaf.key_pem.split(b"\n")[1].decode() not in f"{error.value} {error.value.fix}"


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ROOT.issue(dns=("a.test",)).certificate, "is not the certificate of an authority"),
        (certificate(), "is not the certificate of an authority"),
        (certificate((AUTHORITY, False)), "basicConstraints that are not critical"),
        (
            certificate((AUTHORITY, True), (pki._key_usage(digital_signature=True), True)),
            "lacks the key usage keyCertSign",
        ),
        (pki.root("ed25519").certificate, "a key that chains cannot be verified with"),
        (pki.root("rsa-1024").certificate, "a key that chains cannot be verified with"),
    ],
    ids=["leaf", "bare", "not critical", "wrong key usage", "ed25519", "rsa-1024"],
)
def test_a_root_that_could_verify_nothing_is_refused_at_start(broken, message):
    """The path verifier would refuse each of its chains, and say so to nobody in time."""
    with pytest.raises(IdentityError, match=message) as error:
        read_roots(files(ROOT.certificate_pem + encode(broken)))

    assert "certificate 2" in str(error.value)
    assert error.value.fix


@pytest.mark.parametrize(
    ("place", "recipe", "rule"),
    [row for row in MALFORMED_CHAINS if row[0] == "root"],
    ids=[row[2] for row in MALFORMED_CHAINS if row[0] == "root"],
)
def test_a_composite_root_that_no_path_can_end_at_is_refused_at_start(place, recipe, rule):
    """But for what another day, purpose or chain makes good."""
    root = pki.root(COMPOSITE, **recipe)

    if rule in ("not-before", "not-after", "extended-key-usage", "path-length"):
        assert read_roots(root.trust_files())
    else:
        with pytest.raises(IdentityError, match="CN=root"):
            read_roots(root.trust_files())


def test_the_signature_of_a_root_on_itself_is_not_asked_for():
    """Whom it would convince has the same file. An authority below another is a root, too."""
    root = pki.root(COMPOSITE)
    below = root.intermediate()
    damaged = bytearray(root.certificate_der)
    damaged[-1] ^= 1
    unsigned = x509.load_der_x509_certificate(bytes(damaged))

    for certificate in (below.certificate, unsigned):
        assert [each.certificate for each in read_roots(files(encode(certificate)))] == [
            certificate
        ]


def test_a_root_without_key_usage_is_read():
    """`openssl req -x509` makes such roots; RFC 5280 lets them sign."""
    assert len(read_roots(files(encode(certificate((AUTHORITY, True)))))) == 1


def test_a_root_declares_its_trust_domain_by_a_uri():
    (root,) = read_roots(pki.root(name="corp", uris=("spiffe://corp",)).trust_files())

    assert root.trust_domain == "corp"


@pytest.mark.parametrize("uris", [(), ("https://corp.test/ca",)])
def test_a_root_without_a_spiffe_uri_declares_nothing(uris):
    assert declared_domain(pki.root(uris=uris).certificate, "here") is None


@pytest.mark.parametrize(
    ("uris", "message"),
    [
        (("spiffe://corp", "spiffe://other"), "declares 2 trust domains"),
        (("spiffe://corp/ns/a",), "names a peer"),
        (("spiffe://Corp",), "declares no trust domain"),
        (("SPIFFE:corp",), "declares no trust domain"),
    ],
)
def test_a_root_that_declares_badly_is_an_error(uris, message):
    with pytest.raises(IdentityError, match=message):
        read_roots(pki.root(name="bad", uris=uris).trust_files())
