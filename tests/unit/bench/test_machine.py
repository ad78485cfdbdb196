import platform

from bench.machine import parse_cpu_model


def test_the_processors_name_is_found():
    assert parse_cpu_model("processor : 0\nmodel name\t: Abacus 9: turbo\n") == "Abacus 9: turbo"


def test_without_a_name_the_architecture_must_do():
    assert parse_cpu_model("Features : fp\n") == platform.machine()
