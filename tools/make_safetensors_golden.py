#!/usr/bin/env python3
"""Writes tests/golden/safetensors: what the reference implementation (PyPI safetensors) writes and accepts.

reference.safetensors  one tensor of every dtype that trivium knows, a scalar and an empty tensor among them
verdicts.json          small files, valid and damaged, and whether the reference accepts them:
                       [{"base64": bytes, "accepted": bool}, ...]
Needs torch and safetensors. Usage: tools/make_safetensors_golden.py [OUTPUT_FOLDER]
"""
import base64
import json
import pathlib
import random
import struct
import sys

import safetensors
import safetensors.torch
import torch


def reference_tensors():
    steps = torch.arange(6)
    return {
        "bool": torch.tensor([True, False, True]),
        "u8": steps.to(torch.uint8) * 50,
        "i8": steps.to(torch.int8) - 3,
        "i16": (steps.to(torch.int16) - 3) * 1000,
        "i32": ((steps - 3) * 100000).to(torch.int32).reshape(2, 3),
        "i64": (steps - 3) * 10**12,
        "f16": (steps * 0.25).to(torch.float16).reshape(3, 2),
        "bf16": (steps * 0.5 - 1).to(torch.bfloat16).reshape(3, 1, 2),
        "f32.z": steps.to(torch.float32) / 7,
        "f32.a": torch.tensor(3.5),
        "f64": steps.to(torch.float64) / 3,
        "empty": torch.zeros(0, 4),
    }


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def hand_made():
    good = {"a": tensor(0, 8, [2]), "b": tensor(8, 12, [])}
    text = json.dumps(good).encode()
    data = bytes(12)
    return [
        file_of(good, data), file_of(text + b"   ", data), file_of({}, b""),
        file_of({"__metadata__": {"k": "v"}, **good}, data),
        file_of({"__metadata__": {"k": 1}, **good}, data), file_of({"__metadata__": 5, **good}, data),
        file_of(good, data + b"x"), file_of(good, data[:-1]), file_of(good, b""), b"", b"1234567",
        struct.pack("<Q", 100_000_001) + text + data, struct.pack("<Q", 2**63) + text + data,
        file_of(b" " + text, data), file_of(b"[]", b""), file_of(b"3", b""), file_of(b"", b""),
        file_of(text + b"{}", data), file_of(text[:-1], data), file_of(b"\xff" + text, data),
        file_of({"a": tensor(0, 8, [3])}, bytes(8)), file_of({"a": tensor(0, 8, [2], "F33")}, bytes(8)),
        file_of({"a": tensor(0, 8, [-2])}, bytes(8)), file_of({"a": tensor(0, 8, [2.0])}, bytes(8)),
        file_of({"a": tensor(0, 8, ["2"])}, bytes(8)), file_of({"a": tensor(8, 0, [2])}, bytes(8)),
        file_of({"a": tensor(4, 12, [2])}, bytes(12)),
        file_of({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)),
        file_of({"a": tensor(0, 8, [2]), "b": tensor(12, 20, [2])}, bytes(20)),
        file_of({"a": tensor(0, 0, [2**33, 2**33])}), file_of({"a": tensor(0, 0, [2**62])}),
        file_of({"a": tensor(0, 0, [0, 2**62])}), file_of({"a": tensor(0, 0, [0])}),
        file_of({"a": {"dtype": "F32", "shape": [2]}}, bytes(8)),
        file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, bytes(8)),
        file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8, 8]}}, bytes(8)),
        file_of({"a": None}), file_of({"a": []}), file_of({"a": {}}),
    ]


def damaged(rng, count):
    """Valid files with one byte of the header changed, removed or repeated."""
    good = {"__metadata__": {"k": "v"}, "w": tensor(0, 24, [2, 3]), "x": tensor(24, 28, [2, 1], "BF16")}
    base = file_of(good, bytes(range(28)))
    files = []
    for _ in range(count):
        at = rng.randrange(8, len(base) - 28)
        kind = rng.randrange(3)
        if kind == 0:
            files.append(base[:at] + bytes([rng.choice(b'{}[]",:0129 \\azA\x00\xc3')]) + base[at + 1:])
        else:
            text = base[8:at] + (base[at:at + 1] * 2 if kind == 1 else b"") + base[at + 1:]
            files.append(struct.pack("<Q", len(text) - 28) + text)
    return files


def accepted(data):
    try:
        safetensors.torch.load(data)
        return True
    except (safetensors.SafetensorError, KeyError):  # KeyError: a dtype that torch does not have
        return False


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/golden/safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(reference_tensors(), folder / "reference.safetensors",
                                metadata={"format": "pt"})
    files = hand_made() + damaged(random.Random(0), 400)
    rows = [{"base64": base64.b64encode(f).decode(), "accepted": accepted(f)} for f in files]
    lines = ",\n".join(json.dumps(row) for row in rows)
    (folder / "verdicts.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(rows)} files, of which the reference accepts {sum(r['accepted'] for r in rows)}")


if __name__ == "__main__":
    main()
