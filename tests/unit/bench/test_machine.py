import platform

from bench.machine import describe_build, parse_cpu_model, seal_microseconds


def test_the_processors_name_is_found():
    assert parse_cpu_model("processor : 0\nmodel name\t: Abacus 9: turbo\n") == "Abacus 9: turbo"


def test_without_a_name_the_architecture_must_do():
    assert parse_cpu_model("Features : fp\n") == platform.machine()


def test_an_interpreter_that_was_built_without_optimizations_is_named():
    """The same code costs a fifth less on one that was: figures of the two do not compare."""
    assert describe_build("'--enable-shared'", "/opt") == "built without --enable-optimizations"
    assert describe_build("'--enable-shared'", "/usr") == "as the distribution builds it"
    assert describe_build("'--enable-optimizations' '--with-lto'", "/usr") == "profile-guided build"


def test_what_a_record_costs_to_encrypt_here_is_measured():
    assert 0.1 < seal_microseconds() < 1000
