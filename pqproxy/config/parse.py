"""A file into settings, or every problem with its place.

`parse` never raises for what is in the file: callers add the problems that only they can see (a
key that does not fit its certificate) and then ask for the settings.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pqproxy.config.build import build_settings
from pqproxy.config.checks import check
from pqproxy.config.document import Document, read_document, read_text
from pqproxy.config.environment import PolicySource, read_environment
from pqproxy.config.files import UnreadableFile, read_passphrase, read_revocation_files
from pqproxy.config.layouts import Pair, read_named, read_pair, read_roots
from pqproxy.config.leaves import PassphraseFile, PassphraseVariable
from pqproxy.config.problems import BROKEN, ConfigError, FileProblem, Problem
from pqproxy.config.problems import Path as ConfigPath
from pqproxy.config.schema import File, IdentityEntry
from pqproxy.config.validation import validate
from pqproxy.config.values import PASSPHRASE_VARIABLE, IdentityFiles, Settings, TrustFiles

Content = TypeVar("Content")


@dataclass(slots=True)
class Parsed:
    """What became of a file: the readable parts, and what is wrong with the rest."""

    source: str  # the file as the user named it
    text: str = field(repr=False)  # what is in it
    base: Path  # where relative paths start
    document: Document
    file: File  # may hold BROKEN where there are problems
    policies: PolicySource
    identities: list[IdentityFiles] = field(default_factory=list)
    trust: list[TrustFiles] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)  # that it names, readable or not
    problems: list[Problem] = field(default_factory=list)

    def complain(self, path: ConfigPath, message: str) -> None:
        """Add a problem with the value at `path`."""
        self.problems.append(Problem(self.document.value_position(path), path, message))

    def complain_of_file(self, path: ConfigPath, message: str) -> None:
        """Add a problem with a file that the value at `path` names."""
        self.problems.append(FileProblem(self.document.value_position(path), path, message))

    @property
    def lacks_files_only(self) -> bool:
        """Whether there are problems, and other files would mend each of them."""
        return bool(self.problems) and all(isinstance(p, FileProblem) for p in self.problems)

    def settings(self) -> Settings:
        """Return the settings. Raises ConfigError with every problem."""
        if self.problems:
            raise ConfigError(self.source, self.problems)
        settings = build_settings(self.file, self.base, self.identities, self.trust, self.policies)
        return replace(
            settings,
            files=tuple(dict.fromkeys(map(str, self.files))),
            withheld_variables=(PASSPHRASE_VARIABLE, *self._passphrase_variables()),
        )

    def _passphrase_variables(self) -> Iterator[str]:
        for name in self.file.identities:
            expansion = self.document.expansions.get(("identities", name, "passphrase"))
            if expansion is not None and expansion.variable:
                yield expansion.variable


def parse(text: str, source: str, base: Path, environ: Mapping[str, str]) -> Parsed:
    """Read, validate and check a configuration, and the files that it names."""
    document = read_document(text, environ)
    policies, problems = read_environment(environ)
    parsed = Parsed(source, text, base, document, BROKEN, policies, problems=problems)
    parsed.problems += document.problems
    if document.data is None:
        if not document.problems:
            parsed.complain((), "the file is empty")
        return parsed
    parsed.file, problems = validate(document)
    parsed.problems += problems + check(parsed.file, document, policies)
    if parsed.file is not BROKEN:
        _read_files(parsed)
    return parsed


def load(path: Path, environ: Mapping[str, str], text: str | None = None) -> Parsed:
    """Read a configuration from a file, or the `text` that was in it, with the files of now.

    Raises ConfigError when it cannot be read at all.
    """
    text = read_text(path) if text is None else text
    return parse(text, str(path), path.absolute().parent, environ)


def _read_files(parsed: Parsed) -> None:
    file = parsed.file
    for name, entry in _whole_items(file.identities):
        _read_identity(parsed, name, entry)
    for name, entry in _whole_items(file.trust):
        roots = entry.roots if entry.roots is not BROKEN else []
        found = [
            _read(parsed, ("trust", name, "roots", index), root, read_roots)
            for index, root in enumerate(roots)
        ]
        lists = [
            _read(parsed, ("trust", name, "crl", index), file, read_revocation_files)
            for index, file in enumerate(entry.crl if entry.crl is not BROKEN else [])
        ]
        denied = entry.deny if entry.deny is not BROKEN else [BROKEN]
        if found and None not in (*found, *lists) and BROKEN not in denied:
            blocks, source = _joined(found), ", ".join(roots)
            parsed.trust.append(
                TrustFiles(name, blocks, source, crl=_joined(lists), deny=tuple(denied))
            )


def _joined(parts: list[tuple[Content, ...] | None]) -> tuple[Content, ...]:
    return tuple(content for part in parts if part for content in part)


def _read_identity(parsed: Parsed, name: str, entry: IdentityEntry) -> None:
    path = ("identities", name)
    pair = _read_pair(parsed, path, entry)
    passphrase = _read_passphrase(parsed, (*path, "passphrase"), entry.passphrase)
    if pair is not None and passphrase is not BROKEN:
        source = f"{entry.certificate}{pair.source}"
        files = IdentityFiles(name, pair.certificate, pair.key, source, passphrase)
        parsed.identities.append(files)


def _read_pair(parsed: Parsed, path: ConfigPath, entry: IdentityEntry) -> Pair | None:
    if entry.key is None:
        return _read(parsed, (*path, "certificate"), entry.certificate, read_pair)
    certificate = _read(parsed, (*path, "certificate"), entry.certificate, read_named)
    key = _read(parsed, (*path, "key"), entry.key, read_named)
    if certificate is None or key is None:
        return None
    return Pair(certificate, key, f" with {entry.key}")


def _read_passphrase(
    parsed: Parsed, path: ConfigPath, written: PassphraseFile | PassphraseVariable | None
) -> Any:
    """Return bytes, None where there is none to be, or BROKEN where that was reported."""
    expansion = parsed.document.expansions.get(path)
    if isinstance(written, PassphraseFile):
        found = _read(parsed, path, written.path, read_passphrase)
        return BROKEN if found is None else found
    if expansion is None or not expansion.text:
        return None if written is None and expansion is None else BROKEN
    return expansion.text.encode(errors="surrogateescape")


def _whole_items(section: Any) -> list[tuple[str, Any]]:
    if section is BROKEN:
        return []
    return [(name, entry) for name, entry in section.items() if entry is not BROKEN]


def _read(
    parsed: Parsed, path: ConfigPath, written: str, read: Callable[[Path], Content]
) -> Content | None:
    if written is BROKEN:
        return None
    parsed.files.append(parsed.base / written)
    try:
        return read(parsed.base / written)
    except UnreadableFile as error:
        parsed.complain_of_file(path, str(error))
        return None
