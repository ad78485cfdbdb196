"""The other side of a ratio must do the same work, or the ratio is worth nothing."""

import json

import pytest

from bench import certificates
from bench.envoy import egress_config, ingress_config
from bench.pair import Plan


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path, certificates.create(tmp_path), 1, 2, 3, 4)


def tls_of(listener_or_cluster):
    (holder,) = listener_or_cluster.get("filter_chains", [listener_or_cluster])
    return holder["transport_socket"]["typed_config"]


def test_both_sides_speak_nothing_but_tls_1_3_with_the_hybrid_group(plan):
    (cluster,) = egress_config(plan)["static_resources"]["clusters"]
    listeners = ingress_config(plan)["static_resources"]["listeners"]

    for tls in [tls_of(cluster), *map(tls_of, listeners)]:
        parameters = tls["common_tls_context"]["tls_params"]
        assert parameters["ecdh_curves"] == ["X25519MLKEM768"]
        assert parameters["tls_minimum_protocol_version"] == "TLSv1_3"


def test_the_link_of_the_pair_is_mutually_authenticated(plan):
    (cluster,) = egress_config(plan)["static_resources"]["clusters"]
    mutual = tls_of(ingress_config(plan)["static_resources"]["listeners"][0])

    assert mutual["require_client_certificate"]
    for tls in (mutual, tls_of(cluster)):
        assert tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]


def test_no_handshake_of_the_pair_can_be_a_resumption(plan):
    mutual, anonymous = map(tls_of, ingress_config(plan)["static_resources"]["listeners"])

    for switch in ("disable_stateless_session_resumption", "disable_stateful_session_resumption"):
        assert mutual[switch]
        assert switch not in anonymous  # where resumption is what is measured


def test_thousands_of_connections_are_not_refused(plan):
    for config in (egress_config(plan), ingress_config(plan)):
        (cluster,) = config["static_resources"]["clusters"]
        (limits,) = cluster["circuit_breakers"]["thresholds"]
        assert limits["max_connections"] > 10_000


def test_a_configuration_is_plain_json(plan):
    for config in (egress_config(plan), ingress_config(plan)):
        assert json.loads(json.dumps(config)) == config
