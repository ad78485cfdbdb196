import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.cli.loading import load_config, provider_problem
from pqproxy.config.problems import ConfigError
from pqproxy.crypto import ProviderUnavailable
from pqproxy.crypto.keys import encode_private_key
from tests.support import pki

TEXT = """\
version: 1
identities:
  llm: {certificate: leaf.crt, key: leaf.key}
trust:
  mesh: {roots: [ca.crt]}
egress:
  - {name: x, listen: "127.0.0.1:1", connect: ["h:1"], identities: [llm], trust: mesh}
"""


@pytest.fixture
def directory(tmp_path):
    pki.root().issue(uris=("spiffe://corp/llm",)).write(tmp_path)
    pki.root().write(tmp_path)
    (tmp_path / "proxy.yaml").write_text(TEXT)
    return tmp_path


def lines(directory):
    with pytest.raises(ConfigError) as refused:
        load_config(directory / "proxy.yaml").settings()
    return [line.removeprefix(f"{directory}/") for line in refused.value.lines()]


def test_sound_certificates_give_settings(directory):
    assert load_config(directory / "proxy.yaml").settings().identities[0].name == "llm"


def test_workers_are_given_an_encrypted_key_without_its_passphrase(directory, monkeypatch):
    """They have no use for one, and streams would stand still while a key is derived."""
    monkeypatch.setenv("PASS", "correct horse")
    key = pki.root().issue(uris=("spiffe://corp/llm",)).key
    (directory / "leaf.key").write_bytes(encode_private_key(key, b"correct horse"))
    (directory / "proxy.yaml").write_text(
        TEXT.replace("key: leaf.key", "key: leaf.key, passphrase: '${PASS}'")
    )

    (files,) = load_config(directory / "proxy.yaml").settings().identities

    assert files.passphrase is None
    assert files.key == encode_private_key(key)


def test_an_encrypted_key_without_a_passphrase_makes_one_line(directory):
    key = pki.root().issue(uris=("spiffe://corp/llm",)).key
    (directory / "leaf.key").write_bytes(encode_private_key(key, b"correct horse"))

    (line,) = lines(directory)

    assert "identities.llm: leaf.crt with leaf.key: private key is encrypted" in line


def test_a_key_of_another_certificate_is_named_with_its_line(directory):
    (directory / "leaf.key").write_bytes(pki.self_signed(name="other").key_pem)

    (line,) = lines(directory)

    assert line.startswith(
        "proxy.yaml:3:8: identities.llm: leaf.crt with leaf.key: the private key does not belong"
    )


def test_an_expired_certificate_is_named_with_its_line(directory):
    pki.root().issue(uris=("spiffe://corp/llm",), not_after=pki.PAST).write(directory)

    (line,) = lines(directory)

    assert line.startswith(
        "proxy.yaml:3:8: identities.llm: leaf.crt with leaf.key: CN=leaf expired"
    )


def test_revocation_lists_are_read_once_for_all_workers(directory):
    """What a worker gets needs no parsing while streams wait, and no file's content."""
    text = TEXT.replace("[ca.crt]", "[ca.crt], crl: [ca.crl], deny: ['serial:0A']")
    (directory / "proxy.yaml").write_text(text)
    list_of_two = pki.root().revoke(7, 8).public_bytes(Encoding.PEM)
    (directory / "ca.crl").write_bytes(list_of_two)

    (trust,) = load_config(directory / "proxy.yaml").settings().trust

    assert trust.crl == ()
    assert [len(one.serials) for one in trust.revoked] == [40]
    assert trust.deny == ("serial:a",)


def test_a_revocation_list_of_strangers_is_named_with_its_line(directory):
    text = TEXT.replace("[ca.crt]", "[ca.crt], crl: [ca.crl]")
    (directory / "proxy.yaml").write_text(text)
    strangers = pki.root(name="stranger").revoke().public_bytes(Encoding.DER)
    (directory / "ca.crl").write_bytes(strangers)

    (line,) = lines(directory)

    assert line == (
        f"proxy.yaml:5:32: trust.mesh.crl: {directory}/ca.crl: is signed by CN=stranger, which is"
        " no root of the set (put the certificate of that authority beside the list, or take the"
        " list away)"
    )


def test_roots_that_are_none_are_named_with_their_line(directory):
    (directory / "ca.crt").write_bytes(pki.self_signed().certificate_pem)

    (line,) = lines(directory)

    assert line.startswith("proxy.yaml:5:9: trust.mesh: ca.crt: certificate 1")


def test_roots_that_have_all_ended_are_named_with_their_line(directory):
    """Nobody would come in: better said before the old process is gone than by every peer."""
    pki.root(not_after=pki.PAST).write(directory)

    (line,) = lines(directory)

    assert line == (
        "proxy.yaml:5:9: trust.mesh: ca.crt: every root has ended, the last on 2021-01-01 00:00 UTC"
        " (add the root that signs today, or check the clock)"
    )


def test_a_root_that_has_ended_beside_one_that_holds_is_no_mistake(directory):
    """So it is in the middle of every roll-over."""
    ended, holds = pki.root(not_after=pki.PAST), pki.root()
    (directory / "ca.crt").write_bytes(ended.certificate_pem + holds.certificate_pem)

    assert load_config(directory / "proxy.yaml").settings().trust


def strict(directory, algorithm):
    """The same under cnsa2, with certificates of one algorithm."""
    pki.root(algorithm).issue(uris=("spiffe://corp/llm",)).write(directory)
    pki.root(algorithm).write(directory)
    (directory / "proxy.yaml").write_text(
        TEXT.replace("trust: mesh}", "trust: mesh, groups: cnsa2}")
    )


def test_certificates_that_do_not_fit_the_profile_are_named_where_they_are_used(directory):
    """The entry of the identity is sound: it is this listener that cannot use it."""
    strict(directory, "mldsa65")
    identity, trust = lines(directory)

    assert identity.startswith("proxy.yaml:7:69: egress.0.identities.0: CN=leaf has a key of type")
    assert trust.startswith("proxy.yaml:7:82: egress.0.trust: holds no root with a key of type")
    assert all("certs init --algorithm mldsa87" in line for line in (identity, trust))


def test_certificates_that_fit_the_profile_give_settings(directory):
    strict(directory, "mldsa87")

    assert load_config(directory / "proxy.yaml").settings().egress[0].groups == (
        "SecP384r1MLKEM1024",
    )


@pytest.mark.parametrize(
    ("demand", "root", "missing"),
    [
        ("hybrid", "mldsa65", "certs init makes one"),
        ("post-quantum", "ecdsa-p256", "certs init --algorithm mldsa65 makes one"),
    ],
)
def test_roots_that_no_peer_could_satisfy_the_demand_with_are_named(
    directory, demand, root, missing
):
    """Our own identity may be of any kind: the demand is for the peer."""
    pki.root(root).write(directory)
    (directory / "proxy.yaml").write_text(
        TEXT.replace("trust: mesh}", f"trust: mesh, authentication: {demand}}}")
    )
    (line,) = lines(directory)

    assert line.startswith("proxy.yaml:7:82: egress.0.trust: holds no root with a key of type")
    assert f"authentication: {demand} takes no other" in line
    assert missing in line


def test_a_root_of_the_demanded_kind_among_others_is_enough(directory):
    both = pki.root("mldsa65").certificate_pem + pki.root().certificate_pem
    (directory / "ca.crt").write_bytes(both)
    (directory / "proxy.yaml").write_text(
        TEXT.replace("trust: mesh}", "trust: mesh, authentication: post-quantum}")
    )

    assert load_config(directory / "proxy.yaml").settings().egress[0].authentication == (
        "post-quantum"
    )


def test_a_broken_identity_is_not_held_against_the_profile_too(directory):
    strict(directory, "mldsa87")
    (directory / "leaf.key").write_bytes(b"no key")
    (line,) = lines(directory)

    assert "identities.llm" in line


def test_mistakes_of_text_and_of_certificates_come_together(directory):
    (directory / "leaf.key").write_bytes(b"no key")
    (directory / "ca.crt").write_bytes(b"no certificate")
    (directory / "proxy.yaml").write_text(TEXT.replace('["h:1"]', "[h]"))

    places = [line.split(": ")[1] for line in lines(directory)]

    assert places == ["identities.llm", "trust.mesh", "egress.0.connect.0"]


def test_no_problem_shows_key_material(directory):
    secret = (directory / "leaf.key").read_bytes()
    (directory / "leaf.crt").write_bytes(secret)
    (directory / "ca.crt").write_bytes(secret)

    body = secret.decode().splitlines()[1]
    assert all(body[:20] not in line for line in lines(directory))


def test_a_provider_that_is_missing_is_named_with_its_line(directory, monkeypatch):
    def unavailable(choice):
        raise ProviderUnavailable(f"no {choice} here")

    monkeypatch.setattr("pqproxy.cli.loading.load_provider", unavailable)
    with (directory / "proxy.yaml").open("a") as file:
        file.write("crypto: {provider: liboqs}\n")

    assert lines(directory) == ["proxy.yaml:8:20: crypto.provider: no liboqs here"]


def test_the_default_provider_is_always_there():
    assert provider_problem("openssl") is None
