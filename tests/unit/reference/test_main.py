from reference import __main__ as reference


def test_no_document_is_stale():
    """What the code says has changed: `python -m reference` writes it down."""
    assert reference.stale() == [], "run python -m reference, and look at what it changed"


def test_a_document_that_is_missing_is_stale(tmp_path):
    assert reference.stale(tmp_path) == list(reference.DOCUMENTS)


def test_a_check_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(reference, "stale", lambda: ["docs/reference.md"])
    monkeypatch.setattr(reference, "ROOT", tmp_path)

    assert reference.main(["--check"]) == 1
    assert list(tmp_path.iterdir()) == []
    assert "docs/reference.md is stale" in capsys.readouterr().out


def test_stale_documents_are_written(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(reference, "stale", lambda: ["docs/reference.md"])
    monkeypatch.setattr(reference, "ROOT", tmp_path)

    assert reference.main([]) == 0
    assert (tmp_path / "docs/reference.md").read_text() == reference.DOCUMENTS[
        "docs/reference.md"
    ]()
