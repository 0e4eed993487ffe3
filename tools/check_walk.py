"""check_walk.py ask ADDRESS TRIVIUM MODEL | compare FOLDER TRIVIUM MODEL | gone ADDRESS: what tools/check_walk
asks other programs for the tasks "tone" (of a head) and "tone_text" (of the decoder)."""

import json
import subprocess
import sys

TEXTS = ["you are a star, thank you", "get out of my way, you fool", "I baked this bread for you",
         "nobody wants to hear that", "see you soon, my dear", "you have no idea what you talk about"]


def check(condition, message):
    if not condition:
        sys.exit(f"check_walk: {message}")


def generated(trivium, model, task):
    lines = [json.dumps({"task": task, "input": text}) for text in TEXTS]
    reply = subprocess.run([trivium, "generate", "--checkpoint", model, "--format", "jsonl", "--num-beams", "1"],
                           input="\n".join(lines), capture_output=True, text=True, check=True)
    return [json.loads(line) for line in reply.stdout.splitlines()]


def ask(address, trivium, model):
    import openai
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    names = [entry.id for entry in client.models.list()]
    tone = next((name for name in names if name.endswith(":tone")), None)
    check(tone, f"tone is not among {names}")
    for text, expected in zip(TEXTS, generated(trivium, model, "tone")):
        reply = client.completions.create(model=tone, prompt=text, extra_body={"num_beams": 1})
        check(reply.choices[0].text == expected["text"], f"{text!r}: {reply.choices[0].text!r}")
        print(f"check_walk: {text} -> {expected['text']}")


def gone(address):
    import openai
    client = openai.OpenAI(base_url=address, api_key="none", max_retries=0)
    import time
    time.sleep(1.1)
    names = [entry.id for entry in client.models.list()]
    check(not any(name.endswith(":tone") for name in names), "tone is still there")


def compare(folder, trivium, model):
    import ctranslate2
    import torch
    import transformers
    import ctranslate2.converters
    answers = generated(trivium, model, "tone_text")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    bart = transformers.BartForConditionalGeneration.from_pretrained(folder).eval()
    ctranslate2.converters.TransformersConverter(folder).convert(folder + "-ct2", force=True)
    translator = ctranslate2.Translator(folder + "-ct2", compute_type="float32")
    for prompt, answer in zip(TEXTS, answers):  # a task of one column takes its text as it is
        source = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            ids = bart.generate(**source, num_beams=1, do_sample=False, max_length=64)[0].tolist()
        tokens = tokenizer.convert_ids_to_tokens(source["input_ids"][0].tolist())
        other = translator.translate_batch([tokens], beam_size=1, max_decoding_length=64)[0].hypotheses[0]
        other_ids = tokenizer.convert_tokens_to_ids(other)
        text = tokenizer.decode(ids, skip_special_tokens=True)
        check(text == answer["text"], f"transformers says {text!r} where trivium says {answer['text']!r}")
        special = set(tokenizer.all_special_ids)
        check([i for i in other_ids if i not in special] == [i for i in ids if i not in special],
              f"CTranslate2 says {other} where transformers says {tokenizer.convert_ids_to_tokens(ids)}")
    print(f"check_walk: {len(answers)} answers of transformers {transformers.__version__} and CTranslate2 "
          f"{ctranslate2.__version__} equal to generate's")


{"ask": ask, "compare": compare, "gone": gone}[sys.argv[1]](*sys.argv[2:])
