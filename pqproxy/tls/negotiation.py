"""Choosing: versions, suites, groups, schemes, protocols (RFC 9846 §4.2.1).

Pure functions over what was offered and what is allowed. Each either returns a choice or raises
the alert that the standard names, with a reason that tells the operator what was offered.
"""

from __future__ import annotations

from collections.abc import Sequence

from pqproxy.tls.alerts import (
    AlertDescription,
    FatalAlert,
    WeakAuthentication,
    illegal_parameter,
)
from pqproxy.tls.codepoints import (
    TLS_1_3,
    TLS_VERSION_NAMES,
    CipherSuite,
    ExtensionType,
    NamedGroup,
    name_of,
)
from pqproxy.tls.config import (
    CIPHER_SUITES,
    AlpnDemand,
    ClientConfig,
    Credential,
    ServerConfig,
)
from pqproxy.tls.events import Offer
from pqproxy.tls.extensions import (
    PLACES,
    Extensions,
    KeyShareEntry,
    read_alpn,
    read_client_shares,
    read_server_name,
    read_uint16_list,
)
from pqproxy.tls.key_exchange import is_post_quantum
from pqproxy.tls.messages import ClientHello
from pqproxy.tls.schemes import SCHEMES, SchemeRow, SchemeTable
from pqproxy.tls.values import dataclass

_LISTS = {
    ExtensionType.SUPPORTED_VERSIONS: "supported_versions",
    ExtensionType.SUPPORTED_GROUPS: "supported_groups",
    ExtensionType.SIGNATURE_ALGORITHMS: "signature_algorithms",
}


def read_offer(
    hello: ClientHello,
    schemes: SchemeTable = SCHEMES,
    shares: Sequence[KeyShareEntry] | None = None,
) -> Offer:
    """Read what a ClientHello offers, of whatever version it is; `schemes` names its signatures.

    `shares` are its key shares, where they were read already.

    Raises:
        FatalAlert: decode_error or illegal_parameter for a malformed extension.
    """
    extensions = hello.extensions
    if shares is None:
        shares = read_offered_shares(hello)

    def uint16_list(extension: ExtensionType, prefix: int = 2) -> tuple[int, ...]:
        data = extensions.get(extension)
        return () if data is None else read_uint16_list(data, _LISTS[extension], prefix)

    server_name = extensions.get(ExtensionType.SERVER_NAME)
    alpn = extensions.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
    return Offer(
        client_random=hello.random,
        supported_versions=uint16_list(ExtensionType.SUPPORTED_VERSIONS, prefix=1),
        supported_groups=uint16_list(ExtensionType.SUPPORTED_GROUPS),
        key_shares=tuple([share.group for share in shares]),
        signature_schemes=uint16_list(ExtensionType.SIGNATURE_ALGORITHMS),
        server_name=None if server_name is None else read_server_name(server_name),
        alpn_protocols=() if alpn is None else read_alpn(alpn),
        schemes=schemes,
    )


def read_offered_shares(hello: ClientHello) -> tuple[KeyShareEntry, ...]:
    """The key shares of a ClientHello; none where it is of an older version."""
    data = hello.extensions.get(ExtensionType.KEY_SHARE)
    return () if data is None else read_client_shares(data)


def select_version(hello: ClientHello) -> None:
    """Insist on TLS 1.3 (§4.3.1), before anything else of the hello is judged.

    A legacy_version of SSL 3.0 or less is no TLS at all. §4.2.2 would have every value but 0x0303
    refused; like other servers we let the others pass, as they choose nothing and harm nobody.
    """
    data = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
    if hello.legacy_version <= 0x0300:
        versions: tuple[int, ...] = (hello.legacy_version,)
    elif data is None:
        versions = (hello.legacy_version,)
    else:
        versions = read_uint16_list(data, "supported_versions", prefix=1)
        if TLS_1_3 in versions:
            return
    best = max((v for v in versions if v in TLS_VERSION_NAMES), default=0)
    raise FatalAlert(
        AlertDescription.PROTOCOL_VERSION,
        f"the client speaks {TLS_VERSION_NAMES.get(best, 'no known version')} at most",
    )


def select_cipher_suite(offered: Sequence[int], allowed: Sequence[CipherSuite]) -> CipherSuite:
    """Our first suite that the client offers.

    Raises:
        FatalAlert: insufficient_security when it offers one that we speak and do not allow;
            handshake_failure when nothing else is in common.
    """
    for suite in allowed:
        if suite in offered:
            return suite
    names = ", ".join(name_of(CipherSuite, suite) for suite in offered[:6])
    weak = any(suite in offered for suite in CIPHER_SUITES)
    alert = AlertDescription.INSUFFICIENT_SECURITY if weak else AlertDescription.HANDSHAKE_FAILURE
    raise FatalAlert(alert, f"no common cipher suite: the client offers {names}")


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """The group, and the client's share for it, or None: ask again for one."""

    group: int
    share: KeyShareEntry | None


def select_group(
    offer: Offer, shares: Sequence[KeyShareEntry], allowed: Sequence[int]
) -> GroupChoice:
    """Our choice of group (§4.2.1).

    A mutual post-quantum group wins, even at the cost of a HelloRetryRequest; within the
    post-quantum groups, and within the others, one that the client sent a share for saves the
    round trip.

    Raises:
        FatalAlert: insufficient_security when all that we allow is post-quantum and nothing of
            it was offered; handshake_failure when nothing else is in common.
    """
    mutual = [group for group in allowed if group in offer.supported_groups]
    candidates = [group for group in mutual if is_post_quantum(group)] or mutual
    if not candidates:
        reason = f"the client offers the groups {offer.describe_groups()}"
        if all(is_post_quantum(group) for group in allowed):
            some = any(is_post_quantum(group) for group in offer.supported_groups)
            lacks = "no post-quantum group that we allow" if some else "no post-quantum group"
            raise FatalAlert(AlertDescription.INSUFFICIENT_SECURITY, f"{lacks}: {reason}")
        raise FatalAlert(AlertDescription.HANDSHAKE_FAILURE, f"no common group: {reason}")
    by_group = {share.group: share for share in shares}
    shared = [group for group in candidates if group in by_group]
    if shared:
        return GroupChoice(shared[0], by_group[shared[0]])
    return GroupChoice(candidates[0], None)


def offers_post_quantum(offer: Offer, allowed: Sequence[int]) -> bool:
    """Whether a client has a post-quantum group in common with us: it passes every policy then."""
    return any(is_post_quantum(group) for group in allowed if group in offer.supported_groups)


def check_shares_were_offered(offer: Offer, shares: Sequence[KeyShareEntry]) -> None:
    """Each share must be of a supported_groups entry, in the same order (§4.3.8)."""
    position = 0
    for share in shares:
        try:
            position = offer.supported_groups.index(share.group, position) + 1
        except ValueError:
            name = name_of(NamedGroup, share.group)
            raise illegal_parameter(
                f"key_share for {name} is not in supported_groups, or out of its order"
            ) from None


@dataclass(frozen=True, slots=True)
class CredentialChoice:
    """A credential and the scheme to sign with."""

    credential: Credential
    row: SchemeRow

    @property
    def scheme(self) -> int:
        """Its code point."""
        return self.row.scheme


def select_credential(
    config: ServerConfig | ClientConfig, offered_schemes: Sequence[int]
) -> CredentialChoice | None:
    """Our first credential whose key makes a signature that the peer accepts."""
    for credential in config.credentials:
        for row in config.schemes.for_key(credential.key_algorithm, offered_schemes):
            return CredentialChoice(credential, row)
    return None


def select_server_credential(config: ServerConfig, offer: Offer) -> CredentialChoice:
    """Our certificate for this client.

    Raises:
        FatalAlert: missing_extension where it says nothing of signatures (§9.2),
            handshake_failure where we have none that it accepts (§4.5.1.2).
    """
    if not offer.signature_schemes:
        raise FatalAlert(
            AlertDescription.MISSING_EXTENSION, "ClientHello has no signature_algorithms"
        )
    choice = select_credential(config, offer.signature_schemes)
    if choice is None:
        have = ", ".join(credential.key_algorithm for credential in config.credentials)
        raise WeakAuthentication(
            AlertDescription.HANDSHAKE_FAILURE,
            f"no common signature scheme: our certificates are {have}; the client offers"
            f" {offer.describe_signatures()}",
        )
    return choice


def select_alpn_protocol(
    offered: Sequence[bytes], ours: Sequence[bytes], demand: AlpnDemand = AlpnDemand.COMMON
) -> bytes | None:
    """Our first protocol that the client offers (RFC 7301 §3.2), None where there is none.

    Raises:
        FatalAlert: no_application_protocol where there is none and the `demand` is another.
    """
    for protocol in ours:
        if protocol in offered:
            return protocol
    satisfied = demand is AlpnDemand.NONE or (demand is AlpnDemand.COMMON and not offered)
    if satisfied or not ours:
        return None
    names = b", ".join(offered[:6]).decode("ascii", "backslashreplace") or "none"
    raise FatalAlert(
        AlertDescription.NO_APPLICATION_PROTOCOL, f"no common protocol: the client offers {names}"
    )


# A second ClientHello may differ from the first in these only (§4.2.2). Extensions that we do
# not know, such as encrypted_client_hello, may change for reasons of their own.
MAY_CHANGE = frozenset(
    {
        ExtensionType.KEY_SHARE,
        ExtensionType.EARLY_DATA,
        ExtensionType.COOKIE,
        ExtensionType.PRE_SHARED_KEY,
        ExtensionType.PADDING,
    }
)


def _unchangeable(hello: ClientHello) -> Extensions:
    return {
        extension: data
        for extension, data in hello.extensions.items()
        if extension in PLACES and extension not in MAY_CHANGE
    }


def check_second_client_hello(first: ClientHello, second: ClientHello, group: int) -> KeyShareEntry:
    """Check what came after our HelloRetryRequest, and return its one share (§4.2.4)."""
    same = (
        first.legacy_version == second.legacy_version
        and first.random == second.random
        and first.legacy_session_id == second.legacy_session_id
        and first.cipher_suites == second.cipher_suites
        and first.legacy_compression_methods == second.legacy_compression_methods
    )
    if not same:
        raise illegal_parameter("the second ClientHello changes a field of the first")
    kept = _unchangeable(first)
    if list(kept) != list(_unchangeable(second)):
        raise illegal_parameter("the second ClientHello adds, drops or reorders extensions")
    for extension, data in kept.items():
        if second.extensions[extension] != data:
            name = name_of(ExtensionType, extension)
            raise illegal_parameter(f"the second ClientHello changes {name}")
    psk = ExtensionType.PRE_SHARED_KEY
    if psk in second.extensions and psk not in first.extensions:  # it may be updated or dropped
        raise illegal_parameter("the second ClientHello adds a pre_shared_key")
    if ExtensionType.EARLY_DATA in second.extensions:
        raise illegal_parameter("the second ClientHello offers early data")
    shares = read_client_shares(second.extensions[ExtensionType.KEY_SHARE])
    if len(shares) != 1 or shares[0].group != group:
        raise illegal_parameter(
            f"the second ClientHello does not share {name_of(NamedGroup, group)} alone"
        )
    return shares[0]
