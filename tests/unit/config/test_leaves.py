import pytest
from pydantic import TypeAdapter, ValidationError

from pqproxy.config import leaves
from pqproxy.config.cores import usable_cores
from pqproxy.config.values import Profile


def read(kind, value):
    return TypeAdapter(kind).validate_python(value)


def refusal(kind, value):
    with pytest.raises(ValidationError) as refused:
        read(kind, value)
    return refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (leaves.Name, "to-llm.2", "to-llm.2"),
        (leaves.FilePath, "certs/a.crt", "certs/a.crt"),
        (leaves.FilePath, {"file": "certs/a.crt"}, "certs/a.crt"),
        (leaves.Boolean, True, True),
        (leaves.Count, 1, 1),
        (leaves.Version, 1, 1),
        (leaves.Workers, 1, 1),
        (leaves.Workers, 256, 256),
        (leaves.Workers, "auto", usable_cores()),
        (leaves.Timeout, "never", None),
        (leaves.Timeout, "250ms", 0.25),
        (leaves.TunnelCount, 64, 64),
        (leaves.TunnelAge, "never", None),
        (leaves.TunnelAge, "1s", 1.0),
        (leaves.Duration, "0s", 0.0),
        (leaves.Alpn, "http/1.1", "http/1.1"),
        (leaves.UrlPath, "/health?full=1", "/health?full=1"),
        (leaves.Padding, "none", None),
        (leaves.Padding, 1024, 1024),
        (leaves.Groups, "default", None),
        (leaves.Groups, "cnsa2", Profile.CNSA2),
        (leaves.Groups, ["SecP384r1MLKEM1024"], ("SecP384r1MLKEM1024",)),
        (leaves.Groups, ["X25519MLKEM1024"], ("X25519MLKEM1024",)),
    ],
)
def test_a_value_is_read(kind, written, value):
    assert read(kind, written) == value


@pytest.mark.parametrize(
    ("kind", "written", "said"),
    [
        (leaves.Name, "a b", "a b is not a name"),
        (leaves.Name, "x" * 65, "is not a name"),
        (leaves.Name, "", "nothing is not text"),
        (leaves.Name, 7, '7 is not text, did you mean "7"'),
        (leaves.FilePath, {"file": 3}, "3 is not text"),
        (leaves.FilePath, {"path": "x"}, "is no path: use PATH or {file: PATH}"),
        (leaves.Boolean, "yes", "(in YAML 1.2 yes is text), did you mean true"),
        (leaves.Boolean, "Off", "did you mean false"),
        (leaves.Boolean, 1, "1 is neither true nor false"),
        (leaves.Count, 0, "0 is not a whole number above zero"),
        (leaves.Count, True, "true is not a whole number"),
        (leaves.Count, "many", "many is not a whole number"),
        (leaves.Version, 2, "2 is not a version of this format, use 1"),
        (leaves.Version, True, "true is not a version"),
        (leaves.Version, "1", "1 is not a version"),
        (leaves.Workers, 257, "257 is more than 256, did you mean auto"),
        (leaves.Workers, "all", "all is not a whole number above zero"),
        (leaves.Workers, 0, "0 is not a whole number above zero"),
        (leaves.Timeout, "0s", "did you mean never"),
        (leaves.TunnelCount, 65, "65 is more than 64: one carries thousands of streams"),
        (leaves.TunnelCount, 0, "0 is not a whole number above zero"),
        (leaves.TunnelAge, "900ms", "900ms is too short: at least 1s here, or never"),
        (leaves.TunnelAge, "0s", "did you mean never"),
        (leaves.Duration, "never", "never is too long"),
        (leaves.Duration, "31d", "31d is too long"),
        (leaves.Alpn, "h\u00e9", "is not an ALPN protocol"),
        (leaves.UrlPath, "health", "health is not a path such as /health"),
        (leaves.UrlPath, "http://elsewhere/", "is not a path"),
        (leaves.UrlPath, "/health\r\nX: y", "is not a path"),
        (leaves.UrlPath, "/a#b", "is not a path"),
        (leaves.Alpn, "x" * 256, "is not an ALPN protocol"),
        (leaves.Alpn, "pqproxy/1", "is what sidecars speak among themselves"),
        (leaves.Padding, 0, "not between 1 and 1024 bytes"),
        (leaves.Padding, "2KiB", "not between 1 and 1024 bytes"),
        (leaves.Groups, [], "neither default nor cnsa2 nor a list"),
        (leaves.Groups, "x25519", "neither default nor cnsa2 nor a list"),
        (leaves.Groups, "CNSA2", "neither default nor cnsa2 nor a list"),
        (leaves.Groups, ["x25519mlkem768"], "did you mean X25519MLKEM768"),
        (leaves.Groups, [{}], "a mapping is not a group"),
        (leaves.Groups, ["x25519", "x25519"], "names a group twice"),
    ],
)
def test_a_wrong_value_is_refused_with_a_reason(kind, written, said):
    assert said in refusal(kind, written)
