import os

import pytest

from pqproxy.config import cores
from pqproxy.config.cores import usable_cores


@pytest.fixture
def many_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)


def machine(directory, membership, **files):
    """The two places that tell of cgroups; a file's name is written with dots as `__`."""
    (directory / "cgroup").write_text(membership)
    for name, content in files.items():
        path = directory / "fs" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")).write_text(
            content
        )
    return directory / "cgroup", directory / "fs"


def test_without_any_quota_it_is_the_affinity_mask(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3, 5}, raising=False)

    assert usable_cores(*machine(tmp_path, "0::/\n")) == 3


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("400000 100000\n", 4),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("3200000 100000\n", 16),
        ("max 100000\n", 16),
        ("nonsense\n", 16),
        ("100000 0\n", 16),
    ],
)
def test_a_quota_allows_whole_cores_and_always_one(many_cores, tmp_path, written, count):
    """A worker for half a core would make the others wait for the next period."""
    if written == "nonsense\n":
        written = "nonsense 100000\n"

    assert usable_cores(*machine(tmp_path, "0::/\n", cpu_max=written)) == count


def test_the_tightest_quota_on_the_way_up_counts(many_cores, tmp_path):
    where = machine(
        tmp_path, "0::/pods/llm\n",
        pods__llm__cpu_max="max 100000", pods__cpu_max="300000 100000", cpu_max="800000 100000",
    )  # fmt: skip

    assert usable_cores(*where) == 3


def test_the_older_interface_is_read_too(many_cores, tmp_path):
    where = machine(
        tmp_path, "3:memory:/x\n1:cpuacct,cpu:/pod\n",
        cpu__pod__cpu_cfs_quota_us="200000", cpu__pod__cpu_cfs_period_us="100000",
    )  # fmt: skip

    assert usable_cores(*where) == 2


def test_this_machine_has_at_least_one():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    assert cores.usable_cores(cores._PROC / "missing", cores._MOUNT) >= 1
