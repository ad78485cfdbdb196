import pytest

from pqproxy.config.cores import usable_cores
from pqproxy.config.document import read_document
from pqproxy.config.explain import explain, flow
from pqproxy.config.parse import parse
from pqproxy.config.problems import ConfigError

TEXT = """\
version: 1
identities: {a: {certificate: a.pem, key: {file: "${KEY}"}}}
trust: {mesh: {roots: [a.pem]}}
ingress:
  - name: llm
    listen: ":8443"
    forward: 127.0.0.1:8000
    identities: [a]
    trust: mesh
    policy: prefer
    allow: ["spiffe://corp/*/x"]
egress:
  - {name: out, listen: "127.0.0.1:1", connect: ["llm.corp:2"], trust: mesh, timeouts: {idle: 5m}}
"""


@pytest.fixture
def read(tmp_path):
    (tmp_path / "a.pem").write_bytes(b"PEM")
    return lambda text, **more: parse(text, "proxy.yaml", tmp_path, {"KEY": "a.pem", **more})


def explained(read, text=TEXT):
    return [line.strip() for line in explain(read(text)).splitlines()]


def test_what_it_prints_means_the_same_as_the_file(read):
    parsed = read(TEXT)

    assert read(explain(parsed)).settings() == parsed.settings()


@pytest.mark.parametrize(
    "line",
    [
        "- name: llm  # proxy.yaml:5",
        'listen: ":8443"  # proxy.yaml:6',
        "idle: 5m  # proxy.yaml:13",
        "key: {file: a.pem}  # proxy.yaml:2",
        "half_close: 60s  # default",
        "idle: never  # default",
        "expect: [llm.corp]  # default: the host",
        "# health: not set",
    ],
)
def test_every_value_says_where_it_came_from(read, line):
    assert line in explained(read)


def test_auto_workers_are_counted(read):
    text = TEXT.replace("version: 1", "version: 1\nworkers: auto\nlog: {format: auto}")

    assert f"workers: auto  # proxy.yaml:2: {usable_cores()} here" in explained(read, text)
    assert "format: auto  # proxy.yaml:3" in explained(read, text)


def test_default_groups_are_spelt_out(read):
    groups = [line for line in explained(read) if line.startswith("groups:")]

    assert groups[0].endswith("SecP384r1MLKEM1024, x25519, secp256r1, secp384r1")
    assert groups[1].endswith("SecP384r1MLKEM1024")


def test_a_policy_of_the_environment_says_so(read):
    lines = explain(read(TEXT, FALLBACK_CRYPTO="enabled")).splitlines()

    policies = [line.strip() for line in lines if "policy:" in line]
    assert policies == ["policy: prefer  # proxy.yaml:10",
                        "policy: prefer  # environment: FALLBACK_CRYPTO=enabled"]  # fmt: skip


def test_what_cnsa2_makes_of_the_policy_says_so(read):
    text = TEXT.replace("timeouts: {idle: 5m}", "groups: cnsa2")
    parsed = read(text, FALLBACK_CRYPTO="enabled")
    lines = [line.strip() for line in explain(parsed).splitlines()]

    assert "policy: require  # groups: cnsa2 takes nothing else" in lines
    assert "groups: cnsa2  # proxy.yaml:13" in lines
    assert read(explain(parsed), FALLBACK_CRYPTO="enabled").settings() == parsed.settings()


def test_a_passphrase_is_shown_by_where_it_comes_from(read):
    text = TEXT.replace('"${KEY}"}}', '"${KEY}"}, passphrase: "${PASS}"}')
    parsed = read(text, PASS="hunter2")

    explanation = explain(parsed)

    assert 'passphrase: "${PASS}"  # proxy.yaml:2' in explanation
    assert "hunter2" not in explanation
    assert read(explanation, PASS="hunter2").settings() == parsed.settings()


def test_a_file_with_problems_cannot_be_explained(read):
    with pytest.raises(ConfigError):
        explain(read("version: 2"))


@pytest.mark.parametrize(
    "value",
    ["plain", "on", "true", "7", "1e5", ":8443", "127.0.0.1:80", "a b", "a: b", "é\U0001f600",
     "# no", "", True, 7, None, [], ["a", "b, c"], {"file": "x y"}],
)  # fmt: skip
def test_a_value_reads_back_as_the_same(value):
    assert read_document(f"a: {flow(value)}", {}).data == {"a": value}
