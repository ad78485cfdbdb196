from functools import cache
from pathlib import Path

import pytest

from pqproxy.cli.adhoc import adhoc_settings, read_credentials
from pqproxy.cli.errors import CommandError
from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.crypto.keys import encode_private_key
from tests.support import pki

ENTRY = {"name": "x", "listen": "127.0.0.1:1", "connect": ["llm.corp:2"]}
OPTIONS = {"listen": "--listen", "connect": "HOST:PORT"}


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


def settings(bundle, **changes):
    return adhoc_settings("egress", {**ENTRY, **changes}, read_credentials([bundle], None), OPTIONS)


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
    ("given", "said"), [(None, "no passphrase is given"), (b"wrong", "does not open")]
)
def test_a_passphrase_that_does_not_fit_is_named(tmp_path, given, said):
    path = tmp_path / "bundle.pem"
    key = encode_private_key(leaf().key, b"correct horse")
    path.write_bytes(key + leaf().certificate_pem + pki.root().certificate_pem)

    with pytest.raises(CommandError, match=rf"^--identity: {path}: .*{said}"):
        adhoc_settings("egress", ENTRY, read_credentials([path], None, given), OPTIONS)


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


def test_one_listener_becomes_settings(bundle):
    (egress,) = settings(bundle).egress

    assert egress.listen == TcpAddress("127.0.0.1", 1)
    assert egress.expect == ("llm.corp",)
    assert egress.identities == (settings(bundle).identities[0].name,)
    assert egress.trust == settings(bundle).trust[0].name


def test_a_relative_socket_is_below_the_working_directory(bundle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert settings(bundle, listen="unix:x").egress[0].listen == UnixAddress(f"{tmp_path}/x")


def test_a_problem_is_said_of_its_option(bundle):
    with pytest.raises(CommandError, match=r"^HOST:PORT: llm names no port"):
        settings(bundle, connect=["llm"])


def test_the_rules_of_a_file_hold_and_the_way_around_is_named(bundle):
    with pytest.raises(CommandError, match=r"^--listen: other machines") as refused:
        settings(bundle, listen=":1")

    assert refused.value.hint == "unsafe_… is said in a configuration file only"


def test_an_expired_certificate_is_refused(tmp_path):
    path = tmp_path / "old.pem"
    old = leaf(not_after=pki.PAST)
    path.write_bytes(old.key_pem + old.certificate_pem + pki.root().certificate_pem)

    with pytest.raises(CommandError, match=r"^--identity: .* expired"):
        adhoc_settings("egress", ENTRY, read_credentials([path], None), OPTIONS)


def test_roots_that_are_none_are_refused(bundle, tmp_path):
    (tmp_path / "ca.crt").write_bytes(leaf().certificate_pem)
    credentials = read_credentials([bundle], tmp_path / "ca.crt")

    with pytest.raises(CommandError, match=r"^--trust: .* is not the certificate of an authority"):
        adhoc_settings("egress", ENTRY, credentials, OPTIONS)


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
    settings = adhoc_settings("egress", ENTRY, credentials, OPTIONS)
    assert settings.egress[0].identities == ("mldsa65-ecdsa-p256", "ecdsa-p256")


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
