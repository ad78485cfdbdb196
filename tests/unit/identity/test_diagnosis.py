"""Each way in which a chain fails to verify has words of its own."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import TrustFiles
from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust
from tests.support import pki
from tests.support.chains import COMPOSITE, MALFORMED_CHAINS, chain

ROOT = pki.root()
NAME = {"uris": ("spiffe://corp/a",)}


def refusal(chain, *roots, purpose=Purpose.CLIENT):
    with pytest.raises(Refused) as refused:
        Trust.load(pki.trust_files(*(roots or (ROOT,)))).verify(chain, purpose, pki.NOW)
    return refused.value


def issued(**request):
    return ROOT.issue(**{**NAME, **request}).chain_der


def constrained(name):
    constraint = x509.NameConstraints([name], None)
    return pki.root(name="constrained", extra=((constraint, True),))


COMPOSITE_ROOT = pki.root(COMPOSITE)
UNKNOWN = pki.root(name="unknown")
URI_CONSTRAINED = constrained(x509.UniformResourceIdentifier("corp"))


@pytest.mark.parametrize(
    ("chain", "alert", "detail"),
    [
        (issued(ca=True), "bad_certificate", "CN=leaf is the certificate of an authority, not of"),
        (issued(aki=False), "bad_certificate", "CN=leaf has no authorityKeyIdentifier"),
        (ROOT.issue().chain_der, "bad_certificate", "CN=leaf has no subjectAltName"),
        (issued(algorithm="ed25519"), "unsupported_certificate", "unsupported kind (Ed25519)"),
        (issued(algorithm="ecdsa-p521"), "unsupported_certificate", "unsupported kind (secp521r1)"),
        (
            pki.root("ed25519", name="unknown").issue(**NAME).chain_der,
            "unsupported_certificate",
            "CN=leaf has a key of an unsupported kind (Ed25519)",
        ),
        (
            ROOT.intermediate(algorithm="ed25519").issue(**NAME, algorithm="ecdsa-p256").chain_der,
            "unsupported_certificate",
            "CN=intermediate has a key of an unsupported kind (Ed25519)",
        ),
        (
            pki.self_signed(**NAME).chain_der,
            "unknown_ca",
            "CN=self-signed signed itself; no root of trust mesh did",
        ),
        (
            UNKNOWN.issue(**NAME).chain_der,
            "unknown_ca",
            "CN=unknown, which signed CN=leaf, is not in trust mesh",
        ),
        (
            UNKNOWN.intermediate().issue(**NAME).chain_der,
            "unknown_ca",
            "CN=unknown, which signed CN=intermediate, is not in trust mesh",
        ),
        (
            ROOT.intermediate().issue(**NAME).chain_der[:1],
            "unknown_ca",
            "CN=intermediate, which signed CN=leaf, is not in trust mesh",
        ),
    ],
    ids=["ca", "no aki", "no san", "ed25519 leaf", "p521 leaf", "ed25519 root", "ed25519 issuer",
         "self-signed", "unknown", "unknown above", "intermediate not sent"],
)  # fmt: skip
def test_an_untrusted_chain_is_explained(chain, alert, detail):
    refused = refusal(chain)

    assert refused.reason == "untrusted"
    assert refused.alert == alert
    assert detail in refused.detail
    assert refused.fix


@pytest.mark.parametrize(
    ("chain", "detail"),
    [
        (issued(not_after=pki.PAST), "CN=leaf expired on 2021-01-01 00:00 UTC"),
        (issued(not_before=pki.FUTURE), "CN=leaf is not valid before 2044-01-01 00:00 UTC"),
        (
            ROOT.intermediate(not_after=pki.PAST).issue(**NAME).chain_der,
            "CN=intermediate expired on 2021-01-01 00:00 UTC",
        ),
    ],
    ids=["expired", "not yet valid", "issuer expired"],
)
def test_a_chain_out_of_date_says_which_certificate_and_when(chain, detail):
    refused = refusal(chain)

    assert (refused.reason, refused.alert) == ("expired", "certificate_expired")
    assert refused.detail == detail


def test_a_root_that_expired_is_named():
    root = pki.root(name="old root", not_after=datetime(2026, 5, 1, tzinfo=UTC))

    refused = refusal(root.issue(**NAME).chain_der, root)

    assert refused.detail == "CN=old root expired on 2026-05-01 00:00 UTC"


@pytest.mark.parametrize(
    ("purpose", "role", "usage", "other"),
    [
        (Purpose.CLIENT, "TLS client", "clientAuth", pki.SERVER_AUTH),
        (Purpose.SERVER, "TLS server", "serverAuth", pki.CLIENT_AUTH),
        (Purpose.SIGNER, "signer of content", "clientAuth or codeSigning", pki.SERVER_AUTH),
    ],
)
def test_a_certificate_for_another_role_names_the_usage_that_it_lacks(purpose, role, usage, other):
    refused = refusal(issued(eku=(other,)), purpose=purpose)

    assert refused.alert == "unsupported_certificate"
    assert refused.detail == (
        f"CN=leaf may not be used by a {role}: its extendedKeyUsage lacks {usage}"
    )
    assert f"extendedKeyUsage={usage}" in refused.fix


def test_the_usages_of_an_authority_bind_what_it_signs():
    chain = ROOT.intermediate(eku=(pki.SERVER_AUTH,)).issue(**NAME).chain_der

    assert refusal(chain, purpose=Purpose.CLIENT).detail.startswith("CN=intermediate may not be")
    assert Trust.load(ROOT.trust_files()).verify(chain, Purpose.SERVER, pki.NOW)


def test_a_short_rsa_key_is_weak_authentication():
    refused = refusal(issued(algorithm="rsa-1024"))

    assert (refused.reason, refused.alert) == ("weak_authentication", "unsupported_certificate")
    assert refused.detail == "CN=leaf has an RSA key of 1024 bits"


def test_an_authority_made_anew_under_the_old_name_is_recognised():
    """The usual trap of one's own authority: same name, new key, old root at the other side."""
    anew = pki.root(name="root", label="made anew")

    refused = refusal(anew.issue(**NAME).chain_der)

    assert refused.alert == "unknown_ca"
    assert "signed by another key than the CN=root in trust mesh" in refused.detail
    assert "made anew" in refused.fix


def test_a_signature_that_does_not_verify_is_said_so():
    leaf, issuer = ROOT.intermediate().issue(**NAME).certificates
    forged = bytearray(leaf.public_bytes(Encoding.DER))
    forged[-1] ^= 1

    refused = refusal((bytes(forged), issuer.public_bytes(Encoding.DER)))

    assert refused.detail == "a signature in the chain of CN=leaf does not verify"


def test_name_constraints_on_uris_are_said_to_be_unsupported():
    refused = refusal(URI_CONSTRAINED.issue(**NAME).chain_der, URI_CONSTRAINED)

    assert refused.alert == "bad_certificate"
    assert "name constraints on URIs, which are not supported" in refused.detail


def test_what_nobody_foresaw_is_told_in_the_words_of_the_library():
    root = constrained(x509.DNSName("corp.test"))

    refused = refusal(root.issue(dns=("llm.other.test",)).chain_der, root)

    assert refused.detail.startswith("the chain of CN=leaf does not verify: ")
    assert "name constraints" in refused.detail


def test_many_roots_do_not_make_a_refusal_a_page():
    roots = [pki.root(name=f"root {n}") for n in range(9)]

    fix = refusal(UNKNOWN.issue(**NAME).chain_der, *roots).fix

    assert "(CN=root 0, CN=root 1, CN=root 2, CN=root 3, …)" in fix


def test_names_that_a_peer_chose_are_printed_on_one_line():
    chain = pki.root(name="x\ny").issue(**NAME).chain_der

    assert refusal(chain).detail == "CN=x\\x0ay, which signed CN=leaf, is not in trust mesh"


def refusal_of(kind, place, recipe):
    *certificates, root = chain(kind=kind, **{place: recipe})
    ders = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    trusted = TrustFiles("mesh", (root.public_bytes(Encoding.PEM),), "mesh.pem")
    try:
        Trust.load(trusted).verify(ders, Purpose.CLIENT, pki.NOW)
    except (Refused, IdentityError) as refused:
        return refused
    return None


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize(
    ("place", "recipe", "rule"),
    MALFORMED_CHAINS,
    ids=[f"{n} {place} {rule}" for n, (place, _, rule) in enumerate(MALFORMED_CHAINS)],
)
def test_a_composite_chain_is_refused_in_the_same_words_as_another(place, recipe, rule):
    """Who asks for help does not know which of two verifiers spoke, and need not."""
    refused, classical = (refusal_of(kind, place, recipe) for kind in (COMPOSITE, "ecdsa-p256"))

    assert refused
    assert f"{refused}".isprintable()
    assert refused.fix
    if isinstance(classical, Refused) and isinstance(refused, Refused):
        assert (refused.reason, refused.alert) == (classical.reason, classical.alert)
        # What `explain` has no words for it leaves to the library; then ours say more.
        assert refused.detail == classical.detail or any(
            words in classical.detail for words in ("does not verify: ", "not parse")
        )


@pytest.mark.parametrize(
    ("chain", "detail"),
    [
        (
            pki.self_signed(**NAME, algorithm=COMPOSITE).chain_der,
            "CN=self-signed signed itself; no root of trust mesh did",
        ),
        (
            pki.root(COMPOSITE, name="unknown").issue(**NAME).chain_der,
            "CN=unknown, which signed CN=leaf, is not in trust mesh",
        ),
        (
            COMPOSITE_ROOT.intermediate().issue(**NAME).chain_der[:1],
            "CN=intermediate, which signed CN=leaf, is not in trust mesh",
        ),
        (
            pki.root(COMPOSITE, label="made anew").issue(**NAME).chain_der,
            "CN=leaf is signed by another key than the CN=root in trust mesh, though it has the"
            " same name",
        ),
        (
            pki.root(COMPOSITE, label="made anew").intermediate().issue(**NAME).chain_der,
            "CN=intermediate is signed by another key than the CN=root in trust mesh, though it"
            " has the same name",
        ),
        (
            pki.root("ecdsa-p256").issue(**NAME, algorithm=COMPOSITE).chain_der,
            "CN=leaf is signed by another key than the CN=root in trust mesh, though it has the"
            " same name",
        ),
    ],
    ids=["self-signed", "unknown", "intermediate not sent", "made anew", "made anew above",
         "of another kind"],
)  # fmt: skip
def test_an_untrusted_composite_chain_is_explained(chain, detail):
    refused = refusal(chain, COMPOSITE_ROOT)

    assert (refused.reason, refused.alert, refused.detail) == ("untrusted", "unknown_ca", detail)


def test_an_expired_chain_from_an_unknown_root_is_expired_whatever_its_keys():
    for kind in (COMPOSITE, "ecdsa-p256"):
        unknown = pki.root(kind, name="unknown")

        refused = refusal(unknown.issue(**NAME, not_after=pki.PAST).chain_der, COMPOSITE_ROOT)

        assert refused.alert == "certificate_expired"


@pytest.mark.parametrize(("at", "bad"), [(0, "ML-DSA-65"), (-1, "ECDSA-P256-SHA256")])
def test_the_operator_learns_which_half_of_a_signature_is_wrong(at, bad):
    leaf = COMPOSITE_ROOT.issue(**NAME).certificate
    signature = bytearray(leaf.signature)
    signature[at] ^= 1
    identifier = pki.der_of(leaf.signature_algorithm_oid)
    forged = pki.outside(leaf.tbs_certificate_bytes, identifier, bytes(signature))

    refused = refusal((forged.public_bytes(Encoding.DER),), COMPOSITE_ROOT)

    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")
    assert f"the {bad} half does not verify" in refused.detail
    assert refused.detail.count("does not verify") == 2  # the signature, and that half


def test_a_path_of_composite_keys_that_is_too_long_says_so():
    authority = COMPOSITE_ROOT
    for level in range(4):
        authority = authority.intermediate(name=f"level {level}")

    refused = refusal(authority.issue(**NAME).chain_der, COMPOSITE_ROOT)

    assert refused.detail == "the path to the root is longer than three intermediates"


def test_a_critical_extension_that_nobody_understands_is_named():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"")

    refused = refusal(
        COMPOSITE_ROOT.issue(**NAME, extra=((unknown, True),)).chain_der, COMPOSITE_ROOT
    )

    assert refused.detail.endswith(" (RFC 5280 section 4.2): 1.2.3.4")


def test_hundreds_of_them_are_still_one_line_of_a_log():
    """They are named before a signature is checked: whoever made them is a stranger."""
    unknown = [
        x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{n}"), b"") for n in range(300)
    ]

    refused = refusal(
        COMPOSITE_ROOT.issue(**NAME, extra=tuple((one, True) for one in unknown)).chain_der,
        COMPOSITE_ROOT,
    )

    assert ": 1.2.3.0, 1.2.3.1, " in refused.detail
    assert len(refused.detail) < 600
