"""What somebody speaks who speaks no TLS, told by the first bytes.

Both sides of the question: a server that answers a ClientHello, and a caller that sends none.
"""

import re

HTTP, HTTP2, SSH = "plaintext HTTP", "plaintext HTTP/2", "SSH"
OLD_SSL, UNKNOWN = "SSL 2.0", "something unknown"

_BY_SERVER = (
    (rb"HTTP/\d|<(?:!DOCTYPE|html|HTML|\?xml)", HTTP),
    (rb"\x00\x00.\x04\x00\x00\x00\x00\x00", HTTP2),  # a SETTINGS frame
    (rb"SSH-", SSH),
    (rb"220[ -].*(?:SMTP|ESMTP|mail)", "SMTP"),
    (rb"220[ -]", "FTP or SMTP"),
    (rb"\* OK", "IMAP"),
    (rb"\+OK", "POP3"),
    (rb"[-+]ERR|-NOAUTH|-DENIED", "Redis"),
    (rb".\x00\x00\x00\x0a\d+\.\d+", "MySQL"),
    (rb"RFB \d", "VNC"),
)
_BY_CALLER = (
    (rb"PRI \* HTTP/2", HTTP2),
    (rb"[A-Z]{3,10} [^\r\n]* HTTP/1", HTTP),
    (rb"(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT) ", HTTP),
    (rb"SSH-", SSH),
    (rb"PROXY (?:TCP|UNKNOWN)|\r\n\r\n\x00\r\nQUIT\n", "the PROXY protocol"),
    (rb"[\x80-\xff].\x01[\x00\x03]", OLD_SSL),  # a CLIENT-HELLO of SSL 2.0, perhaps for more
    (rb"\x00\x00\x00\x08\x04\xd2\x16\x2f", "PostgreSQL, asking whether TLS may follow"),
    (rb"EHLO |HELO ", "SMTP"),
)


def server_protocol(first_bytes: bytes) -> str:
    """Name what a server speaks."""
    return _name(_BY_SERVER, first_bytes)


def caller_protocol(first_bytes: bytes) -> str:
    """Name what a caller speaks."""
    return _name(_BY_CALLER, first_bytes)


def _name(table: tuple[tuple[bytes, str], ...], first_bytes: bytes) -> str:
    for pattern, name in table:
        if re.match(pattern, first_bytes, re.DOTALL):
            return name
    return UNKNOWN
