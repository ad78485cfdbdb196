"""The policy that the environment sets for listeners of which the file says nothing.

    PQC_KEY_MANAGEMENT=hybrid     hybrid key exchange: require, as without it
    FALLBACK_CRYPTO=enabled       classical peers are served: prefer
    FALLBACK_CRYPTO=disabled      they are not: require

Any other value is an error and never a guess: whoever sets one of these relies on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pqproxy.config.problems import START, EnvironmentProblem, Problem, listed
from pqproxy.config.schema import ListenerEntry
from pqproxy.config.units import shown
from pqproxy.config.values import Egress, Ingress, Policy, PolicyOrigin, Profile, Settings

# The last one that is set decides: a fall-back is a word about hybrid key management.
_POLICIES = {
    "PQC_KEY_MANAGEMENT": {"hybrid": Policy.REQUIRE},
    "FALLBACK_CRYPTO": {"enabled": Policy.PREFER, "disabled": Policy.REQUIRE},
}


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Where a listener's policy comes from."""

    silent: Policy = Policy.REQUIRE  # of a listener that says nothing
    silent_origin: PolicyOrigin = PolicyOrigin.DEFAULT
    said: str = ""  # by the environment: NAME=value
    written: PolicyOrigin = PolicyOrigin.FILE  # where a listener does say it

    def of(self, entry: ListenerEntry) -> tuple[Policy, PolicyOrigin]:
        """Return a listener's policy, and its origin."""
        if "policy" in entry.model_fields_set:
            return entry.policy, self.written
        if entry.groups is Profile.CNSA2:  # it takes nothing else, whatever the environment says
            return Policy.REQUIRE, self.written
        return self.silent, self.silent_origin

    @property
    def environment(self) -> Policy | None:
        """What the environment asks for, if anything."""
        return self.silent if self.silent_origin is PolicyOrigin.ENVIRONMENT else None


def read_environment(environ: Mapping[str, str]) -> tuple[PolicySource, list[Problem]]:
    """Return what the environment sets, and what is wrong with it."""
    source, problems = PolicySource(), list[Problem]()
    for name, policies in _POLICIES.items():
        value = environ.get(name)
        if value is None:
            continue
        if value in policies:
            said = f"{name}={value}"
            source = PolicySource(policies[value], PolicyOrigin.ENVIRONMENT, said)
        else:
            given = shown(value) or "an empty value"
            message = f"{given} is not {listed(policies)}"
            problems.append(EnvironmentProblem(START, (name,), message))
    return source, problems


def policy_warnings(settings: Settings) -> Iterator[str]:
    """Yield where the environment weakens a policy, or has no say over one that is weaker."""
    listeners: list[Ingress | Egress] = [*settings.ingress, *settings.egress]
    for listener in listeners:
        if listener.policy is Policy.REQUIRE:
            continue
        if listener.policy_origin is PolicyOrigin.ENVIRONMENT:
            yield (
                f"{listener.name}: policy {listener.policy} comes from FALLBACK_CRYPTO in the "
                "environment, so classical peers are served; a policy of its own settles it"
            )
        elif settings.environment_policy is Policy.REQUIRE:
            yield (
                f"{listener.name}: policy {listener.policy} as the {listener.policy_origin} says, "
                "although the environment asks for require"
            )
