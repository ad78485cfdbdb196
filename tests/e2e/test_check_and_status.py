"""`pqproxy check` and `pqproxy status` as an operator types them, before and while it runs."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.plain_server import echo, serving
from tests.support.sidecars import egress, free_port, ingress


def pqproxy(*arguments):
    command = [sys.executable, "-P", "-m", "pqproxy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def write(directory, name, document):
    path = directory / f"{name}.yaml"
    path.write_text(json.dumps(document))
    return path


def checks(process):
    """{section: [statuses]} of a JSON report."""
    report = json.loads(process.stdout)
    return {
        section["name"]: [check["status"] for check in section["checks"]]
        for section in report["sections"]
    }


@pytest.fixture
def upstream():
    with serving(echo) as server:
        yield server


def test_a_check_holds_while_it_runs(sidecars, tmp_path, upstream):
    """The ports in use are our own then, and the upstream is not connected to."""
    document = ingress(sidecars.certificates, f"127.0.0.1:{free_port()}", upstream.forward)
    document["control"] = {"listen": f"unix:{tmp_path}/control.sock"}
    sidecars.start("ingress", document).wait_until_ready()

    checked = pqproxy("check", "-c", write(tmp_path, "front", document), "-o", "json")

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checks(checked)["listeners"] == ["good", "good", "good"]
    assert checks(checked)["upstream"] == ["good"]
    assert upstream.accepted == []


def test_a_check_of_peers_tells_who_is_let_in(standing, tmp_path):
    listen = f"127.0.0.1:{free_port()}"

    def check(identity):
        document = egress(standing.certificates, listen, standing.ingress.listen, identity=identity)
        return pqproxy("check", "-c", write(tmp_path, identity, document))

    with standing.serving(echo), ThreadPoolExecutor() as threads:
        good, bad = threads.map(check, ("client", "stranger"))

    assert good.returncode == 0, good.stdout + good.stderr
    assert "X25519MLKEM768" in good.stdout
    assert bad.returncode == 3
    assert "it refuses us after the handshake (access_denied)" in bad.stdout


def test_status_follows_a_run_from_its_start_to_its_end(sidecars, tmp_path, upstream):
    """A container's health check is `status -q`."""
    document = ingress(sidecars.certificates, f"127.0.0.1:{free_port()}", upstream.forward)
    document["control"] = {"listen": f"unix:{tmp_path}/control.sock"}
    config = write(tmp_path, "front", document)
    health = ("status", "-q", "-c", config)

    assert pqproxy(*health).returncode == 1
    sidecar = sidecars.start("ingress", document).wait_until_ready()
    healthy, shown = pqproxy(*health), pqproxy("status", "-c", config)
    sidecar.stop()
    after = pqproxy("status", "-c", config)

    assert (healthy.returncode, healthy.stdout, healthy.stderr) == (0, "", "")
    assert f"ingress llm  {sidecar.listen}" in shown.stdout
    assert after.returncode == 1
    assert "hint: is pqproxy running" in after.stderr
