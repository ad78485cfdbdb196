"""What a stream counts."""

from .pair import Pair


def test_what_was_sent_is_known_whatever_was_granted_meanwhile():
    pair = Pair(window=1000).up()
    ours, theirs = pair.open()
    pair.egress.outbox.put_data(ours, b"x" * 900)
    pair.settle()
    pair.now += 60  # it is in no hurry, and waited: the window stays as it is
    theirs.receive.waited = True
    pair.ingress.consumed(theirs, 900)
    pair.settle()

    assert (ours.sent, ours.send_window, ours.granted) == (900, 1000, 1900)
    assert theirs.sent == 0


def test_a_window_is_no_smaller_than_the_largest_grant():
    pair = Pair(window=1000).up()
    stream, _ = pair.open()
    for grant in (300, 5000, 200):
        stream.allow(grant)

    assert (stream.send_window, stream.granted, stream.largest_grant) == (6500, 6500, 5000)
