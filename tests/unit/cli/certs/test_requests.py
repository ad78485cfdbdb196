import pytest

LLM = ("--spiffe", "spiffe://corp/llm", "--dns", "llm.test")


@pytest.fixture
def authority(certs, capsys):
    certs("init", "--trust-domain", "corp")
    capsys.readouterr()


@pytest.mark.usefixtures("authority")
def test_a_key_stays_on_its_machine_and_its_certificate_comes_back(certs, tmp_path, capsys):
    assert certs("csr", "llm", *LLM, "--dir", "there") == 0
    told = capsys.readouterr().out
    assert certs("sign", "llm.csr") == 0
    signed = capsys.readouterr().out

    assert "there/leaf/llm/mldsa65-ecdsa-p256.key  (stays here)" in told
    assert "next         pqproxy certs sign llm.csr" in told
    assert "certifies    ecdsa-p256 key, whose maker proved to have it" in signed
    assert "names        spiffe://corp/llm, llm.test" in signed
    assert "not taken    subject CN=llm" in signed
    made = {path.name for path in (tmp_path / "certs" / "leaf" / "llm").iterdir()}
    assert made == {"mldsa65-ecdsa-p256.crt", "ecdsa-p256.crt"}


@pytest.mark.usefixtures("authority")
def test_what_is_asked_for_is_told_before_it_is_refused(certs, capsys):
    certs("csr", "llm", "--spiffe", "spiffe://other/llm", "--algorithm", "ecdsa-p256")
    capsys.readouterr()

    assert certs("sign", "llm.csr", "--dir", "certs") == 2

    printed = capsys.readouterr()
    assert "spiffe://other/llm" in printed.out
    assert "signs for the trust domain corp" in printed.err


@pytest.mark.usefixtures("authority")
def test_the_signer_chooses_the_name_of_the_files(certs, tmp_path):
    certs("csr", "llm", *LLM, "--dir", "there", "--algorithm", "ecdsa-p256")

    assert certs("sign", "llm.csr", "--name", "gpu-7") == 0
    assert (tmp_path / "certs" / "leaf" / "gpu-7" / "ecdsa-p256.crt").exists()


@pytest.mark.usefixtures("authority")
def test_a_key_that_stays_is_certified_again(certs, tmp_path, capsys):
    certs("csr", "llm", *LLM, "--dir", "there", "--algorithm", "ecdsa-p256")
    certs("sign", "llm.csr")
    first = (tmp_path / "certs" / "leaf" / "llm" / "ecdsa-p256.crt").read_bytes()
    (tmp_path / "there" / "leaf" / "llm" / "ecdsa-p256.crt").write_bytes(first)

    assert certs("csr", "llm", "--out", "again.csr", "--keep-key", "--dir", "there") == 0
    assert certs("sign", "again.csr", "--name", "llm", "--renew") == 0

    second = (tmp_path / "certs" / "leaf" / "llm" / "ecdsa-p256.crt").read_bytes()
    assert first != second
