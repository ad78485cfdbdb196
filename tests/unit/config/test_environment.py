import pytest

from pqproxy.config.document import Document
from pqproxy.config.environment import PolicySource, policy_warnings, read_environment
from pqproxy.config.validation import validate
from pqproxy.config.values import Ingress, Policy, PolicyOrigin, Settings, TcpAddress

HERE = TcpAddress("127.0.0.1", 1)
HYBRID = {"PQC_KEY_MANAGEMENT": "hybrid"}


def entry(**policy):
    listener = {"name": "llm", "listen": ":1", "forward": "127.0.0.1:2", "identities": ["a"]}
    file, problems = validate(Document({"version": 1, "ingress": [listener | policy]}))
    assert not problems
    return file.ingress[0]


@pytest.mark.parametrize(
    ("environ", "policy"),
    [
        (HYBRID, Policy.REQUIRE),
        ({"FALLBACK_CRYPTO": "enabled"}, Policy.PREFER),
        ({"FALLBACK_CRYPTO": "disabled"}, Policy.REQUIRE),
        (HYBRID | {"FALLBACK_CRYPTO": "enabled"}, Policy.PREFER),
        (HYBRID | {"FALLBACK_CRYPTO": "disabled"}, Policy.REQUIRE),
    ],
)
def test_the_environment_sets_the_policy_of_a_silent_listener(environ, policy):
    source, problems = read_environment(environ | {"PATH": "/bin"})

    assert not problems
    assert source.of(entry()) == (policy, PolicyOrigin.ENVIRONMENT)
    assert source.environment is policy
    assert source.said in {f"{name}={value}" for name, value in environ.items()}


def test_what_a_listener_says_itself_wins():
    source, _ = read_environment({"FALLBACK_CRYPTO": "enabled"})

    assert source.of(entry(policy="require")) == (Policy.REQUIRE, PolicyOrigin.FILE)


def test_cnsa2_takes_nothing_classical_whatever_the_environment_says():
    source, _ = read_environment({"FALLBACK_CRYPTO": "enabled"})

    assert source.of(entry(groups="cnsa2")) == (Policy.REQUIRE, PolicyOrigin.FILE)


def test_without_variables_the_default_holds():
    source, problems = read_environment({})

    assert not problems
    assert source.of(entry()) == (Policy.REQUIRE, PolicyOrigin.DEFAULT)
    assert source.environment is None


@pytest.mark.parametrize("value", ["Enabled", "true", "1", " enabled", "", "x" * 10_000])
def test_any_other_value_is_a_problem_that_names_the_variable_and_what_is_allowed(value):
    """Nobody sets it for nothing: guessing would weaken or break what he relies on."""
    _, (problem,) = read_environment({"FALLBACK_CRYPTO": value})

    said = problem.line("proxy.yaml")
    assert said.startswith("environment: FALLBACK_CRYPTO: ")
    assert said.endswith(" is not enabled or disabled")
    assert (value[:50] or "an empty value") in said
    assert len(said) < 200


def test_every_wrong_variable_is_named():
    _, problems = read_environment({"PQC_KEY_MANAGEMENT": "classical", "FALLBACK_CRYPTO": "on"})

    assert [problem.path for problem in problems] == [("PQC_KEY_MANAGEMENT",), ("FALLBACK_CRYPTO",)]


@pytest.mark.parametrize(
    ("policy", "origin", "environment", "said"),
    [
        (Policy.PREFER, PolicyOrigin.ENVIRONMENT, Policy.PREFER, "comes from FALLBACK_CRYPTO"),
        (Policy.OBSERVE, PolicyOrigin.FILE, Policy.REQUIRE, "although the environment asks"),
        (Policy.REQUIRE, PolicyOrigin.ENVIRONMENT, Policy.REQUIRE, None),
        (Policy.REQUIRE, PolicyOrigin.FILE, Policy.PREFER, None),
        (Policy.PREFER, PolicyOrigin.FILE, None, None),
        (Policy.PREFER, PolicyOrigin.FILE, Policy.PREFER, None),
    ],
)
def test_only_a_policy_that_may_surprise_is_warned_of(policy, origin, environment, said):
    listener = Ingress("llm", HERE, HERE, (), None, policy=policy, policy_origin=origin)
    settings = Settings((), (), (listener,), (), environment_policy=environment)

    warnings = list(policy_warnings(settings))

    assert len(warnings) == (said is not None)
    assert said is None or (said in warnings[0] and "llm" in warnings[0])


def test_options_of_the_command_line_are_an_origin_of_their_own():
    source = PolicySource(written=PolicyOrigin.OPTION)

    assert source.of(entry(policy="prefer")) == (Policy.PREFER, PolicyOrigin.OPTION)
