"""The configurations must stay ones that pqproxy accepts, or the next run finds out."""

from pathlib import Path

import pytest

from bench import certificates
from bench.pair import GROUP, Plan
from bench.sidecars import Sidecars
from pqproxy.config.parse import load


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path, certificates.create(tmp_path), 8001, 8002, 8003, 8004)


def settings_of(command):
    return load(Path(command[-1]), {}).settings()


def test_the_egress_connects_to_the_ingress_with_the_measured_group(plan):
    (egress,) = settings_of(Sidecars().egress(plan)).egress

    assert egress.listen.port == plan.entry
    assert egress.connect[0].port == plan.mutual
    assert egress.groups == (GROUP,)


def test_the_ingress_listens_with_and_without_client_certificates(plan):
    mutual, anonymous = settings_of(Sidecars().ingress(plan)).ingress

    assert (mutual.listen.port, mutual.client_auth) == (plan.mutual, "require")
    assert (anonymous.listen.port, anonymous.client_auth) == (plan.anonymous, "none")
    assert {mutual.groups, anonymous.groups} == {(GROUP,)}


def test_one_worker_is_measured(plan):
    assert settings_of(Sidecars().ingress(plan)).workers == 1


def test_a_variant_says_the_same_to_both_listeners_of_the_link(plan):
    variant = Sidecars("pqproxy-never", listener="tunnel: {mode: never}")

    (egress,) = settings_of(variant.egress(plan)).egress
    mutual, anonymous = settings_of(variant.ingress(plan)).ingress

    assert egress.tunnel.mode == mutual.tunnel == "never"
    assert anonymous.tunnel == "auto"
    assert variant.version().endswith(", tunnel: {mode: never}")
