import pytest


def files(tmp_path, name="llm"):
    return {path.name: path.read_bytes() for path in (tmp_path / "certs/leaf" / name).glob("*.*t")}


@pytest.fixture
def issued(certs, capsys):
    certs("init")
    for name in ("llm", "app"):
        certs("issue", name, "--dns", f"{name}.test", "--days", "30")
    capsys.readouterr()


@pytest.mark.usefixtures("issued")
def test_one_name_is_renewed(certs, tmp_path, capsys):
    llm, app = files(tmp_path), files(tmp_path, "app")

    assert certs("renew", "llm") == 0

    assert set(files(tmp_path)) == set(llm)
    assert all(files(tmp_path)[name] != before for name, before in llm.items())
    assert files(tmp_path, "app") == app
    assert "certs/leaf/llm/mldsa65-ecdsa-p256.crt  (valid to" in capsys.readouterr().out


@pytest.mark.usefixtures("issued")
def test_without_a_name_all_are(certs, tmp_path):
    before = files(tmp_path, "app")

    assert certs("renew") == 0
    assert files(tmp_path, "app") != before


@pytest.mark.usefixtures("issued")
def test_who_is_revoked_is_renewed_by_name_only(certs, tmp_path, capsys):
    """Else the next renewal of everything would take back every revocation."""
    certs("revoke", "app")
    app, llm = files(tmp_path, "app"), files(tmp_path)
    capsys.readouterr()

    assert certs("renew") == 0

    assert (files(tmp_path, "app") == app, files(tmp_path) == llm) == (True, False)
    assert "app          revoked, and left as it is" in capsys.readouterr().out
    assert certs("renew", "app") == 0
    assert files(tmp_path, "app") != app


@pytest.mark.usefixtures("issued")
def test_one_algorithm_can_be_chosen(certs, tmp_path):
    before = files(tmp_path)

    assert certs("renew", "llm", "--algorithm", "ecdsa-p256", "--days", "3") == 0

    after = files(tmp_path)
    assert {name for name in before if before[name] != after[name]} == {"ecdsa-p256.crt"}


@pytest.mark.usefixtures("issued")
def test_what_cannot_be_renewed_keeps_nothing_else_back(certs, tmp_path, capsys):
    (tmp_path / "certs/leaf/app/ecdsa-p256.key").write_text("damaged")
    before = files(tmp_path)

    assert certs("renew") == 2

    assert files(tmp_path) != before
    assert "certs/leaf/app/ecdsa-p256.key: no PEM private key" in capsys.readouterr().err


@pytest.mark.usefixtures("issued")
def test_a_key_on_another_machine_is_left_to_it_unless_it_was_named(certs, tmp_path, capsys):
    for path in (tmp_path / "certs/leaf/app").glob("*.key"):
        path.unlink()

    assert certs("renew") == 0
    assert "app          left to the machine that has its key" in capsys.readouterr().out
    assert certs("renew", "app") == 2
    assert "pqproxy certs csr app --keep-key" in capsys.readouterr().err
