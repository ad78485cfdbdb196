from functools import cache

import pytest

from pqproxy.cli.adhoc import adhoc_settings
from pqproxy.cli.credentials import read_credentials
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


def settings(bundle, **changes):
    return adhoc_settings("egress", {**ENTRY, **changes}, read_credentials([bundle], None), OPTIONS)


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


@pytest.mark.parametrize(
    ("given", "said"), [(None, "no passphrase is given"), (b"wrong", "does not open")]
)
def test_a_passphrase_that_does_not_fit_is_named(tmp_path, given, said):
    path = tmp_path / "bundle.pem"
    key = encode_private_key(leaf().key, b"correct horse")
    path.write_bytes(key + leaf().certificate_pem + pki.root().certificate_pem)

    with pytest.raises(CommandError, match=rf"^--identity: {path}: .*{said}"):
        adhoc_settings("egress", ENTRY, read_credentials([path], None, given), OPTIONS)


def test_roots_that_are_none_are_refused(bundle, tmp_path):
    (tmp_path / "ca.crt").write_bytes(leaf().certificate_pem)
    credentials = read_credentials([bundle], tmp_path / "ca.crt")

    with pytest.raises(CommandError, match=r"^--trust: .* is not the certificate of an authority"):
        adhoc_settings("egress", ENTRY, credentials, OPTIONS)


def test_several_identities_are_offered_in_their_order(tmp_path):
    hybrid = pki.root("mldsa65-ecdsa-p256").issue(uris=("spiffe://corp/llm",))
    paths = [tmp_path / name for name in ("hybrid.pem", "ecdsa.pem")]
    for path, one in zip(paths, (hybrid, leaf()), strict=True):
        path.write_bytes(encode_private_key(one.key) + one.certificate_pem)
    credentials = read_credentials(paths, pki.root().write(tmp_path))

    settings = adhoc_settings("egress", ENTRY, credentials, OPTIONS)

    assert settings.egress[0].identities == ("mldsa65-ecdsa-p256", "ecdsa-p256")
