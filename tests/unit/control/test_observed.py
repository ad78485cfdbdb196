from pqproxy.control.observed import report

CLASSICAL = {
    "identity": "spiffe://corp/apps/old",
    "source": "10.0.0.7",
    "decision": "would_refuse",
    "reason": "no_pq_group",
    "detail": None,
    "offered_groups": ["x25519", "secp256r1"],
    "offered_signature_schemes": ["ecdsa_secp256r1_sha256"],
    "first_seen": "2026-11-21T12:00:00.000Z",
    "last_seen": "2026-11-21T13:00:00.250Z",
    "count": 12,
}
TLS_1_2 = CLASSICAL | {
    "identity": None,
    "source": "10.0.0.9",
    "decision": "refused",
    "reason": "tls_version",
    "detail": "the client speaks TLS 1.2 at most",
    "count": 3,
}


def listener(*rows, **more):
    told = {"name": "llm", "policy": "observe", "callers_let_in": 0, "forgotten": 0}
    return told | {"rows": list(rows)} | more


def lines(*listeners):
    return list(report({"listeners": listeners}))


def test_who_is_served_today_is_told_from_who_is_not():
    assert lines(listener(TLS_1_2, CLASSICAL)) == [
        "llm  policy observe",
        "  served today, refused under require:",
        "    caller                  from      reason       count  last seen            "
        "what it offers, or did",
        "    spiffe://corp/apps/old  10.0.0.7  no_pq_group  12     2026-11-21 13:00:00  "
        "x25519, secp256r1",
        "  refused today, and under require:",
        "    caller          from      reason       count  last seen            "
        "what it offers, or did",
        "    no certificate  10.0.0.9  tls_version  3      2026-11-21 13:00:00  "
        "the client speaks TLS 1.2 at most",
    ]


def test_nobody_to_mend_is_said_and_so_is_nobody_looking():
    """An empty answer must not pass for a good one where nothing is observed."""
    watching, other = lines(listener(), listener(policy="prefer"))[::2]

    said = "nobody was seen whom require would refuse; callers let in: 0"
    assert watching == f"llm  policy observe: {said}"
    assert other == "llm  policy prefer: it does not observe"


def test_what_was_seen_before_the_policy_changed_stays_readable():
    assert "served today" in lines(listener(CLASSICAL, policy="require"))[1]


def test_a_list_that_is_not_complete_says_so():
    assert "7 older rows were forgotten" in lines(listener(CLASSICAL, forgotten=7))[-1]


def test_an_answer_of_another_version_is_shown_as_far_as_it_goes():
    assert lines({"rows": [{"decision": "would_refuse"}]})[0] == "?  policy ?"
    assert list(report({})) == []


def test_a_long_name_is_shown_whole():
    """It is what an operator searches for."""
    name = "spiffe://corp/" + "x" * 200

    assert any(name in line for line in lines(listener(CLASSICAL | {"identity": name})))


def test_of_many_groups_the_first_few_are_shown():
    """The table stays readable; `-o json` has all that were kept."""
    groups = [f"group-{number}" for number in range(16)]

    text = lines(listener(CLASSICAL | {"offered_groups": groups}))[-1]
    assert text.endswith("group-0, group-1, group-2, group-3 and 12 more")
