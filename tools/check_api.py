"""check_api.py ADDRESS TRIVIUM: asks a running server as PyPI openai does; what tools/check_api runs."""

import json
import os
import subprocess
import sys

import openai

PROMPTS = [("sst2", "a gorgeous, witty film"), ("sst2", "dull from start to end"),
           ("mrpc", "sentence1: He left. sentence2: He went away."),
           ("auto", "is this film good: a gorgeous, witty film")]


def generated(trivium, prompts):
    lines = [json.dumps({"input": text} if task == "auto" else {"task": task, "input": text})
             for task, text in prompts]
    reply = subprocess.run([trivium, "generate", "--format", "jsonl"], input="\n".join(lines),
                           capture_output=True, text=True, check=True)
    return [json.loads(line).get("text", "") for line in reply.stdout.splitlines()]


def check(condition, message):
    if not condition:
        sys.exit(f"check_api: {message}")


def main(address, trivium):
    client = openai.OpenAI(base_url=address, api_key=os.environ["TRIVIUM_API_KEY"], max_retries=0)
    models = [model.id for model in client.models.list()]
    name = models[0].split(":")[0]
    check(f"{name}:sst2" in models, f"sst2 is not among {models}")
    check(client.models.retrieve(f"{name}:sst2").id == f"{name}:sst2", "the model cannot be retrieved")
    for (task, text), expected in zip(PROMPTS, generated(trivium, PROMPTS)):
        whole = client.completions.create(model=f"{name}:{task}", prompt=text).choices[0].text
        check(whole == expected, f"{task}: {whole!r} is not {expected!r}")
        streamed = "".join(event.choices[0].text for event in
                           client.completions.create(model=f"{name}:{task}", prompt=text, stream=True))
        check(streamed == expected, f"{task}, streamed: {streamed!r} is not {expected!r}")
    reply = client.completions.create(model=f"{name}:sst2", prompt=PROMPTS[0][1], logprobs=2,
                                      extra_body={"num_beams": 1})
    logprobs = reply.choices[0].logprobs
    check(len(logprobs.tokens) == len(logprobs.token_logprobs) > 0, f"log-probabilities: {logprobs}")
    vector = client.embeddings.create(model=name, input="a film").data[0].embedding
    check(abs(sum(value * value for value in vector) - 1) < 1e-5, "the vector's length is not 1")
    for bad, error in (({"model": f"{name}:none"}, openai.NotFoundError),
                       ({"model": name, "max_tokens": 0}, openai.BadRequestError)):
        try:
            client.completions.create(prompt="a", **bad)
            sys.exit(f"check_api: {bad} was answered")
        except error:
            pass
    print(f"check_api: openai {openai.__version__}: {len(models)} models, "
          f"{len(PROMPTS)} prompts whole and streamed equal to generate's")


main(*sys.argv[1:])
