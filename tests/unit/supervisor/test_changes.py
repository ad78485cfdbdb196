import json
from dataclasses import fields, replace

import pytest

from pqproxy.config.values import (
    Drain,
    Egress,
    IdentityFiles,
    Log,
    Policy,
    PolicyOrigin,
    RevokedSerials,
    Settings,
    TcpAddress,
    TrustFiles,
)
from pqproxy.supervisor.changes import AT_START, IN_ONE_PIECE, changes, restart_needed
from tests.unit.supervisor.harness import ingress, settings

HERE = TcpAddress("127.0.0.1", 8443)
OWN = IdentityFiles("own", b"certificate", b"key", "own.pem")
MESH = TrustFiles("mesh", (b"root",), "mesh.pem")
BEFORE = settings(
    identities=(OWN,),
    trust=(MESH,),
    ingress=(ingress(identities=("own",), trust="mesh"), ingress("other")),
)


def after(**of_llm):
    llm, other = BEFORE.ingress
    return replace(BEFORE, ingress=(replace(llm, **of_llm), other))


def test_nothing_is_said_where_nothing_is_another():
    found = changes(BEFORE, after())

    assert not found
    assert str(found) == "nothing has changed"


def test_listeners_come_and_go():
    found = changes(BEFORE, replace(BEFORE, ingress=(BEFORE.ingress[0], ingress("new"))))

    assert (found.added, found.removed, found.changed) == (("new",), ("other",), {})


def test_what_is_another_about_a_listener_is_named_as_in_the_file():
    found = changes(BEFORE, after(policy=Policy.PREFER, allow=("spiffe://corp/a",)))

    assert found.changed == {"llm": ("policy", "allow")}


def test_who_says_a_policy_makes_no_other_listener():
    written = PolicyOrigin.FILE

    assert not changes(BEFORE, after(policy_origin=written))
    changed = changes(BEFORE, after(policy=Policy.PREFER, policy_origin=written))
    assert changed.changed == {"llm": ("policy",)}


def test_an_exchanged_certificate_is_told_with_the_listeners_it_changes():
    found = changes(BEFORE, replace(BEFORE, identities=(replace(OWN, certificate=b"new"),)))

    assert found.identities == ("own",)
    assert found.changed == {"llm": ("certificates",)}


def test_exchanged_roots_are_told_with_the_listeners_they_change():
    found = changes(BEFORE, replace(BEFORE, trust=(replace(MESH, roots=(b"other",)),)))

    assert found.trust == ("mesh",)
    assert found.changed == {"llm": ("roots",)}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"revoked": (RevokedSerials("CN=root", b"issuer", b"serials", 1.0),)}, "revocation lists"),
        ({"deny": ("serial:5",)}, "deny"),
    ],
)
def test_whom_a_trust_set_believes_no_more_changes_its_listeners(other, said):
    found = changes(BEFORE, replace(BEFORE, trust=(replace(MESH, **other),)))

    assert found.trust == ("mesh",)
    assert found.changed == {"llm": (said,)}


def test_a_newer_list_that_names_the_same_changes_no_listener():
    """Authorities publish one every day; nobody's session is to end by that."""
    lists = [
        replace(MESH, revoked=(RevokedSerials("CN=root", b"issuer", b"serials", due),))
        for due in (1.0, 2.0)
    ]

    assert not changes(replace(BEFORE, trust=lists[:1]), replace(BEFORE, trust=lists[1:]))


def test_a_name_that_is_an_egress_now_is_another_thing():
    egress = Egress("other", HERE, (HERE,), (), "mesh", ("llm.test",))
    found = changes(BEFORE, replace(BEFORE, ingress=BEFORE.ingress[:1], egress=(egress,)))

    assert found.changed == {"other": ("role",)}


def test_one_line_says_it_all():
    wanted = replace(
        after(policy=Policy.PREFER),
        identities=(replace(OWN, key=b"new"),),
        drain=Drain(1.0),
        log=Log("json"),
    )
    wanted = replace(wanted, ingress=(wanted.ingress[0], ingress("new")))

    assert str(changes(BEFORE, wanted)) == (
        "added new; removed other; changed llm (policy, certificates);"
        " new certificates of own; other drain, log"
    )


def test_it_can_be_sent_as_json_and_holds_no_key():
    found = changes(BEFORE, replace(BEFORE, identities=(replace(OWN, key=b"-secret-"),)))

    assert "secret" not in json.dumps(found.document())
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"workers": 2}, ("workers",)),
        ({"control": HERE}, ("control", "listen")),
        ({"health": None}, ("health", "listen")),
        ({"landlock": False}, ("hardening", "landlock")),
    ],
)
def test_what_is_read_at_the_start_only_is_named_with_its_place(change, path):
    (needed,) = restart_needed(BEFORE, replace(BEFORE, **change))

    assert needed[0] == path
    assert needed[1].startswith("restart needed: ")


def test_what_a_reload_can_change_needs_no_restart():
    wanted = after(policy=Policy.PREFER)
    wanted = replace(wanted, drain=Drain(1.0), provider="auto", log=Log("json"))

    assert list(restart_needed(BEFORE, wanted)) == []


def test_of_every_setting_it_is_known_what_a_reload_does_with_it():
    """A new field that nobody thought of would be reloaded half, and silently."""
    of_listeners = {"identities", "trust", "ingress", "egress"}
    by_the_command_line = {"keylog"}
    only_shown = {"environment_policy"}
    of_whoever_reads = {"files", "withheld_variables"}
    known = (
        of_listeners
        | by_the_command_line
        | only_shown
        | of_whoever_reads
        | set(AT_START)
        | set(IN_ONE_PIECE)
    )

    assert {field.name for field in fields(Settings)} == known
