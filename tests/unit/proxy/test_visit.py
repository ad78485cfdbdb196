import asyncio
from types import SimpleNamespace

from pqproxy.identity.errors import Refused
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.log import ConnectionLine, RefusalLine
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import AlertDescription, Failed


def visit(**known):
    return Visit("llm", "192.0.2.1:5", place=None, started=10.0, **known)


def test_a_connection_that_never_got_anywhere_still_has_a_line():
    line = visit().line(EndReason.CLIENT_LEFT, None, 12.5)

    assert line == ConnectionLine("llm", "192.0.2.1:5", EndReason.CLIENT_LEFT, 2.5)


def test_a_refusal_says_why_and_what_would_fix_it():
    ended = Ended(EndReason.REFUSED, "it is not", ReasonCode.NOT_ALLOWED, "allow it")
    line = visit().line(EndReason.REFUSED, ended, 11.0)

    assert isinstance(line, RefusalLine)
    assert (line.reason, line.detail, line.fix) == (ReasonCode.NOT_ALLOWED, "it is not", "allow it")


def test_an_upstream_that_is_down_is_a_line_of_a_connection_with_its_reason():
    ended = Ended(EndReason.UPSTREAM_DOWN, "refused", ReasonCode.UPSTREAM_DOWN)
    line = visit(upstream="127.0.0.1:8000").line(EndReason.UPSTREAM_DOWN, ended, 11.0)

    assert isinstance(line, ConnectionLine)
    assert (line.reason, line.detail) == (ReasonCode.UPSTREAM_DOWN, "refused")
    assert line.upstream == "127.0.0.1:8000"


def test_the_first_byte_counts_from_accept():
    flows = SimpleNamespace(bytes=3, first_byte=10.25)
    joined = SimpleNamespace(from_a=flows, from_b=flows)
    line = visit(splice=joined).line(EndReason.FINISHED, None, 11.0)

    assert (line.first_byte, line.received, line.sent) == (0.25, 3, 3)


def test_an_alert_after_the_handshake_is_told_in_its_own_words_with_what_would_fix_it():
    failed = Failed(AlertDescription.ACCESS_DENIED, "peer said access_denied", by_peer=True)
    tls = SimpleNamespace(failed=failed, side=UPSTREAM)
    line = visit(tls=tls).line(EndReason.UPSTREAM_ALERT, None, 11.0)

    assert line.detail == "peer said access_denied"
    assert "add our identity to its allow" in line.fix


def test_an_alert_of_ours_after_the_handshake_needs_no_advice_to_ourselves():
    failed = Failed(AlertDescription.BAD_RECORD_MAC, "record fails to decrypt")
    tls = SimpleNamespace(failed=failed, side=CLIENT)

    assert visit(tls=tls).line(EndReason.PROTOCOL_ERROR, None, 11.0).fix is None


def test_a_refused_server_is_named_by_its_address():
    ended = Ended(EndReason.REFUSED, "it is not", ReasonCode.UNTRUSTED, "trust it")
    line = visit(upstream="gpu1:8443").line(EndReason.REFUSED, ended, 11.0)

    assert line.upstream == "gpu1:8443"


def test_who_just_came_and_went_is_plain():
    going = SimpleNamespace(failed=None)

    assert visit(tls=going).is_plain(None)
    assert visit().is_plain(None)


def test_who_was_refused_or_failed_has_more_to_tell():
    refused = Refused(ReasonCode.REVOKED, "certificate_revoked", "revoked", "show another")
    failed = SimpleNamespace(failed=Failed(AlertDescription.ACCESS_DENIED, "peer said", True))

    assert not visit(refusal=refused).is_plain(None)
    assert not visit(tls=failed).is_plain(None)
    assert not visit().is_plain(Ended(EndReason.CLIENT_LEFT, "before it was served"))


def test_who_waits_for_its_end_is_told():
    """A drain does; nobody else makes a future of it."""
    one = visit()
    one.depart()
    assert one._departure is None
    loop = asyncio.new_event_loop()
    other = visit()
    waited = other.departure(loop)
    assert other.departure(loop) is waited
    other.depart()
    other.depart()

    assert waited.done()
    loop.close()
