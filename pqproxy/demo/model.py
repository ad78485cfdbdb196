"""Writes a language model of half a megabyte with random weights.

llama.cpp runs it like any other, so tests and the demo get a real model server without a
download. Two hundred very narrow layers make the file small and a token slow: with a prompt of
some hundred bytes (each byte is a token) tokens come about 5 ms apart, as from a large model.
What it says is gibberish.
"""

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

LAYERS = 200
WIDTH = 8  # of the embedding and of the feed-forward layer
CONTEXT = 8192

# One dimension of the residual stream is the same for every token and untouched by every layer.
# The output layer reads it as a bias against single bytes and control tokens: words come out, and
# an answer never ends before it was told to.
_BIAS_DIMENSION = 0
_BIAS = 20.0

_CONTROL = (b"<unk>", b"<s>", b"</s>")
_VOCABULARY = (
    "a lattice key curve secret shared token model server client quantum error noise vector module "
    "ring sample seed hash share signs sends opens holds hides keeps trusts reads writes adds and "
    "or the with under over small large fresh random honest quiet early late twice never always"
)
_WORDS = _VOCABULARY.split()

_CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)

_Matrix = npt.NDArray[np.float32]


def write_model(path: Path, seed: int = 1) -> None:
    """Write the model to `path`; the same seed gives the same file."""
    writer = gguf.GGUFWriter(path, "llama")
    _describe(writer)
    vocabulary_size = _add_vocabulary(writer)
    _add_tensors(writer, vocabulary_size, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("pqproxy demo: random weights")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_layer_norm_rms_eps(1e-5)


def _add_vocabulary(writer: gguf.GGUFWriter) -> int:
    tokens = [*_CONTROL]
    types = [gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.CONTROL]
    for byte in range(256):
        tokens.append(b"<0x%02X>" % byte)
        types.append(gguf.TokenType.BYTE)
    for word in _WORDS:
        tokens.append(f"\N{LOWER ONE EIGHTH BLOCK}{word}".encode())  # how SPM spells " word"
        types.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_vocab_size(len(tokens))
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(_CHAT_TEMPLATE)
    return len(tokens)


def _add_tensors(
    writer: gguf.GGUFWriter, vocabulary_size: int, generator: np.random.Generator
) -> None:
    def random(rows: int, columns: int) -> _Matrix:
        return generator.standard_normal((rows, columns)).astype(np.float32)

    def random_without_bias() -> _Matrix:
        matrix = random(WIDTH, WIDTH)
        matrix[_BIAS_DIMENSION] = 0.0
        return matrix

    embeddings = random(vocabulary_size, WIDTH)
    embeddings[:, _BIAS_DIMENSION] = 1.0
    output = np.zeros((vocabulary_size, WIDTH), np.float32)
    output[-len(_WORDS) :] = random(len(_WORDS), WIDTH) * 0.4
    output[: -len(_WORDS), _BIAS_DIMENSION] = -_BIAS
    writer.add_tensor("token_embd.weight", embeddings)
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{prefix}{norm}.weight", np.ones(WIDTH, np.float32))
        for free in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
            writer.add_tensor(f"{prefix}{free}.weight", random(WIDTH, WIDTH))
        for into_the_stream in ("attn_output", "ffn_down"):
            writer.add_tensor(f"{prefix}{into_the_stream}.weight", random_without_bias() * 0.02)
