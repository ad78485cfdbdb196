from pqproxy.supervisor.errors import StartFailure


def test_a_start_failure_reads_as_its_message():
    failure = StartFailure("ingress llm: 127.0.0.1:8443 is in use", "stop process 1")

    assert str(failure) == "ingress llm: 127.0.0.1:8443 is in use"
    assert failure.hint == "stop process 1"
