"""Section `crypto`: which library computes what, and whether it computes right."""

import hmac
import os
import re
from collections import defaultdict
from collections.abc import Iterator

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.crypto import (
    CryptoError,
    Kem,
    Provider,
    ProviderUnavailable,
    liboqs_version,
    load_provider,
    openssl_version,
)

_SEED = 64
_OTHERWISE = "crypto: {provider: openssl} needs nothing that is not there"


def check_algorithms(subject: Subject) -> Iterator[Finding]:
    """Load the provider that the configuration names, and try it."""
    choice = subject.settings.provider
    try:
        provider = load_provider(choice)
    except ProviderUnavailable as error:
        yield failure("provider", f"provider {choice} cannot be used: {error}", _OTHERWISE)
        return
    yield good("provider", f"provider {choice}: {openssl_version()}, {_liboqs(choice)}")
    if choice == "auto" and (reason := _why_no_liboqs()):
        yield warning(
            "liboqs",
            f"provider auto: OpenSSL computes everything: {reason}",
            "pip install 'pqproxy[liboqs]' and its library, or say provider: openssl",
        )
    yield from (_key_exchange(kem) for kem in provider.kems.values())
    yield from _signatures(provider)


def _liboqs(choice: str) -> str:
    """What there is of liboqs, and whether it is used."""
    if reason := _why_no_liboqs():
        return f"no liboqs ({re.split(' in /|;', reason)[0]})"
    unused = ", not used" if choice == "openssl" else ""
    return f"liboqs {liboqs_version()}{unused}"


def _why_no_liboqs() -> str | None:
    try:
        load_provider("liboqs")
    except ProviderUnavailable as error:
        return str(error)
    return None


def _key_exchange(kem: Kem) -> Finding:
    """Make a key, a secret for it, and the secret again."""
    title = f"{kem.name} by {kem.provider}"
    try:
        key = kem.generate(os.urandom(_SEED))
        sent = kem.encapsulate(key.encapsulation_key)
        received = key.decapsulate(sent.ciphertext)
    except CryptoError as error:
        return failure("key-exchange", f"{title} fails: {error}", _OTHERWISE)
    if not hmac.compare_digest(sent.shared_secret, received):
        message = f"{title} computes wrong: both sides get different secrets"
        return failure("key-exchange", message, _OTHERWISE)
    return good("key-exchange", f"{title} works")


def _signatures(provider: Provider) -> Iterator[Finding]:
    """One line for each pair of libraries that verify and sign."""
    names = defaultdict[tuple[str, str], list[str]](list)
    for name, algorithm in provider.signatures.items():
        names[algorithm.provider, algorithm.signing_provider].append(name)
    for (verifies, signs), listed in names.items():
        by = verifies if verifies == signs else f"{verifies}, signed by {signs}"
        yield good("signatures", f"{', '.join(listed)} by {by}")
