import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.config.values import SERIAL_BYTES, RevocationFile
from pqproxy.identity import revocation_lists
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.revocation_lists import (
    UnusableRevocationList,
    issuer_digest,
    read_revocation_lists,
)
from tests.support import pki

ROOT = pki.root()
OTHER = pki.root(name="other")


def file(*contents, encoding=Encoding.PEM, source="mesh.crl"):
    return RevocationFile(source, b"".join(one.public_bytes(encoding) for one in contents))


def read(*files, roots=(ROOT,)):
    return read_revocation_lists(files, [root.certificate for root in roots])


def refusal(*files, roots=(ROOT,)):
    with pytest.raises(UnusableRevocationList) as refused:
        read(*files, roots=roots)
    assert isinstance(refused.value, IdentityError)
    assert refused.value.fix
    return str(refused.value)


def serials(revoked):
    cut = range(0, len(revoked.serials), SERIAL_BYTES)
    return [int.from_bytes(revoked.serials[at : at + SERIAL_BYTES], "big") for at in cut]


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("algorithm", [*pki.ALGORITHMS, "mldsa65-ecdsa-p256", "mldsa87-ecdsa-p384"])
def test_lists_of_every_kind_of_authority_are_read(algorithm, encoding):
    root = pki.root(algorithm)

    (revoked,) = read(file(root.revoke(7, 2**158, 3), encoding=encoding), roots=(root,))

    assert serials(revoked) == [3, 7, 2**158]
    assert revoked.authority == "CN=root"
    assert revoked.issuer == issuer_digest(root.certificate.subject)
    assert revoked.next_update == pki.NOT_AFTER.timestamp()


def test_a_list_that_revokes_nobody_is_a_list():
    """So begins every authority, and its end is watched like that of others."""
    (revoked,) = read(file(ROOT.revoke()))

    assert revoked.serials == b""


def test_lists_of_one_authority_add_up_and_the_newest_says_when_the_next_is_due():
    newer = ROOT.revoke(2, last_update=pki.NOW, next_update=pki.FUTURE)

    (revoked,) = read(file(ROOT.revoke(1)), file(newer))

    assert serials(revoked) == [1, 2]
    assert revoked.next_update == pki.FUTURE.timestamp()
    assert revoked.this_update == pki.NOW.timestamp()


def test_one_file_may_hold_the_lists_of_several_authorities():
    lists = file(ROOT.revoke(1), OTHER.revoke(2))

    found = read(lists, roots=(ROOT, OTHER))

    assert [(one.authority, serials(one)) for one in found] == [
        ("CN=root", [1]),
        ("CN=other", [2]),
    ]


@pytest.mark.parametrize("missing", [1, 30, 200])
def test_a_file_that_is_cut_off_takes_back_nothing(missing):
    """The list that is not whole yet would be missed by nobody, and whoever is on it let in."""
    both = file(ROOT.revoke(1), OTHER.revoke(2)).content
    cut = RevocationFile("both.crl", both.rstrip()[:-missing])

    assert refusal(cut, roots=(ROOT, OTHER)).startswith("both.crl: is cut off")


def test_a_list_out_of_date_still_counts():
    """Else whoever keeps newer ones away would bring the revoked back."""
    (revoked,) = read(file(ROOT.revoke(1, next_update=pki.PAST)))

    assert serials(revoked) == [1]
    assert revoked.next_update == pki.PAST.timestamp()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "mldsa65-ecdsa-p256"])
def test_an_intermediate_beside_the_list_may_have_signed_it(algorithm):
    root = pki.root(algorithm)
    upper = root.intermediate(name="upper")
    lower = upper.intermediate(name="lower")

    (revoked,) = read(
        file(lower.revoke(5), lower.certificate), file(upper.certificate), roots=(root,)
    )

    assert (revoked.authority, serials(revoked)) == ("CN=lower", [5])


def test_an_authority_of_strangers_beside_a_list_is_refused():
    stranger = OTHER.intermediate(name="stranger")

    said = refusal(file(stranger.revoke(5), stranger.certificate))

    assert said == "mesh.crl: block 2: no root of the set signed CN=stranger as an authority"


def test_a_leaf_beside_a_list_is_no_authority():
    leaf = ROOT.issue(name="leaf")

    assert "signed CN=leaf as an authority" in refusal(file(ROOT.revoke(), leaf.certificate))


def test_a_list_of_nobody_in_the_set_is_refused():
    said = refusal(file(OTHER.revoke(1)))

    assert said == "mesh.crl: is signed by CN=other, which is no root of the set"


@pytest.mark.parametrize("other", ["ecdsa-p256", "rsa-2048", "mldsa65", "mldsa65-ecdsa-p256"])
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048", "mldsa65", "mldsa65-ecdsa-p256"])
def test_a_list_of_a_namesake_is_refused(algorithm, other):
    """The name is anybody's; the key is not, whatever kind each is of."""
    namesake = pki.root(other, label="another key")

    said = refusal(file(namesake.revoke(1)), roots=(pki.root(algorithm),))

    assert "its signature is not by the key of CN=root" in said


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048", "mldsa65", "mldsa65-ecdsa-p256"])
def test_a_list_that_was_changed_is_refused(algorithm):
    root = pki.root(algorithm)
    der = root.revoke(0x5A5A5A5A5A5A).public_bytes(Encoding.DER)
    changed = der.replace(b"\x5a" * 6, b"\x5a" * 5 + b"\x5b")
    assert changed != der

    assert "its signature is not by" in refusal(RevocationFile("mesh.crl", changed), roots=(root,))


@pytest.mark.parametrize("half", [40, -12])
def test_both_halves_of_a_composite_signature_count(half):
    root = pki.root("mldsa65-ecdsa-p256")
    crl = root.revoke(1)
    der, start = crl.public_bytes(Encoding.DER), -len(crl.signature)
    broken = bytearray(der)
    broken[start + half if half > 0 else half] ^= 1

    said = refusal(RevocationFile("mesh.crl", bytes(broken)), roots=(root,))

    assert "its signature is not by" in said


def test_an_authority_without_the_usage_signs_no_lists():
    only_certificates = pki._key_usage(key_cert_sign=True)
    root = pki.root(name="no lists", key_usage=False, extra=((only_certificates, True),))

    assert "it lacks the key usage cRLSign" in refusal(file(root.revoke()), roots=(root,))


def distribution_point(**given):
    fields = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**fields, **given})


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        (x509.DeltaCRLIndicator(1), "is a delta list"),
        (distribution_point(indirect_crl=True), "is an indirect list"),
        (distribution_point(only_contains_attribute_certs=True), "lists attribute certificates"),
        (
            x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"),
            "has the unknown critical extension 1.2.3.4",
        ),
    ],
)
def test_lists_that_speak_of_something_else_are_refused(extension, said):
    assert said in refusal(file(ROOT.revoke(1, extra=((extension, True),))))


@pytest.mark.parametrize(
    ("extension", "critical"),
    [
        (distribution_point(only_contains_user_certs=True), True),
        (x509.CRLNumber(7), False),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), False),
    ],
)
def test_a_part_of_what_an_authority_revoked_is_taken_as_far_as_it_goes(extension, critical):
    (revoked,) = read(file(ROOT.revoke(1, extra=((extension, critical),))))

    assert serials(revoked) == [1]


BYTES = ROOT.revoke(1, 0x5A5A5A, 2**158).public_bytes(Encoding.DER)


@given(
    at=st.integers(0, len(BYTES) - 1),
    inserted=st.binary(max_size=3),
    cut=st.integers(0, 3),
)
@settings(max_examples=300)
def test_a_list_with_some_other_bytes_is_refused_in_words(at, inserted, cut):
    """Whatever the library makes of them, nothing else than words comes out of here."""
    content = BYTES[:at] + inserted + BYTES[at + cut :]

    if content != BYTES:
        refusal(RevocationFile("mesh.crl", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nonsense", "is not a readable revocation list"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "is not a readable"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "is not a readable"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "holds no revocation"),
        (ROOT.certificate_pem, "holds certificates only"),
    ],
)
def test_what_is_no_list_is_refused(content, said):
    assert f"mesh.crl: {said}" in refusal(RevocationFile("mesh.crl", content))


def test_more_entries_than_a_worker_can_be_told_are_refused(monkeypatch):
    monkeypatch.setattr(revocation_lists, "MAX_ENTRIES", 3)

    again = file(ROOT.revoke(1, 2))
    assert serials(read(file(ROOT.revoke(1, 2, 3)), again, again)[0]) == [1, 2, 3]
    assert "more than 3 certificates" in refusal(file(ROOT.revoke(1, 2, 3)), file(ROOT.revoke(4)))


KEYS = {"ecdsa": ("ec", "ec_paramgen_curve:P-256"), "rsa": ("rsa", "rsa_keygen_bits:2048")}
OPENSSL_CONFIG = """\
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = number
[req]
distinguished_name = dn
x509_extensions = v3
[dn]
[v3]
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = hash
"""


@pytest.fixture
def publish(tmp_path):
    """A list, and the authority that signed it, made by the openssl command."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")
    (tmp_path / "ca.cnf").write_text(OPENSSL_CONFIG)
    entry = "R\t450101000000Z\t261101000000Z,keyCompromise\t{}\tunknown\t/CN=gone\n"
    (tmp_path / "number").write_text("01\n")

    def openssl(command):
        arguments = ["openssl", *command.split()]
        subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True)

    def publish(key, digest="sha256", form="PEM", serials=("0A1B2C", "0F" * 20)):
        (tmp_path / "index.txt").write_text("".join(map(entry.format, serials)))
        algorithm, option = KEYS[key]
        openssl(
            "req -x509 -config ca.cnf -subj /O=Example/CN=Corporate -nodes -keyout ca.key"
            f" -out ca.crt -newkey {algorithm} -pkeyopt {option}"
        )
        openssl(
            f"ca -gencrl -config ca.cnf -md {digest} -keyfile ca.key -cert ca.crt -crldays 30"
            " -out ca.crl"
        )
        openssl(f"crl -in ca.crl -outform {form} -out published")
        published = RevocationFile("published", (tmp_path / "published").read_bytes())
        root = x509.load_pem_x509_certificate((tmp_path / "ca.crt").read_bytes())
        return read_revocation_lists([published], [root])

    return publish


@pytest.mark.parametrize("form", ["PEM", "DER"])
@pytest.mark.parametrize("key", KEYS)
def test_lists_that_openssl_makes_are_read(publish, key, form):
    """As people's own authorities publish them."""
    (revoked,) = publish(key, form=form)

    assert serials(revoked) == [0x0A1B2C, int("0F" * 20, 16)]
    assert revoked.authority == "CN=Corporate,O=Example"


@pytest.mark.parametrize("key", KEYS)
def test_a_list_signed_over_sha1_is_refused(publish, key):
    """Who can choose what is signed can find two lists with one signature."""
    with pytest.raises(UnusableRevocationList, match="its signature is not by") as refused:
        publish(key, "sha1")

    assert "SHA-256" in refused.value.fix


@pytest.mark.parametrize("serial", ["-01", "01" + 20 * "00"])
def test_a_serial_number_that_no_certificate_may_have_is_refused(publish, serial):
    """Its authority means somebody; who leaves the entry out lets that one in."""
    with pytest.raises(UnusableRevocationList, match="does not parse"):
        publish("ecdsa", serials=[serial])


@pytest.mark.parametrize("kind", [_ASN1Type.PrintableString, _ASN1Type.UTF8String])
def test_a_name_is_the_same_in_every_string_type(kind):
    """One authority writes its name in two ways: in its own certificate, and where it signs."""
    parts = [(NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, "Corporate")]
    name = x509.Name([x509.NameAttribute(oid, value, kind) for oid, value in parts])
    turned = x509.Name(list(name)[::-1])
    plain = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])

    assert issuer_digest(name) == issuer_digest(plain)
    assert issuer_digest(turned) != issuer_digest(plain)
