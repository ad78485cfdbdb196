"""Writes the known answer for X25519MLKEM1024, which no other TLS stack speaks.

    python -m tests.vectors.record_private

Made by the primitives of `cryptography` alone, put together by hand as the group is defined
(ML-KEM first), so that none of our own code is its own witness. The X25519 half is the exchange
of RFC 7748 §6.1; the ML-KEM half has a fixed seed and an encapsulation that was random once.
"""

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

PATH = Path(__file__).parent / "private" / "X25519MLKEM1024.json"
ORIGIN = (
    "tests/vectors/record_private.py: ML-KEM-1024 and X25519 of the Python package cryptography, "
    "put together by hand; the X25519 keys are those of RFC 7748 section 6.1"
)
SEED = bytes(range(64))  # d and z of FIPS 203
CLIENT = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
SERVER = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")


def main():
    """Write the file."""
    kem = MLKEM1024PrivateKey.from_seed_bytes(SEED)
    kem_secret, ciphertext = kem.public_key().encapsulate()
    client, server = map(X25519PrivateKey.from_private_bytes, (CLIENT, SERVER))
    curve_secret = client.exchange(server.public_key())
    answer = {
        "origin": ORIGIN,
        "group": "X25519MLKEM1024",
        "client_entropy": (SEED + CLIENT).hex(),
        "client_share": kem.public_key().public_bytes_raw().hex()
        + client.public_key().public_bytes_raw().hex(),
        "encapsulation": [ciphertext.hex(), kem_secret.hex()],
        "server_entropy": SERVER.hex(),
        "server_share": ciphertext.hex() + server.public_key().public_bytes_raw().hex(),
        "shared_secret": kem_secret.hex() + curve_secret.hex(),
    }
    PATH.write_text(json.dumps(answer, indent=1) + "\n")


if __name__ == "__main__":
    main()
