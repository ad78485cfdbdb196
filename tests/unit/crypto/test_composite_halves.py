import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqproxy.crypto.composite_halves import ED25519, P256, P384


@pytest.mark.parametrize("half", [P256, P384, ED25519], ids=lambda half: half.name)
def test_keys_survive_being_written_and_read(half):
    key = half.generate()
    again = half.read_private_key(half.private_bytes(key))
    public_key = half.read_public_key(half.public_bytes(key.public_key()))
    assert again.public_key() == public_key == key.public_key()
    half.verify(public_key, half.sign(again, b"text"), b"text")


@pytest.mark.parametrize("half", [P256, P384], ids=lambda half: half.name)
def test_only_whole_uncompressed_points_on_the_curve_are_keys(half):
    point = half.generate().public_key()
    raw = half.public_bytes(point)
    compressed = point.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    off_the_curve = raw[:-1] + bytes([raw[-1] ^ 1])
    for bad in (b"", b"\0", compressed, off_the_curve, raw[:-1], raw + b"\0"):
        with pytest.raises(ValueError, match=r".*"):
            half.read_public_key(bad)


def test_a_private_key_of_another_curve_is_refused():
    with pytest.raises(ValueError, match="another curve"):
        P256.read_private_key(P384.private_bytes(P384.generate()))
