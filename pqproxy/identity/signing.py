"""Requests and what becomes of them, as files: keys on one machine, certificates from another.

    there   DIR/leaf/<name>/<algorithm>.key, and one file of requests to carry
    here    DIR/leaf/<name>/<algorithm>.crt, without a key beside it, to carry back

A certificate that is carried back for a key that was kept replaces the one before by one rename.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509

from pqproxy.crypto.algorithms import PrivateKey
from pqproxy.crypto.composite_keys import CompositePublicKey
from pqproxy.crypto.keys import encode_private_key
from pqproxy.identity.authority import (
    LEAF_DAYS,
    Authority,
    certify,
    check_algorithm,
    open_authority,
    root_path,
    roots,
)
from pqproxy.identity.certificates import (
    ALGORITHMS,
    DEFAULT_ALGORITHMS,
    LeafNames,
    Validity,
    preference,
)
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
from pqproxy.identity.leaves import (
    LeafFiles,
    certified_names,
    find_leaves,
    leaf_directory,
    leaf_files,
    read_key,
)
from pqproxy.identity.pem import encode
from pqproxy.identity.requests import Request, build_request


@dataclass(frozen=True, slots=True)
class Signed:
    """A certificate that was made of a request."""

    path: Path
    root: Path
    certificate: x509.Certificate


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """Which keys are requested for."""

    algorithm: str | None = None  # None: a hybrid one and a standard one
    keep: bool = False  # those that are there
    passphrase: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SigningOptions:
    """How requests are signed."""

    days: int = LEAF_DAYS
    algorithm: str | None = None  # of the authority, where the kind of the key does not say it
    renew: bool = False  # what is there gives way
    passphrase: bytes | None = field(default=None, repr=False)  # of the authority's key


def request_leaves(
    directory: Path,
    name: str,
    names: LeafNames | None,
    target: Path,
    options: KeyOptions,
) -> tuple[Path, ...]:
    """Write one new file of requests for leaves of a name, and return where their keys lie.

    The keys are made, or those that are there are kept; then `names` may be None for those of
    their certificates. Raises IdentityError for files that exist, or that shall be kept and do not.
    """
    base = leaf_directory(directory, name)
    if target.exists() or target.is_symlink():
        raise already_exists(target)
    if options.keep:
        keys = _kept_keys(base, options)
        names = names or certified_names(find_leaves(directory, name, options.algorithm)[0])
    else:
        keys = _new_keys(directory, name, options.algorithm)
    if names is None:
        raise IdentityError("a certificate needs a name that peers can check", "give --spiffe …")
    requests = b"".join(build_request(key, name, names) for key in keys.values())
    write_new(target, requests, CERTIFICATE_MODE)
    if not options.keep:
        try:
            _write_keys(base, keys, options.passphrase)
        except IdentityError:
            target.unlink()  # nobody would have the keys of it
            raise
    return tuple(keys)


def sign_requests(
    directory: Path,
    name: str,
    requests: Sequence[Request],
    *,
    now: datetime,
    options: SigningOptions,
) -> tuple[Signed, ...]:
    """Certify the keys and the names of requests: all of them, or none.

    Raises IdentityError for names that the authority may not sign, and unless they are to be
    renewed for certificates that are there already.
    """
    signed = []
    for request in requests:
        path = leaf_files(directory, name, request.algorithm).certificate
        if not options.renew and (path.exists() or path.is_symlink()):
            raise IdentityError(
                f"{path} exists and is never overwritten unasked",
                "add --renew to replace it, or --name for another",
            )
        _check_key_beside(path.with_suffix(".key"), request)
        root = _authority(directory, request, options)
        validity = Validity.starting(now, options.days)
        made = certify(root, request.public_key, name, request.names, validity)
        signed.append(Signed(path, root.path, made))
    _write(leaf_directory(directory, name), signed, options.renew, now)
    return tuple(signed)


def _write_keys(base: Path, keys: dict[Path, PrivateKey], passphrase: bytes | None) -> None:
    """Write all of them, or none."""
    make_directory(base)
    written: list[Path] = []
    try:
        for path, key in keys.items():
            write_new(path, encode_private_key(key, passphrase), KEY_MODE)
            written.append(path)
    except IdentityError:
        for path in written:
            path.unlink()
        raise


def _check_key_beside(path: Path, request: Request) -> None:
    """Refuse to put a certificate beside a key that is another's, as far as that can be read."""
    if not path.exists() or b"ENCRYPTED" in read(path):
        return
    if read_key(path).public_key() != request.public_key:
        raise IdentityError(
            f"{path} is not the key of the request, and its certificate would lie beside it",
            "choose another name with --name",
        )


def _write(base: Path, signed: Sequence[Signed], renew: bool, now: datetime) -> None:
    make_directory(base)
    if renew:
        replace_together(base, {one.path.name: encode(one.certificate) for one in signed}, now)
        return
    for one in signed:
        write_new(one.path, encode(one.certificate), CERTIFICATE_MODE)


def _authority(directory: Path, request: Request, options: SigningOptions) -> Authority:
    if options.algorithm is not None:
        return open_authority(directory, options.algorithm, options.passphrase)
    if request.algorithm in ALGORITHMS and root_path(directory, request.algorithm).exists():
        return open_authority(directory, request.algorithm, options.passphrase)
    there = [path.parent.name for path in roots(directory)]
    if not there or isinstance(request.public_key, CompositePublicKey):
        raise IdentityError(
            f"there is no {request.algorithm} authority in {directory}",
            f"make one: pqproxy certs init --dir {directory} --algorithm {request.algorithm}",
        )
    there.sort(key=preference, reverse=True)  # who has such a key is no sidecar
    raise IdentityError(
        f"there is no authority of the kind of the key, {request.algorithm}, in {directory}",
        f"say which one shall sign it: --algorithm {', or --algorithm '.join(there)}",
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


def _kept_keys(base: Path, options: KeyOptions) -> dict[Path, PrivateKey]:
    wanted = f"{options.algorithm or '*'}.key"
    paths = sorted(base.glob(wanted), key=lambda path: preference(path.stem))
    keys = {path: read_key(path, options.passphrase) for path in paths}
    if not keys:
        raise IdentityError(f"there is no key {base / wanted}", "make one: leave out --keep-key")
    return keys
