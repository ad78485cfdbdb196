import errno
import os
import select
import socket
import stat

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.supervisor import binding
from pqproxy.supervisor.activation import Activation, PassedSocket
from pqproxy.supervisor.binding import bind_all
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.occupant import Occupant
from tests.unit.supervisor.harness import ingress, settings


def listening_at(address, activation=None, **changes):
    wanted = settings(ingress=(ingress(listen=address),), health=None, **changes)
    return bind_all(wanted, activation)


def failure_of(address, **changes):
    with pytest.raises(StartFailure) as failure, listening_at(address, **changes):
        pass
    return failure.value


def test_a_port_in_use_is_named_with_its_listener_and_its_owner(free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        failure = failure_of(TcpAddress("127.0.0.1", free_port))

    assert failure.message == f"ingress llm: 127.0.0.1:{free_port} is in use"
    assert f"process {os.getpid()} " in failure.hint


@pytest.mark.parametrize(
    ("running", "hint"),
    [
        ([Occupant(4711, "pqproxy")], "perhaps the pqproxy that is process 4711 (pqproxy); stop"),
        ([], "another program listens there; stop"),
    ],
)
def test_an_owner_that_hides_its_sockets_is_guessed_by_its_command(
    free_port, monkeypatch, running, hint
):
    """Without being root nobody sees into another pqproxy, which cannot be traced."""
    monkeypatch.setattr(binding, "occupant_of", lambda port: None)
    monkeypatch.setattr(binding, "pqproxy_processes", lambda: iter(running))
    with socket.create_server(("127.0.0.1", free_port)):
        failure = failure_of(TcpAddress("127.0.0.1", free_port))

    assert hint in failure.hint


def test_a_second_instance_cannot_listen_beside_the_first(free_port):
    """SO_REUSEPORT would let it, and half of the connections would go astray."""
    address = TcpAddress("127.0.0.1", free_port)

    with listening_at(address):
        assert "is in use" in failure_of(address).message


def test_every_interface_conflicts_with_one_that_is_taken(free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        assert "is in use" in failure_of(TcpAddress("", free_port)).message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_several_workers_share_a_port_and_a_second_instance_does_not(free_port, host):
    """Both of the same user, so that the kernel alone would let them share."""
    address = TcpAddress(host, free_port)

    with listening_at(address, workers=3):
        assert "is in use" in failure_of(address).message
        assert "is in use" in failure_of(address, workers=3).message


def test_no_other_instance_gets_in_while_a_port_is_made_wide(free_port, monkeypatch):
    """The moment between the first socket, which is alone, and the ones that share with it."""
    listen, refused = binding._listen_tcp, []

    def listen_after_somebody_else_tried(*where, **how):
        if how.get("beside"):
            with pytest.raises(OSError, match="in use"):
                listen(*where)
            refused.append(where)
        return listen(*where, **how)

    monkeypatch.setattr(binding, "_listen_tcp", listen_after_somebody_else_tried)

    with listening_at(TcpAddress("127.0.0.1", free_port), workers=3):
        assert len(refused) == 2


@pytest.mark.parametrize("workers", [2, 4])
def test_each_worker_gets_its_share_of_connections_from_many_ports(free_port, workers):
    """A fifth is five standard deviations of what the kernel's hash of a connection scatters."""
    with listening_at(TcpAddress("127.0.0.1", free_port), workers=workers) as bound:
        queues = [bound.sockets(place)["llm"][0] for place in range(workers)]
        counts = [0] * workers
        for _ in range(2000):
            with socket.create_connection(("127.0.0.1", free_port)):
                place = queues.index(select.select(queues, [], [])[0][0])
                queues[place].accept()[0].close()
                counts[place] += 1

    fair = 2000 / workers
    assert all(0.8 * fair < count < 1.2 * fair for count in counts), counts


def test_what_is_closed_listens_nowhere(free_port):
    """Status is asked for while a drain goes on, when nobody listens any more."""
    with listening_at(TcpAddress("127.0.0.1", free_port)) as bound:
        bound.close_listeners()

        assert bound.addresses("llm") == []


def test_workers_share_one_unix_socket(tmp_path):
    with listening_at(UnixAddress(str(tmp_path / "llm.sock")), workers=2) as bound:
        assert bound.sockets(0) == bound.sockets(1)


def test_a_port_that_cannot_be_made_wide_leaves_nothing_listening(free_port, monkeypatch):
    listen = binding._listen_tcp

    def run_out(*where, beside=False):
        if beside:
            raise OSError(errno.EMFILE, "Too many open files")
        return listen(*where)

    monkeypatch.setattr(binding, "_listen_tcp", run_out)

    failure = failure_of(TcpAddress("127.0.0.1", free_port), workers=2)

    assert failure.message == (
        f"ingress llm: cannot listen at 127.0.0.1:{free_port}: Too many open files"
    )
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port))


def test_a_restart_does_not_wait_for_old_connections(free_port):
    address = TcpAddress("127.0.0.1", free_port)
    with listening_at(address) as bound:
        client = socket.create_connection(("127.0.0.1", free_port))
        accepted, _ = bound.sockets(0)["llm"][0].accept()
        accepted.close()  # closing first leaves TIME_WAIT on this side
        client.close()

    with listening_at(address) as bound:
        assert bound.addresses("llm")[0] == str(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_no_host_means_both_families(free_port, host):
    with listening_at(TcpAddress("", free_port)):
        socket.create_connection((host, free_port), timeout=5).close()


def test_without_ipv6_no_host_means_ipv4(free_port, monkeypatch):
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)

    with listening_at(TcpAddress("", free_port)) as bound:
        assert bound.addresses("llm")[0] == f"0.0.0.0:{free_port}"


def test_all_addresses_of_a_name_share_the_port_that_the_kernel_chose(monkeypatch):
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    with listening_at(TcpAddress("both", 0)) as bound:
        ports = {one.getsockname()[1] for one in bound.sockets(0)["llm"]}
        hosts = {one.getsockname()[0] for one in bound.sockets(0)["llm"]}

    assert hosts == {"127.0.0.1", "::1"}
    assert len(ports) == 1
    assert ports != {0}


def test_an_address_of_another_machine_is_named():
    failure = failure_of(TcpAddress("192.0.2.1", 8443))

    assert failure.message == "ingress llm: 192.0.2.1 is no address of this machine"


def test_a_name_that_does_not_resolve_is_named(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    failure = failure_of(TcpAddress("nowhere.invalid", 1))

    assert (
        failure.message == "ingress llm: cannot resolve nowhere.invalid: Name or service not known"
    )


def test_a_port_without_permission_is_named(monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(binding, "_listen_tcp", refuse)

    failure = failure_of(TcpAddress("127.0.0.1", 443))

    assert failure.message == "ingress llm: no permission to listen at 127.0.0.1:443"
    assert "CAP_NET_BIND_SERVICE" in failure.hint


def test_one_listener_that_fails_leaves_nothing_listening(free_port):
    taken = socket.create_server(("127.0.0.1", 0))
    good = ingress(listen=TcpAddress("127.0.0.1", free_port))
    bad = ingress("other", TcpAddress("127.0.0.1", taken.getsockname()[1]))

    with taken, pytest.raises(StartFailure), bind_all(settings(ingress=(good, bad))):
        pass

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", free_port))


@pytest.mark.parametrize("name", ["health", "control"])
def test_admin_listeners_are_named_too(name, free_port):
    with (
        socket.create_server(("127.0.0.1", free_port)),
        pytest.raises(StartFailure) as failure,
        bind_all(settings(**{name: TcpAddress("127.0.0.1", free_port)})),
    ):
        pass

    assert failure.value.message == f"{name}: 127.0.0.1:{free_port} is in use"


def test_a_unix_socket_is_for_owner_and_group_and_goes_with_us(tmp_path):
    path = tmp_path / "llm.sock"

    with listening_at(UnixAddress(str(path))) as bound:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert bound.addresses("llm")[0] == f"unix:{path}"
    assert not path.exists()


def test_the_control_socket_is_for_the_owner_alone(tmp_path):
    path = tmp_path / "control.sock"

    with bind_all(settings(control=UnixAddress(str(path)))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_passed_socket_is_open_to_nobody_whom_the_configuration_keeps_out(host):
    """Plaintext, anonymous clients and orders were allowed because loopback was written."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as passed:
        activation = Activation([PassedSocket("llm", passed)])
        failure = failure_of(TcpAddress("127.0.0.1", 1), activation=activation)

    assert "is open to other machines, 127.0.0.1:1 is not" in failure.message
    assert failure.hint is not None


@pytest.mark.parametrize("configured", ["0.0.0.0", ""])
def test_a_passed_socket_may_be_open_where_the_configuration_is(configured):
    with socket.create_server(("0.0.0.0", 0)) as passed:
        activation = Activation([PassedSocket("llm", passed)])
        with listening_at(TcpAddress(configured, 1), activation=activation) as bound:
            assert bound.sockets(0)["llm"] == [passed]


@pytest.mark.parametrize("mode", [0o666, 0o602, None], ids=["0666", "0602", "abstract"])
def test_a_passed_control_socket_takes_no_orders_from_every_user(tmp_path, mode):
    """0666 is what systemd makes where SocketMode= is not set."""
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(path) if mode is not None else f"\0{path}")
        passed.listen()
        if mode is not None:
            path.chmod(mode)
        activation = Activation([PassedSocket("control", passed)])
        with (
            pytest.raises(StartFailure, match="every user of this machine") as failure,
            bind_all(settings(control=UnixAddress(str(path))), activation),
        ):
            pass

    assert failure.value.hint == "set SocketMode=0600 in its unit"


def test_a_passed_control_socket_may_be_for_a_group(tmp_path):
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(str(path))
        passed.listen()
        path.chmod(0o660)
        activation = Activation([PassedSocket("control", passed)])
        with bind_all(settings(control=UnixAddress(str(path))), activation) as bound:
            assert bound.control == [passed]


@pytest.mark.parametrize("path", ["{}/llm.sock", "\0{}"], ids=["file", "abstract"])
def test_a_passed_unix_socket_that_is_given_up_stays_the_managers(tmp_path, path):
    where = path.format(tmp_path)
    with socket.socket(socket.AF_UNIX) as passed:
        passed.bind(where)
        passed.listen()
        activation = Activation([PassedSocket("llm", passed)])
        with listening_at(UnixAddress("/elsewhere"), activation=activation) as bound:
            bound.give_up(bound.listeners.pop("llm"))

            assert passed.fileno() == -1
    assert list(tmp_path.iterdir()) == [tmp_path / "llm.sock"] * where.startswith("/")


def test_a_socket_file_of_a_dead_process_is_replaced(tmp_path):
    path = tmp_path / "llm.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()

    with (
        listening_at(UnixAddress(str(path))),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(path))


def test_a_socket_file_that_somebody_answers_is_in_use(tmp_path):
    path = tmp_path / "llm.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen()

        failure = failure_of(UnixAddress(str(path)))

    assert failure.message == f"ingress llm: unix:{path} is in use"
    assert path.exists()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")

    failure = failure_of(UnixAddress(str(path)))

    assert failure.message == f"ingress llm: {path} exists and is not a socket"
    assert path.read_text() == "data"


def test_a_missing_directory_is_named(tmp_path):
    failure = failure_of(UnixAddress(str(tmp_path / "missing" / "llm.sock")))

    assert failure.hint == f"create the directory {tmp_path / 'missing'}"


def test_a_socket_file_that_somebody_else_put_there_since_is_left(tmp_path):
    path = tmp_path / "llm.sock"
    with listening_at(UnixAddress(str(path))):
        path.rename(tmp_path / "ours")  # keeps our inode in use, so that the new one differs
        path.touch()

    assert path.exists()
