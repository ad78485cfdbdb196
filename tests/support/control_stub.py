"""A control listener that says what a test wants, on a unix socket or on loopback."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import ThreadingUnixStreamServer

from pqproxy.config.values import TcpAddress, UnixAddress


@contextlib.contextmanager
def control_listener(answers, path=None):
    """Serve `answers`, {path: document or (status, bytes), or a function that gives it}.

    Yields its address and the requests.
    """
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            length = int(self.headers.get("Content-Length", 0))
            requests.append((self.command, self.path, dict(self.headers), self.rfile.read(length)))
            answer = answers.get(self.path, (404, b"404: Not Found"))
            answer = answer() if callable(answer) else answer
            status, body = answer if isinstance(answer, tuple) else (200, json.dumps(answer))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body if isinstance(body, bytes) else body.encode())

        do_POST = do_GET

        def log_message(self, *args):
            pass

        def address_string(self):
            return "-"

    if path is None:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        address = TcpAddress(*server.server_address)
    else:
        server = ThreadingUnixStreamServer(str(path), Handler)
        address = UnixAddress(str(path))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield address, requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
