import stat

import pytest

from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.exporting import export
from tests.support import pki

NAMES = LeafNames.parse(("spiffe://corp/llm",))


def issued(directory, algorithm):
    """The paths of a key, its certificate and its root."""
    root = create_authority(directory, algorithm, now=pki.NOW)
    files = issue(root, "llm", NAMES, now=pki.NOW)
    return files.key, files.certificate, root.path


def test_an_export_is_one_private_file_with_all_that_another_machine_needs(tmp_path):
    key, certificate, root = issued(tmp_path, "ecdsa-p256")
    hybrid_key, hybrid, hybrid_root = issued(tmp_path, "mldsa65-ecdsa-p256")
    target = tmp_path / "llm.pem"

    export(tmp_path, "llm", target)

    parts = (hybrid_key, hybrid, key, certificate, hybrid_root, root)
    assert target.read_bytes() == b"".join(path.read_bytes() for path in parts)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_export_of_one_algorithm_believes_no_other(tmp_path):
    """Whoever breaks ECDSA is nobody to a machine that was given hybrid roots alone."""
    issued(tmp_path, "ecdsa-p256")
    parts = issued(tmp_path, "mldsa65-ecdsa-p256")
    target = tmp_path / "llm.pem"

    export(tmp_path, "llm", target, "mldsa65-ecdsa-p256")

    assert target.read_bytes() == b"".join(path.read_bytes() for path in parts)


def test_an_export_overwrites_nothing(tmp_path):
    issued(tmp_path, "ecdsa-p256")
    target = tmp_path / "llm.pem"
    target.write_text("mine")

    with pytest.raises(IdentityError, match="exists"):
        export(tmp_path, "llm", target)

    assert target.read_text() == "mine"


def test_what_was_not_issued_cannot_be_exported(tmp_path):
    with pytest.raises(IdentityError, match="there is no ecdsa-p256 certificate of llm") as error:
        export(tmp_path, "llm", tmp_path / "llm.pem", "ecdsa-p256")

    assert error.value.fix.startswith("issue it: pqproxy certs issue llm")


def test_a_leaf_whose_key_lies_elsewhere_needs_no_export(tmp_path):
    key, _, _ = issued(tmp_path, "ecdsa-p256")
    key.unlink()

    with pytest.raises(IdentityError, match="was made on another machine"):
        export(tmp_path, "llm", tmp_path / "llm.pem")
