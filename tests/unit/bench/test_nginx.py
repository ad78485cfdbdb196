"""The other side of a ratio must do the same work, or the ratio is worth nothing."""

import re
import subprocess

import pytest

from bench import certificates
from bench.nginx import EGRESS, INGRESS, Nginx, config
from bench.pair import Plan


@pytest.fixture
def plan(tmp_path):
    return Plan(tmp_path, certificates.create(tmp_path), 1001, 1002, 1003, 1004)


def said(text, name):
    return re.findall(rf"\b{name} ([^;]+);", text)


def test_the_egress_takes_plaintext_and_verifies_the_ingress(plan):
    text = config(plan, "egress", EGRESS, load_module=False)

    assert said(text, "listen") == ["127.0.0.1:1002"]
    assert said(text, "proxy_pass") == ["127.0.0.1:1003"]
    assert said(text, "proxy_ssl_verify") == ["on"]
    assert said(text, "proxy_ssl_certificate") == [str(plan.certificates.client.certificate)]


def test_the_ingress_demands_a_certificate_on_one_of_its_ports(plan):
    mutual, anonymous = config(plan, "ingress", INGRESS, load_module=False).split("server {")[1:]

    assert said(mutual, "listen") == ["127.0.0.1:1003 ssl"]
    assert said(mutual, "ssl_verify_client") == ["on"]
    assert said(anonymous, "listen") == ["127.0.0.1:1004 ssl"]
    assert said(anonymous, "ssl_verify_client") == []


@pytest.mark.parametrize("servers", [EGRESS, INGRESS])
def test_both_sides_speak_tls_1_3_without_resumption_in_one_worker(plan, servers):
    text = config(plan, "side", servers, load_module=False)

    assert set(said(text, "ssl_protocols") + said(text, "proxy_ssl_protocols")) == {"TLSv1.3"}
    assert said(text, "ssl_session_tickets") == ["off"]
    assert said(text, "worker_processes") == ["1"]
    assert said(text, "proxy_ssl_session_reuse") in ([], ["off"])


def test_nginx_itself_takes_the_configuration(plan):
    nginx = Nginx()
    if reason := nginx.missing():
        pytest.skip(f"nginx is {reason}")
    for command in (nginx.egress(plan), nginx.ingress(plan)):
        run = subprocess.run([*command, "-t"], capture_output=True, text=True)

        assert run.returncode == 0, run.stderr
