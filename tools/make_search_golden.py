"""Writes tests/golden/generation/search.json: what transformers' `generate` chooses on a toy model.

The toy model's logits are an integer hash of the source, the last few tokens and the token asked for, so
that tests/generation/toy_decoder.h computes exactly the same float32 numbers without a model. `generate`
itself (greedy and beam search, logits processors, stopping) is transformers' own.

Needs: pip install torch transformers==4.57.*
Run:   python tools/make_search_golden.py
"""

import json
import pathlib
import random

import torch
import transformers
from transformers.modeling_outputs import CausalLMOutput

OUTPUT = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "generation" / "search.json"
EOS, PAD = 2, 1
NUM_SOURCES = 3
MASK = 0xFFFFFFFF


def toy_hash(source, ids, toy):
    """[vocab_size] of 32 random bits, set by the source and the ids."""
    state = (source * 0x27D4EB2F + toy["seed"]) & MASK
    for token in ids:
        state = ((state ^ (token + 1)) * 0x01000193) & MASK
        state ^= state >> 15
    x = (state + torch.arange(1, toy["vocab_size"] + 1) * 0x9E3779B9) & MASK
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & MASK
    return x ^ (x >> 16)


def toy_logits(source, prefix, toy):
    """[vocab_size] in 0..8, eos plus its bonus; multiples of 2^-17, so exact in float32.

    Most of a logit depends on the last `memory` tokens only, so that sequences fall into loops, as a
    model's do. A part below 0.01 depends on the whole prefix: without it two orders of the same n-grams
    have equal scores, and which of equal beams transformers keeps is left open.
    """
    recent = toy_hash(source, prefix[-toy["memory"]:], toy) >> 12
    whole = toy_hash(source, prefix, toy) >> 22
    logits = (recent + whole).to(torch.float32) / 2**17
    logits[EOS] += toy["eos_bonus"]
    return logits


class ToyModel(transformers.PreTrainedModel, transformers.GenerationMixin):
    config_class = transformers.PretrainedConfig

    def __init__(self, toy):
        super().__init__(transformers.PretrainedConfig(vocab_size=toy["vocab_size"]))
        self.toy = toy
        self.anchor = torch.nn.Parameter(torch.zeros(1))  # tells transformers the device

    def prepare_inputs_for_generation(self, input_ids, source=None, **kwargs):
        return {"input_ids": input_ids, "source": source}

    def forward(self, input_ids, source=None, attention_mask=None, return_dict=True):
        rows = [toy_logits(s, ids, self.toy) for s, ids in zip(source.tolist(), input_ids.tolist())]
        return CausalLMOutput(logits=torch.stack(rows)[:, None, :])


def random_case(rng):
    toy = {"seed": rng.randrange(1 << 32), "vocab_size": rng.choice([12, 24, 60]),
           "memory": rng.choice([1, 2, 100]), "eos_bonus": rng.choice([-2, 0, 0, 2, 4])}
    ngram_sizes = [0, 0, 2, 3, 3] + ([1] if toy["vocab_size"] == 60 else [])
    options = {"num_beams": rng.choice([1, 2, 3, 4, 4, 4, 5]), "max_length": rng.choice([2, 3, 8, 20]),
               "min_length": rng.choice([0, 0, 2, 6]), "length_penalty": rng.choice([1.0, 1.0, 0.0, 0.6, 2.0, -1.0]),
               "early_stopping": rng.random() < 0.3, "no_repeat_ngram_size": rng.choice(ngram_sizes),
               "start_id": rng.choice([2, 0]), "forced_bos_id": rng.choice([-1, 0]),
               "forced_eos_id": rng.choice([-1, EOS])}
    options["min_length"] = min(options["min_length"], options["max_length"])
    return {"toy": toy, "options": options}


def random_rule_case(rng):
    """Settings that punish and ban tokens, and the third way to end beam search."""
    case = random_case(rng)
    vocab_size, options = case["toy"]["vocab_size"], case["options"]
    tokens = [token for token in range(vocab_size) if token != EOS]
    options["early_stopping"] = rng.choice([False, True, "never", "never"])
    options["repetition_penalty"] = rng.choice([1.0, 0.8, 1.3, 2.0])
    # (No word of all that a row may have: transformers then chooses among forbidden tokens.)
    options["bad_words_ids"] = [rng.sample(tokens, rng.choice([1, 2, 3])) for _ in range(rng.choice([0, 1, 4]))]
    options["suppress_tokens"] = rng.sample(tokens, rng.choice([0, 0, 2]))
    options["begin_suppress_tokens"] = rng.sample([EOS] + tokens, rng.choice([0, 2]))
    options["no_repeat_ngram_size"] = rng.choice([0, 0, 3])
    # A forced token that is suppressed leaves transformers nothing to choose from.
    options["suppress_tokens"] = [token for token in options["suppress_tokens"] if token != 0]
    return case


def forces_what_it_suppresses(case):
    """Such a case leaves transformers nothing to choose from."""
    options = case["options"]
    begin = 1 if options["forced_bos_id"] == -1 else 2
    return (options["forced_eos_id"] == EOS and EOS in options.get("begin_suppress_tokens", [])
            and options["max_length"] - 1 == begin)


def none_if_empty(tokens):
    return tokens if tokens else None


def none_if_off(token):
    return None if token == -1 else token


def generate(case):
    options = case["options"]
    output = ToyModel(case["toy"]).generate(
        torch.full((NUM_SOURCES, 1), options["start_id"]), source=torch.arange(NUM_SOURCES),
        attention_mask=torch.ones(NUM_SOURCES, 1), do_sample=False, use_cache=False,
        num_beams=options["num_beams"], max_length=options["max_length"],
        min_length=options["min_length"], length_penalty=options["length_penalty"],
        early_stopping=options["early_stopping"],
        no_repeat_ngram_size=options["no_repeat_ngram_size"], eos_token_id=EOS, pad_token_id=PAD,
        forced_bos_token_id=none_if_off(options["forced_bos_id"]),
        forced_eos_token_id=none_if_off(options["forced_eos_id"]),
        repetition_penalty=options.get("repetition_penalty", 1.0),
        bad_words_ids=none_if_empty(options.get("bad_words_ids")),
        suppress_tokens=none_if_empty(options.get("suppress_tokens")),
        begin_suppress_tokens=none_if_empty(options.get("begin_suppress_tokens")),
        return_dict_in_generate=True, output_scores=True)
    results = []
    for i, ids in enumerate(output.sequences[:, 1:].tolist()):
        finished = EOS in ids
        result = {"ids": ids[:ids.index(EOS)] if finished else ids, "finished": finished}
        if options["num_beams"] > 1:
            result["score"] = round(output.sequences_scores[i].item(), 6)
        results.append(result)
    return results


def main():
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    rng = random.Random(45706)
    cases = [random_case(rng) for _ in range(250)] + [random_rule_case(rng) for _ in range(200)]
    cases = [case for case in cases if not forces_what_it_suppresses(case)]
    for case in cases:
        case["results"] = generate(case)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    OUTPUT.write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
