from dataclasses import replace

import pytest

from bench.cost import settings
from bench.cost_report import Measured, Needed, Results, classical, markdown, mean, ratio
from bench.engines import Cost, Exchange, Setting
from bench.kinds import KINDS
from pqproxy.tls import NamedGroup

ECDSA, RSA, _, COMPOSITE = KINDS


def rounds(*seconds, sent=100):
    """The server works twice as long as the client and sends ten times as much."""
    return [Exchange(Cost(each, sent), Cost(2 * each, 10 * sent)) for each in seconds]


def row(kind=ECDSA, group=NamedGroup.X25519MLKEM768, mutual=False, full=(), resumed=()):
    return Measured(Setting("openssl", kind, group, mutual), 1234, full, resumed)


def page(*rows, skipped=None):
    machine = {"processor": "abacus, 2 cores"}
    return markdown(
        Results("python -m bench.cost", "2026-01-02", machine, 5, 3, rows, skipped or {})
    )


def test_a_round_is_the_mean_of_its_handshakes_for_each_side_apart():
    exchange = mean(rounds(1.0, 2.0, 6.0))

    assert exchange == Exchange(Cost(3.0, 100), Cost(6.0, 1000))


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    """One round on a machine twice as slow changes nothing: both were slow in it."""
    found = ratio(rounds(3, 6, 3), rounds(2, 4, 3), lambda exchange: exchange.server)

    assert found == 1.5


def test_without_the_other_there_is_no_ratio():
    assert ratio(rounds(1), [], lambda exchange: exchange.server) is None


@pytest.mark.parametrize("mutual", [False, True])
def test_a_row_is_held_against_the_classical_handshake_of_its_own_mode(mutual):
    reference = row(group=NamedGroup.x25519, mutual=mutual, full=rounds(1))
    other = row(group=NamedGroup.x25519, mutual=not mutual, full=rounds(9))

    assert classical(row(RSA, mutual=mutual), [other, reference]) == rounds(1)


def test_a_row_has_each_sides_time_ratio_and_bytes():
    reference = row(group=NamedGroup.x25519, full=rounds(1e-3))
    hybrid = row(full=rounds(2e-3, sent=1500))

    assert (
        "| ECDSA P-256 | 1,234 B | X25519MLKEM768 | one-way | 4.00 ms | **2.00** | 2.00 ms"
        " | **2.00** | 15,000 B | 1,500 B |"
    ) in page(reference, hybrid)


def test_a_resumed_row_is_held_against_the_full_handshake_of_its_own_certificates():
    text = page(row(RSA, full=rounds(4e-3), resumed=rounds(1e-3)))

    _, _, resumed = text.partition("## Resumed handshakes")
    assert "| 2.00 ms | **0.25** | 1.00 ms | **0.25** |" in resumed


def test_what_gives_no_tickets_has_no_resumed_row():
    text = page(row(group=NamedGroup.x25519, full=rounds(1)))

    _, _, resumed = text.partition("## Resumed handshakes")
    assert "ECDSA" not in resumed


def test_what_hybrid_costs_is_told_for_each_part_and_for_both():
    text = page(
        row(group=NamedGroup.x25519, full=rounds(1e-3, sent=1000)),
        row(full=rounds(2e-3, sent=1200)),
        row(COMPOSITE, full=rounds(6e-3, sent=2200)),
    )

    assert "| key exchange | one-way | **2.00** | **2.00** | +2,000 B | +200 B |" in text
    assert "| certificates | one-way | **3.00** | **3.00** | +10,000 B | +1,000 B |" in text
    assert "| both | one-way | **6.00** | **6.00** | +12,000 B | +1,200 B |" in text


def test_without_composite_certificates_nothing_is_said_of_them():
    text = page(row(group=NamedGroup.x25519, full=rounds(1)), row(full=rounds(2)))

    assert "| key exchange | one-way | **2.00**" in text
    assert "| both |" not in text


def test_what_was_not_measured_is_named_with_the_reason():
    assert "| not measured: liboqs | no native library |" in page(
        skipped={"liboqs": "no native library"}
    )


def test_every_kind_is_measured_both_ways_and_one_without_post_quantum_cryptography():
    everything = [setting for kind in KINDS for setting in settings("openssl", kind)]

    assert {(setting.kind, setting.mutual) for setting in everything} == {
        (kind, mutual) for kind in KINDS for mutual in (False, True)
    }
    assert len([s for s in everything if s.group is NamedGroup.x25519]) == 2


def test_what_of_a_handshake_is_cryptography_is_told_for_each_side():
    """The rest is what better code could save."""
    results = Results(
        "python -m bench.cost", "2026-01-02", {}, 5, 3, [row(mutual=True, full=rounds(2e-3))]
    )
    text = markdown(replace(results, needed=[Needed(True, [1e-3], [5e-4])]))

    assert "| mutual | 4.00 ms | 1.00 ms | **25%** | 2.00 ms | 500.0 us | **25%** |" in text
