"""docs/certificates.md is written by hand; its examples work, and its messages exist."""

import re
from functools import cache
from pathlib import Path

import pytest

from pqproxy.cli.loading import load_config
from pqproxy.config import files, layouts
from pqproxy.crypto.keys import encode_private_key
from tests.support import pki

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/certificates.md").read_text()
MISTAKES = TEXT.partition("## When it does not work")[2]
# What differs each time in a message, or is put together of names.
VARYING = re.compile(
    "…|65532|ML-DSA-65|[0-9]|tls.crt|tls.key|svid.pem|ca.crt|a Kubernetes TLS secret"
)
EXAMPLES = [
    block
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    if block.startswith("identities:")
]
LISTENER = 'egress: [{name: x, listen: "127.0.0.1:1", connect: ["h:1"], trust: mesh}]\n'
# Where the texts of messages stand.
SOURCES = [
    *(ROOT / "pqproxy/crypto").glob("*.py"),
    *(ROOT / "pqproxy/identity").glob("*.py"),
    Path(files.__file__),
    Path(layouts.__file__),
    ROOT / "pqproxy/config/checks.py",
]


@pytest.fixture
def machine(tmp_path):
    """The files that the examples name."""
    leaf, root = pki.root().issue(uris=("spiffe://corp/llm",)), pki.root().certificate_pem
    contents = {
        "pki/llm.crt": leaf.certificate_pem,
        "pki/llm.key": encode_private_key(leaf.key, b"correct horse"),
        "pki/passphrase": b"correct horse\n",
        "pki/app.pem": leaf.key_pem + leaf.certificate_pem + root,
        "tls/tls.crt": leaf.certificate_pem,
        "tls/tls.key": leaf.key_pem,
        "tls/ca.crt": root,
        "spiffe/svid.pem": leaf.certificate_pem,
        "spiffe/svid_key.pem": leaf.key_pem,
        "spiffe/svid_bundle.pem": root,
    }
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_works_as_it_stands(example, machine):
    text = f"version: 1\n{example}{LISTENER}".replace("/run/", f"{machine}/")
    if "trust:" not in example:
        text += f"trust: {{mesh: {{roots: [{machine}/tls/]}}}}\n"
    (machine / "proxy.yaml").write_text(text)

    settings = load_config(machine / "proxy.yaml").settings()

    assert settings.identities[0].passphrase is None
    assert settings.trust[0].roots


def test_there_is_an_example_of_each_layout():
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("message", re.findall(r"^\| `(.*?)` ?[|,]", MISTAKES, re.MULTILINE))
def test_a_message_that_is_explained_can_be_met(message):
    for part in VARYING.split(message):
        assert part.removeprefix("is ").strip(" /") in source()


@cache
def source():
    """The texts of messages, each on one line."""
    text = " ".join(" ".join(path.read_text().split()) for path in SOURCES)
    return re.sub(r'" f?"', "", text)
