"""Tests of the Python package trivium, by unittest: ctest runs them on the sources, tools/make_wheel (by
pytest) on an installed wheel. They hold it against the program that TRIVIUM_PROGRAM names, with the
shipped checkpoint."""

import ctypes
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np

import trivium

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = os.environ["TRIVIUM_PROGRAM"]
SHIPPED = ROOT / "checkpoints" / "trivium-small"
PROMPTS = ["a gorgeous, witty film", "dull from start to end, 无聊 🎬", "nul\0byte"]


def run_program(*arguments, lines=()):
    """What the program answers, a JSON value a line."""
    reply = subprocess.run([PROGRAM, *arguments], input="\n".join(map(json.dumps, lines)), text=True,
                           capture_output=True, check=True, env={**os.environ, "TRIVIUM_HOME": str(ROOT)})
    return [json.loads(line) for line in reply.stdout.splitlines()]


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.generator = trivium.Generator.load(SHIPPED, threads=1)

    def assertFails(self, code, words, call, *arguments, **settings):
        with self.assertRaises(trivium.TriviumError) as caught:
            call(*arguments, **settings)
        self.assertEqual(caught.exception.code, code)
        self.assertIn(words, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))


class AnswersTest(PackageTest):
    def check_answers(self, prompts, task, program_settings=(), **settings):
        answers = self.generator.generate(prompts, task, **settings)
        lines = [{"input": prompt, **({"task": task} if task else {})} for prompt in prompts]
        expected = run_program("generate", "--format", "jsonl", "--threads", "1", *program_settings,
                               lines=lines)
        self.assertEqual(len(answers), len(expected))
        for answer, line in zip(answers, expected):
            if line["finish"] == "no_task":
                self.assertFalse(answer.fits)
                continue
            self.assertTrue(answer.fits)
            self.assertEqual(answer.text, line["text"])
            self.assertEqual(answer.task, line["task"])
            self.assertEqual(answer.score, line["score"])
            self.assertEqual(answer.finished, line["finish"] == "eos")
            self.assertEqual(answer.truncated, line["truncated"])
        return answers

    def test_answers_are_the_programs(self):
        self.assertEqual(self.check_answers(PROMPTS, "sst2")[0].text, "positive")
        self.check_answers(["how many apples are left", "is this film good: a gorgeous film"], None)
        self.assertTrue(self.check_answers(["a film " * 600], "sst2")[0].truncated)
        self.assertEqual(self.generator.generate([]), [])

    def test_settings_reach_the_search(self):
        prompts = ["how do i get to the station", "play some jazz"]
        self.check_answers(prompts, "clinc150_intent", ["--num-beams", "1"], num_beams=1)
        cut = self.check_answers(prompts, "clinc150_intent", ["--max-length", "2"], max_length=2)
        self.assertFalse(all(answer.finished for answer in cut))
        self.check_answers(
            prompts, "clinc150_intent",
            ["--sample", "--temperature", "3", "--top-k", "40", "--top-p", "0.9", "--seed", "18446744073709551615"],
            sample=True, temperature=3, top_k=np.int64(40), top_p=0.9, seed=2**64 - 1)

    def test_texts_may_come_from_arrays(self):
        self.assertEqual(self.generator.generate(np.array(PROMPTS[:2]), "sst2"),
                         self.generator.generate(PROMPTS[:2], "sst2"))

    def test_precision_is_that_of_the_weights(self):
        prompts = PROMPTS[:2]
        exact = self.generator.generate(prompts, "sst2")
        for precision in ("bfloat16", "int8"):
            other = trivium.Generator.load(str(SHIPPED), precision=precision, threads=1)
            expected = run_program("generate", "--compute", precision, "--task", "sst2", "--threads", "1",
                                   lines=[{"input": prompt} for prompt in prompts])
            answers = other.generate(prompts, "sst2")
            self.assertEqual([a.score for a in answers], [line["score"] for line in expected])
            self.assertNotEqual([a.score for a in answers], [a.score for a in exact])


class ArraysTest(PackageTest):
    def test_scores_are_the_programs(self):
        for task, prompt, options in (("sst2", PROMPTS[0], ["negative", "positive", "🎬"]),
                                      (None, "is this film good: a dull film", ["yes", "no"])):
            scores = self.generator.score(prompt, options, task)
            line = {"input": prompt, "options": options, **({"task": task} if task else {})}
            expected = run_program("score", "--threads", "1", lines=[line])[0]["log_likelihoods"]
            self.assertEqual(scores.tolist(), expected)
            self.assertEqual((scores.dtype, scores.shape), (np.float64, (len(options),)))

    def test_what_was_given_stays(self):
        first = self.generator.score(PROMPTS[0], ["negative", "positive"], "sst2")
        kept = first.copy()
        self.generator.score(PROMPTS[1], ["x", "y", "z"], "sst2")
        np.testing.assert_array_equal(first, kept)

    def test_routes_are_the_programs(self):
        dump = run_program("routes", "show", "--json")[0]
        self.assertEqual(sorted(self.generator.tasks), sorted(task["task"] for task in dump["tasks"]))
        for task in dump["tasks"]:
            route = self.generator.route(task["task"])
            self.assertEqual(route.task, task["task"])
            pools = [(route.encoder if stack == "encoder" else route.decoder)[int(layer) - 1]
                     for stack, layer in map(str.split, dump["places"])]
            np.testing.assert_allclose(pools, task["used"], atol=1e-4)
            for stack in (route.encoder, route.decoder):
                self.assertEqual(stack.dtype, np.float32)
                np.testing.assert_allclose(np.nansum(stack, axis=1), 1, rtol=1e-6)
        # An ordinary layer has one expert, and its row no other.
        np.testing.assert_array_equal(self.generator.route("sst2").encoder[0], [1, np.nan, np.nan])

    def test_a_prompt_takes_its_tasks_route(self):
        prompt = "is this film good: a gorgeous, witty film"
        route = self.generator.route(prompt=prompt)
        self.assertEqual(route.task, self.generator.generate([prompt])[0].task)
        np.testing.assert_array_equal(route.encoder, self.generator.route(route.task).encoder)

    def test_vectors_tell_like_from_unlike(self):
        vectors = self.generator.embed(["a dull film", "a boring movie", "book a table for two"])
        width = json.loads((SHIPPED / "config.json").read_text())["d_model"]
        self.assertEqual((vectors.dtype, vectors.shape), (np.float32, (3, width)))
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
        like = vectors @ vectors.T
        self.assertGreater(like[0, 1], like[0, 2])
        routed = self.generator.embed(["a dull film"], "sst2")
        self.assertGreater(np.abs(routed[0] - vectors[0]).max(), 1e-3)
        self.assertEqual(self.generator.embed([]).shape, (0, 0))


class ErrorsTest(PackageTest):
    def test_what_a_caller_can_mend(self):
        load, generate = trivium.Generator.load, self.generator.generate
        self.assertFails(66, "/no/such/folder", load, "/no/such/folder")
        self.assertFails(2, "zero byte", load, str(SHIPPED) + "\0")
        self.assertFails(2, "not one of float32, bfloat16, int8", load, SHIPPED, precision="float16")
        self.assertFails(2, "threads is -1", load, SHIPPED, threads=-1)
        self.assertFails(66, "sst3", generate, ["x"], "sst3")
        self.assertFails(66, "sst3", self.generator.route, "sst3")
        self.assertFails(66, "sst3", self.generator.embed, ["x"], "sst3")
        self.assertFails(2, "either a task or a prompt", self.generator.route)
        self.assertFails(2, "no options", self.generator.score, "x", [])
        self.assertFails(2, "sampling goes without beams", generate, ["x"], sample=True, num_beams=2)
        self.assertFails(2, "set sample", generate, ["x"], temperature=0.5)
        self.assertFails(2, "temperature", generate, ["x"], sample=True, temperature=float("nan"))
        self.assertFails(2, "max_length", generate, ["x"], max_length=10**6)
        # Numbers that C would cut.
        self.assertFails(2, "num_beams is 4294967297", generate, ["x"], num_beams=2**32 + 1)
        self.assertFails(2, "seed is -1", generate, ["x"], sample=True, seed=-1)

    def test_what_is_no_text(self):
        self.assertFails(65, r"prompts[1] is not Unicode text: character 3 is '\udc80'",
                         self.generator.generate, ["good", "ab\udc80"])
        self.assertFails(65, "task is not", self.generator.route, "\ud800")
        with self.assertRaisesRegex(TypeError, r"write \[prompts\]"):
            self.generator.generate("a film")
        with self.assertRaisesRegex(TypeError, r"prompts\[1\] is float, not str"):
            self.generator.generate(["a film", float("nan")])
        with self.assertRaises(TypeError):
            self.generator.generate(["a film"], num_beams=1.5)

    def test_a_folders_name_may_have_any_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            link = os.path.join(os.fsencode(folder), b"caf\xe9")
            os.symlink(SHIPPED, link)
            for path in (link, os.fsdecode(link)):
                self.assertEqual(trivium.Generator.load(path).tasks, self.generator.tasks)

    def test_a_damaged_checkpoint(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(shutil.copytree(SHIPPED, Path(folder) / "copy"))
            (copy / "tasks.json").write_text("{")
            self.assertFails(76, "tasks.json", trivium.Generator.load, copy)

    def test_an_error_passes_between_processes(self):
        error = pickle.loads(pickle.dumps(trivium.TriviumError("no such task", 66)))
        self.assertEqual((str(error), error.code), ("no such task", 66))


class ProcessesTest(PackageTest):
    def test_threads_wait_for_each_other(self):
        expected = [self.generator.generate([prompt], "sst2")[0] for prompt in PROMPTS]
        scores = self.generator.score(PROMPTS[0], ["negative", "positive"], "sst2")
        wrong = []

        def ask(index):
            for _ in range(3):
                if self.generator.generate([PROMPTS[index]], "sst2") != [expected[index]]:
                    wrong.append(index)
                if (self.generator.score(PROMPTS[0], ["negative", "positive"], "sst2") != scores).any():
                    wrong.append("scores")

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(PROMPTS))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_forked_process_is_told_to_load_its_own(self):
        child = os.fork()
        if child == 0:
            try:
                self.generator.generate(["x"], "sst2")
                os._exit(0)
            except trivium.TriviumError as error:
                os._exit(error.code if "load one in each process" in str(error) else 1)
            finally:
                os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 2)

    def test_a_generator_gives_its_memory_back(self):
        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        trivium.Generator.load(SHIPPED, threads=1).generate(["x"], "sst2")
        before = resident()
        for _ in range(3):
            trivium.Generator.load(SHIPPED, threads=1).generate(["x"], "sst2")
        self.assertLess(resident() - before, 2 * sum(f.stat().st_size for f in SHIPPED.iterdir()))


class ShippedTest(PackageTest):
    """What "" stands for, in a process of its own outside of the source tree."""

    def load_in(self, folder, **environment):
        package = Path(trivium.__file__).parent
        shutil.copytree(package, Path(folder) / "trivium")
        libraries = package.with_name("trivium.libs")
        if libraries.exists():
            shutil.copytree(libraries, Path(folder) / "trivium.libs")
        kept = {k: v for k, v in os.environ.items() if k not in ("TRIVIUM_HOME", "TRIVIUM_LIBRARY")}
        library = os.environ.get("TRIVIUM_LIBRARY")
        if library:  # the sources' package has none beside it
            shutil.copy(library, Path(folder) / "trivium" / "libtrivium.so")
        script = ("import trivium\n"
                  "try: print(len(trivium.Generator.load().tasks))\n"
                  "except trivium.TriviumError as error: print(error.code, error)")
        return subprocess.run([sys.executable, "-c", script], cwd=folder, text=True, check=True,
                              capture_output=True,
                              env={**kept, "PYTHONPATH": folder, **environment}).stdout

    def test_the_shipped_checkpoint_is_found_by_the_environment(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.load_in(folder, TRIVIUM_HOME=str(ROOT)),
                             f"{len(self.generator.tasks)}\n")

    def test_without_one_the_error_says_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertRegex(self.load_in(folder),
                             r"^66 no checkpoint is named.*name a checkpoint's folder, or set "
                             r"TRIVIUM_HOME to the folder that holds checkpoints/\n$")
        with tempfile.TemporaryDirectory() as folder:
            self.assertRegex(self.load_in(folder, TRIVIUM_HOME=folder),
                             rf"^66 .*{folder}/checkpoints/trivium-small.*\n$")

    def test_without_the_library_the_import_says_what_to_do(self):
        with self.assertRaises(subprocess.CalledProcessError) as caught:
            subprocess.run([sys.executable, "-c", "import trivium"], check=True, capture_output=True,
                           text=True, cwd=Path(trivium.__file__).parents[1],
                           env={**os.environ, "TRIVIUM_LIBRARY": "/no/libtrivium.so"})
        self.assertIn("ImportError: trivium's library cannot be loaded", caught.exception.stderr)


class StructsTest(unittest.TestCase):
    def test_structs_are_as_large_as_those_of_c(self):
        """A C compiler says how large trivium_c.h's structs are, where there is one."""
        compiler = shutil.which("cc")
        if compiler is None:
            self.skipTest("no C compiler")
        from trivium import _library
        structs = {"trivium_text": _library.Text, "trivium_load_settings": _library.LoadSettings,
                   "trivium_answer_settings": _library.AnswerSettings,
                   "trivium_answer": _library.AnswerView, "trivium_layer": _library.Layer,
                   "trivium_route": _library.RouteView}
        source = "#include \"core/api/trivium_c.h\"\n#include <stdio.h>\nint main(void) {\n"
        source += "".join(f'printf("%zu ", sizeof({name}));\n' for name in structs) + "return 0; }\n"
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "sizes.c").write_text(source)
            subprocess.run([compiler, "-std=c99", "-Wall", "-Werror", "-pedantic", "-I", ROOT / "src",
                            "-o", f"{folder}/sizes", f"{folder}/sizes.c"], check=True)
            sizes = subprocess.run([f"{folder}/sizes"], check=True, capture_output=True, text=True)
        self.assertEqual([int(size) for size in sizes.stdout.split()],
                         [ctypes.sizeof(struct) for struct in structs.values()])


if __name__ == "__main__":
    unittest.main()
