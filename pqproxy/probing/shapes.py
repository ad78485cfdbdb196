"""Which program a ClientHello is of, told by its shape alone.

Each rule was made from hellos of that very program, which `tests/unit/probing/hellos/` keeps: the
order of extensions, of cipher suites, of signature schemes. A hello that fits none is of an
unknown program; nothing is guessed. Whoever imitates a program is taken for it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pqproxy.probing.greeting import Hello
from pqproxy.probing.naming import DRAFT, ML_DSA, POST_QUANTUM, is_grease
from pqproxy.tls.codepoints import TLS_1_3


@dataclass(frozen=True, slots=True)
class Program:
    """What a hello is of. `family` chooses the advice, `name` is for people."""

    family: str
    name: str
    chooses_groups: bool = False  # it could offer post-quantum groups, and was told not to


@dataclass(frozen=True, slots=True)
class _Shape:
    """A hello without what means nothing."""

    suites: tuple[int, ...]
    extensions: tuple[int, ...]
    groups: tuple[int, ...]
    schemes: tuple[int, ...]
    alpn: tuple[bytes, ...]
    record_version: int
    has_grease: bool
    speaks_tls_1_3: bool

    def orders(self, *extensions: int) -> bool:
        """Whether it has these extensions in this order, others between them left aside.

        Those of TLS 1.3 may be missing where it does not speak that.
        """
        wanted = tuple(e for e in extensions if self.speaks_tls_1_3 or e not in _OF_TLS_1_3)
        among = frozenset(wanted)
        return tuple(e for e in self.extensions if e in among) == wanted

    def begins(self, *suites: int) -> bool:
        """Whether its cipher suites, those of TLS 1.3 left aside, begin so."""
        older = tuple(suite for suite in self.suites if suite >> 8 != 0x13)
        return older[: len(suites)] == suites


_OF_TLS_1_3 = frozenset({0x002B, 0x002D, 0x0033})
_BRAINPOOL, _ECDSA_SHA1, _SM2, _FFDHE2048 = 0x081A, 0x0203, 0x0708, 0x0100
_SM2_HYBRID = 0x11EE
_SECOND_HYBRID = 0x11EB
_TICKET, _LATE_AUTHENTICATION, _RENEGOTIATION = 0x0023, 0x0031, 0xFF01
_COMPRESSION, _APPLICATION_SETTINGS = 0x001B, (0x4469, 0x44CD)
_TRIPLE_DES = 0x000A


def recognise(hello: Hello) -> Program | None:
    """Return the program that this hello is of, or None."""
    shape = _shape(hello)
    return next((program for rule in _RULES if (program := rule(shape))), None)


def _shape(hello: Hello) -> _Shape:
    def meant(points: Iterable[int]) -> tuple[int, ...]:
        return tuple(point for point in points if not is_grease(point))

    return _Shape(
        suites=meant(hello.message.cipher_suites),
        extensions=meant(hello.message.extensions),
        groups=meant(hello.offer.supported_groups),
        schemes=meant(hello.offer.signature_schemes),
        alpn=hello.offer.alpn_protocols,
        record_version=hello.record_version,
        has_grease=hello.has_grease,
        speaks_tls_1_3=hello.best_version >= TLS_1_3,
    )


def _pqproxy(shape: _Shape) -> Program | None:
    own = shape.orders(0x002B, 0x000A, 0x000D, 0x0032, 0x001C, 0x0033)
    return Program("pqproxy", "pqproxy") if own and shape.suites == (0x1302, 0x1301) else None


def _openssl(shape: _Shape) -> Program | None:
    if not shape.orders(0x000B, 0x000A, 0x0016, 0x0017, 0x000D, 0x002B, 0x002D, 0x0033):
        return None
    version, is_new = _openssl_version(shape)
    library = f"OpenSSL {version}" if version else "OpenSSL"
    family, program = _over_openssl(shape)
    name = f"{program}, with {library}" if program else library
    return Program(family, name, chooses_groups=is_new)


def _openssl_version(shape: _Shape) -> tuple[str, bool]:
    """The version, and whether that has post-quantum groups."""
    if _SM2 in shape.schemes or _SM2_HYBRID in shape.groups:
        return "4.0 or newer", True
    if ML_DSA.intersection(shape.schemes) or POST_QUANTUM.intersection(shape.groups):
        return "3.5 or newer", True
    if _BRAINPOOL in shape.schemes:
        return ("3.4" if _RENEGOTIATION in shape.extensions else "3.2 or 3.3"), False
    if _FFDHE2048 in shape.groups:
        return "3.0 or 3.1", False
    return ("1.1.1" if _ECDSA_SHA1 in shape.schemes else ""), False


def _over_openssl(shape: _Shape) -> tuple[str, str]:
    """The family, and the program that chose these settings."""
    if shape.begins(0xC02F, 0xC02B, 0xC030, 0xC02C, 0x009E, 0xC027):
        return "node", "Node.js"
    if shape.begins(0xC02C, 0xC030, 0xC02B, 0xC02F, 0xCCA9, 0xCCA8):
        return "python", "Python"
    default_suites = shape.begins(0xC02C, 0xC030, 0x009F, 0xCCA9, 0xCCA8, 0xCCAA)
    asks_little = _TICKET not in shape.extensions and _LATE_AUTHENTICATION in shape.extensions
    if default_suites and asks_little and shape.alpn[:1] in ((b"h2",), (b"http/1.1",)):
        return "curl", "curl"
    return "openssl", ""


def _go(shape: _Shape) -> Program | None:
    if shape.orders(0x0005, 0x000A, 0x000B, 0x000D, 0xFF01, 0x0017, 0x0012, 0x002B, 0x0033):
        return Program("go", "Go 1.22 or older")
    if not shape.orders(0x000B, 0xFF01, 0x0017, 0x0012, 0x0005, 0x000A, 0x000D, 0x002B, 0x0033):
        return None
    if ML_DSA.intersection(shape.schemes):
        return Program("go", "Go 1.27 or newer", chooses_groups=True)
    if _SECOND_HYBRID in shape.groups:
        return Program("go", "Go 1.26 or newer", chooses_groups=True)
    if 0x0032 in shape.extensions:
        return Program("go", "Go 1.25 or newer", chooses_groups=True)
    if DRAFT in shape.groups:
        return Program("go", "Go 1.23")
    if POST_QUANTUM.intersection(shape.groups):
        return Program("go", "Go 1.24", chooses_groups=True)
    return Program("go", "Go 1.23 or 1.24")


def _java(shape: _Shape) -> Program | None:
    order = (0x0005, 0x000A, 0x000B, 0x0011, 0x0017, 0x0023, 0x000D, 0x002B, 0x002D, 0x0032, 0x0033)
    return Program("java", "Java (JSSE)") if shape.orders(*order) else None


def _gnutls(shape: _Shape) -> Program | None:
    fits = shape.schemes[:5] == (0x0401, 0x0809, 0x0804, 0x0403, 0x0807)
    return Program("gnutls", "GnuTLS") if fits and 0xC0AD in shape.suites else None


def _nss(shape: _Shape) -> Program | None:
    delegated = {0x0022, 0x001C} <= set(shape.extensions)
    fits = delegated and not shape.has_grease and shape.suites[:3] == (0x1301, 0x1303, 0x1302)
    return Program("firefox", "Firefox, or another program with NSS") if fits else None


def _boringssl(shape: _Shape) -> Program | None:
    usual = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
    older = tuple(dict.fromkeys(s for s in shape.schemes if s not in (*ML_DSA, 0x0201)))
    if older != usual:
        return None
    extensions = set(shape.extensions)
    if shape.has_grease and extensions.intersection(_APPLICATION_SETTINGS):
        return Program("chromium", "Chrome, or another Chromium browser")
    if shape.has_grease and _COMPRESSION in extensions and _TRIPLE_DES in shape.suites:
        return Program("safari", "Safari, or another program with Apple's TLS")
    if not shape.orders(0x0017, 0xFF01, 0x000A, 0x000B, 0x0023, 0x000D, 0x0033, 0x002D, 0x002B):
        return None
    if 0x3374 in extensions and shape.alpn == (b"h2",):
        return Program("grpc", "gRPC (its C core, with BoringSSL)")
    return Program("boringssl", "BoringSSL")


def _rustls(shape: _Shape) -> Program | None:
    suites = (0x1302, 0x1301, 0x1303, 0xC02C, 0xC02B, 0xCCA9, 0xC030, 0xC02F, 0xCCA8)
    fits = shape.suites[: len(suites)] == suites and shape.schemes[:2] == (0x0503, 0x0403)
    return Program("rustls", "rustls") if fits else None


def _tlslite(shape: _Shape) -> Program | None:
    fits = shape.suites[:1] == (0x00FF,) and shape.orders(0x0016, 0x0017, 0x000D, 0x000B, 0x000A)
    return Program("tlslite", "tlslite-ng") if fits else None


_RULES: tuple[Callable[[_Shape], Program | None], ...] = (
    _pqproxy,
    _openssl,
    _go,
    _java,
    _gnutls,
    _nss,
    _boringssl,
    _rustls,
    _tlslite,
)
