"""Certificates in files that are renewed while somebody uses them."""

import os

from tests.support import pki
from tests.support.sidecars import CLIENT, SERVER

NAMES = {"server": SERVER, "client": CLIENT}


class Renewed:
    """A pair and a bundle of roots, as renewal programs write them: each file by a rename.

    Stands where `tests.support.sidecars.Certificates` does.
    """

    def __init__(self, directory, *, names=NAMES, roots=("first root",)):
        self.directory = directory
        self.root = str(directory / "ca.crt")
        self._names = names
        self.trust(*roots)
        for name in names:
            self.renew(name)

    def entry(self, name):
        """The files of a leaf, as a configuration names them."""
        return {part: str(path) for part, path in self.paths(name).items()}

    def paths(self, name):
        return {
            "certificate": self.directory / f"{name}.crt",
            "key": self.directory / f"{name}.key",
        }

    def trust(self, *roots):
        """Believe what these roots have signed; the last one signs from now on."""
        self.issuer = pki.root(name=roots[-1])
        self._put(self.directory / "ca.crt", b"".join(_root(name) for name in roots))

    def renew(self, name, label="first key"):
        """Write a new certificate, with the key of that label."""
        leaf = self.leaf(name, label)
        paths = self.paths(name)
        self._put(paths["key"], leaf.key_pem)
        self._put(paths["certificate"], leaf.certificate_pem)
        return leaf

    def leaf(self, name, label):
        """What `renew` would write."""
        uri = self._names[name]
        return self.issuer.issue(uris=(uri,), dns=("localhost",), name=name, label=label)

    def _put(self, path, content):
        beside = path.with_name(f".{path.name}.new")
        beside.write_bytes(content)
        beside.rename(path)


class MountedSecret:
    """A secret as the kubelet mounts it: all of it is exchanged by one rename of `..data`."""

    def __init__(self, directory, files):
        self.directory = directory
        self._number = 0
        directory.mkdir()
        self.swap(files)
        for name in files:
            (directory / name).symlink_to(f"..data/{name}")

    def swap(self, files):
        """Exchange what is in it."""
        self._number += 1
        version = self.directory / f"..version-{self._number}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        link, data = self.directory / "..data_tmp", self.directory / "..data"
        link.symlink_to(version.name)
        before = os.readlink(data) if data.is_symlink() else None
        link.rename(data)
        if before is not None:  # as the kubelet does, at once
            for file in (self.directory / before).iterdir():
                file.unlink()
            (self.directory / before).rmdir()


def _root(name):
    return pki.root(name=name).certificate_pem
