#!/usr/bin/env python3
"""Writes the binary seeds of the fuzz corpora (safetensors, gguf). Run it here after changing it; the files are committed."""

import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent / "corpus"


def safetensors(header, data_bytes):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(range(256)) * (data_bytes // 256) + bytes(data_bytes % 256)


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def metadata(key, kind, payload):
    return text(key) + struct.pack("<I", kind) + payload


def gguf(version=3):
    entries = [
        metadata("general.architecture", 8, text("llama")),
        metadata("general.alignment", 4, struct.pack("<I", 32)),
        metadata("llama.block_count", 4, struct.pack("<I", 2)),
        metadata("llama.rope.freq_base", 6, struct.pack("<f", 10000)),
        metadata("small", 0, b"\x07"),
        metadata("negative", 11, struct.pack("<q", -5)),
        metadata("double", 12, struct.pack("<d", 0.5)),
        metadata("flag", 7, b"\x01"),
        metadata("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 3) + text("a") + text("估") + text("")),
        metadata("tokenizer.ggml.scores", 9, struct.pack("<IQ3f", 6, 3, 0, -1, -2)),
        metadata("tokenizer.ggml.token_type", 9, struct.pack("<IQ3i", 5, 3, 1, 1, 3)),
        metadata("nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ2B", 0, 2, 1, 2)),
        metadata("flags", 9, struct.pack("<IQ2B", 7, 2, 1, 0)),
    ]
    tensors = [
        text("token_embd.weight") + struct.pack("<IQQIQ", 2, 4, 3, 0, 0),
        text("blk.0.weight") + struct.pack("<IQQIQ", 2, 32, 2, 8, 64),
    ]
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entries) + b"".join(tensors)
    head += bytes(-len(head) % 32)
    return head + bytes(48) + bytes(16) + bytes(68)


def main():
    plain = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
        "empty": {"dtype": "I64", "shape": [0, 7], "data_offsets": [32, 32]},
        "scalar": {"dtype": "U8", "shape": [], "data_offsets": [32, 33]},
    }
    (HERE / "safetensors/plain.safetensors").write_bytes(safetensors(plain, 33))
    huge = {"a": {"dtype": "F32", "shape": [2**32, 2**32], "data_offsets": [0, 4]}}
    (HERE / "safetensors/overflow.safetensors").write_bytes(safetensors(huge, 4))
    overlap = {
        "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]},
        "b": {"dtype": "U8", "shape": [4], "data_offsets": [2, 6]},
    }
    (HERE / "safetensors/overlap.safetensors").write_bytes(safetensors(overlap, 6))
    (HERE / "gguf/plain.gguf").write_bytes(gguf())
    (HERE / "gguf/version2.gguf").write_bytes(gguf(2))


if __name__ == "__main__":
    main()
