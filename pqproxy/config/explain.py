"""The effective configuration as YAML: every value, and where it came from.

What it prints is a configuration again, with the same meaning as the file it explains.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pqproxy.config.document import resolve
from pqproxy.config.groups import effective_groups
from pqproxy.config.parse import Parsed
from pqproxy.config.problems import Path
from pqproxy.config.schema import File
from pqproxy.config.sections import Section
from pqproxy.config.validation import without_none
from pqproxy.config.values import Policy, Profile, Settings

_PLAIN = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.@+-]*(:[A-Za-z0-9/_.@+-]+)*")


def explain(parsed: Parsed) -> str:
    """Write out what a file means. Raises ConfigError when it means nothing."""
    lines = _Explanation(parsed, parsed.settings()).section(File, parsed.document.data, (), "")
    return "".join(f"{line}\n" for line in lines)


class _Explanation:
    def __init__(self, parsed: Parsed, settings: Settings) -> None:
        self._parsed = parsed
        self._settings = settings

    def section(
        self, kind: type[Section], written: dict[str, Any], path: Path, indent: str
    ) -> Iterator[str]:
        for name, field in kind.model_fields.items():
            here = (*path, name)
            inner = without_none(field.annotation)
            if name not in written and field.get_default(call_default_factory=True) is None:
                yield f"{indent}# {name}: not set"
            elif isinstance(inner, type) and issubclass(inner, Section):
                yield f"{indent}{name}:"
                yield from self.section(inner, written.get(name, {}), here, indent + "  ")
            elif _holds_sections(inner):
                yield from self._entries(get_args(inner)[-1], written.get(name), here, indent)
            else:
                value = written.get(name, field.default)
                yield f"{indent}{name}: {self._leaf(value, name in written, here)}"

    def _entries(self, kind: type[Section], written: Any, path: Path, indent: str) -> Iterator[str]:
        """A list or a mapping of sections."""
        if not written:
            yield f"{indent}{path[-1]}: {'[]' if path[-1] in ('ingress', 'egress') else '{}'}"
            return
        yield f"{indent}{path[-1]}:"
        if isinstance(written, dict):
            for name, entry in written.items():
                yield f"{indent}  {flow(name)}:"
                yield from self.section(kind, entry, (*path, name), indent + "    ")
            return
        for index, entry in enumerate(written):
            first, *rest = self.section(kind, entry, (*path, index), "")
            yield f"{indent}  - {first}"
            yield from (f"{indent}    {line}" for line in rest)

    def _leaf(self, value: Any, is_written: bool, path: Path) -> str:
        role, index, name = path if len(path) == 3 else ("", 0, "")
        if role == "egress" and name == "expect" and not value:
            return f"{flow(list(self._settings.egress[int(index)].expect))}  # default: the host"
        if name == "passphrase" and (variable := self._parsed.document.expansions.get(path)):
            value = variable.template
        if is_written:
            line = self._parsed.document.key_position(path).line
            auto = (*path, value) == ("workers", "auto")
            here = f": {self._settings.workers} here" if auto else ""
            return f"{flow(value)}  # {self._parsed.source}:{line}{here}"
        if name == "policy" and self._holds_a_profile(path):
            return f"{Policy.REQUIRE}  # groups: {Profile.CNSA2} takes nothing else"
        if name == "authentication" and self._holds_a_profile(path):
            return f"{flow(value)}  # default; groups: {Profile.CNSA2} takes ML-DSA-87 only"
        said = self._parsed.policies.said
        if name == "policy" and said:
            return f"{flow(str(self._parsed.policies.silent))}  # environment: {said}"
        if name == "groups":
            policy = getattr(self._settings, str(role))[int(index)].policy
            return f"{flow(value)}  # default: {', '.join(effective_groups(None, policy))}"
        return f"{flow(value)}  # default"

    def _holds_a_profile(self, path: Path) -> bool:
        role, index, _ = path
        listener = getattr(self._settings, str(role))[int(index)]
        return listener.profile is Profile.CNSA2


def flow(value: Any) -> str:
    """Write a value in one line of YAML that reads back as the same."""
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def _holds_sections(kind: Any) -> bool:
    inner = get_args(kind)[-1] if get_origin(kind) in (list, dict) else None
    return isinstance(inner, type) and issubclass(inner, Section)
