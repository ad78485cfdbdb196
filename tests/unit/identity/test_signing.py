import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pqproxy.crypto.keys import load_private_key
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.authority import create_authority
from pqproxy.identity.certificates import DEFAULT_ALGORITHMS, LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import find_leaves, leaf_files
from pqproxy.identity.names import read_names
from pqproxy.identity.requests import read_requests
from pqproxy.identity.signing import KeyOptions, SigningOptions, request_leaves, sign_requests
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",), ("llm.test",))


@pytest.fixture
def there(tmp_path):
    """The machine with the key."""
    return tmp_path / "there"


@pytest.fixture
def here(tmp_path):
    """The machine with the authority."""
    for algorithm in DEFAULT_ALGORITHMS:
        create_authority(tmp_path / "here", algorithm, now=pki.NOW, trust_domain="corp")
    return tmp_path / "here"


@pytest.fixture
def carried(tmp_path):
    return tmp_path / "llm.csr"


def requests_in(path):
    return read_requests(path.read_bytes(), str(path))


def test_keys_stay_there_and_requests_are_one_file_to_carry(there, carried):
    keys = request_leaves(there, "llm", NAMES, carried, KeyOptions())

    assert keys == tuple(leaf_files(there, "llm", one).key for one in DEFAULT_ALGORITHMS)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in keys)
    assert b"PRIVATE" not in carried.read_bytes()
    assert [one.public_key for one in requests_in(carried)] == [
        load_private_key(path.read_bytes()).public_key() for path in keys
    ]


def test_what_is_signed_here_fits_the_keys_there(here, there, carried):
    keys = request_leaves(there, "llm", NAMES, carried, KeyOptions())

    signed = sign_requests(
        here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions(days=7)
    )

    for one, key in zip(signed, keys, strict=True):
        assert certificate_key(one.certificate) == load_private_key(key.read_bytes()).public_key()
        names = read_names(one.certificate)
        assert (names.uris, names.dns_names) == (NAMES.spiffe, NAMES.dns)
    assert not any(leaf.files.key.exists() for leaf in find_leaves(here, "llm"))


def test_only_the_key_and_the_names_are_taken(here):
    """A request for an authority gets a leaf, called what its signer called it."""
    builder = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("llm.test")]), critical=False)
    )
    asked = builder.sign(pki.key("ecdsa-p256"), hashes.SHA256())
    pem = asked.public_bytes(serialization.Encoding.PEM)

    (signed,) = sign_requests(
        here, "llm", read_requests(pem, "llm.csr"), now=pki.NOW, options=SigningOptions()
    )

    extensions = signed.certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert signed.certificate.subject.rfc4514_string() == "CN=llm"


def test_names_of_another_trust_domain_are_refused_and_nothing_is_written(here, there, carried):
    request_leaves(there, "llm", LeafNames.parse(("spiffe://other/llm",)), carried, KeyOptions())

    with pytest.raises(IdentityError, match="signs for the trust domain corp"):
        sign_requests(here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions())

    assert not (here / "leaf").exists()


def test_a_certificate_is_replaced_only_when_that_was_said(here, there, carried):
    request_leaves(there, "llm", NAMES, carried, KeyOptions())
    first = sign_requests(here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions())

    with pytest.raises(IdentityError, match="exists") as error:
        sign_requests(here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions())
    assert "--renew" in error.value.fix
    second = sign_requests(
        here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions(renew=True)
    )

    found = [leaf.certificate for leaf in find_leaves(here, "llm")]
    assert found == [one.certificate for one in second]
    assert found != [one.certificate for one in first]


def test_a_renewal_is_asked_for_with_the_keys_and_names_that_are_there(
    here, there, carried, tmp_path
):
    keys = request_leaves(there, "llm", NAMES, carried, KeyOptions())
    for one in sign_requests(
        here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions()
    ):
        leaf_files(there, "llm", one.path.stem).certificate.write_bytes(one.path.read_bytes())
    again = tmp_path / "again.csr"

    request_leaves(there, "llm", None, again, KeyOptions(keep=True))

    asked = {one.algorithm: one for one in requests_in(again)}
    assert {path.stem for path in keys} == set(asked)
    assert all(one.names == NAMES for one in asked.values())
    assert [asked[one.algorithm].public_key for one in requests_in(carried)] == [
        one.public_key for one in requests_in(carried)
    ]


def test_a_key_that_is_there_is_not_made_anew(there, carried, tmp_path):
    request_leaves(there, "llm", NAMES, carried, KeyOptions())

    with pytest.raises(IdentityError, match="exists and is never overwritten") as error:
        request_leaves(there, "llm", NAMES, tmp_path / "again.csr", KeyOptions())

    assert "--keep-key" in error.value.fix


def test_a_request_overwrites_nothing(there, carried):
    carried.write_text("mine")

    with pytest.raises(IdentityError, match="exists"):
        request_leaves(there, "llm", NAMES, carried, KeyOptions())

    assert carried.read_text() == "mine"
    assert not there.exists()


def test_keys_that_are_not_there_cannot_be_kept(there, carried):
    with pytest.raises(IdentityError, match="there is no key"):
        request_leaves(there, "llm", NAMES, carried, KeyOptions(keep=True))


def rsa_request():
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([]),
        [x509.Extension(x509.OID_SUBJECT_ALTERNATIVE_NAME, False, NAMES.general_names())],
    )
    asked = builder.sign(rsa.generate_private_key(65537, 3072), hashes.SHA256())
    return read_requests(asked.public_bytes(serialization.Encoding.PEM), "web.csr")


def test_who_signs_a_key_of_another_kind_must_be_said(here):
    with pytest.raises(IdentityError, match="no authority of the kind of the key") as error:
        sign_requests(here, "web", rsa_request(), now=pki.NOW, options=SigningOptions())
    assert "--algorithm ecdsa-p256, or --algorithm mldsa65-ecdsa-p256" in error.value.fix

    (signed,) = sign_requests(
        here, "web", rsa_request(), now=pki.NOW, options=SigningOptions(algorithm="ecdsa-p256")
    )

    assert signed.path.name == "rsa-3072.crt"


def test_a_composite_key_is_never_signed_by_ecdsa(here, there, carried):
    """It would look hybrid, and rest on ECDSA."""
    request_leaves(there, "llm", NAMES, carried, KeyOptions("mldsa65-ecdsa-p256"))

    with pytest.raises(IdentityError, match="certified by a composite authority only"):
        sign_requests(
            here,
            "llm",
            requests_in(carried),
            now=pki.NOW,
            options=SigningOptions(algorithm="ecdsa-p256"),
        )


def test_a_composite_key_needs_an_authority_of_its_kind(there, carried, tmp_path):
    create_authority(tmp_path, "ecdsa-p256", now=pki.NOW)
    request_leaves(there, "llm", NAMES, carried, KeyOptions("mldsa65-ecdsa-p256"))

    with pytest.raises(IdentityError, match="there is no mldsa65-ecdsa-p256 authority") as error:
        sign_requests(tmp_path, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions())

    assert error.value.fix.startswith("make one: pqproxy certs init")


def test_a_request_that_cannot_be_written_leaves_no_keys_behind(there, tmp_path):
    """They would be in the way of the next try."""
    with pytest.raises(IdentityError, match="cannot write"):
        request_leaves(there, "llm", NAMES, tmp_path / "missing" / "llm.csr", KeyOptions())

    assert not there.exists()


def test_keys_that_cannot_be_written_leave_no_request_behind(there, carried):
    there.write_text("no directory")

    with pytest.raises(IdentityError):
        request_leaves(there, "llm", NAMES, carried, KeyOptions())

    assert not carried.exists()


def test_a_certificate_is_not_put_beside_the_key_of_another(here, there, carried, tmp_path):
    request_leaves(here, "llm", NAMES, tmp_path / "ours.csr", KeyOptions())
    request_leaves(there, "llm", NAMES, carried, KeyOptions())

    with pytest.raises(IdentityError, match="is not the key of the request") as error:
        sign_requests(here, "llm", requests_in(carried), now=pki.NOW, options=SigningOptions())

    assert "--name" in error.value.fix
    assert sign_requests(
        here, "llm", requests_in(tmp_path / "ours.csr"), now=pki.NOW, options=SigningOptions()
    )
