"""Requests and what becomes of them, as files: keys on one machine, certificates from another.

    there   DIR/leaf/<name>/<algorithm>.key, and one file of requests to carry
    here    DIR/leaf/<name>/<algorithm>.crt, without a key beside it, to carry back

A certificate that is carried back for a key that was kept replaces the one before by one rename.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.composite_keys import CompositePublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.keys import encode_private_key, load_private_key
from pqproxy.identity.authority import (
    LEAF_DAYS,
    Authority,
    certify,
    check_algorithm,
    open_authority,
    root_path,
    roots,
)
from pqproxy.identity.certificates import ALGORITHMS, DEFAULT_ALGORITHMS, LeafNames, Validity
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import (
    CERTIFICATE_MODE,
    KEY_MODE,
    already_exists,
    make_directory,
    read,
    write_new,
)
from pqproxy.identity.generations import replace_together
from pqproxy.identity.leaves import LeafFiles, find_leaves, leaf_directory, leaf_files
from pqproxy.identity.names import read_names
from pqproxy.identity.pem import encode
from pqproxy.identity.requests import Request, build_request


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate that was made of a request."""

    path: Path
    root: Path
    certificate: x509.Certificate


def request_leaves(
    directory: Path,
    name: str,
    names: LeafNames | None,
    target: Path,
    algorithm: str | None = None,
    keep_key: bool = False,
) -> tuple[Path, ...]:
    """Write one new file of requests for leaves of a name, and return where their keys lie.

    The keys are made, or with `keep_key` those that are there; then `names` may be None for those
    of their certificates. Raises IdentityError for files that exist, or with `keep_key` do not.
    """
    base = leaf_directory(directory, name)
    if target.exists() or target.is_symlink():
        raise already_exists(target)
    if keep_key:
        keys = _kept_keys(base, algorithm)
        names = names or _certified_names(directory, name)
    else:
        keys = _new_keys(directory, name, algorithm)
    if names is None:
        raise IdentityError("a certificate needs a name that peers can check", "give --spiffe …")
    requests = b"".join(build_request(key, name, names) for key in keys.values())
    make_directory(base)
    for path, key in keys.items():
        if not keep_key:
            write_new(path, encode_private_key(key), KEY_MODE)
    write_new(target, requests, CERTIFICATE_MODE)
    return tuple(keys)


def sign_requests(
    directory: Path,
    name: str,
    requests: Sequence[Request],
    *,
    now: datetime,
    days: int = LEAF_DAYS,
    algorithm: str | None = None,
    renew: bool = False,
) -> tuple[Signed, ...]:
    """Certify the keys and the names of requests: all of them, or none.

    `algorithm` names the authority where the kind of the key does not. Raises IdentityError for
    names that it may not sign, and unless `renew` for certificates that are there already.
    """
    signed = []
    for request in requests:
        path = leaf_files(directory, name, request.algorithm).certificate
        if not renew and (path.exists() or path.is_symlink()):
            raise IdentityError(
                f"{path} exists and is never overwritten unasked",
                "add --renew to replace it, or --name for another",
            )
        root = _authority(directory, request, algorithm)
        validity = Validity.starting(now, days)
        made = certify(root, request.public_key, name, request.names, validity)
        signed.append(Signed(path, root.path, made))
    _write(leaf_directory(directory, name), signed, renew, now)
    return tuple(signed)


def _write(base: Path, signed: Sequence[Signed], renew: bool, now: datetime) -> None:
    make_directory(base)
    if renew:
        replace_together(base, {one.path.name: encode(one.certificate) for one in signed}, now)
        return
    for one in signed:
        write_new(one.path, encode(one.certificate), CERTIFICATE_MODE)


def _authority(directory: Path, request: Request, algorithm: str | None) -> Authority:
    if algorithm is not None:
        return open_authority(directory, algorithm)
    if request.algorithm in ALGORITHMS and root_path(directory, request.algorithm).exists():
        return open_authority(directory, request.algorithm)
    there = [path.parent.name for path in roots(directory)]
    if not there or isinstance(request.public_key, CompositePublicKey):
        raise IdentityError(
            f"there is no {request.algorithm} authority in {directory}",
            f"make one: pqproxy certs init --dir {directory} --algorithm {request.algorithm}",
        )
    raise IdentityError(
        f"there is no authority of the kind of the key, {request.algorithm}, in {directory}",
        f"say which one shall sign it: --algorithm {' or '.join(there)}",
    )


def _new_keys(directory: Path, name: str, algorithm: str | None) -> dict[Path, PrivateKey]:
    keys = {}
    for each in [algorithm] if algorithm else DEFAULT_ALGORITHMS:
        check_algorithm(each)
        files = leaf_files(directory, name, each)
        _check_absent(files, name)
        keys[files.key] = ALGORITHMS[each]()
    return keys


def _check_absent(files: LeafFiles, name: str) -> None:
    for path in (files.key, files.certificate):
        if path.exists() or path.is_symlink():
            raise IdentityError(
                f"{path} exists and is never overwritten",
                f"to renew its certificate: pqproxy certs csr {name} --keep-key",
            )


def _kept_keys(base: Path, algorithm: str | None) -> dict[Path, PrivateKey]:
    keys = {}
    for path in sorted(base.glob(f"{algorithm or '*'}.key")):
        try:
            keys[path] = load_private_key(read(path))
        except CryptoError as error:
            raise IdentityError(f"{path}: {error}") from None
    if not keys:
        raise IdentityError(
            f"there is no key {base / (algorithm or '*')}.key", "make one: leave out --keep-key"
        )
    return keys


def _certified_names(directory: Path, name: str) -> LeafNames:
    names = read_names(find_leaves(directory, name)[0].certificate)
    return LeafNames.parse(names.uris, names.dns_names, names.ip_addresses)
