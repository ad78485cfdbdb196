import pytest

pytest.importorskip("gguf")

import gguf

from pqproxy.demo.model import LAYERS, write_model


def test_the_model_is_half_a_megabyte_and_always_the_same(tmp_path):
    first, second = tmp_path / "first.gguf", tmp_path / "second.gguf"

    write_model(first)
    write_model(second)

    assert first.read_bytes() == second.read_bytes()
    assert 450_000 < first.stat().st_size < 550_000


def test_another_seed_gives_another_model(tmp_path):
    write_model(tmp_path / "one.gguf", seed=1)
    write_model(tmp_path / "two.gguf", seed=2)

    assert (tmp_path / "one.gguf").read_bytes() != (tmp_path / "two.gguf").read_bytes()


def test_other_readers_find_a_llama_with_all_its_layers(tmp_path):
    write_model(tmp_path / "demo.gguf")

    reader = gguf.GGUFReader(tmp_path / "demo.gguf")

    assert reader.get_field("general.architecture").contents() == "llama"
    assert reader.get_field("llama.block_count").contents() == LAYERS
    assert len(reader.tensors) == 3 + 9 * LAYERS


def test_no_layer_touches_the_bias(tmp_path):
    """Bytes and control tokens stay out of the answer only while that dimension is constant."""
    write_model(tmp_path / "demo.gguf")

    reader = gguf.GGUFReader(tmp_path / "demo.gguf")
    into_the_stream = [
        tensor
        for tensor in reader.tensors
        if tensor.name.endswith(("attn_output.weight", "ffn_down.weight"))
    ]

    assert len(into_the_stream) == 2 * LAYERS
    assert not any(tensor.data[0].any() for tensor in into_the_stream)
