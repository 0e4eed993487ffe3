"""Called by tools/kill_test, which says what it does."""

import argparse
import json
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
PROGRAM = os.environ["TRIVIUM_TRAIN"]
SHARES = {"train": 0.4, "pretrain": 0.3, "classifier": 0.3}  # of the kills
IN_SAVE = 0.6  # share of the kills that wait for a save to begin
WAIT = 300  # seconds after which a training hangs

SETTINGS = {
    "train": """[model]
init = "{folder}/model"
num_experts = 2
task_vector_dim = 4
[data]
gym = "{folder}/gym"
prompts = "{folder}/prompts"
max_source_length = 32
max_target_length = 8
eval_examples = 4
[train]
steps = 24
batch_tokens = 256
attention_dropout = 0.1
threads = 1
[second_stage]
steps = 12
[run]
output = "{output}"
log_every = 2
eval_every = 5
save_every = 3
keep = 2
""",
    "pretrain": """[model]
init = "{folder}/model"
[data]
text_files = ["{folder}/text.txt"]
eval_paragraphs = 4
max_length = 24
[train]
steps = 30
batch_tokens = 128
attention_dropout = 0.1
threads = 1
[run]
output = "{output}"
log_every = 2
eval_every = 5
save_every = 3
""",
    "classifier": """[model]
init = "{golden}/tiny_bert"
num_experts = 2
[data]
gym = "{folder}/gym"
tasks = ["letters", "pairs"]
max_length = 16
sampling = "uniform_then_natural"
[train]
steps = 30
batch_tokens = 64
precision = "fp32"
threads = 1
[run]
output = "{output}"
save_every = 2
""",
}


def write_data(folder):
    rng = random.Random(1)
    for task in ("letters", "pairs"):
        inputs = ["text", "other"] if task == "pairs" else ["text"]
        (folder / "gym" / task).mkdir(parents=True)
        description = {"name": task, "family": "f", "metric": "accuracy", "fields": [], "inputs": inputs,
                       "target": "label", "labels": ["no", "yes"]}
        (folder / "gym" / task / "task.json").write_text(json.dumps(description))
        for split in ("train", "dev", "test"):
            lines = []
            for i in range(40):
                words = " ".join(rng.choice("abcdefgh") for _ in range(rng.randint(2, 9)))
                record = {"text": words, "other": words[::-1], "label": "yes" if words[0] < "e" else "no"}
                lines.append(json.dumps(record) + "\n")
            (folder / "gym" / task / f"{split}.jsonl").write_text("".join(lines))
        (folder / "prompts").mkdir(exist_ok=True)
        (folder / "prompts" / f"{task}.toml").write_text(
            'description = "x"\n[example]\ntext = "y"\nother = "z"\n[[template]]\nname = "one"\n'
            'input = "q {{text}}"\n')
    (folder / "gym" / "split.json").write_text('{"seen": ["letters", "pairs"]}')
    sentences = [" ".join(rng.choice(("one", "two", "red", "blue", "is", "here")) for _ in range(6)) + "."
                 for _ in range(120)]
    (folder / "text.txt").write_text("".join(" ".join(sentences[i:i + 3]) + "\n" for i in range(0, 120, 3)))


def arguments(trainer, settings, output):
    command = ["classifier", "train"] if trainer == "classifier" else [trainer]
    return [PROGRAM, *command, str(settings), "--resume", "--set", f"run.output={output}"]


def events(file):
    """A file of events without the first field of each, its wall time."""
    data, at, kept = file.read_bytes(), 0, b""
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        kept += data[at + 12 + 9:at + 12 + length]
        at += 16 + length
    return kept


def files_of(folder):
    files = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = str(path.relative_to(folder))
        if path.name.startswith("events.out.tfevents."):
            name, content = str(path.parent.relative_to(folder) / "events"), events(path)
        else:
            content = path.read_bytes()
        if name in files:
            sys.exit(f"kill_test: error: {folder} has two files of events")
        files[name] = content
    return files


def saves_of(output, pid):
    """The temporary folders of a save that process `pid` has begun."""
    found = []
    for folder in (output.parent, output, output / "first_stage", output / "saved", output / "first_stage" / "saved"):
        try:
            found += [entry.path for entry in os.scandir(folder) if entry.name.endswith(f"tmp-{pid}")]
        except FileNotFoundError:
            pass
    return found


def wait_for_save(process, output, count):
    """Returns once the training has begun its save number `count`, or has ended."""
    there = False
    while process.poll() is None:
        now = bool(saves_of(output, process.pid))
        if now and not there:
            count -= 1
            if count == 0:
                return
        there = now


class Kills:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.kills = self.in_save = self.resumes = self.runs = self.files = 0

    def one(self, command, output, seconds):
        """Starts or resumes a training and kills it; False where it came to its end before."""
        self.resumes += (output / "last").exists() or (output / "first_stage" / "last").exists() or \
            (output / "manifest.json").exists()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        if self.rng.random() < IN_SAVE:
            wait_for_save(process, output, self.rng.randint(1, 4))
            time.sleep(self.rng.uniform(0, 0.01))
        else:
            try:
                process.wait(self.rng.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                pass
        process.send_signal(signal.SIGKILL)
        message = process.communicate(timeout=WAIT)[1].decode()
        if process.returncode == 0:
            return False
        if process.returncode != -signal.SIGKILL:
            sys.exit(f"kill_test: error: {' '.join(command)} ended with {process.returncode}: {message}")
        self.kills += 1
        self.in_save += bool(saves_of(output, process.pid))
        return True


def finish(command):
    result = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=WAIT)
    if result.returncode != 0:
        sys.exit(f"kill_test: error: {' '.join(command)} ended with {result.returncode}: {result.stderr.decode()}")


def test(trainer, folder, kills, count):
    settings = folder / f"{trainer}.toml"
    settings.write_text(SETTINGS[trainer].format(folder=folder, golden=GOLDEN, output=folder / "unused"))
    straight = folder / f"{trainer}_straight"
    begin = time.monotonic()
    finish(arguments(trainer, settings, straight))
    seconds = time.monotonic() - begin
    expected = files_of(straight)
    goal = kills.kills + count
    while kills.kills < goal:
        output = folder / f"{trainer}_{kills.runs}"
        command = arguments(trainer, settings, output)
        alive = True
        while alive and kills.kills < goal:
            alive = kills.one(command, output, seconds)
        if alive:
            finish(command)
            kills.resumes += 1
        kills.runs += 1
        written = files_of(output)
        different = sorted(name for name in expected.keys() | written.keys()
                           if expected.get(name) != written.get(name))
        if different:
            sys.exit(f"kill_test: error: {trainer}, run {kills.runs}: not the bytes of the unbroken training: "
                     f"{', '.join(different)}")
        kills.files += len(expected)
    print(f"kill_test: {trainer}: {count} kills, the same {len(expected)} files", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    count = flags.kills or (12 if flags.quick else 200)
    begin = time.monotonic()
    kills = Kills(flags.seed)
    with tempfile.TemporaryDirectory(prefix="trivium_kill_test_") as name:
        folder = pathlib.Path(name)
        write_data(folder)
        finish([PROGRAM, "import", "--from", str(GOLDEN / "tiny_bart"), "--output", str(folder / "model")])
        for trainer, share in SHARES.items():
            test(trainer, folder, kills, max(1, round(count * share)))
    print(f"kill_test: passed: {kills.kills} kills, {kills.in_save} of them inside a save, {kills.resumes} resumes, "
          f"{kills.runs} trainings to their end; weights, optimisers' states, curves and routes "
          f"({kills.files} files) are the bytes of unbroken trainings; {time.monotonic() - begin:.0f} s")


main()
