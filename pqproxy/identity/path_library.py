"""Certification paths without composite keys: built and verified by `cryptography`.

Its server verifier knows DNS names and addresses only, so its client verifier serves both
directions, with the web PKI's extension policies; only the checks of extendedKeyUsage, and of
keyUsage on authorities, are ours.
"""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
)

from pqproxy.identity.peer import Purpose
from pqproxy.identity.usage import permits_usage

MAX_DEPTH = 4  # intermediates between leaf and root


def validate_path_by_library(
    certificates: Sequence[x509.Certificate], store: Store, purpose: Purpose, now: datetime
) -> list[x509.Certificate]:
    """Return the path from the leaf, which comes first, to a root of the store.

    Raises VerificationError, and what MALFORMED lists.
    """
    verifier = (
        PolicyBuilder()
        .store(store)
        .time(now)
        .max_chain_depth(MAX_DEPTH)
        .extension_policies(ca_policy=_CA_POLICIES[purpose], ee_policy=_LEAF_POLICIES[purpose])
        .build_client_verifier()
    )
    return verifier.verify(certificates[0], list(certificates[1:])).chain


def _with_usage(policy: ExtensionPolicy, purpose: Purpose) -> ExtensionPolicy:
    """The web PKI's policy with its check of extendedKeyUsage replaced by ours."""

    def check(
        _policy: Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
    ) -> None:
        if not permits_usage(usage, purpose):
            raise ValueError("extendedKeyUsage")

    return policy.may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, check)


def _with_signing(policy: ExtensionPolicy) -> ExtensionPolicy:
    """An authority whose certificate has a keyUsage may sign certificates only if it says so.

    One without the extension may too (RFC 5280 §6.1.4): `openssl req -x509` makes such roots, and
    the web PKI's policy alone would refuse all that they signed.
    """

    def check(_policy: Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
        if usage is not None and not usage.key_cert_sign:
            raise ValueError("keyUsage")

    return policy.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, check)


_LEAF_POLICIES = {p: _with_usage(ExtensionPolicy.webpki_defaults_ee(), p) for p in Purpose}
_CA_POLICIES = {
    p: _with_signing(_with_usage(ExtensionPolicy.webpki_defaults_ca(), p)) for p in Purpose
}
