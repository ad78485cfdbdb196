import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.patterns import IdentityPatterns, PatternIndex, _Uri
from pqproxy.identity.peer import PeerIdentity, Purpose


def peer(*, uris=(), dns=(), ips=(), purpose=Purpose.CLIENT, vouched=False):
    return PeerIdentity(
        uris=uris,
        dns_names=dns,
        ip_addresses=ips,
        subject="CN=peer",
        purpose=purpose,
        trust_domain_vouched=vouched,
    )


def permits(pattern, who):
    return IdentityPatterns.parse((pattern,)).permits(who)


@pytest.mark.parametrize(
    ("pattern", "uri", "permitted"),
    [
        ("spiffe://corp/ns/apps/sa/llm", "spiffe://corp/ns/apps/sa/llm", True),
        ("spiffe://corp/ns/apps/sa/*", "spiffe://corp/ns/apps/sa/llm", True),
        ("spiffe://corp/ns/*/sa/*", "spiffe://corp/ns/apps/sa/llm", True),
        ("spiffe://corp/ns/apps/sa/*", "spiffe://corp/ns/apps/sa/llm/deeper", False),
        ("spiffe://corp/ns/apps/sa/*", "spiffe://corp/ns/apps/sa", False),
        ("spiffe://corp/ns/apps/sa/*", "spiffe://corp/ns/ops/sa/llm", False),
        ("spiffe://corp/ns/apps/sa/llm", "spiffe://corp/ns/apps/sa/LLM", False),
        ("spiffe://corp/ns/apps/sa/llm", "spiffe://corp/ns/apps/sa/llm2", False),
        ("spiffe://corp/*", "spiffe://corpse/a", False),
        ("spiffe://corp/*", "spiffe://other/a", False),
        ("spiffe://corp", "spiffe://corp/a", False),
        ("corp", "spiffe://corp/a", False),
    ],
)
def test_a_star_is_one_whole_segment_and_the_trust_domain_is_literal(pattern, uri, permitted):
    assert permits(pattern, peer(uris=(uri,))) is permitted


@pytest.mark.parametrize(
    ("pattern", "name", "permitted"),
    [
        ("llm.example.com", "llm.example.com", True),
        ("LLM.Example.COM", "llm.example.com", True),
        ("llm.example.com.", "llm.example.com", True),
        ("*.example.com", "llm.example.com", True),
        ("*.example.com", "*.example.com", True),
        ("*.example.com", "a.llm.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("example.com", "llm.example.com", False),
        ("example.com", "badexample.com", False),
    ],
)
def test_a_star_is_the_leftmost_label_of_a_dns_name(pattern, name, permitted):
    assert permits(pattern, peer(dns=(name,))) is permitted
    assert permits(pattern, peer(dns=(name,), purpose=Purpose.SERVER)) is permitted


@pytest.mark.parametrize(
    ("presented", "permitted"),
    [
        ("*.example.com", True),
        ("*.com", False),
        ("*.other.com", False),
        ("*.llm.example.com", False),
        ("*", False),
    ],
)
def test_a_server_may_hold_a_wildcard_certificate(presented, permitted):
    server = peer(dns=(presented,), purpose=Purpose.SERVER)

    assert permits("llm.example.com", server) is permitted


def test_a_client_with_a_wildcard_certificate_is_not_every_client_of_its_domain():
    client = peer(dns=("*.example.com",), purpose=Purpose.CLIENT)

    assert not permits("admin.example.com", client)


@pytest.mark.parametrize(
    ("pattern", "address", "permitted"),
    [
        ("10.0.0.7", "10.0.0.7", True),
        ("2001:DB8:0:0::1", "2001:db8::1", True),
        ("10.0.0.7", "10.0.0.70", False),
    ],
)
def test_addresses_are_compared_as_addresses(pattern, address, permitted):
    assert permits(pattern, peer(ips=(address,))) is permitted


def test_an_address_pattern_does_not_match_a_dns_name_that_looks_like_it():
    assert not permits("10.0.0.7", peer(dns=("10.0.0.7",)))


def test_the_subject_never_counts():
    assert not permits("peer", peer())
    assert IdentityPatterns.parse(("any-trusted",)).permits(peer())


def test_any_trusted_permits_an_id_only_where_its_root_vouches_for_the_trust_domain():
    """A root that declares no domain can sign any ID; only a literal pattern makes that safe."""
    unvouched = peer(uris=("spiffe://corp/a",), vouched=False)

    assert permits("any-trusted", peer(uris=("spiffe://corp/a",), vouched=True))
    assert permits("spiffe://corp/*", unvouched)
    assert not permits("any-trusted", unvouched)


def test_no_pattern_permits_nobody():
    assert not IdentityPatterns.parse(()).permits(peer(dns=("a.test",), vouched=True))


def test_one_match_is_enough():
    patterns = IdentityPatterns.parse(("spiffe://corp/a", "a.test"))

    assert patterns.permits(peer(uris=("spiffe://corp/b",), dns=("a.test",)))


@pytest.mark.parametrize(
    "pattern",
    ["", "*", "spiffe://*/a", "spiffe://corp/a*", "spiffe://corp//a", "https://corp/a", "a.*.test",
     "*a.test", "a b"],
)  # fmt: skip
def test_a_malformed_pattern_is_named(pattern):
    with pytest.raises(IdentityError, match="identity pattern") as error:
        IdentityPatterns.parse(("a.test", pattern))

    assert repr(pattern) in str(error.value)


@pytest.mark.parametrize(
    ("purpose", "key"), [(Purpose.CLIENT, "allow"), (Purpose.SERVER, "expect")]
)
def test_a_peer_that_is_not_meant_is_refused_with_what_would_let_it_in(purpose, key):
    patterns = IdentityPatterns.parse(("spiffe://corp/llm",))

    with pytest.raises(Refused) as refused:
        patterns.check(peer(uris=("spiffe://corp/batch",), purpose=purpose))

    assert (refused.value.reason, refused.value.alert) == ("not_allowed", "access_denied")
    assert refused.value.detail == f"spiffe://corp/batch is not among {key}: spiffe://corp/llm"
    assert f"add spiffe://corp/batch to {key}" in refused.value.fix


def test_a_refusal_under_any_trusted_speaks_of_the_trust_domain():
    patterns = IdentityPatterns.parse(("any-trusted",))

    with pytest.raises(Refused, match="no root vouches for the trust domain") as refused:
        patterns.check(peer(uris=("spiffe://corp/batch",)))

    assert "declares its trust domain" in refused.value.fix


def test_a_permitted_peer_passes_the_check():
    patterns = IdentityPatterns.parse(("a.test",))

    assert patterns.check(peer(dns=("a.test",))) is None


SEGMENTS = st.lists(st.sampled_from(["ns", "apps", "llm"]), max_size=3)
LABELS = st.lists(st.sampled_from(["a", "b", "test"]), min_size=1, max_size=3).map(".".join)
STARRED = st.lists(st.sampled_from(["ns", "apps", "llm", "*"]), max_size=3)
DOMAINS = st.sampled_from(["spiffe://corp", "spiffe://other"])
PATTERNS = st.one_of(
    st.builds(lambda domain, path: "/".join([domain, *path]), DOMAINS, STARRED),
    LABELS,
    LABELS.map("*.{}".format),
    st.sampled_from(["10.0.0.5", "::1", "any-trusted"]),
)
PEERS = st.builds(
    peer,
    uris=st.lists(
        st.builds(lambda domain, path: "/".join([domain, *path]), DOMAINS, SEGMENTS)
        | st.sampled_from(["https://corp/ns", "urn:x", ""]),
        max_size=2,
    ).map(tuple),
    dns=st.lists(LABELS | LABELS.map("*.{}".format), max_size=2).map(tuple),
    ips=st.lists(st.sampled_from(["10.0.0.5", "::1"]), max_size=1).map(tuple),
    purpose=st.sampled_from(Purpose),
    vouched=st.booleans(),
)


@given(st.lists(PATTERNS, max_size=4), PEERS)
@settings(max_examples=500)
def test_an_index_finds_whom_the_list_permits_and_nobody_else(texts, who):
    """Who is denied must not slip through a key that nobody thought of."""
    found = PatternIndex(texts).find(who)

    assert (found is not None) is IdentityPatterns.parse(texts).permits(who)
    assert found is None or permits(found, who)


def test_a_long_index_looks_at_few_of_its_patterns(monkeypatch):
    """It is asked in every handshake, and of every open connection after a reload."""
    index = PatternIndex([f"spiffe://corp/ns/old/sa/n{number}" for number in range(10_000)])
    looked_at = []
    monkeypatch.setattr(_Uri, "permits", lambda self, peer: looked_at.append(self) or False)

    assert index.find(peer(uris=("spiffe://corp/ns/old/sa/n7", "spiffe://corp/x"))) is None
    assert [pattern.segments[-1] for pattern in looked_at] == ["n7"]


def test_an_index_names_what_is_no_pattern():
    with pytest.raises(IdentityError, match=r"identity pattern 'a\.\.b'"):
        PatternIndex(["fine.test", "a..b"])
