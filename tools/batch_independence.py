"""Called by tools/batch_independence, which says what it does."""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORDS = """the a of and to in is was it for on with as at by an be this that from or which you have had not are his her
film river engine market doctor winter question answer paper window city music teacher summer bank storm garden river
light house number story game phone green cheap awful wonderful slow bright never always perhaps twelve 1984 3.5 $20
won lost said asked gave took made went found thinks says does did will would could""".split()
TYPES, BATCHES, THREADS = ("float32", "bfloat16", "int8"), (1, 7, 32), (1, 2)


def prompts(count, tasks):
    draw = random.Random(20)
    for number in range(count):
        text = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 90)))
        yield {"id": number, "task": tasks[number % len(tasks)], "input": text}


def answers(lines, compute, batch, threads, checkpoint):
    """What `trivium generate` writes for these prompts, by their ids."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
        file.flush()
        done = subprocess.run(
            [os.environ["TRIVIUM"], "generate", "--input", file.name, "--compute", compute, "--batch-size", str(batch),
             "--threads", str(threads), "--checkpoint", checkpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)
    if done.returncode != 0:
        sys.exit(f"batch_independence: trivium generate ended with {done.returncode}: {done.stderr.strip()}")
    found = {}
    for line in map(json.loads, done.stdout.splitlines()):
        line.pop("line")
        found[line["id"]] = line
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--prompts", type=int)
    parser.add_argument("--checkpoint", default=str(ROOT / "checkpoints" / "trivium-small"))
    arguments = parser.parse_args()
    with open(pathlib.Path(arguments.checkpoint) / "tasks.json", encoding="utf-8") as file:
        tasks = [task["name"] for task in json.load(file)["tasks"]]
    lines = list(prompts(arguments.prompts or (40 if arguments.quick else 2000), tasks))
    begin, compared, different = time.monotonic(), 0, 0
    for compute in TYPES:
        alone = answers(lines, compute, 1, 1, arguments.checkpoint)
        if len(alone) != len(lines):
            sys.exit(f"batch_independence: {len(alone)} answers to {len(lines)} prompts")
        for batch in BATCHES:
            for threads in THREADS:
                shuffled = random.Random(100 * batch + threads).sample(lines, len(lines))
                for number, answer in answers(shuffled, compute, batch, threads, arguments.checkpoint).items():
                    compared += 1
                    if answer != alone[number]:
                        different += 1
                        print(f"{compute}, batch {batch}, {threads} threads, prompt {number}:\n  {alone[number]}\n  "
                              f"{answer}")
    print(f"batch_independence: {'FAILED' if different else 'passed'}: {len(lines)} prompts of {len(tasks)} tasks, "
          f"{compared} answers in batches, {different} different; {time.monotonic() - begin:.0f} s")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
