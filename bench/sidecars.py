"""pqproxy itself as a pair: two processes with a configuration each, as on two machines."""

import sys
from dataclasses import dataclass

from bench.certificates import CLIENT_URI, SERVER_URI
from bench.pair import GROUP, Plan
from bench.results import OURS
from pqproxy.version import VERSION

EGRESS = """\
version: 1
workers: {plan.workers}
identities:
  client: {{certificate: {client.certificate}, key: {client.key}}}
trust:
  mesh: {{roots: [{root}]}}
egress:
  - name: entry
    listen: 127.0.0.1:{plan.entry}
    connect: [127.0.0.1:{plan.mutual}]
    identities: [client]
    trust: mesh
    expect: ["{server_uri}"]
    groups: [{group}]
{listener}log: {{connections: false}}
"""

INGRESS = """\
version: 1
workers: {plan.workers}
identities:
  server: {{certificate: {server.certificate}, key: {server.key}}}
trust:
  mesh: {{roots: [{root}]}}
ingress:
  - name: mutual
    listen: 127.0.0.1:{plan.mutual}
    forward: 127.0.0.1:{plan.backend}
    identities: [server]
    trust: mesh
    allow: ["{client_uri}"]
    groups: [{group}]
{listener}  - name: anonymous
    listen: 127.0.0.1:{plan.anonymous}
    forward: 127.0.0.1:{plan.backend}
    identities: [server]
    client_auth: none
    unsafe_anonymous: true
    groups: [{group}]
log: {{connections: false}}
"""


@dataclass(frozen=True, slots=True)
class Sidecars:
    """The pqproxy of this checkout, default settings but for the log and what is named here."""

    name: str = OURS
    workers: int = 1
    listener: str = ""  # lines of YAML, for the egress and for the mutual ingress

    group = GROUP

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        changed = " ".join(self.listener.split())
        return f"pqproxy {VERSION}" + (f", {changed}" if changed else "")

    def egress(self, plan: Plan) -> list[str]:
        return self._command(plan, "egress", EGRESS)

    def ingress(self, plan: Plan) -> list[str]:
        return self._command(plan, "ingress", INGRESS)

    def _command(self, plan: Plan, name: str, template: str) -> list[str]:
        path = plan.directory / f"{name}.yaml"
        certificates = plan.certificates
        path.write_text(
            template.format(
                plan=plan,
                root=certificates.root,
                server=certificates.server,
                client=certificates.client,
                server_uri=SERVER_URI,
                client_uri=CLIENT_URI,
                group=GROUP,
                listener="".join(f"    {line}\n" for line in self.listener.splitlines()),
            )
        )
        return [sys.executable, "-m", "pqproxy", "--config", str(path)]
