"""The other side of a ratio must do the same work, or the ratio is worth nothing."""

import subprocess

import pytest

from bench import certificates
from bench.haproxy import EGRESS, INGRESS, HAProxy, config
from bench.pair import Plan


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path, certificates.create(tmp_path), 1001, 1002, 1003, 1004)


def lines_of(text, first):
    return [line.split() for line in text.splitlines() if line.split()[:1] == [first]]


def test_the_egress_takes_plaintext_and_verifies_the_ingress(plan):
    text = config(plan, EGRESS)
    ((_, address),) = lines_of(text, "bind")
    ((_, _, sidecar, *options),) = lines_of(text, "server")

    assert (address, sidecar) == ("127.0.0.1:1002", "127.0.0.1:1003")
    assert "required" in options
    assert "no-ssl-reuse" in options


def test_the_ingress_demands_a_certificate_on_one_of_its_ports(plan):
    mutual, anonymous = lines_of(config(plan, INGRESS), "bind")

    assert mutual[1:3] == ["127.0.0.1:1003", "ssl"]
    assert mutual[-2:] == ["verify", "required"]
    assert anonymous[1:3] == ["127.0.0.1:1004", "ssl"]
    assert "verify" not in anonymous


@pytest.mark.parametrize("proxies", [EGRESS, INGRESS])
def test_both_sides_speak_tls_1_3_without_resumption_in_one_thread(plan, proxies):
    text = config(plan, proxies)

    assert text.count("ssl-min-ver TLSv1.3 no-tls-tickets") == 2
    assert ["tune.ssl.cachesize", "0"] in lines_of(text, "tune.ssl.cachesize")
    assert lines_of(text, "nbthread") == [["nbthread", "1"]]


def test_a_key_beside_its_certificate_is_nobody_elses_to_read(plan):
    config(plan, INGRESS)

    assert (plan.directory / "server.pem").stat().st_mode & 0o077 == 0


def test_haproxy_itself_takes_the_configuration(plan):
    haproxy = HAProxy()
    if reason := haproxy.missing():
        pytest.skip(f"haproxy is {reason}")
    for command in (haproxy.egress(plan), haproxy.ingress(plan)):
        run = subprocess.run([*command, "-c"], capture_output=True, text=True)

        assert run.returncode == 0, run.stderr
