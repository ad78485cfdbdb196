import pytest

from pqproxy.identity.errors import IdentityError
from pqproxy.identity.pem import (
    encode,
    holds_certificate,
    holds_private_key,
    is_self_issued,
    read_certificates,
    without_roots,
)
from tests.support import pki

ROOT = pki.root()
LEAF = ROOT.intermediate().issue(dns=("a.test",))


def test_certificates_come_in_the_order_of_the_file():
    pem = b"a comment\n" + LEAF.certificate_pem + LEAF.key_pem + ROOT.certificate_pem

    assert read_certificates(pem, "a.pem") == (*LEAF.certificates, ROOT.certificate)


def test_windows_line_ends_are_read():
    pem = LEAF.certificate_pem.replace(b"\n", b"\r\n")

    assert read_certificates(pem, "a.pem") == LEAF.certificates


def test_a_broken_block_is_named_by_its_number():
    broken = ROOT.certificate_pem.replace(b"MII", b"MIJ", 1)

    with pytest.raises(IdentityError, match=r"^a\.pem: block 3 is not a readable certificate"):
        read_certificates(LEAF.certificate_pem + broken, "a.pem")


def test_a_file_that_is_cut_off_is_read_by_nobody():
    """It would hold fewer roots, or a shorter chain, than somebody is about to have written."""
    first, second = ROOT.certificate_pem, LEAF.key_pem
    whole = first + second
    ends = len(first) - 1, len(whole) - 1  # without the last line end

    for length in range(1, len(whole)):
        if length in (ends[0], ends[0] + 1, ends[1]):
            assert read_certificates(whole[:length], "a.pem") == (ROOT.certificate,)
        else:
            with pytest.raises(IdentityError, match=r"^a\.pem: (is cut off|holds no certificate)"):
                read_certificates(whole[:length], "a.pem")
    with pytest.raises(IdentityError, match="is cut off"):
        read_certificates(whole[:500], "a.pem")


@pytest.mark.parametrize("pem", [b"", b"no pem", ROOT.certificate_der, LEAF.key_pem])
def test_a_file_without_certificates_is_an_error(pem):
    with pytest.raises(IdentityError, match=r"^a\.pem: holds no certificate$"):
        read_certificates(pem, "a.pem")


def test_a_key_in_the_place_of_a_certificate_is_called_one():
    """The two files were swapped: nothing has to be converted."""
    with pytest.raises(IdentityError) as caught:
        read_certificates(LEAF.key_pem, "a.pem")

    assert caught.value.fix.startswith("it holds a private key")


@pytest.mark.parametrize("label", [b"PRIVATE KEY", b"EC PRIVATE KEY", b"ENCRYPTED PRIVATE KEY"])
def test_private_keys_of_every_kind_are_noticed(label):
    block = b"-----BEGIN %b-----\nAAAA\n-----END %b-----\n" % (label, label)

    assert holds_private_key(ROOT.certificate_pem + block)
    assert not holds_private_key(ROOT.certificate_pem)


def test_a_certificate_is_noticed_before_it_is_read():
    assert holds_certificate(LEAF.key_pem + ROOT.certificate_pem.replace(b"MII", b"MIJ", 1))
    assert not holds_certificate(LEAF.key_pem)


def test_a_root_is_self_issued_and_a_leaf_is_not():
    assert is_self_issued(ROOT.certificate)
    assert not is_self_issued(LEAF.certificate)


def test_certificates_are_written_as_they_were_read():
    pem = encode(*LEAF.certificates)

    assert pem == LEAF.certificate_pem
    assert read_certificates(pem, "a.pem") == LEAF.certificates


def test_roots_are_left_out_wherever_they_stand():
    leaf, issuer = LEAF.certificates

    assert without_roots((ROOT.certificate, leaf, issuer)) == (leaf, issuer)
    assert without_roots((leaf, ROOT.certificate, issuer)) == (leaf, issuer)


def test_a_certificate_that_signed_itself_stays_where_it_is_the_only_one():
    alone = pki.self_signed().certificate

    assert without_roots((alone,)) == (alone,)
