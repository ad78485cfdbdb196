"""The options of every command that talks to a running pqproxy, and how such a command fails."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pqproxy.cli.errors import FAILURE, CommandError
from pqproxy.config.values import Address
from pqproxy.control.client import DEFAULT_ADDRESS, PATIENCE, ControlClient, ControlError


def add_control_options(parser: argparse.ArgumentParser) -> None:
    """Add `--control` and `--config`, one of which says where the control listener is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--control",
        metavar="ADDR",
        help=f"where the control listener is (default: {DEFAULT_ADDRESS})",
    )
    where.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        type=Path,
        help="the configuration that it runs from, which says where",
    )


@contextlib.contextmanager
def control_client(
    arguments: argparse.Namespace, patience: float | None = PATIENCE
) -> Iterator[ControlClient]:
    """Who the options mean. What goes wrong with it inside is raised as CommandError.

    `patience` is in seconds for each answer, None for as long as it takes.
    """
    client = ControlClient(control_address(arguments), patience)
    try:
        yield client
    except ControlError as error:
        raise CommandError(error.message, error.hint, FAILURE) from None


def control_address(arguments: argparse.Namespace) -> Address:
    """Where to ask. Raises CommandError for an address that is none, ConfigError for a file."""
    if arguments.config:
        from pqproxy.config.control_address import read_control_address

        return read_control_address(arguments.config, os.environ)
    if arguments.control:
        from pqproxy.config.addresses import parse_target

        try:
            return parse_target(arguments.control)
        except ValueError as error:
            raise CommandError(f"--control: {error}") from None
    return DEFAULT_ADDRESS
