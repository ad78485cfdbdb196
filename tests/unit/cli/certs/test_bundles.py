import json


def test_a_bundle_begins_with_the_roots_of_the_directory(certs, capsys):
    certs("init")
    capsys.readouterr()

    assert certs("bundle", "roots.pem") == 0

    printed = capsys.readouterr().out
    assert printed.startswith("bundle  roots.pem\n  + CN=pqproxy mldsa65-ecdsa-p256 root ")
    assert "  + CN=pqproxy ecdsa-p256 root " in printed


def test_roots_come_and_go(certs, capsys):
    certs("init", "--algorithm", "mldsa65-ecdsa-p256")
    certs("init", "--algorithm", "mldsa65-ecdsa-p256", "--dir", "next")
    old, new = (f"{place}/ca/mldsa65-ecdsa-p256/ca.crt" for place in ("certs", "next"))
    certs("bundle", "roots.pem")
    capsys.readouterr()

    assert certs("bundle", "roots.pem", "--add", new, "-o", "json") == 0
    both = json.loads(capsys.readouterr().out)
    assert certs("bundle", "roots.pem", "--retire", old, "-o", "json") == 0
    after = json.loads(capsys.readouterr().out)

    assert [len(both[key]) for key in ("roots", "added", "retired")] == [2, 1, 0]
    assert after["roots"] == both["added"]
    assert [root["sha256"] for root in after["retired"]] == [both["roots"][0]["sha256"]]


def test_without_a_change_it_shows_what_is_there(certs, capsys):
    certs("init", "--algorithm", "ecdsa-p256")
    certs("bundle", "roots.pem")
    capsys.readouterr()

    assert certs("bundle", "roots.pem") == 0
    assert "    CN=pqproxy ecdsa-p256 root" in capsys.readouterr().out
