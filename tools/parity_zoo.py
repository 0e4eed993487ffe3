#!/usr/bin/env python3
"""Compares trivium with PyPI transformers on the folders of parity_zoo_cases.py; see tools/parity_zoo.

With --golden, writes tests/golden/zoo: weights.safetensors (rows for the largest case), and cases.json with
every case's files and what transformers makes of them, for tests without Python."""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import warnings

import torch
import transformers
from safetensors.torch import save_file

import parity_zoo_cases as zoo

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden" / "zoo"
ROWS = 304
TOLERANCE = 1e-3  # of a log-likelihood: both sides are float32


def random_model(class_, config, seed):
    torch.manual_seed(seed)
    model = class_(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.3
    return model


def base_weights():
    config = transformers.BartConfig(**zoo.bart_config(ROWS))
    model = random_model(transformers.BartForConditionalGeneration, config, 1)
    weights = {k: v.detach().clone() for k, v in model.state_dict().items() if "embed_tokens" not in k}
    weights.pop("lm_head.weight")
    weights["final_logits_bias"] = torch.randn(1, ROWS) * 0.3
    return weights


def weights_of(case, base):
    weights = dict(base)
    rows = case["rows"]
    weights["model.shared.weight"] = base["model.shared.weight"][:rows].clone()
    bias = base["final_logits_bias"][:, :rows].clone()
    for token, value in case.get("bias", {}).items():
        bias[0, int(token)] = value
    weights["final_logits_bias"] = bias
    return weights


def write_folder(folder, case, base):
    folder.mkdir()
    for name, text in case["files"].items():
        (folder / name).write_bytes(text.encode())
    if case.get("bert"):
        config = transformers.BertConfig.from_pretrained(folder)
        model = random_model(transformers.BertModel, config, 2)
        weights = {k: v.contiguous() for k, v in model.state_dict().items()}
    else:
        weights = weights_of(case, base)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def has_rows(case, tokenizer, text):
    return max(tokenizer(text)["input_ids"]) < case["rows"]


def expected_of(case, folder):
    """What transformers makes of the folder."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer(text)["input_ids"] for text in zoo.TEXTS]
    result = {"ids": ids, "decoded": [tokenizer.decode(i, skip_special_tokens=True) for i in ids]}
    if case.get("bert"):
        return result
    model = transformers.BartForConditionalGeneration.from_pretrained(folder).eval()
    result |= {"answers": [], "log_likelihoods": []}
    for prompt in zoo.PROMPTS:
        assert has_rows(case, tokenizer, prompt), (case["name"], prompt)
        encoded = tokenizer(prompt, return_tensors="pt")
        encoded = {key: encoded[key] for key in ("input_ids", "attention_mask")}
        with torch.no_grad():
            output = model.generate(**encoded)
            result["answers"].append(tokenizer.decode(output[0], skip_special_tokens=True))
            result["log_likelihoods"].append([log_likelihood(model, encoded, tokenizer(option)["input_ids"])
                                              for option in zoo.OPTIONS])
    return result


def log_likelihood(model, encoded, labels):
    start = model.config.decoder_start_token_id
    logits = model(**encoded, decoder_input_ids=torch.tensor([[start] + labels[:-1]])).logits[0]
    picked = torch.log_softmax(logits, dim=-1)[torch.arange(len(labels)), torch.tensor(labels)]
    return round(picked.sum().item(), 5)


def run(program, arguments, lines=()):
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run([ROOT / "build" / "src" / program, *map(str, arguments)], input=text.encode(),
                          capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def problem_of(case, folder, expected):
    """What is not equal, or ""."""
    checkpoint = folder.with_name(folder.name + ".trivium")
    architecture = "bert" if case.get("bert") else "bart"
    layers = ["--encoder-layers", 1, "--decoder-layers", 1] if case.get("bert") else []
    code, _, error = run("trivium-train", ["import", "--architecture", architecture, "--from", folder,
                                           "--output", checkpoint, *layers])
    if "refused" in case:
        return "" if code == 76 and case["refused"] in error else f"not refused by name: {code} {error}"
    if code != 0:
        return f"not imported: {error}"
    for source in (folder, checkpoint):
        _, out, error = run("trivium", ["tokenizer", "encode", "--checkpoint", source], zoo.TEXTS)
        for text, line, ids in zip(zoo.TEXTS, out.split("\n"), expected["ids"]):
            if [int(i) for i in line.split()] != ids[1:-1]:
                return f"ids of {text!r} in {source}: {line}, not {ids[1:-1]} {error}"
        lines = [" ".join(map(str, i)) for i in expected["ids"]]
        _, out, error = run("trivium", ["tokenizer", "decode", "--checkpoint", source], lines)
        if out != "".join(text + "\n" for text in expected["decoded"]):
            return f"texts in {source}: {out!r}, not {expected['decoded']} {error}"
    if case.get("bert"):
        return ""
    requests = [json.dumps({"input": prompt, "options": zoo.OPTIONS}) for prompt in zoo.PROMPTS]
    _, out, error = run("trivium", ["generate", "--checkpoint", checkpoint], requests)
    for line, answer in zip(out.splitlines(), expected["answers"], strict=True):
        if json.loads(line)["text"] != answer:
            return f"answer {json.loads(line)['text']!r}, not {answer!r} {error}"
    _, out, error = run("trivium", ["score", "--checkpoint", checkpoint], requests)
    for line, scores in zip(out.splitlines(), expected["log_likelihoods"], strict=True):
        for ours, theirs in zip(json.loads(line)["log_likelihoods"], scores, strict=True):
            if abs(ours - theirs) > TOLERANCE * (1 + abs(theirs)):
                return f"log-likelihood {ours}, not {theirs} {error}"
    return ""


def golden_case(case, expected):
    kept = {key: case[key] for key in ("name", "rows", "bias", "bert", "refused") if key in case}
    return kept | {"files": case["files"]} | ({} if "refused" in case else expected)


def share_files(cases):
    """Files that many cases have are written once: {"name": "@N"} is number N of "shared"."""
    shared = []
    for case in cases:
        for name, text in case["files"].items():
            if len(text) < 1000:
                continue
            if text not in shared:
                shared.append(text)
            case["files"][name] = f"@{shared.index(text)}"
    return shared


def write_golden(cases, base):
    GOLDEN.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous() for k, v in base.items()}, GOLDEN / "weights.safetensors", {"format": "pt"})
    content = {"texts": zoo.TEXTS, "prompts": zoo.PROMPTS, "options": zoo.OPTIONS}
    content["shared"] = share_files(cases)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps(content, ensure_ascii=False)[:-1]
    (GOLDEN / "cases.json").write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--golden", action="store_true")
    parser.add_argument("--only", default="")
    flags = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    base = base_weights()
    cases = [case for case in zoo.all_cases() if flags.only in case["name"]]
    failed = refused = 0
    golden = []
    with tempfile.TemporaryDirectory() as temporary:
        for number, case in enumerate(cases):
            folder = pathlib.Path(temporary) / str(number)
            write_folder(folder, case, base)
            expected = {} if "refused" in case else expected_of(case, folder)
            if flags.golden:
                golden.append(golden_case(case, expected))
                continue
            problem = problem_of(case, folder, expected)
            failed += bool(problem)
            refused += "refused" in case
            print(f"{'FAILED' if problem else 'ok    '} {case['name']}" + (f": {problem}" if problem else ""),
                  flush=True)
    if flags.golden:
        write_golden(golden, base)
        print(f"wrote {len(golden)} cases")
        return 0
    equal = len(cases) - failed - refused
    print(f"{len(cases)} folders: {equal} equal, {refused} refused by name as they should be, {failed} failed"
          if not failed else f"{len(cases)} folders: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
