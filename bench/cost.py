"""`python -m bench.cost`: what handshakes cost each side, by the kind of certificate.

Within this process, engine against engine. Figures go to build/bench/ as Markdown; `--publish`
also writes docs/cost.md.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench import machine
from bench.cost_report import Measured, Needed, Results, markdown, mean
from bench.engines import Engines, Exchange, HandshakeFailed, Setting
from bench.kinds import KINDS, Kind, Parties
from bench.primitives import Primitives, cpu_seconds
from bench.processes import LOAD_CORE
from pqproxy.crypto import (
    Provider,
    ProviderUnavailable,
    liboqs_version,
    load_provider,
    openssl_version,
)
from pqproxy.tls import NamedGroup, is_post_quantum

LIBRARIES = ("openssl", "liboqs")
BUILD = Path("build/bench")
PUBLISHED = Path("docs/cost.md")
WARM_UP = 3  # handshakes that nobody counts


class Contender:
    """One setting and the rounds that it has behind it."""

    def __init__(self, setting: Setting, parties: Parties, provider: Provider) -> None:
        self.setting, self._parties = setting, parties
        self._engines = Engines(setting, parties, provider)
        self._resumes = is_post_quantum(setting.group)  # no other handshake gives tickets
        self._full: list[Exchange] = []
        self._resumed: list[Exchange] = []
        for _ in range(WARM_UP):
            self._engines.full()

    def measure(self, handshakes: int) -> None:
        """One round."""
        self._full.append(mean([self._engines.full() for _ in range(handshakes)]))
        if self._resumes:
            self._resumed.append(mean([self._engines.resumed() for _ in range(handshakes)]))

    @property
    def measured(self) -> Measured:
        """All rounds."""
        length = self._parties.certificate_length
        return Measured(self.setting, length, self._full, self._resumed)


class Alone:
    """The cryptography by itself, and the rounds that it has behind it."""

    def __init__(self) -> None:
        self._primitives = Primitives()
        self.needed = [Needed(mutual, [], []) for mutual in (False, True)]

    def measure(self, handshakes: int) -> None:
        """One round."""
        for each in self.needed:
            server = self._primitives.server(mutual=each.mutual)
            each.server.append(cpu_seconds(server, handshakes))
            client = self._primitives.client(mutual=each.mutual)
            each.client.append(cpu_seconds(client, handshakes))


def main() -> None:
    """Run, print the page, keep it."""
    options = _options()
    os.sched_setaffinity(0, {LOAD_CORE})
    skipped: dict[str, str] = {}
    contenders = _contenders(_providers(skipped), skipped)
    alone = Alone()
    for number in range(options.rounds):
        # Every other round in reverse, so that none always has the warmer machine.
        for contender in contenders[:: -1 if number % 2 else 1]:
            contender.measure(options.handshakes)
        alone.measure(options.handshakes)
        _say(f"round {number + 1}/{options.rounds}")
    results = Results(
        command=shlex.join(["python", "-m", "bench.cost", *sys.argv[1:]]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=_machine(),
        handshakes=options.handshakes,
        rounds=options.rounds,
        measured=[contender.measured for contender in contenders],
        skipped=skipped,
        needed=alone.needed,
    )
    _keep(markdown(results), publish=options.publish)


def settings(provider: str, kind: Kind) -> list[Setting]:
    """What is measured of one kind: with ECDSA also what it was before there were hybrids."""
    groups = [NamedGroup.X25519MLKEM768]
    if kind is KINDS[0]:
        groups.insert(0, NamedGroup.x25519)
    return [Setting(provider, kind, group, mutual) for group in groups for mutual in (False, True)]


def _providers(skipped: dict[str, str]) -> dict[str, Provider]:
    found: dict[str, Provider] = {}
    for name in LIBRARIES:
        try:
            found[name] = load_provider(name)
        except ProviderUnavailable as error:
            skipped[name] = str(error).replace(str(Path.home()), "~")
    return found


def _contenders(providers: dict[str, Provider], skipped: dict[str, str]) -> Sequence[Contender]:
    contenders: list[Contender] = []
    parties = {kind.name: Parties.of(kind) for kind in KINDS}
    for name, provider in providers.items():
        for kind in KINDS:
            try:
                contenders += [
                    Contender(setting, parties[kind.name], provider)
                    for setting in settings(name, kind)
                ]
            except HandshakeFailed as failure:
                skipped[f"{kind.title}, {name}"] = str(failure)
    for what, why in skipped.items():
        _say(f"{what} is not measured: {why}")
    return contenders


def _machine() -> dict[str, str]:
    facts = machine.describe()
    libraries = [f"cryptography {metadata.version('cryptography')}", openssl_version()]
    if (liboqs := liboqs_version()) is not None:
        libraries.append(f"liboqs {liboqs}")
    facts["libraries"] = ", ".join(libraries)
    facts["pinning"] = f"everything on core {LOAD_CORE}"
    return facts


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured")
    parser.add_argument("--handshakes", type=int, default=20, help="of each kind in each round")
    parser.add_argument("--publish", action="store_true", help=f"write {PUBLISHED}")
    return parser.parse_args()


def _keep(page: str, *, publish: bool) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "cost.md").write_text(page)
    if publish:
        PUBLISHED.write_text(page)
    print(page)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
