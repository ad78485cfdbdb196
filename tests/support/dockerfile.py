"""The Dockerfile as data, and its first stage run by hand: few machines that test have docker."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

from tests.support.wheels import ROOT, repack_dependencies


@dataclass
class Stage:
    """One FROM and what follows it, as (instruction, arguments)."""

    base: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction):
        return [arguments for name, arguments in self.steps if name == instruction]

    def last(self, instruction):
        return self.all(instruction)[-1]


def stages(text=None):
    """The stages of our Dockerfile."""
    text = (ROOT / "Dockerfile").read_text() if text is None else text
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = []
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, arguments = line.partition(" ")
        if name == "FROM":
            found.append(Stage(arguments))
        elif found:
            found[-1].steps.append((name, arguments.strip()))
    return found


def copied(stage):
    """What a stage takes from the tree: (source, destination)."""
    for arguments in stage.all("COPY"):
        if not arguments.startswith("--from"):
            *sources, destination = arguments.split()
            yield from ((source, destination) for source in sources)


def command(arguments):
    """The words of an instruction in its JSON form."""
    return json.loads(arguments[arguments.index("[") :])


def run_first_stage(directory):
    """Copy and run what the first stage says, below `directory` instead of /; return the latter.

    The wheels of dependencies are made of what is installed here: nothing large is downloaded.
    """
    stage, _ = stages()
    repack_dependencies("pqproxy", directory / "wheels")
    source = directory / "source"
    source.mkdir()
    for name, destination in copied(stage):
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / destination, ignore=ignore)
        else:
            shutil.copy(ROOT / name, source / destination)
    programs = directory / "programs"
    programs.mkdir()
    (programs / "python").symlink_to(sys._base_executable)
    environ = {name: value for name, value in os.environ.items() if "PYTHON" not in name}
    environ |= {"PATH": f"{programs}:/usr/bin:/bin", "PIP_QUIET": "1"}
    for step in stage.all("RUN"):
        here = re.sub(r"(?<= )/(?=\w)", f"{directory}/", step)
        environ["PIP_NO_DEPS"] = str(int("pip wheel" in step))
        subprocess.run(["/bin/sh", "-ec", here], cwd=source, env=environ, check=True, timeout=110)
    return directory
