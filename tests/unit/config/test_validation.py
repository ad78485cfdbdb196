import pytest

from pqproxy.config.document import Document, read_document
from pqproxy.config.problems import BROKEN
from pqproxy.config.schema import File, IngressEntry, TimeoutsEntry
from pqproxy.config.validation import section_at, validate

INGRESS = {"name": "llm", "listen": ":1", "forward": "127.0.0.1:2", "identities": ["a"]}


def problems(**data):
    _, found = validate(Document({"version": 1, **data}))
    return sorted(str(problem).partition(": ")[2] for problem in found)


def ingress(**changes):
    return problems(ingress=[{**INGRESS, **changes}])


def test_a_good_file_has_no_problems():
    assert ingress() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"listne": ":1"}, "ingress.0.listne: unknown key, did you mean listen"),
        ({"banana": 1}, "ingress.0.banana: unknown key"),
        ({"http": {}}, "ingress.0.http: not yet available: HTTP rules"),
        (
            {"plaintext": "refuse"},
            "ingress.0.plaintext: not yet available: a choice about plaintext clients",
        ),
        ({"htpt": {}}, "ingress.0.htpt: unknown key, did you mean http"),
        (
            {"authentication": "hybird"},
            "ingress.0.authentication: hybird is not hybrid, post-quantum or any, did you mean"
            " hybrid",
        ),
        (
            {"tunnel": {"mode": "always"}},
            "ingress.0.tunnel.mode: always is not auto, require or never",
        ),
        (
            {"tunnel": {"count": 2}},
            "ingress.0.tunnel.count: belongs to the egress that dials the tunnels, an ingress takes"
            " what comes",
        ),
        (
            {"timeouts": {"request": "1s"}},
            "ingress.0.timeouts.request: not yet available: a limit on whole requests",
        ),
        ({"timeouts": None}, "ingress.0.timeouts: nothing stands where a mapping belongs"),
        (
            {"allow": "any-trusted"},
            "ingress.0.allow: any-trusted stands where a list belongs, did you mean [any-trusted]",
        ),
        ({"allow": None}, "ingress.0.allow: nothing stands where a list belongs"),
        (
            {"identities": []},
            "ingress.0.identities: is an empty list, at least one entry is needed",
        ),
        ({"identities": ["a", 7]}, 'ingress.0.identities.1: 7 is not text, did you mean "7"'),
    ],
)
def test_a_mistake_makes_one_line(changes, said):
    assert ingress(**changes) == [said]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            {"trust": {"m": {"roots": ["r"], "crl": "r.crl"}}},
            "trust.m.crl: r.crl stands where a list belongs, did you mean [r.crl]",
        ),
        (
            {"trust": {"m": {"roots": ["r"], "deny": ["any-trusted"]}}},
            "trust.m.deny.0: any-trusted would deny everybody: take the roots away instead",
        ),
        (
            {"health": {"listen": ":1", "probes": {"model": "health"}}},
            "health.probes.model: health is not a path such as /health",
        ),
        ({"ingress": {}}, "ingress: a mapping stands where a list belongs"),
        ({"ingress": [None]}, "ingress.0: nothing stands where a mapping belongs"),
        ({"identities": ["x"]}, "identities: a list stands where a mapping belongs"),
        ({"version": 2}, "version: 2 is not a version of this format, use 1"),
    ],
)
def test_a_mistake_outside_listeners_makes_one_line(data, said):
    (problem,) = problems(**data)

    assert problem.startswith(said)


def test_a_misspelt_key_is_not_reported_as_missing_too():
    entry = {key: value for key, value in INGRESS.items() if key != "forward"}

    assert problems(ingress=[{**entry, "forwad": "127.0.0.1:1"}]) == [
        "ingress.0.forwad: unknown key, did you mean forward"
    ]


def test_a_missing_key_stands_at_its_section():
    document = read_document("version: 1\nidentities:\n  a:\n    key: x\n", {})

    _, (problem,) = validate(document)

    assert str(problem) == "3:3: identities.a.certificate: is missing"


def test_what_is_wrong_becomes_broken_and_the_rest_is_read():
    file, _ = validate(Document({"version": 1, "ingress": [{**INGRESS, "listen": 7}, None]}))

    assert file.ingress[0].listen is BROKEN
    assert file.ingress[0].name == "llm"
    assert file.ingress[1] is BROKEN


def test_a_file_that_is_no_mapping_is_broken_as_a_whole():
    file, (problem,) = validate(Document(["version"]))

    assert file is BROKEN
    assert str(problem) == "1:1: a list stands where a mapping belongs"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ((), File),
        (("ingress", 0), IngressEntry),
        (("ingress", 0, "timeouts"), TimeoutsEntry),
        (("ingress",), None),
        (("ingress", 0, "name"), None),
        (("nonsense", "x"), None),
    ],
)
def test_a_path_leads_to_its_section(path, kind):
    assert section_at(path) is kind


def test_a_delay_for_the_drain_command_is_taken():
    assert problems(drain={"delay": "5s", "timeout": "25s"}) == []
