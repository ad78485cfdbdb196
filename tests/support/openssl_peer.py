"""OpenSSL 4 as the other side, through pyOpenSSL over memory BIOs: no sockets, no threads.

It has the verbs of `tests.support.loopback.Endpoint` (`feed`, `take`, `send`, `close`), so that
`pump` joins the two. pyOpenSSL has no public setter for groups, signature algorithms
and ML-DSA keys: `_set_list` and `_use` are the only places that go through its private binding.
"""

from dataclasses import dataclass, field

from OpenSSL import SSL, crypto

READ_SIZE = 1 << 16
# OpenSSL's own spelling of the groups our tests name as the standard does.
GROUP_NAMES = {"secp256r1": "P-256", "secp384r1": "P-384"}


@dataclass(frozen=True)
class Settings:
    """What a test may want of the OpenSSL side; defaults ask for nothing special."""

    leaf: object = None  # tests.support.pki.Leaf
    trust: object = None  # tests.support.pki.Authority: verify the peer against it
    groups: tuple = ("X25519MLKEM768",)  # a client shares a key for the first, or for those with *
    signature_algorithms: str | None = None
    cipher_suites: bytes | None = None
    alpn: tuple = ()
    server_name: str | None = None
    key_log: list = field(default_factory=list)
    maximum_version: int = SSL.TLS1_3_VERSION
    before: object = None  # an endpoint whose session is to be resumed: its context is used again


class OpenSslEndpoint:
    """One OpenSSL connection between two memory BIOs."""

    def __init__(self, connection, settings):
        self.connection = connection
        self.settings = settings
        self.received = bytearray()
        self.handshake_complete = False
        self.peer_closed = False
        self.closing = False  # it sent close_notify
        self.error = None  # the reasons OpenSSL gave, when it failed
        self._unsent = memoryview(b"")

    @classmethod
    def client(cls, **settings):
        wanted = Settings(**settings)
        connection = SSL.Connection(_context(wanted), None)
        if wanted.before:
            connection.set_session(wanted.before.connection.get_session())
        connection.set_connect_state()
        if wanted.server_name:
            connection.set_tlsext_host_name(wanted.server_name.encode())
        return cls(connection, wanted)

    @classmethod
    def server(cls, **settings):
        wanted = Settings(**settings)
        connection = SSL.Connection(_context(wanted), None)
        connection.set_accept_state()
        return cls(connection, wanted)

    @property
    def group(self):
        return self.connection.get_group_name()

    @property
    def resumed(self):
        return bool(SSL._lib.SSL_session_reused(self.connection._ssl))

    @property
    def closed(self):
        """Nothing more can be sent or received."""
        return bool(self.error) or (self.peer_closed and self.closing)

    def feed(self, data):
        """Give it bytes of the peer, then let it go as far as it can."""
        if data:
            self.connection.bio_write(data)
        self.advance()

    def take(self):
        """What it wants to say to its peer."""
        self.advance()
        taken = bytearray()
        while True:
            try:
                taken += self.connection.bio_read(READ_SIZE)
            except SSL.WantReadError:
                return bytes(taken)

    def send(self, data):
        self._unsent = memoryview(bytes(self._unsent) + bytes(data))
        self.advance()

    def close(self):
        """Send close_notify; the other direction stays open."""
        self.closing = True
        if self.handshake_complete and not self.error:
            self.connection.shutdown()

    def feed_eof(self):
        self.error = self.error or "the stream ended"

    def advance(self):
        if self.error:
            return
        try:
            if not self.handshake_complete:
                self.connection.do_handshake()
                self.handshake_complete = True
            while self._unsent:
                self._unsent = self._unsent[self.connection.send(self._unsent[:READ_SIZE]) :]
            while not self.peer_closed:
                self.received += self.connection.recv(READ_SIZE)
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self.peer_closed = True
        except SSL.Error as error:
            self.error = str(error) or "closed without a reason"


def _context(settings):
    if settings.before:
        return settings.before.connection.get_context()
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(settings.maximum_version)
    groups = (GROUP_NAMES.get(name, name) for name in settings.groups)
    _set_list(context, "curves", ":".join(groups))
    if settings.signature_algorithms:
        _set_list(context, "sigalgs", settings.signature_algorithms)
    if settings.cipher_suites:
        context.set_tls13_ciphersuites(settings.cipher_suites)
    if settings.leaf:
        _use(context, settings.leaf)
    if settings.trust:
        context.get_cert_store().add_cert(crypto.X509.from_cryptography(settings.trust.certificate))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
        context.set_session_id(b"tests")  # or it resumes nobody whom it verified
    if settings.alpn:
        context.set_alpn_protos(list(settings.alpn))
        context.set_alpn_select_callback(lambda _, offered: _choose(settings.alpn, offered))
    context.set_keylog_callback(lambda _, line: settings.key_log.append(line.decode()))
    return context


def _use(context, leaf):
    context.use_certificate(leaf.certificates[0])
    for issuer in leaf.certificates[1:]:
        context.add_extra_chain_cert(issuer)
    # Not `use_privatekey`: it takes no ML-DSA key as an object, and warns about others from PEM.
    key = crypto.load_privatekey(crypto.FILETYPE_PEM, leaf.key_pem)
    _must(SSL._lib.SSL_CTX_use_PrivateKey(context._context, key._pkey))


def _choose(wanted, offered):
    return next((name for name in wanted if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)


def _set_list(context, name, value):
    """`SSL_CTX_set1_groups_list` is called `curves_list` in the binding."""
    setter = getattr(SSL._lib, f"SSL_CTX_set1_{name}_list")
    _must(setter(context._context, value.encode()))


def _must(outcome):
    if outcome != 1:
        SSL._raise_current_error()
