"""HAProxy as a pair of TCP proxies with TLS 1.3 between them.

Debian's HAProxy is built with OpenSSL 3.0, which knows no post-quantum key exchange: X25519 alone,
which costs less than the hybrid that it stands beside. Mutual authentication, no resumption, no
log; what is not named here is as HAProxy has it by default.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.certificates import KeyPair
from bench.pair import CLASSICAL_GROUP, Plan

MAIN = """\
global
    nbthread {plan.workers}
    tune.ssl.cachesize 0
    ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
    ssl-default-bind-curves {group}
    ssl-default-server-options ssl-min-ver TLSv1.3 no-tls-tickets
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
"""
# OpenSSL 3.0 offers X25519 first, and the server takes nothing else.
EGRESS = """\
listen entry
    bind 127.0.0.1:{plan.entry}
    server sidecar 127.0.0.1:{plan.mutual} ssl crt {client} ca-file {root} verify required {more}
"""
MORE = "verifyhost localhost sni str(localhost) no-ssl-reuse"
INGRESS = """\
listen mutual
    bind 127.0.0.1:{plan.mutual} ssl crt {server} ca-file {root} verify required
    server backend 127.0.0.1:{plan.backend}
listen anonymous
    bind 127.0.0.1:{plan.anonymous} ssl crt {server}
    server backend 127.0.0.1:{plan.backend}
"""


@dataclass(frozen=True, slots=True)
class HAProxy:
    """The machine's HAProxy."""

    name: str = "haproxy"
    workers: int = 1

    group = CLASSICAL_GROUP

    def missing(self) -> str | None:
        return None if _binary() else "not installed: apt-get install haproxy"

    def version(self) -> str:
        text = subprocess.run([str(_binary()), "-vv"], capture_output=True, text=True).stdout
        lines = text.splitlines()
        version = " ".join(lines[0].split()[:3]).replace("version ", "")
        running = [line for line in lines if line.startswith("Running on OpenSSL version")]
        library = ", ".join(line.rpartition(" : ")[2] for line in running)
        return f"{version}, {library}, {self.group} (classical)"

    def egress(self, plan: Plan) -> list[str]:
        return _command(plan, "egress", EGRESS)

    def ingress(self, plan: Plan) -> list[str]:
        return _command(plan, "ingress", INGRESS)


def config(plan: Plan, proxies: str) -> str:
    """One side's configuration; the certificates are written into the plan's directory."""
    certificates = plan.certificates
    return (MAIN + proxies).format(
        plan=plan,
        group=CLASSICAL_GROUP,
        root=certificates.root,
        server=_together(plan.directory, certificates.server),
        client=_together(plan.directory, certificates.client),
        more=MORE,
    )


def _together(directory: Path, pair: KeyPair) -> Path:
    """HAProxy wants a certificate and its key in one file."""
    path = directory / f"{pair.certificate.stem}.pem"
    path.touch(mode=0o600)
    path.write_bytes(pair.certificate.read_bytes() + pair.key.read_bytes())
    return path


def _command(plan: Plan, name: str, proxies: str) -> list[str]:
    path = plan.directory / f"{name}.cfg"
    path.write_text(config(plan, proxies))
    return [str(_binary()), "-db", "-f", str(path)]


def _binary() -> str | None:
    return shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
