"""What the cryptography of a handshake costs by itself, whoever calls it.

Key exchange by X25519MLKEM768 and signatures by ECDSA P-256, as one side of a full handshake needs
them, and nothing else: no key schedule, no records, no messages, no certificate is parsed.
"""

from collections.abc import Callable, Sequence
from time import process_time

from cryptography.hazmat.primitives.asymmetric import ec, mlkem, x25519
from cryptography.hazmat.primitives.hashes import SHA256

MESSAGE = bytes(130)  # what CertificateVerify signs is about as long
WARM_UP = 20

Operation = Callable[[], object]


class Primitives:
    """Keys to work with, and the operations of each side in the order of the handshake."""

    def __init__(self) -> None:
        self._signing = ec.generate_private_key(ec.SECP256R1())
        self._verifying = self._signing.public_key()
        self._scheme = ec.ECDSA(SHA256())
        self._signature = self._signing.sign(MESSAGE, self._scheme)
        self._x25519 = x25519.X25519PrivateKey.generate()
        self._theirs = x25519.X25519PrivateKey.generate().public_key()
        self._decapsulating = mlkem.MLKEM768PrivateKey.generate()
        encapsulating = self._decapsulating.public_key()
        self._share = encapsulating.public_bytes_raw()
        self._ciphertext = encapsulating.encapsulate()[1]

    def client(self, *, mutual: bool) -> Sequence[Operation]:
        """Make a share, complete it, verify a signature; mutual: sign. The chain is known."""
        exchange = [self._new_x25519, self._new_mlkem, self._agree, self._decapsulate]
        return [*exchange, self._verify, *([self._sign] if mutual else [])]

    def server(self, *, mutual: bool) -> Sequence[Operation]:
        """Answer a share and sign; mutual: verify a signature. The chain is known."""
        exchange = [self._new_x25519, self._agree, self._encapsulate]
        return [*exchange, self._sign, *([self._verify] if mutual else [])]

    def _new_x25519(self) -> bytes:
        return x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()

    def _new_mlkem(self) -> bytes:
        return mlkem.MLKEM768PrivateKey.generate().public_key().public_bytes_raw()

    def _agree(self) -> bytes:
        return self._x25519.exchange(self._theirs)

    def _encapsulate(self) -> object:
        return mlkem.MLKEM768PublicKey.from_public_bytes(self._share).encapsulate()

    def _decapsulate(self) -> bytes:
        return self._decapsulating.decapsulate(self._ciphertext)

    def _sign(self) -> bytes:
        return self._signing.sign(MESSAGE, self._scheme)

    def _verify(self) -> None:
        self._verifying.verify(self._signature, MESSAGE, self._scheme)


def cpu_seconds(operations: Sequence[Operation], rounds: int) -> float:
    """The mean of some rounds, after a few that nobody counts."""
    for _ in range(WARM_UP):
        for operation in operations:
            operation()
    began = process_time()
    for _ in range(rounds):
        for operation in operations:
            operation()
    return (process_time() - began) / rounds
