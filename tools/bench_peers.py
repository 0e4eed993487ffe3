"""The measurements of tools/bench_peers: see there.

Every engine runs in a process of its own, one after the other, `--rounds` times around; a figure is
the best of the rounds, since what else runs on the machine can only slow it down. Standard output
gets one JSON object, standard error the tables.
"""
import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time

SOURCE_TOKENS, NEW_TOKENS = 128, 64
SHAPES = [(1, 1), (1, 4), (16, 1), (8, 4)]
TRAINING_BATCH, TRAINING_TARGET_TOKENS = 8, 16
TRAINING = ["trivium fp32", "trivium bf16", "transformers fp32", "transformers bf16"]
OURS = ["trivium float32", "trivium bfloat16", "trivium int8"]
PEERS = ["ctranslate2 float32", "ctranslate2 int8", "transformers float32", "transformers bfloat16",
         "openvino float32", "openvino int8", "onnxruntime float32", "onnxruntime int8"]
# The folder of the environment that a peer's library is installed in.
ENVIRONMENTS = {"ctranslate2": "peers", "transformers": "peers", "openvino": "openvino",
                "onnxruntime": "onnxruntime"}
EXPORTED = ("openvino", "onnxruntime")  # the others read what make_model() writes
# What is compared with what: (row of ours, rivals, their name in the table).
COMPARISONS = [
    ("trivium float32", [peer for peer in PEERS if peer.endswith("float32")], "all float32 peers"),
    ("trivium bfloat16", PEERS, "all peers"),
    ("trivium int8", ["ctranslate2 int8"], "ctranslate2 int8"),
    ("trivium int8", PEERS, "all peers"),
]


class NotMeasured(Exception):
    """A peer that does not run here; its message is the reason."""


def make_model(folder):
    """A BART-base with random weights, for transformers (bart) and CTranslate2 (ct2)."""
    import ctranslate2
    import torch
    from transformers import BartConfig, BartForConditionalGeneration, BartTokenizer

    bart = os.path.join(folder, "bart")
    if not os.path.exists(os.path.join(bart, "model.safetensors")):
        torch.manual_seed(0)
        config = BartConfig(  # facebook/bart-base's shape, and a key that CTranslate2 asks for
            normalize_before=False, vocab_size=50265, d_model=768, encoder_layers=6, decoder_layers=6,
            encoder_attention_heads=12, decoder_attention_heads=12, encoder_ffn_dim=3072,
            decoder_ffn_dim=3072)
        os.makedirs(bart, exist_ok=True)
        alphabet = sorted(bytes_to_letters().values())
        words = ["<s>", "<pad>", "</s>", "<unk>"] + alphabet
        words += [f"w{i}" for i in range(config.vocab_size - len(words) - 1)] + ["<mask>"]
        with open(os.path.join(bart, "vocab.json"), "w") as file:
            json.dump({word: i for i, word in enumerate(words)}, file)
        with open(os.path.join(bart, "merges.txt"), "w") as file:
            file.write("#version: 0.2\n")
        BartTokenizer(os.path.join(bart, "vocab.json"),
                      os.path.join(bart, "merges.txt")).save_pretrained(bart)
        BartForConditionalGeneration(config).eval().save_pretrained(bart)
    ct2 = os.path.join(folder, "ct2")
    if not os.path.exists(os.path.join(ct2, "model.bin")):
        ctranslate2.converters.TransformersConverter(bart).convert(ct2, force=True)


def bytes_to_letters():
    """GPT-2's letters for bytes: printable ones stand for themselves, the others follow U+0100."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + len(letters) - len(printable))
    return letters


def best_seconds(work, repeats=3):
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def peak_memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def transformers_model(folder, number_type, _):
    import torch
    from transformers import BartForConditionalGeneration

    return BartForConditionalGeneration.from_pretrained(
        os.path.join(folder, "bart"), dtype=getattr(torch, number_type)).eval()


def export(folder, engine):
    """The own form of the model of an EXPORTED peer, beside bart; nothing where it is there already."""
    library, number_type = engine.split()
    bart, exported = os.path.join(folder, "bart"), os.path.join(folder, engine.replace(" ", "_"))
    if os.path.exists(os.path.join(exported, "config.json")):
        return
    if library == "openvino":  # int8: weights of eight bits, rows quantised as OpenVINO sees fit
        from optimum.intel import OVModelForSeq2SeqLM
        OVModelForSeq2SeqLM.from_pretrained(
            bart, export=True, load_in_8bit=number_type == "int8").save_pretrained(exported)
        return
    from optimum.onnxruntime import ORTModelForSeq2SeqLM, ORTQuantizer
    from optimum.onnxruntime.configuration import AutoQuantizationConfig
    if number_type == "float32":
        ORTModelForSeq2SeqLM.from_pretrained(bart, export=True).save_pretrained(exported)
        return
    plain = os.path.join(folder, "onnxruntime_float32")  # exported before
    settings = AutoQuantizationConfig.avx2(is_static=False, per_channel=False)
    for part in sorted(name for name in os.listdir(plain) if name.endswith(".onnx")):
        ORTQuantizer.from_pretrained(plain, file_name=part).quantize(
            save_dir=exported, quantization_config=settings, file_suffix="")
    for name in ("generation_config.json", "config.json"):
        shutil.copy(os.path.join(plain, name), exported)


def openvino_model(folder, number_type, threads):
    from optimum.intel import OVModelForSeq2SeqLM

    return OVModelForSeq2SeqLM.from_pretrained(
        os.path.join(folder, f"openvino_{number_type}"),
        ov_config={"INFERENCE_NUM_THREADS": str(threads), "PERFORMANCE_HINT": "LATENCY"})


def onnxruntime_model(folder, number_type, threads):
    import onnxruntime
    from optimum.onnxruntime import ORTModelForSeq2SeqLM

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return ORTModelForSeq2SeqLM.from_pretrained(
        os.path.join(folder, f"onnxruntime_{number_type}"), session_options=options)


def measure_generate(model, threads):
    """What transformers' generate() makes of a model of its kind, whatever computes the model."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    result = {}
    for batch, beams in SHAPES:
        ids = torch.randint(300, 50000, (batch, SOURCE_TOKENS))

        def generate():
            with torch.inference_mode():
                model.generate(ids, attention_mask=torch.ones_like(ids), num_beams=beams,
                               min_new_tokens=NEW_TOKENS, max_new_tokens=NEW_TOKENS,
                               do_sample=False)

        result[f"{batch}x{beams}"] = batch * NEW_TOKENS / best_seconds(generate, 2)
    return result


def measure_ctranslate2(folder, number_type, threads):
    import random

    import ctranslate2

    random.seed(1)
    translator = ctranslate2.Translator(os.path.join(folder, "ct2"), device="cpu",
                                        compute_type=number_type, intra_threads=threads,
                                        inter_threads=1)
    with open(os.path.join(folder, "bart", "vocab.json")) as file:
        words = {i: word for word, i in json.load(file).items()}
    result = {}
    for batch, beams in SHAPES:
        sources = [[words[random.randrange(300, 50000)] for _ in range(SOURCE_TOKENS)]
                   for _ in range(batch)]

        def translate():
            translator.translate_batch(sources, beam_size=beams, min_decoding_length=NEW_TOKENS,
                                       max_decoding_length=NEW_TOKENS, max_batch_size=0)

        result[f"{batch}x{beams}"] = batch * NEW_TOKENS / best_seconds(translate)
    return result


def measure_training(folder, precision, threads):
    """transformers' training step: examples a second; autocast, clipping and LibTorch's fused AdamW."""
    import torch
    from transformers import BartForConditionalGeneration

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    model = BartForConditionalGeneration.from_pretrained(os.path.join(folder, "bart")).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    ids = torch.randint(300, 50000, (TRAINING_BATCH, SOURCE_TOKENS))
    labels = torch.randint(300, 50000, (TRAINING_BATCH, TRAINING_TARGET_TOKENS))

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16"):
            loss = model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return TRAINING_BATCH / best_seconds(step, 5)


def run_peer(arguments):
    """In a process of its own: measures one peer and prints its figures."""
    library, number_type = arguments.measure.split()
    if arguments.export:
        export(arguments.folder, arguments.measure)
        print("{}")
        return
    if number_type in ("fp32", "bf16"):
        print(measure_training(arguments.folder, number_type, arguments.threads))
        return
    if library == "ctranslate2":
        shapes = measure_ctranslate2(arguments.folder, number_type, arguments.threads)
    else:
        load = {"transformers": transformers_model, "openvino": openvino_model,
                "onnxruntime": onnxruntime_model}[library]
        model = load(arguments.folder, number_type, arguments.threads)
        shapes = measure_generate(model, arguments.threads)
    print(json.dumps({"shapes": shapes, "peak_memory": peak_memory()}))


def run_training(arguments, engine):
    """One engine's training step, examples a second, the best of five."""
    library, precision = engine.split()
    if library == "trivium":
        command = [arguments.trivium, "bench", "training", "--precision", precision, "--threads",
                   str(arguments.threads), "--batch", str(TRAINING_BATCH), "--source-tokens",
                   str(SOURCE_TOKENS), "--target-tokens", str(TRAINING_TARGET_TOKENS),
                   "--rounds", "5"]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL).stdout
        return TRAINING_BATCH / json.loads(output)["seconds"]["min"]
    return measure_in_process(arguments, engine)


def measure_in_process(arguments, engine, *options):
    python = os.path.join(arguments.folder, ENVIRONMENTS[engine.split()[0]], "bin", "python")
    command = [python, os.path.abspath(__file__), "--folder", arguments.folder,
               "--threads", str(arguments.threads), "--measure", engine, *options]
    environment = dict(os.environ, OMP_NUM_THREADS=str(arguments.threads), HF_HUB_OFFLINE="1")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                          text=True)
    if done.returncode != 0:
        say(done.stderr)
        raise NotMeasured(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else
                          f"ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def run(arguments, engine):
    """One engine's figures, from a process of its own."""
    library, number_type = engine.split()
    if library == "trivium":
        command = [arguments.trivium, "bench", "generation", "--checkpoint",
                   os.path.join(arguments.folder, "trivium"), "--compute", number_type, "--threads",
                   str(arguments.threads), "--shapes", ",".join(f"{b}x{n}" for b, n in SHAPES)]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL).stdout
        found = json.loads(output)
        shapes = {f"{row['batch']}x{row['beams']}": row["tokens_per_second"]
                  for row in found["shapes"]}
        return {"shapes": shapes, "peak_memory": found["peak_memory"],
                "share_of_limit": found["share_of_limit"],
                "step_limit": found["step_limit"], "read_bandwidth": found["read_bandwidth"],
                "instructions": found["instructions"], "product_peak": found["product_peak"]}
    return measure_in_process(arguments, engine)


def processor():
    """The processor's name, with which of the instruction sets that matter here it has; and all its flags."""
    with open("/proc/cpuinfo") as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    flags = set((fields.get("flags") or fields.get("Features") or "").split())
    known = ["avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16",
             "asimddp", "i8mm", "bf16"]
    name = fields.get("model name", "unknown processor")
    if "cpu family" in fields:
        name += f", family {fields['cpu family']}, model {fields['model']}"
    return f"{name}: {', '.join(flag for flag in known if flag in flags) or 'none of the usual sets'}", flags


def merge(old, new):
    """The best of two rounds; memory: the most."""
    if old is None:
        return new
    merged = dict(new)
    merged["shapes"] = {shape: max(old["shapes"][shape], value)
                        for shape, value in new["shapes"].items()}
    merged["peak_memory"] = max(old["peak_memory"], new["peak_memory"])
    if "share_of_limit" in new:
        merged["share_of_limit"] = max(old["share_of_limit"], new["share_of_limit"])
    return merged


def say(text):
    print(text, file=sys.stderr, flush=True)


def report(results, missing):
    names = [f"{batch}x{beams}" for batch, beams in SHAPES]
    say(f"\ntokens/s, source {SOURCE_TOKENS}, {NEW_TOKENS} new tokens, batch x beams; peak memory")
    say(f"{'':24}" + "".join(f"{name:>10}" for name in names) + f"{'MB':>10}")
    for engine in OURS + PEERS:
        if engine not in results:
            say(f"{engine:24}not measured: {missing[engine]}")
            continue
        row = results[engine]
        say(f"{engine:24}" + "".join(f"{row['shapes'][name]:10.1f}" for name in names) +
            f"{row['peak_memory'] / 1e6:10.0f}")
    ratios = []
    say("\nratio to the fastest of those named")
    for ours, rivals, label in COMPARISONS:
        rivals = [rival for rival in rivals if rival in results]
        row = {name: results[ours]["shapes"][name] / max(results[r]["shapes"][name] for r in rivals)
               for name in names}
        ratios.append({"engine": ours, "rivals": rivals, "ratios": row})
        say(f"{ours:24}" + "".join(f"{row[name]:10.2f}" for name in names) + f"  to {label}")
    for ours in OURS:
        say(f"{ours}: one row decodes at {100 * results[ours]['share_of_limit']:.0f} % of what "
            f"{results[ours]['read_bandwidth'] / 1e9:.1f} GB/s allow")
    return ratios


def report_training(results):
    say(f"\ntraining step, {TRAINING_BATCH} x ({SOURCE_TOKENS} -> {TRAINING_TARGET_TOKENS}) tokens, "
        "examples/s")
    for engine in TRAINING:
        say(f"{engine:24}{results[engine]:10.2f}" if engine in results else
            f"{engine:24}not measured: LibTorch has no products of bfloat16 for this processor")
    ratios = {precision: results[f"trivium {precision}"] / results[f"transformers {precision}"]
              for precision in ("fp32", "bf16") if f"trivium {precision}" in results}
    say("trivium to transformers: " +
        ", ".join(f"{precision} {ratio:.2f}" for precision, ratio in ratios.items()))
    return ratios


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--trivium")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--without", action="append", default=[], metavar="PEER=REASON")
    parser.add_argument("--measure")
    parser.add_argument("--export", action="store_true")
    arguments = parser.parse_args()
    if arguments.measure:
        run_peer(arguments)
        return
    make_model(arguments.folder)
    ours = os.path.join(arguments.folder, "trivium")
    if not os.path.exists(ours):
        subprocess.run([arguments.trivium, "import", "--architecture", "bart", "--from",
                        os.path.join(arguments.folder, "bart"), "--output", ours], check=True,
                       stdout=subprocess.DEVNULL)
    without = dict(peer.split("=", 1) for peer in arguments.without)
    missing = {peer: without[peer.split()[0]] for peer in PEERS if peer.split()[0] in without}
    processor_name, flags = processor()
    say(processor_name)
    for peer in PEERS:
        if peer.split()[0] in EXPORTED and peer not in missing:
            try:
                measure_in_process(arguments, peer, "--export")
            except NotMeasured as reason:
                missing[peer] = f"no export: {reason}"
    results = {}
    for round_number in range(arguments.rounds):
        for engine in [name for pair in itertools.zip_longest(OURS, PEERS) for name in pair]:
            if engine is None or engine in missing:
                continue
            say(f"round {round_number + 1}: {engine}")
            try:
                results[engine] = merge(results.get(engine), run(arguments, engine))
            except NotMeasured as reason:
                missing[engine] = str(reason)
    # LibTorch has products of bfloat16 from AVX-512 and from Arm's bf16 on; elsewhere a step takes minutes.
    trained = [engine for engine in TRAINING if engine.endswith("fp32") or flags & {"avx512f", "bf16"}]
    training = {}
    for round_number in range(arguments.rounds):
        for engine in trained:
            say(f"round {round_number + 1}: training, {engine}")
            training[engine] = max(training.get(engine, 0), run_training(arguments, engine))
    ratios = report(results, missing)
    training_ratios = report_training(training)
    print(json.dumps({"processor": processor_name, "threads": arguments.threads,
                      "rounds": arguments.rounds, "missing": missing, "results": results, "ratios": ratios,
                      "training": training, "training_ratios": training_ratios}, indent=2))


if __name__ == "__main__":
    main()
