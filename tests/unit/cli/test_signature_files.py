import argparse
import io
import sys
from pathlib import Path

import pytest

from pqproxy.cli.errors import CommandError
from pqproxy.cli.signature_files import (
    add_file_arguments,
    content_of,
    failures_told,
    is_standard_input,
    print_whatever,
    signature_beside,
)
from pqproxy.signing import ContentChanged


def test_a_signature_lies_beside_its_file():
    assert signature_beside(Path("models/llm.gguf")) == Path("models/llm.gguf.pqsig")
    assert signature_beside(Path("README")) == Path("README.pqsig")


def test_a_dash_is_standard_input_and_a_file_of_that_name_has_a_path(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))

    assert is_standard_input(Path("-"))
    assert not is_standard_input(Path("./-x"))
    assert content_of(Path("-")).read() == b"piped"


def test_a_directory_is_refused_with_the_way_to_sign_one(tmp_path):
    with pytest.raises(CommandError, match="is a directory") as failure:
        content_of(tmp_path)
    assert "sha512sum" in failure.value.hint


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ContentChanged("model changed while it was read"), "changed while it was read"),
        (PermissionError(13, "Permission denied"), "cannot read model: Permission denied"),
    ],
)
def test_what_fails_while_reading_is_a_failure_at_run_time(error, said):
    with pytest.raises(CommandError, match=said) as failure, failures_told(Path("model")):
        raise error
    assert failure.value.exit_code == 1


def test_the_arguments_say_where_the_signature_is():
    parser = argparse.ArgumentParser()
    add_file_arguments(parser, "somewhere")
    assert "somewhere" in parser.format_help()
    assert parser.parse_args(["f", "--signature", "s"]).signature == Path("s")


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_is_no_text_is_printed_all_the_same(monkeypatch, encoding):
    """The signature is written by then: nothing may fail any more."""
    out = io.BytesIO()
    stream = io.TextIOWrapper(out, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)

    print_whatever("model\udcff.pqsig")
    stream.flush()
    assert out.getvalue() == b"model\\udcff.pqsig\n"
