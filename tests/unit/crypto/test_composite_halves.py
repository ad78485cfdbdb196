import pytest
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqproxy.crypto.composite_halves import ED25519, P256, P384, _EcPrivateKey

P256_PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P256_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


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
    hybrid = bytes([6 + (raw[-1] & 1)]) + raw[1:]  # X9.62's third form
    off_the_curve = raw[:-1] + bytes([raw[-1] ^ 1])
    infinity, zero = b"\0", b"\4" + bytes(len(raw) - 1)
    for bad in (b"", infinity, zero, compressed, hybrid, off_the_curve, raw[:-1], raw + b"\0"):
        with pytest.raises(ValueError, match=r".*"):
            half.read_public_key(bad)


def test_coordinates_are_below_the_prime():
    """Else one point has two encodings, and one key two certificates."""
    x = 5  # a point of the curve, small enough that x + p still fits
    y_squared = (x**3 - 3 * x + P256_B) % P256_PRIME
    y = pow(y_squared, (P256_PRIME + 1) // 4, P256_PRIME)
    assert pow(y, 2, P256_PRIME) == y_squared

    assert P256.read_public_key(b"\4" + x.to_bytes(32) + y.to_bytes(32))
    with pytest.raises(ValueError, match="Invalid EC key"):
        P256.read_public_key(b"\4" + (x + P256_PRIME).to_bytes(32) + y.to_bytes(32))


def ec_private_key(half=P256, **changes):
    """An ECPrivateKey, and the key that is in it unless that is changed."""
    key = half.generate()
    scalar = key.private_numbers().private_value.to_bytes(half.curve.key_size // 8)
    fields = {"version": 1, "private_key": scalar, "parameters": half.curve_oid, "public_key": None}
    return asn1.encode_der(_EcPrivateKey(**{**fields, **changes})), key


def test_a_private_key_may_leave_its_curve_out_and_hold_its_own_point():
    """Many programs add the point (RFC 5915 says SHOULD), and the curve is known by the OID."""
    without_curve, key = ec_private_key(parameters=None)
    assert P256.read_private_key(without_curve).public_key() == key.public_key()

    scalar = key.private_numbers().private_value.to_bytes(32)
    point = asn1.BitString(P256.public_bytes(key.public_key()), 0)
    with_point, _ = ec_private_key(private_key=scalar, public_key=point)
    assert P256.read_private_key(with_point).public_key() == key.public_key()


def test_a_private_key_that_contradicts_itself_is_refused():
    """Two programs that read one file must not hold two keys."""
    other = P256.public_bytes(P256.generate().public_key())
    for point in (other, other[:-1], b"", b"\0"):
        with pytest.raises(ValueError, match=r"public key of another|uncompressed|EC key"):
            P256.read_private_key(ec_private_key(public_key=asn1.BitString(point, 0))[0])
    with pytest.raises(ValueError, match="public key of another"):
        P256.read_private_key(ec_private_key(public_key=asn1.BitString(other[:-1] + b"\0", 1))[0])


@pytest.mark.parametrize("half", [P256, P384], ids=lambda half: half.name)
def test_a_scalar_is_above_zero_and_below_the_order(half):
    length = half.curve.key_size // 8
    order = half.curve.group_order
    one, last = (1).to_bytes(length), (order - 1).to_bytes(length)
    for good in (one, last):
        assert half.read_private_key(ec_private_key(half, private_key=good)[0])
    for bad in (bytes(length), order.to_bytes(length), b"\xff" * length):
        with pytest.raises(ValueError, match=r".*"):
            half.read_private_key(ec_private_key(half, private_key=bad)[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": 2},
        {"private_key": b"\0" + bytes(31) + b"\1"},
        {"private_key": bytes(30) + b"\1"},
        {"private_key": b""},
        {"parameters": P384.curve_oid},
    ],
    ids=["version 0", "version 2", "long", "short", "empty", "curve"],
)
def test_other_forms_of_a_private_key_are_refused(changes):
    with pytest.raises(ValueError, match=r"the key (is|has)"):
        P256.read_private_key(ec_private_key(**changes)[0])


def test_what_is_not_der_is_no_private_key():
    der, _ = ec_private_key()
    long_length = b"\x30\x81" + der[1:]
    long_integer = b"\x30" + bytes([der[1] + 1]) + b"\x02\x02\x00\x01" + der[5:]
    indefinite = b"\x30\x80" + der[2:] + b"\0\0"
    for bad in (long_length, long_integer, indefinite, der + b"\0", der[:-1]):
        with pytest.raises(ValueError, match="asn1"):
            P256.read_private_key(bad)


def test_a_private_key_of_another_curve_is_refused():
    with pytest.raises(ValueError, match="another curve"):
        P256.read_private_key(P384.private_bytes(P384.generate()))


PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME


def small_order_points():
    """The y of every point whose order divides 8, found by adding points, not looked up.

    Torsion points are what is left of any point when it is multiplied by the prime order.
    """
    order = 2**252 + 27742317777372353535851937790883648493
    found, y = set(), 2
    while len(found) < 5:
        y += 1
        x_squared = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
        x = pow(x_squared, (PRIME + 3) // 8, PRIME)
        if x * x % PRIME != x_squared:
            x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
        if x * x % PRIME == x_squared:
            found.add(multiplied((x, y), order)[1])
    return found


def multiplied(point, times):
    total = (0, 1)
    while times:
        if times & 1:
            total = added(total, point)
        point, times = added(point, point), times >> 1
    return total


def added(one, other):
    (x1, y1), (x2, y2) = one, other
    cross = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + cross, -1, PRIME)
    y = (y1 * y2 + x1 * x2) * pow(1 - cross, -1, PRIME)
    return x % PRIME, y % PRIME


def test_under_a_key_of_small_order_anybody_signs():
    """Why they are refused: hybrid would be ML-DSA alone, and nobody would see it."""
    neutral = b"\1" + bytes(31)
    theirs = ed25519.Ed25519PublicKey.from_public_bytes(neutral)
    theirs.verify(neutral + bytes(32), b"whatever it is")

    for y in small_order_points():
        for sign in (0, 1 << 255):
            with pytest.raises(ValueError, match="of small order"):
                ED25519.read_public_key((y | sign).to_bytes(32, "little"))


@pytest.mark.parametrize("y", range(PRIME, 2**255))
def test_an_ed25519_key_has_one_form(y):
    """RFC 8032 §5.1.3: y is below the prime."""
    with pytest.raises(ValueError, match="its one form"):
        ED25519.read_public_key(y.to_bytes(32, "little"))


@pytest.mark.parametrize("raw", [b"", b"\2" * 31, b"\2" * 33])
def test_an_ed25519_key_has_32_bytes(raw):
    with pytest.raises(ValueError, match=r".*"):
        ED25519.read_public_key(raw)
    with pytest.raises(ValueError, match=r".*"):
        ED25519.read_private_key(raw)
