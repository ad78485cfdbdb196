import dataclasses
import warnings
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.config.values import TrustFiles
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.identity.certificates import (
    ALGORITHMS,
    Issuer,
    LeafNames,
    Validity,
    build_leaf,
    build_root,
)
from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.path_library import MAX_DEPTH
from pqproxy.identity.peer import Purpose
from pqproxy.identity.pem import encode
from pqproxy.identity.trust import MAX_CERTIFICATES, Trust
from tests.support import pki

ID = "spiffe://corp/ns/apps/sa/llm"
COMPOSITE_KINDS = tuple(each.key_algorithm for each in COMPOSITES)
VALIDITY = Validity(pki.NOT_BEFORE, pki.NOT_AFTER)
ROOT = pki.root()
TRUST = Trust.load(ROOT.trust_files())
LEAF = ROOT.intermediate().issue(uris=(ID,))


def trust(*roots):
    return Trust.load(pki.trust_files(*roots))


def refusal(chain, *, trusted=TRUST, purpose=Purpose.CLIENT, now=pki.NOW):
    with pytest.raises(Refused) as refused:
        trusted.verify(chain, purpose, now)
    return refused.value


def below(authority, levels):
    for level in range(levels):
        authority = authority.intermediate(name=f"level {level}")
    return authority


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("algorithm", [*pki.ALGORITHMS, *COMPOSITE_KINDS])
def test_chains_of_every_algorithm_verify_in_both_directions(algorithm, purpose):
    root = pki.root(algorithm)
    leaf = root.intermediate().issue(uris=(ID,))

    peer = trust(root).verify(leaf.chain_der, purpose, pki.NOW)

    assert peer.uris == (ID,)
    assert peer.purpose is purpose


@pytest.mark.parametrize("kind", COMPOSITE_KINDS)
def test_the_authority_that_certs_makes_signs_what_is_trusted(kind):
    """What `pqproxy certs init` and `issue` do, with each composite algorithm."""
    private = ALGORITHMS[kind]()
    root = build_root(private, kind, VALIDITY, "spiffe://corp")
    names = LeafNames.parse(spiffe=(ID,))
    key = ALGORITHMS[kind]().public_key()
    leaf = build_leaf(key, "llm", names, VALIDITY, Issuer(root, private))
    trusted = Trust.load(TrustFiles("mesh", (encode(root),), "ca.crt"))

    peer = trusted.verify((leaf.public_bytes(Encoding.DER),), Purpose.CLIENT, pki.NOW)

    assert (peer.name, peer.trust_domain_vouched) == (ID, True)


def test_a_set_narrowed_to_some_kinds_takes_these_throughout_and_says_what_it_missed():
    strong, weak = pki.root(COMPOSITE_KINDS[0]), pki.root(name="weak")
    kinds = frozenset(COMPOSITE_KINDS)
    narrow = trust(strong, weak).only(kinds)

    mixed = strong.intermediate(algorithm=COMPOSITE_KINDS[1]).issue(uris=(ID,))
    assert narrow.verify(mixed.chain_der, Purpose.CLIENT, pki.NOW).name == ID
    for found, chain in {
        "mldsa65": strong.issue(uris=(ID,), algorithm="mldsa65").chain_der,
        "ecdsa-p256": weak.issue(uris=(ID,)).chain_der,
        "rsa": strong.intermediate(algorithm="rsa-2048").issue(uris=(ID,)).chain_der,
    }.items():
        refused = refusal(chain, trusted=narrow)
        assert (refused.reason, refused.alert) == ("weak_authentication", "unsupported_certificate")
        assert f"has a key of type {found}, and only mldsa44-ecdsa-p256 or " in refused.detail
        assert "certs init --algorithm mldsa65-ecdsa-p256" in refused.fix


def test_a_root_that_does_not_count_is_not_blamed_for_what_its_namesake_signed():
    """Where an authority has one name for its keys of both kinds."""
    strong, weak = pki.root(COMPOSITE_KINDS[0]), pki.root()
    narrow = trust(weak, strong).only(frozenset(COMPOSITE_KINDS))

    assert refusal(
        strong.issue(uris=(ID,), not_after=pki.PAST).chain_der, trusted=narrow
    ).alert == ("certificate_expired")
    below_weak = weak.issue(uris=(ID,), algorithm=COMPOSITE_KINDS[0]).chain_der
    assert refusal(below_weak, trusted=narrow).reason == "weak_authentication"


def test_a_set_is_only_ever_narrowed_further():
    strong = pki.root(COMPOSITE_KINDS[0])
    narrow = trust(strong).only(frozenset(COMPOSITE_KINDS)).only(frozenset({COMPOSITE_KINDS[0]}))

    refused = refusal(
        strong.issue(uris=(ID,), algorithm=COMPOSITE_KINDS[1]).chain_der, trusted=narrow
    )
    assert refused.reason == "weak_authentication"
    with pytest.raises(IdentityError, match="trust mesh: holds no root with a key of type mldsa87"):
        narrow.only(frozenset({"mldsa87"}))


def test_a_chain_may_mix_algorithms():
    root = pki.root("rsa-2048")
    chain = root.intermediate(algorithm="mldsa87").issue(dns=("a.test",), algorithm="ecdsa-p256")

    assert trust(root).verify(chain.chain_der, Purpose.SERVER, pki.NOW).dns_names == ("a.test",)


def test_authorities_and_leaves_without_key_usage_verify():
    """What `openssl req -x509` and `openssl x509 -req` make, with nothing configured."""
    root = pki.root(name="plain", key_usage=False)
    leaf = root.intermediate(key_usage=False).issue(dns=("a.test",), key_usage=False)

    assert trust(root).verify(leaf.chain_der, Purpose.SERVER, pki.NOW).dns_names == ("a.test",)


def test_a_peer_is_described_by_its_certificate():
    leaf = ROOT.intermediate().issue(uris=(ID,), dns=("LLM.test",), ips=("::1",))

    peer = TRUST.verify(leaf.chain_der, Purpose.SERVER, pki.NOW)

    assert peer.name == ID
    assert (peer.dns_names, peer.ip_addresses) == (("llm.test",), ("::1",))


@pytest.mark.parametrize("kind", ["ecdsa-p256", COMPOSITE_KINDS[0]])
def test_issuers_come_in_any_order_and_may_repeat_and_include_the_root(kind):
    root = pki.root(kind)
    leaf, *issuers = below(root, 2).issue(uris=(ID,)).chain_der
    chain = (leaf, root.certificate_der, *issuers[::-1], issuers[0])

    assert trust(root).verify(chain, Purpose.CLIENT, pki.NOW).name == ID


def test_views_of_a_buffer_are_read_as_bytes():
    chain = [memoryview(der) for der in LEAF.chain_der]

    assert TRUST.verify(chain, Purpose.CLIENT, pki.NOW).name == ID


def test_any_root_of_the_set_will_do():
    other = pki.root("mldsa65", name="other")

    for root in (ROOT, other):
        leaf = root.issue(dns=("a.test",))
        assert trust(ROOT, other).verify(leaf.chain_der, Purpose.CLIENT, pki.NOW)


def test_a_path_as_deep_as_the_cap_verifies_and_one_deeper_does_not():
    deepest = below(ROOT, MAX_DEPTH)

    assert TRUST.verify(deepest.issue(uris=(ID,)).chain_der, Purpose.CLIENT, pki.NOW)
    too_deep = refusal(below(ROOT, MAX_DEPTH + 1).issue(uris=(ID,)).chain_der)
    assert too_deep.detail == "the path to the root is longer than four intermediates"


def test_a_chain_as_long_as_the_cap_verifies_and_one_longer_does_not():
    leaf = ROOT.issue(uris=(ID,)).chain_der[0]
    strangers = [pki.root(name=f"stranger {n}").certificate_der for n in range(MAX_CERTIFICATES)]

    assert TRUST.verify((leaf, *strangers[:-1]), Purpose.CLIENT, pki.NOW)
    assert refusal((leaf, *strangers)).detail == "the chain has 7 certificates, at most 6 are read"


def test_a_huge_chain_is_refused_before_anything_is_parsed():
    assert refusal((b"not a certificate",) * 100_000).detail.startswith("the chain has 100000")


def test_authorities_that_sign_each_other_cost_nothing():
    """Otherwise five of them make the path builder check 128 signatures for a stranger."""
    loop = pki.root("ecdsa-p384", name="loop")
    twins = [loop.intermediate(name="twin", algorithm="ecdsa-p384") for _ in range(2)]
    chain = (*twins[0].issue(uris=(ID,)).chain_der, *twins[1].issue(uris=(ID,)).chain_der[1:])

    refused = refusal(chain)

    assert refused.detail == "the chain holds two different authorities of one name"
    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")


def test_an_empty_chain_is_a_missing_client_certificate():
    refused = refusal((), purpose=Purpose.CLIENT)

    assert (refused.reason, refused.alert) == ("no_client_certificate", "certificate_required")


def test_a_server_without_a_certificate_is_not_trusted():
    refused = refusal((), purpose=Purpose.SERVER)

    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")


def test_the_certificate_of_a_root_is_no_peer_although_it_is_trusted():
    refused = refusal((ROOT.certificate_der,))

    assert "is the certificate of an authority, not of a client" in refused.detail


def test_a_leaf_among_the_roots_is_refused_at_start():
    leaf = ROOT.issue(uris=(ID,))

    with pytest.raises(IdentityError, match="not the certificate of an authority"):
        trust(dataclasses.replace(ROOT, certificate=leaf.certificate))


@pytest.mark.parametrize("field", ["not_before", "not_after"])
def test_validity_is_judged_by_the_clock_that_was_given(field):
    edge = datetime(2030, 6, 1, 12, tzinfo=UTC)
    chain = ROOT.issue(uris=(ID,), **{field: edge}).chain_der
    outward = timedelta(seconds=-1 if field == "not_before" else 1)

    assert TRUST.verify(chain, Purpose.CLIENT, edge)
    assert refusal(chain, now=edge + outward).reason == "expired"


def test_a_clock_in_another_time_zone_tells_the_same_time():
    edge = datetime(2030, 6, 1, 12, tzinfo=UTC)
    chain = ROOT.issue(uris=(ID,), not_after=edge).chain_der
    elsewhere = timezone(timedelta(hours=-8))

    assert TRUST.verify(chain, Purpose.CLIENT, edge.astimezone(elsewhere))
    late = (edge + timedelta(minutes=1)).astimezone(elsewhere)
    assert refusal(chain, now=late).reason == "expired"


@pytest.mark.parametrize("level", ["leaf", "authority"])
def test_a_key_that_takes_long_to_verify_with_is_refused_before_any_signature(level):
    """Six such keys in a stranger's chain were 30 ms of work."""
    if level == "leaf":
        chain = pki.root(name="stranger").issue(uris=(ID,), algorithm="rsa-long-exponent").chain_der
    else:
        slow = pki.root(name="stranger").intermediate(algorithm="rsa-long-exponent")
        chain = slow.issue(uris=(ID,), algorithm="ecdsa-p256").chain_der

    refused = refusal(chain)

    assert refused.alert == "unsupported_certificate"
    assert refused.detail.endswith("an RSA key of 2048 bits with a long exponent")


@pytest.mark.parametrize(
    "algorithm", ["ed25519", "ecdsa-p521", "rsa-1024"], ids=lambda algorithm: algorithm
)
def test_a_leaf_with_a_key_that_signs_no_handshake_is_refused(algorithm):
    """The path verifier judges the keys of authorities only."""
    refused = refusal(ROOT.issue(uris=(ID,), algorithm=algorithm).chain_der)

    assert refused.alert == "unsupported_certificate"


@pytest.mark.parametrize("position", [0, 1])
def test_a_certificate_of_thousands_of_names_is_refused_unparsed(position):
    """To look at 50 KB of names was 90 ms of work for a stranger."""
    names = tuple(f"a{number}" for number in range(1000 if position else 2000))
    large = ROOT.issue(dns=names).chain_der[0]
    chain = [*LEAF.chain_der[:position], large]

    refused = refusal(chain)

    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")
    assert refused.detail == f"certificate {position + 1} of the chain is far too large"


def test_name_constraints_on_dns_names_hold():
    constraint = x509.NameConstraints([x509.DNSName("corp.test")], None)
    root = pki.root(name="constrained", extra=((constraint, True),))

    inside = root.issue(dns=("llm.corp.test",)).chain_der
    outside = root.issue(dns=("llm.other.test",)).chain_der

    assert trust(root).verify(inside, Purpose.SERVER, pki.NOW)
    assert refusal(outside, trusted=trust(root)).reason == "untrusted"


def test_an_unknown_critical_extension_is_refused():
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")

    refused = refusal(ROOT.issue(uris=(ID,), extra=((unknown, True),)).chain_der)

    assert refused.alert == "bad_certificate"


CORP = pki.root(name="corp", uris=("spiffe://corp",))
PARTNER = pki.root(name="partner", uris=("spiffe://partner",))
SILENT = pki.root(name="silent")


def test_a_root_vouches_for_the_trust_domain_that_it_declares():
    chain = CORP.intermediate().issue(uris=(ID,)).chain_der

    assert trust(CORP, PARTNER).verify(chain, Purpose.CLIENT, pki.NOW).trust_domain_vouched


@pytest.mark.parametrize("signer", [PARTNER, SILENT], ids=["another domain's", "a silent"])
def test_no_other_root_signs_for_a_declared_trust_domain(signer):
    refused = refusal(signer.issue(uris=(ID,)).chain_der, trusted=trust(CORP, PARTNER, SILENT))

    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")
    assert f"{ID} is signed by a root that may not sign for" in refused.detail
    assert "trust set of its own" in refused.fix


def test_a_root_that_declares_a_domain_signs_for_no_undeclared_one():
    assert (
        "may not sign"
        in refusal(CORP.issue(uris=("spiffe://x/a",)).chain_der, trusted=trust(CORP)).detail
    )


def test_a_silent_root_signs_for_domains_nobody_declares_but_does_not_vouch():
    chain = SILENT.issue(uris=("spiffe://lab/a",)).chain_der

    peer = trust(CORP, SILENT).verify(chain, Purpose.CLIENT, pki.NOW)

    assert not peer.trust_domain_vouched


def test_an_intermediate_cannot_declare_a_trust_domain_for_its_root():
    chain = SILENT.intermediate(name="usurper", uris=("spiffe://corp",)).issue(uris=(ID,)).chain_der

    assert not trust(SILENT).verify(chain, Purpose.CLIENT, pki.NOW).trust_domain_vouched
    assert "may not sign" in refusal(chain, trusted=trust(CORP, SILENT)).detail


def test_roots_sign_dns_names_whatever_they_declare():
    chain = CORP.issue(dns=("llm.test",)).chain_der

    assert not trust(CORP).verify(chain, Purpose.SERVER, pki.NOW).trust_domain_vouched


@pytest.mark.parametrize(
    ("uris", "message"),
    [
        ((ID, "spiffe://corp/other"), "holds 2 URIs"),
        ((ID, "https://corp.test/"), "holds 2 URIs"),
        (("https://corp.test/", ID), "holds 2 URIs"),
        (("spiffe://corp",), "names a trust domain, not a peer"),
        (("SPIFFE://corp/a",), "does not start with spiffe://"),
        (("spiffe:corp",), "does not start with spiffe://"),
        (("spiffe://corp/a/../b",), "invalid path segment"),
    ],
)
def test_a_certificate_holds_exactly_one_well_formed_spiffe_id(uris, message):
    refused = refusal(ROOT.issue(uris=uris).chain_der)

    assert message in refused.detail
    assert (refused.reason, refused.alert) == ("untrusted", "bad_certificate")


def test_other_uris_are_allowed_and_only_shown():
    peer = TRUST.verify(ROOT.issue(uris=("urn:a", "urn:b")).chain_der, Purpose.CLIENT, pki.NOW)

    assert (peer.name, peer.trust_domain_vouched) == ("urn:a", False)


@given(st.lists(st.binary(max_size=64), max_size=8), st.sampled_from(Purpose))
def test_any_bytes_as_a_chain_are_refused(chain, purpose):
    with pytest.raises(Refused):
        TRUST.verify(chain, purpose, pki.NOW)


@settings(max_examples=300)
@given(
    which=st.integers(0, 1),
    position=st.integers(0, len(LEAF.chain_der[0]) - 1),
    patch=st.binary(min_size=1, max_size=4),
    cut=st.booleans(),
    purpose=st.sampled_from(Purpose),
)
def test_a_certificate_with_changed_bytes_is_refused(which, position, patch, cut, purpose):
    chain = [bytearray(der) for der in LEAF.chain_der]
    position %= len(chain[which])
    chain[which][position : None if cut else position + len(patch)] = patch
    chain = tuple(map(bytes, chain))

    if chain == LEAF.chain_der:
        assert TRUST.verify(chain, purpose, pki.NOW).name == ID
    else:
        refused = refusal(chain, purpose=purpose)
        assert refused.detail.isprintable()
        assert refused.fix


@pytest.mark.parametrize("kind", ["ecdsa-p256", COMPOSITE_KINDS[0]])
def test_a_name_that_the_library_only_warns_of_is_refused_where_warnings_are_errors(kind):
    """As in these tests. Elsewhere it is a name like any other, and nobody is warned."""
    root = pki.root(kind)

    def edit(tbs):
        subject = bytearray(pki.asn1.encode_der(tbs.subject))
        country = subject.replace(bytes.fromhex("0603550403"), bytes.fromhex("0603550406"))
        tbs.subject = pki.asn1.decode_der(pki.asn1.TLV, bytes(country))

    chain = root.issue(uris=(ID,), edit=edit).chain_der

    assert refusal(chain, trusted=trust(root)).alert == "bad_certificate"
    with warnings.catch_warnings(action="ignore"):
        assert trust(root).verify(chain, Purpose.CLIENT, pki.NOW).name == ID


def unreadable(tbs):
    """With a subject whose common name is no string."""
    subject = pki.asn1.encode_der(tbs.subject)
    changed = subject.replace(bytes.fromhex("06035504030c"), bytes.fromhex("060355040306"))
    tbs.subject = pki.asn1.decode_der(pki.asn1.TLV, changed)


@pytest.mark.parametrize("level", [0, 1], ids=["leaf", "authority"])
@pytest.mark.parametrize("algorithm", ["ed25519", "mldsa65"])
def test_a_certificate_without_a_readable_name_is_refused_whatever_else_is_wrong(algorithm, level):
    """A refusal names the certificate that it is about, and this one has no name."""
    kind = COMPOSITE_KINDS[0]
    nameless = pki.root(kind).issue(uris=(ID,), algorithm=algorithm, edit=unreadable)
    chain = [*pki.root(kind).issue(uris=(ID,)).chain_der[:level], *nameless.chain_der]
    narrow = trust(pki.root(kind)).only(frozenset(COMPOSITE_KINDS))

    for trusted in (trust(pki.root(kind)), narrow):
        assert refusal(chain, trusted=trusted).detail == "a certificate does not parse"
