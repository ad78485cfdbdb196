"""The manifest of the sidecar: valid, its configuration good, its times in the right order."""

import re
from pathlib import Path

import pytest
import yaml

from pqproxy.cli.main import main
from pqproxy.config.units import parse_duration
from tests.support.sidecars import Certificates

MANIFEST = Path(__file__).parents[2] / "k8s" / "sidecar.yaml"
DOCUMENTS = list(yaml.safe_load_all(MANIFEST.read_text()))


def of_kind(kind):
    (found,) = (one for one in DOCUMENTS if one["kind"] == kind)
    return found


POD = of_kind("Pod")["spec"]
(SIDECAR,) = POD["initContainers"]
(MODEL,) = POD["containers"]
CONFIG = yaml.safe_load(of_kind("ConfigMap")["data"]["proxy.yaml"])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document["kind"])
def test_the_manifest_is_valid_in_the_strict_sense(document):
    validator = pytest.importorskip("kubernetes_validate")

    validator.validate(document, validator.latest_version(), strict=True)


def test_the_configuration_of_the_manifest_is_good(tmp_path, capsys):
    """With files in the place of the secret's."""
    text = of_kind("ConfigMap")["data"]["proxy.yaml"]
    certificates = Certificates(tmp_path / "certs", "mldsa65-ecdsa-p256")
    entry = certificates.entry("server")
    for path, file in (
        ("tls.crt", entry["certificate"]),
        ("tls.key", entry["key"]),
        ("ca.crt", certificates.root),
    ):
        text = text.replace(f"/run/secrets/pqproxy/{path}", str(file))
    assert "/run/secrets" not in text
    (tmp_path / "proxy.yaml").write_text(text)

    status = main(["config", "validate", "-c", str(tmp_path / "proxy.yaml")])

    assert status == 0, capsys.readouterr()


def test_the_pod_lives_long_enough_for_the_drain():
    drain = CONFIG["drain"]
    needed = parse_duration(drain["delay"]) + parse_duration(drain["timeout"]) + 5

    assert POD["terminationGracePeriodSeconds"] > needed


def test_the_model_waits_for_the_drain_and_the_sidecar_starts_first():
    assert SIDECAR["restartPolicy"] == "Always"
    assert "lifecycle" not in SIDECAR
    hook = MODEL["lifecycle"]["preStop"]["httpGet"]
    assert (hook["path"], hook["port"]) == ("/drained", health_port())


def health_port():
    return int(CONFIG["health"]["listen"].rpartition(":")[2])


def test_each_probe_asks_what_it_should():
    """A startup probe that waits for the model would keep the model from starting."""
    paths = {
        probe: SIDECAR[f"{probe}Probe"]["httpGet"]["path"]
        for probe in ("startup", "readiness", "liveness")
    }

    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    ports = {port["name"]: port["containerPort"] for port in SIDECAR["ports"]}
    assert ports["health"] == health_port()
    for probe in ("startupProbe", "readinessProbe"):
        asked = MODEL[probe]["httpGet"]
        assert asked["port"] == health_port()
        assert re.fullmatch(r"/probe/(\w+)", asked["path"])[1] in CONFIG["health"]["probes"]


def test_the_sidecar_may_do_nothing_that_it_need_not():
    assert SIDECAR["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert POD["automountServiceAccountToken"] is False


def test_files_can_be_replaced_under_a_running_sidecar():
    """A subPath is a copy for ever."""
    assert all("subPath" not in mount for mount in SIDECAR["volumeMounts"])
    mounts = {mount["mountPath"] for mount in SIDECAR["volumeMounts"]}
    configured = [*CONFIG["identities"]["llm"].values(), *CONFIG["trust"]["mesh"]["roots"]]
    configured.append(CONFIG["control"]["listen"].removeprefix("unix:"))
    assert {str(Path(path).parent) for path in configured} <= mounts


def test_the_model_listens_on_loopback_where_the_sidecar_looks_for_it():
    host, _, port = CONFIG["ingress"][0]["forward"].rpartition(":")
    arguments = MODEL["args"]

    assert arguments[arguments.index("--host") + 1] == host == "127.0.0.1"
    assert arguments[arguments.index("--port") + 1] == port
