import argparse
from pathlib import Path

from pqproxy.cli.credential_options import add_credential_options


def parser():
    made = argparse.ArgumentParser(prog="pqproxy")
    add_credential_options(made, "client certificates")
    return made


def test_identity_and_trust_are_paths_that_may_be_left_out():
    given = parser().parse_args(["--identity", "a.pem", "--trust", "roots"])

    assert (given.identity, given.trust) == (Path("a.pem"), Path("roots"))
    assert vars(parser().parse_args([])) == {"identity": None, "trust": None}


def test_the_help_says_what_the_roots_sign():
    assert "roots that sign client certificates" in parser().format_help()
