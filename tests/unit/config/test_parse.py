import shutil
from pathlib import Path

import pytest

from pqproxy.config.parse import load, parse
from pqproxy.config.problems import ConfigError

EXAMPLES = Path(__file__).parents[3] / "config"

NINE_MISTAKES = """\
version: 1
wrokers: 2
identities:
  hybrid: {certificate: a.pem, key: a.pem}
trust:
  mesh: {roots: [a.pem, nowhere.pem]}
ingress:
  - name: llm
    listen: 8443
    forward: http://127.0.0.1:8000
    identities: [hybird]
    trust: mesh
    allow: [any-trusted]
    policy: prefr
    http: {preset: vllm}
    timeouts: {idle: 10}
  - {name: llm, listen: ":1", forward: "127.0.0.1:2", identities: [hybrid], client_auth: none,
     unsafe_anonymous: true}
"""

NINE_LINES = """\
proxy.yaml:2:1: wrokers: unknown key, did you mean workers
proxy.yaml:6:25: trust.mesh.roots.1: there is no BASE/nowhere.pem
proxy.yaml:9:13: ingress.0.listen: 8443 is only a number, did you mean ":8443"
proxy.yaml:10:14: ingress.0.forward: takes an address, not a URL, did you mean 127.0.0.1:8000
proxy.yaml:11:18: ingress.0.identities.0: there is no hybird under identities, did you mean hybrid
proxy.yaml:14:13: ingress.0.policy: prefr is not require, prefer or observe, did you mean prefer
proxy.yaml:15:5: ingress.0.http: not yet available: HTTP rules
proxy.yaml:16:22: ingress.0.timeouts.idle: 10 needs a unit, did you mean 10s
proxy.yaml:17:12: ingress.1.name: llm is the name of ingress.0 too
"""


@pytest.fixture
def base(tmp_path):
    (tmp_path / "a.pem").write_bytes(b"PEM")
    return tmp_path


def lines(text, base, **environ):
    with pytest.raises(ConfigError) as refused:
        parse(text, "proxy.yaml", base, environ).settings()
    return refused.value.lines()


def test_nine_mistakes_make_nine_lines_with_their_places(base):
    assert lines(NINE_MISTAKES, base) == NINE_LINES.replace("BASE", str(base)).splitlines()


def test_a_path_is_relative_to_the_file_not_to_the_shell(base, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    shutil.copy(base / "a.pem", base / "b.pem")
    (base / "proxy.yaml").write_text(
        "version: 1\nidentities: {b: {certificate: b.pem, key: {file: b.pem}}}\n"
        "trust: {mesh: {roots: [a.pem]}}\n"
        "egress: [{name: x, listen: 'unix:x.sock', connect: ['h:1'], trust: mesh}]\n"
    )

    settings = load(base / "proxy.yaml", {}).settings()

    assert settings.identities[0].certificate == b"PEM"
    assert settings.trust[0].roots == (b"PEM",)
    assert settings.egress[0].listen.path == f"{base}/x.sock"


def test_a_file_that_is_not_there_is_a_problem_too(tmp_path):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "no.yaml", {})

    assert refused.value.lines() == [
        f"{tmp_path}/no.yaml:1:1: cannot be read: No such file or directory"
    ]


def test_a_file_that_is_not_utf_8_is_a_problem(tmp_path):
    (tmp_path / "p.yaml").write_bytes(b"version: 1\nname: \xff\n")

    with pytest.raises(ConfigError, match=r"p\.yaml:2:7: is not UTF-8"):
        load(tmp_path / "p.yaml", {})


def test_a_mistake_in_the_environment_stands_before_those_of_the_file(base):
    said = lines("version: 2", base, FALLBACK_CRYPTO="on", PQC_KEY_MANAGEMENT="classical")

    assert said[:2] == [
        "environment: PQC_KEY_MANAGEMENT: classical is not hybrid",
        "environment: FALLBACK_CRYPTO: on is not enabled or disabled",
    ]
    assert all(line.startswith("proxy.yaml:1:") for line in said[2:])


@pytest.mark.parametrize("text", ["", "null", "~", "# nothing"])
def test_a_file_with_nothing_in_it_is_one_problem(text, base):
    assert lines(text, base) == ["proxy.yaml:1:1: the file is empty"]


def test_an_unset_variable_makes_one_line(base):
    text = "version: 1\negress: [{name: x, listen: '${HERE}', connect: ['h:1'], trust: m}]"

    assert lines(text + "\ntrust: {m: {roots: [a.pem]}}", base) == [
        "proxy.yaml:2:28: egress.0.listen: the environment has no HERE "
        "(${HERE:-default} gives a default)"
    ]


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_good(example, tmp_path):
    """What people copy must work. The certificates are those that their comments make."""
    shutil.copy(example, tmp_path)
    made = ["ca/mldsa65-ecdsa-p256/ca.crt"]
    for leaf in (
        "llm/mldsa65-ecdsa-p256",
        "app/mldsa65-ecdsa-p256",
        "llm/mldsa65",
        "llm/ecdsa-p256",
    ):
        made += [f"leaf/{leaf}.crt", f"leaf/{leaf}.key"]
    for name in made:
        path = tmp_path / "certs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PEM")

    settings = load(tmp_path / example.name, {}).settings()

    assert settings.ingress or settings.egress


def test_there_are_examples():
    assert len(list(EXAMPLES.glob("*.yaml"))) >= 3


IDENTITY = """\
version: 1
identities:
  a: IDENTITY
egress: [{name: x, listen: 'unix:x', connect: ['h:1'], identities: [a], trust: m}]
trust: {m: {roots: [a.pem]}}
"""
BLOCK = "\n    certificate: a.pem\n    key: a.pem\n    passphrase: PASSPHRASE\n"
BOTH = b"-----BEGIN PRIVATE KEY-----"


def identity(base, written, **environ):
    text = IDENTITY.replace("IDENTITY", written)
    return parse(text, "proxy.yaml", base, environ).settings().identities[0]


def test_a_directory_stands_for_certificate_and_key(base):
    (base / "tls").mkdir()
    (base / "tls/tls.crt").write_bytes(b"certificate")
    (base / "tls/tls.key").write_bytes(b"key")

    files = identity(base, "{certificate: tls/}")

    assert (files.certificate, files.key) == (b"certificate", b"key")
    assert files.source == "tls/: tls.crt with tls.key"


def test_one_file_stands_for_certificate_and_key(base):
    (base / "both.pem").write_bytes(BOTH)

    files = identity(base, "{certificate: both.pem}")

    assert (files.certificate, files.key, files.source) == (BOTH, BOTH, "both.pem")


@pytest.mark.parametrize("passphrase", ["0123", "true", "1e5", "null", "a: b", "é", "${X}", " x "])
@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_a_passphrase_of_the_environment_is_taken_as_it_is(base, passphrase, quote):
    """To YAML some are a number, a boolean or nothing."""
    written = BLOCK.replace("PASSPHRASE", f"{quote}${{PASS}}{quote}")

    assert identity(base, written, PASS=passphrase).passphrase == passphrase.encode()


def test_the_variables_of_passphrases_are_known_by_name(base):
    """So that no worker inherits them."""
    text = IDENTITY.replace("IDENTITY", BLOCK.replace("PASSPHRASE", "${PASS}"))

    settings = parse(text, "proxy.yaml", base, {"PASS": "correct horse"}).settings()

    assert settings.withheld_variables == ("PQPROXY_PASSPHRASE", "PASS")


def test_a_passphrase_is_read_from_a_file(base):
    (base / "pass").write_bytes(b"correct horse\n")

    files = identity(base, "{certificate: a.pem, key: a.pem, passphrase: {file: pass}}")

    assert files.passphrase == b"correct horse"
    assert "correct" not in repr(files)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{certificate: a.pem}", "3:20: identities.a.certificate: BASE/a.pem holds no private key"),
        ("{certificate: ., key: a.pem}", "identities.a.certificate: BASE is a directory"),
        ("{certificate: a.pem, key: .}", "identities.a.key: BASE is a directory"),
        ("{certificate: .}", "identities.a.certificate: BASE holds neither tls.crt"),
        ("{certificate: a.pem, key: a.pem, passphrase: {file: no}}",
         "identities.a.passphrase: there is no BASE/no"),
        ("{certificate: a.pem, key: a.pem, passphrase: hunter2}",
         "identities.a.passphrase: stands in the file itself"),
        ("{certificate: a.pem, key: a.pem, passphrase: 1234}",
         "identities.a.passphrase: stands in the file itself"),
        ("{certificate: a.pem, key: a.pem, passphrase: '${NONE:-hunter2}'}",
         "identities.a.passphrase: stands in the file itself"),
        ("{certificate: a.pem, key: a.pem, passphrase: 'hunter2${SET}'}",
         "identities.a.passphrase: stands in the file itself"),
        ("{certificate: a.pem, key: a.pem, passphrase: [hunter2]}",
         "identities.a.passphrase: is neither {file: PATH} nor ${VARIABLE}"),
        ("{certificate: a.pem, key: a.pem, passphrase: {value: hunter2}}",
         "identities.a.passphrase: is neither {file: PATH} nor ${VARIABLE}"),
        ("{certificate: a.pem, key: a.pem, passphrase: '${EMPTY}'}",
         "identities.a.passphrase: ${EMPTY} is empty"),
        (BLOCK.replace("PASSPHRASE", "${EMPTY}"),
         "identities.a.passphrase: ${EMPTY} is empty"),
        ("{certificate: a.pem, key: a.pem, passphrase: ${EMPTY}}",
         'between { and } a variable stands in quotes: "${NAME}"'),
        ("{certificate: a.pem, key: a.pem, passphrase: {file: '${UNSET}'}}",
         "identities.a.passphrase.file: the environment has no UNSET"),
        ("{certificate: {file: '${UNSET}'}, key: a.pem}",
         "identities.a.certificate.file: the environment has no UNSET"),
        (BLOCK.replace("PASSPHRASE", "${UNSET}"),
         "identities.a.passphrase: the environment has no UNSET"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_identity_makes_one_line_that_shows_no_passphrase(base, written, said):
    text = IDENTITY.replace("IDENTITY", written)

    (line,) = lines(text, base, EMPTY="", SET="s3cret")

    assert said.replace("BASE", str(base)) in line
    assert "hunter2" not in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    ("written", "only_files"),
    [
        ("{certificate: a.pem, key: a.pem}", False),
        ("{certificate: no, key: a.pem}", True),
        ("{certificate: no, key: no}", True),
        ("{certificate: no, key: a.pem, pasphrase: x}", False),
        ("{certificate: no, kez: a.pem}", False),
    ],
)
def test_problems_that_other_files_would_mend_are_told_from_the_rest(base, written, only_files):
    parsed = parse(IDENTITY.replace("IDENTITY", written), "proxy.yaml", base, {})

    assert parsed.lacks_files_only is only_files
