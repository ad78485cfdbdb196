"""Private keys in PKCS#8 that `cryptography` refuses: ML-DSA (RFC 9881 §6) and composite ones.

ML-DSA has three forms: `seed`, `expanded` and `both`. Go and `cryptography` write and read the
seed (the latter only without a public key beside it), OpenSSL writes both. A seed can be taken out
of both; nothing leads from an expanded key back to its seed, so that one is taken where liboqs can
sign with it, for a certificate that exists, and else refused by name.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.composite_halves import (
    ML_DSA_44,
    ML_DSA_65,
    ML_DSA_87,
    MlDsaHalf,
    MlDsaPrivateKey,
)
from pqproxy.crypto.composite_keys import COMPOSITE_BY_OID, CompositePrivateKey
from pqproxy.crypto.errors import MismatchedKeyError, PrivateKeyError, ProviderUnavailable
from pqproxy.crypto.expanded_keys import (
    EXPANDED_LENGTHS,
    ExpandedPrivateKey,
    belong_together,
    find_certified,
)
from pqproxy.crypto.liboqs_library import load_liboqs

_Key = MlDsaPrivateKey | CompositePrivateKey | ExpandedPrivateKey

_SEED_HEADER = b"\x80\x20"  # [0] IMPLICIT OCTET STRING of 32 bytes
_EXPANDED_TAG, _BOTH_TAG = b"\x04", b"\x30"
_VERSIONS = (0, 1)  # v2 is what a public key beside it needs; not all who write one say so


_PARAMETER_SETS = {
    "2.16.840.1.101.3.4.3.17": ML_DSA_44,
    "2.16.840.1.101.3.4.3.18": ML_DSA_65,
    "2.16.840.1.101.3.4.3.19": ML_DSA_87,
}


@asn1.sequence
class _AlgorithmIdentifier:
    """Neither has parameters; what has some does not decode, and is none of our business."""

    algorithm: ObjectIdentifier


@asn1.sequence
class _OneAsymmetricKey:
    """RFC 5958 §2."""

    version: int
    algorithm: _AlgorithmIdentifier
    private_key: bytes
    attributes: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(0)]
    public_key: Annotated[asn1.BitString | None, asn1.Implicit(1)]


@asn1.sequence
class _Both:
    seed: bytes
    expanded_key: bytes


def read_pkcs8(
    der: bytes, certified: Collection[object] = (), *, checked: bool = False
) -> _Key | None:
    """Return the key, or None for what is neither ML-DSA nor composite.

    One in the expanded form must belong to one of the public keys that are `certified`; unless it
    is `checked`, it is tried. Raises PrivateKeyError for a key that cannot be used,
    MismatchedKeyError for one of nobody certified, and CryptoError for one that fails when tried.
    """
    try:
        outer = asn1.decode_der(_OneAsymmetricKey, der)
    except ValueError:
        return None
    if outer.version not in _VERSIONS:
        return None
    content = outer.private_key
    key: _Key
    if composite := COMPOSITE_BY_OID.get(outer.algorithm.algorithm):
        key = composite.read_private_key(content)
    elif parameters := _PARAMETER_SETS.get(outer.algorithm.algorithm.dotted_string):
        if content.startswith(_EXPANDED_TAG):
            key = _read_expanded(parameters, content, certified)
        else:
            key = _read_ml_dsa(parameters, content)
    else:
        return None
    _check_public_key(outer.public_key, key)
    if isinstance(key, ExpandedPrivateKey) and not checked:
        key.prove()
    return key


def encode_pkcs8(key: CompositePrivateKey | ExpandedPrivateKey) -> bytes:
    """Return the DER of a composite key (§5.3 of the draft), or of an expanded one."""
    content = key.private_bytes_raw()
    if isinstance(key, ExpandedPrivateKey):
        oids = {each.name: oid for oid, each in _PARAMETER_SETS.items()}
        oid = ObjectIdentifier(oids[key.parameters.name])
        content = asn1.encode_der(content)
    else:
        oid = key.algorithm.oid
    outer = _OneAsymmetricKey(
        version=0,
        algorithm=_AlgorithmIdentifier(algorithm=oid),
        private_key=content,
        attributes=None,
        public_key=None,
    )
    return asn1.encode_der(outer)


def _check_public_key(found: asn1.BitString | None, key: _Key) -> None:
    """Refuse a public key beside the private one that is not its own."""
    if found is None:
        return
    if found.padding_bits() or found.as_bytes() != key.public_key().public_bytes_raw():
        raise PrivateKeyError(
            "the private key has a public key beside it that does not belong to it; "
            "export it again from where it was made"
        )


def _read_ml_dsa(parameters: MlDsaHalf, content: bytes) -> MlDsaPrivateKey:
    if content.startswith(_SEED_HEADER):
        return _from_seed(parameters, content[len(_SEED_HEADER) :])
    if content.startswith(_BOTH_TAG):
        return _read_both(parameters, content)
    raise PrivateKeyError(f"{parameters.name} key is in none of the forms of RFC 9881")


def _from_seed(parameters: MlDsaHalf, seed: bytes) -> MlDsaPrivateKey:
    try:
        return parameters.private_key.from_seed_bytes(seed)
    except ValueError:
        pass
    # Outside the handler: nobody promises that the library's message holds no part of the key.
    raise PrivateKeyError(f"{parameters.name} key has a seed of the wrong length")


def _read_both(parameters: MlDsaHalf, content: bytes) -> MlDsaPrivateKey:
    both = None
    with suppress(ValueError):
        both = asn1.decode_der(_Both, content)
    if both is None:  # raised here for the same reason
        raise PrivateKeyError(f"{parameters.name} key is damaged")
    key = _from_seed(parameters, both.seed)
    # RFC 9881 §6: the two halves must belong together.
    if not belong_together(parameters, both.expanded_key, key.public_key().public_bytes_raw()):
        raise PrivateKeyError(
            f"{parameters.name} key holds a seed and an expanded key that do not belong together"
        )
    return key


def _read_expanded(
    parameters: MlDsaHalf, content: bytes, certified: Collection[object]
) -> ExpandedPrivateKey:
    expanded_key = None
    with suppress(ValueError):
        expanded_key = asn1.decode_der(bytes, content)
    if expanded_key is None or len(expanded_key) != EXPANDED_LENGTHS[parameters.name]:
        raise PrivateKeyError(f"{parameters.name} key is damaged")
    if not certified:
        raise _without_seed(parameters, "which pqproxy needs for all but a certificate's key", "")
    public_key = find_certified(parameters, expanded_key, certified)
    if public_key is None:
        raise MismatchedKeyError(
            "the private key does not belong to the certificate; use the key that the certificate "
            "was issued for, or issue the certificate again"
        )
    try:
        return ExpandedPrivateKey(parameters, public_key, expanded_key, load_liboqs())
    except ProviderUnavailable as error:
        missing, _, _ = str(error).partition("; ")
    needed = f"which pqproxy needs without liboqs ({missing})"
    raise _without_seed(parameters, needed, ", or install liboqs")


def _without_seed(parameters: MlDsaHalf, needed: str, otherwise: str) -> PrivateKeyError:
    return PrivateKeyError(
        f"{parameters.name} key in the expanded form, without its seed, {needed} and which cannot "
        "be computed back; export it with its seed from where it was made, or make a new one: "
        f"openssl genpkey -algorithm {parameters.name} -out KEY{otherwise}"
    )
