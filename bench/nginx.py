"""nginx as a pair of TCP proxies (its stream module) with TLS 1.3 between them.

Debian's nginx is built with OpenSSL 3.0, which knows no post-quantum key exchange: X25519 alone,
which costs less than the hybrid that it stands beside. Mutual authentication, no session tickets,
no access log; what is not named here is as nginx has it by default.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.pair import CLASSICAL_GROUP, Plan

MODULES = Path("/usr/lib/nginx/modules")
STREAM_MODULE = MODULES / "ngx_stream_module.so"

MAIN = """\
{load_module}daemon off;
user root;
pid {directory}/{name}.pid;
error_log stderr error;
worker_processes {workers};
events {{ worker_connections 32768; }}
stream {{
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve {group};
    ssl_session_tickets off;
    ssl_session_cache off;
    proxy_timeout 1h;
{servers}}}
"""
EGRESS = """\
    server {{
        listen 127.0.0.1:{plan.entry};
        proxy_pass 127.0.0.1:{plan.mutual};
        proxy_ssl on;
        proxy_ssl_protocols TLSv1.3;
        proxy_ssl_conf_command Groups {group};
        proxy_ssl_certificate {client.certificate};
        proxy_ssl_certificate_key {client.key};
        proxy_ssl_trusted_certificate {root};
        proxy_ssl_verify on;
        proxy_ssl_name localhost;
        proxy_ssl_server_name on;
        proxy_ssl_session_reuse off;
    }}
"""
INGRESS = """\
    ssl_certificate {server.certificate};
    ssl_certificate_key {server.key};
    server {{
        listen 127.0.0.1:{plan.mutual} ssl;
        ssl_client_certificate {root};
        ssl_verify_client on;
        proxy_pass 127.0.0.1:{plan.backend};
    }}
    server {{
        listen 127.0.0.1:{plan.anonymous} ssl;
        proxy_pass 127.0.0.1:{plan.backend};
    }}
"""


@dataclass(frozen=True, slots=True)
class Nginx:
    """The machine's nginx."""

    name: str = "nginx"
    workers: int = 1

    group = CLASSICAL_GROUP

    def missing(self) -> str | None:
        if _binary() is None:
            return "not installed: apt-get install nginx libnginx-mod-stream"
        built_in = "--with-stream " in f"{_describe()} "
        if not built_in and not STREAM_MODULE.exists():
            return "has no stream module: apt-get install libnginx-mod-stream"
        return None

    def version(self) -> str:
        lines = _describe().splitlines()
        version = lines[0].rpartition(": ")[2].replace("/", " ")
        library = next((line for line in lines if line.startswith("built with OpenSSL")), "")
        return f"{version}, {library}, {self.group} (classical)"

    def egress(self, plan: Plan) -> list[str]:
        return _command(plan, "egress", EGRESS)

    def ingress(self, plan: Plan) -> list[str]:
        return _command(plan, "ingress", INGRESS)


def config(plan: Plan, name: str, servers: str, *, load_module: bool) -> str:
    """One side's configuration."""
    certificates = plan.certificates
    return MAIN.format(
        load_module=f"load_module {STREAM_MODULE};\n" if load_module else "",
        directory=plan.directory,
        name=name,
        workers=plan.workers,
        group=CLASSICAL_GROUP,
        servers=servers.format(
            plan=plan,
            group=CLASSICAL_GROUP,
            root=certificates.root,
            server=certificates.server,
            client=certificates.client,
        ),
    )


def _command(plan: Plan, name: str, servers: str) -> list[str]:
    path = plan.directory / f"{name}.conf"
    path.write_text(config(plan, name, servers, load_module=STREAM_MODULE.exists()))
    return [str(_binary()), "-p", str(plan.directory), "-c", str(path)]


def _binary() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def _describe() -> str:
    return subprocess.run([str(_binary()), "-V"], capture_output=True, text=True).stderr
