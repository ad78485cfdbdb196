import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from pqproxy.cli.credentials import read_credentials
from pqproxy.cli.errors import CommandError
from pqproxy.crypto.keys import encode_private_key
from tests.support import pki


@cache
def leaf(**request):
    return pki.root().issue(uris=("spiffe://corp/llm",), **request)


@pytest.fixture
def bundle(tmp_path):
    path = tmp_path / "bundle.pem"
    path.write_bytes(leaf().key_pem + leaf().certificate_pem + pki.root().certificate_pem)
    return path


@pytest.fixture
def separate(tmp_path):
    leaf().write(tmp_path)
    return tmp_path / "leaf.crt"


def test_a_bundle_holds_all_that_is_needed(bundle):
    credentials = read_credentials([bundle], None)

    assert credentials.identities[0].certificate == leaf().certificate_pem
    assert credentials.trust.roots == (pki.root().certificate_pem,)


def test_trust_of_ones_own_replaces_that_of_the_bundle(bundle, tmp_path):
    other = pki.root(name="other")

    credentials = read_credentials([bundle], other.write(tmp_path))

    assert credentials.trust.roots == (other.certificate_pem,)


def test_the_key_may_lie_beside_the_certificate(separate):
    assert read_credentials([separate], None).identities[0].key == leaf().key_pem


def test_a_certificate_without_roots_brings_no_trust(separate):
    assert read_credentials([separate], None).trust is None


def test_a_bundle_given_as_trust_gives_its_roots_only(bundle):
    assert read_credentials([], bundle).trust.roots == (pki.root().certificate_pem,)


def test_a_certificate_without_a_key_is_refused(separate):
    separate.with_suffix(".key").unlink()

    with pytest.raises(CommandError, match=r"--identity: .* holds no private key") as refused:
        read_credentials([separate], None)

    assert refused.value.hint is None


def test_the_blocks_of_a_bundle_stand_in_any_order(tmp_path):
    path = tmp_path / "bundle.pem"
    path.write_bytes(pki.root().certificate_pem + leaf().certificate_pem + leaf().key_pem)

    credentials = read_credentials([path], None)

    assert credentials.identities[0].certificate == leaf().certificate_pem
    assert credentials.trust.roots == (pki.root().certificate_pem,)


@pytest.mark.parametrize("roots", [True, False])
def test_a_directory_of_a_secret_is_an_identity_with_its_roots(tmp_path, roots):
    (tmp_path / "tls.crt").write_bytes(leaf().certificate_pem)
    (tmp_path / "tls.key").write_bytes(leaf().key_pem)
    (tmp_path / "ca.crt").write_bytes(pki.root().certificate_pem if roots else b"")

    credentials = read_credentials([tmp_path], None)

    assert credentials.identities[0].key == leaf().key_pem
    assert (credentials.trust is not None) is roots


def test_an_encrypted_bundle_is_opened_once(tmp_path):
    path = tmp_path / "bundle.pem"
    key = encode_private_key(leaf().key, b"correct horse")
    path.write_bytes(key + leaf().certificate_pem)

    identity = read_credentials([path], None, b"correct horse").identities[0]

    assert identity.passphrase is None
    assert identity.key == encode_private_key(leaf().key)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((["no.pem"], None), "--identity: there is no"),
        (([], Path("no.pem")), "--trust: there is no"),
    ],
)
def test_a_missing_file_is_named_with_its_option(options, said):
    identities, trust = options

    with pytest.raises(CommandError, match=said):
        read_credentials([Path(name) for name in identities], trust)


def test_a_bundle_that_holds_no_certificate_is_refused(tmp_path):
    (tmp_path / "key.pem").write_bytes(leaf().key_pem)

    with pytest.raises(CommandError, match=r"--identity: .* holds no certificate"):
        read_credentials([tmp_path / "key.pem"], None)


@cache
def hybrid():
    return pki.root("mldsa65-ecdsa-p256").issue(uris=("spiffe://corp/llm",))


def pem_of(identity):
    return encode_private_key(identity.key) + identity.certificate_pem


def test_a_bundle_may_hold_several_identities_each_after_its_key(tmp_path):
    """What `certs export` writes: hybrid for our own sidecars, ECDSA for everybody else."""
    path = tmp_path / "both.pem"
    roots = [pki.root(one).certificate_pem for one in ("mldsa65-ecdsa-p256", "ecdsa-p256")]
    path.write_bytes(pem_of(hybrid()) + pem_of(leaf()) + b"".join(roots))

    credentials = read_credentials([path], None)

    assert [one.name for one in credentials.identities] == ["mldsa65-ecdsa-p256", "ecdsa-p256"]
    assert [one.certificate for one in credentials.identities] == [
        hybrid().certificate_pem,
        leaf().certificate_pem,
    ]
    assert list(credentials.trust.roots) == roots


def test_several_files_may_be_given(separate, tmp_path):
    path = tmp_path / "hybrid.pem"
    path.write_bytes(pem_of(hybrid()))

    credentials = read_credentials([path, separate], None)

    assert [one.key for one in credentials.identities] == [pem_of(hybrid()), leaf().key_pem]
    assert credentials.files == tuple(
        str(one) for one in (path, separate, separate.with_suffix(".key"))
    )


def test_two_identities_of_one_kind_are_told_apart(separate, bundle):
    names = [one.name for one in read_credentials([separate, bundle], None).identities]

    assert names == ["ecdsa-p256-1", "ecdsa-p256-2"]


def test_they_are_read_without_what_reads_a_configuration():
    """`sign` and `verify` run once a file, in loops: loading that would take most of their time."""
    script = "import pqproxy.cli.credentials, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert not {"pydantic", "yaml", "aiohttp"} & set(result.stdout.split())
