import pickle
import subprocess
import sys

from pqproxy.config.values import Egress, IdentityFiles, Ingress, Settings, TcpAddress


def test_a_private_key_is_not_in_the_repr():
    files = IdentityFiles("llm", b"certificate", b"very secret", "llm.crt")

    assert "secret" not in repr(Settings((files,), (), (), ()))


def test_settings_pass_a_pipe_unchanged():
    settings = Settings(
        (IdentityFiles("llm", b"c", b"k", "s"),), (), (), (), health=TcpAddress("", 1)
    )

    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - our own bytes


def test_roles_name_every_listener():
    here, there = TcpAddress("127.0.0.1", 1), TcpAddress("127.0.0.1", 2)
    ingress = Ingress("llm", here, there, (), None)
    egress = Egress("to-llm", here, (there,), (), "mesh", ("llm",))

    assert Settings((), (), (ingress,), (egress,)).roles == {"llm": "ingress", "to-llm": "egress"}


def test_a_worker_gets_values_without_the_libraries_that_parse():
    """The data path stays small: nothing of the parser may come along."""
    program = (
        "import sys, pqproxy.config.values; "
        "sys.exit(bool({'pydantic', 'yaml', 'aiohttp'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
