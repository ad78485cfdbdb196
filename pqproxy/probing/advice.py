"""What would make a caller post-quantum: what to upgrade, what to set, or what to put beside it."""

from pqproxy.probing.greeting import BROKEN, SILENT, Greeting
from pqproxy.probing.shapes import Program
from pqproxy.tls.codepoints import TLS_1_3

_SIDECAR = "put an egress sidecar beside it (pqproxy connect)"
_NEWER = {
    "openssl": "OpenSSL 3.5 or newer",
    "python": "a Python whose ssl module has OpenSSL 3.5 or newer (see ssl.OPENSSL_VERSION)",
    "node": "a Node.js with OpenSSL 3.5 or newer, as 24.5 has it (see process.versions.openssl)",
    "curl": "a curl with OpenSSL 3.5 or newer (see curl --version)",
    "go": "Go 1.24 or newer, with tls.Config.CurvePreferences left out",
    "java": "Java 27 or newer",
    "gnutls": "a GnuTLS that was built with ML-KEM",
    "firefox": "Firefox 132 or newer",
    "chromium": "Chrome 131 or newer",
    "safari": "Safari 26 or newer",
    "grpc": "a newer gRPC (1.85 offers X25519MLKEM768)",
    "boringssl": "X25519MLKEM768 in the list of groups of the program that uses it",
    "rustls": "rustls 0.23.27 or newer with aws-lc-rs",
    "tlslite": "tlslite-ng with kyber-py beside it",
}
_SETTINGS = {
    "go": "it could: leave tls.Config.CurvePreferences out, and tlsmlkem=0 out of GODEBUG",
    "pqproxy": "set policy: require or prefer",
}
_OPENSSL_SETTING = (
    "its library could: put X25519MLKEM768 first in its groups (Groups in openssl.cnf, "
    "SSL_CTX_set1_groups_list)"
)
_ANY = "a TLS library with X25519MLKEM768, such as OpenSSL 3.5, Go 1.24 or Java 27"


def advise(greeting: Greeting, program: Program | None) -> str:
    """Say what to do, or nothing where the caller is ready."""
    if greeting.is_post_quantum:
        return ""
    if greeting.protocol == SILENT:
        return ""
    if greeting.hello is None:
        if greeting.protocol == BROKEN:
            return "it speaks TLS and nobody can read it: something in between may cut its hello"
        return f"it speaks no TLS: {_SIDECAR}, which does that for it"
    if program is None:
        return f"{_ANY}; or {_SIDECAR}"
    if program.chooses_groups and greeting.hello.best_version < TLS_1_3:
        return f"let it speak TLS 1.3; or {_SIDECAR}"
    if program.chooses_groups or program.family == "pqproxy":
        return f"{_SETTINGS.get(program.family, _OPENSSL_SETTING)}; or {_SIDECAR}"
    newer = _NEWER[program.family]
    if greeting.hello.best_version < TLS_1_3:
        newer += ", and let it speak TLS 1.3"
    return f"{newer}; or {_SIDECAR}"
