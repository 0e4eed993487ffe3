"""Writes tests/golden/metrics/golden.json: seeded random and edge cases with their reference scores.

References: scikit-learn (macro F1, MCC), scipy (Pearson, Spearman, bootstrap), rouge-score (rouge_l),
rouge 1.0.0 (rouge_l_crossfit: the package and version that CrossFit used). Accuracy, EM and QA-F1 have no
package; they are written out here from their definition in words.

Needs: pip install scikit-learn scipy rouge-score rouge==1.0.0
Run:   python tools/make_metric_golden.py
"""

import collections
import json
import pathlib
import random
import re
import string
import warnings

import numpy as np
import scipy.stats
import sklearn.metrics
from rouge import Rouge
from rouge_score import rouge_scorer

OUTPUT = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "metrics" / "golden.json"
UNPARSABLE = 3.0  # what an unparsable prediction counts as in a correlation

# Articles, punctuation, case folding that is not one to one, combining marks, rare white space, emoji.
PIECES = (
    "a an the The THE A. an' cat cats sat mat on Mat, dog's dog theatre another U.S. e.g. 3.5 42 -7 "
    "naïve Éa a\u0301 ΣΑΣ ΑΣ İstanbul straße STRASSE \u212aelvin 東京 the。 の😀 — the—cat a_b _ ... .. . "
    "' '' ! ?! x\u00a0y p\u2003q r\u001cs \u0085 ² ½a a½ re-enter re enter <s> \\n"
).split(" ")


def phrase(rng, longest):
    return " ".join(rng.choice(PIECES) for _ in range(rng.randrange(longest + 1)))


def text_items(rng, count, longest):
    items = []
    for _ in range(count):
        golds = [phrase(rng, longest) for _ in range(rng.choice([1, 1, 2, 3]))]
        prediction = phrase(rng, longest)
        if rng.random() < 0.6:  # near a gold: words dropped, doubled, in other case
            words = rng.choice(golds).split(" ")
            words = [w for w in words for _ in range(rng.choice([0, 1, 1, 1, 1, 2]))]
            prediction = " ".join(rng.choice([w, w, w, w.upper(), w + "."]) for w in words)
        items.append([prediction, golds])
    return items


EDGE_TEXTS = [
    ["", [""]], ["", ["the"]], ["the", ["!!"]], ["", []], ["a", []], ["...", ["..."]], ["a b", ["..."]],
    ["!?", ["!?"]], [" ", [" "]], ["a. .b", ["c. . "]], ["The Cat", ["cat"]], ["cat the", ["cat"]],
    ["a a a", ["a"]], ["b b c", ["b c c", "c b b"]], ["İ", ["i̇"]], ["ΑΣ", ["ας"]], ["ß", ["SS"]],
    ["the\u0301 x", ["x"]], ["an\u00a0x", ["x"]], ["it's", ["its"]], ["x-the-y", ["xthey"]],
    ["w1 w2 w3. w3 w1", ["w3 w1 w2. w2 w3"]], ["no.dots.", ["no dots"]], ["B a b A", ["a B A b"]],
]


def normalize(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def best(pair_score):
    def mean_of_best(items):
        return float(np.mean([max((pair_score(p, g) for g in golds), default=0) for p, golds in items]))
    return mean_of_best


def qa_f1_pair(prediction, gold):
    p, g = normalize(prediction), normalize(gold)
    common = sum((collections.Counter(p) & collections.Counter(g)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(p), common / len(g)
    return 2 * precision * recall / (precision + recall)


SCORER = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
CROSSFIT = Rouge(metrics=["rouge-l"], stats=["f"])


def crossfit_rouge_pair(prediction, gold):
    if not prediction.translate(str.maketrans("", "", string.punctuation)):
        return 0.0
    try:
        return CROSSFIT.get_scores(prediction, gold)[0]["rouge-l"]["f"]
    except ValueError:  # no sentence
        return 0.0


def labels(items):
    return [golds[0] for _, golds in items], [prediction for prediction, _ in items]


def macro_f1(items):
    gold, predicted = labels(items)
    return float(sklearn.metrics.f1_score(gold, predicted, average="macro", zero_division=0))


def matthews(items):
    gold, predicted = labels(items)
    if set(gold) <= {"acceptable", "unacceptable"}:
        gold, predicted = ([int(x == "acceptable") for x in xs] for xs in (gold, predicted))
    return float(sklearn.metrics.matthews_corrcoef(gold, predicted))


def numbers(items):
    def parse(text):
        try:
            return float(text)
        except ValueError:
            return UNPARSABLE
    return [parse(p) for p, _ in items], [float(golds[0]) for _, golds in items]


def correlation(function):
    def score(items):
        x, y = numbers(items)
        if len(set(x)) < 2 or len(set(y)) < 2:
            return 0.0
        return float(function(x, y)[0])
    return score


METRICS = {
    "accuracy": best(lambda p, g: float(p.lower() == g.lower())),
    "em": best(lambda p, g: float(normalize(p) == normalize(g))),
    "qa_f1": best(qa_f1_pair),
    "rouge_l": best(lambda p, g: SCORER.score(g, p)["rougeL"].fmeasure),
    "rouge_l_crossfit": best(crossfit_rouge_pair),
    "macro_f1": macro_f1,
    "matthews": matthews,
    "pearson": correlation(scipy.stats.pearsonr),
    "spearman": correlation(scipy.stats.spearmanr),
}
METRICS["pearson_spearman"] = lambda items: (METRICS["pearson"](items) + METRICS["spearman"](items)) / 2


def label_corpora(rng):
    yield [["x", ["x"]]]
    yield [["x", ["y"]]]
    yield [["x", ["x"]]] * 4  # one class
    yield [["x", ["x"]], ["x", ["y"]], ["x", ["y"]]]  # constant prediction
    yield [["X", ["x"]], ["x ", ["x"]], ["x", ["x"]]]  # case and space make classes
    yield [["acceptable", ["acceptable"]], ["", ["unacceptable"]], ["maybe", ["acceptable"]]]
    for _ in range(20):
        names = rng.choice([["acceptable", "unacceptable"], ["yes", "no"], ["A", "b", "c", "déjà", "e f"]])
        unseen = rng.choice([[], ["never a gold"], ["", "zzz", "yy"]])
        gold = [rng.choice(names) for _ in range(rng.choice([2, 7, 40]))]
        yield [[g if rng.random() < 0.5 else rng.choice(names + unseen), [g]] for g in gold]


def number_corpora(rng):
    yield [["1", ["2"]]]
    yield [["1", ["2"]], ["2", ["3"]]]
    yield [["0.1", ["1"]], ["0.1", ["2"]], ["0.1", ["4"]]]  # constant
    yield [["none", ["1"]], ["?", ["2"]], ["3", ["4"]]]  # constant after the unparsable ones
    yield [["1e3", [" 1.5 "]], ["+2", ["-0.5"]], ["4.", ["2"]], ["four", [".25"]]]
    for _ in range(20):
        count, places = rng.choice([3, 10, 60]), rng.choice([0, 1, 6])  # 0 and 1: many ties
        gold = [round(rng.uniform(0, 5), places) for _ in range(count)]
        noise = rng.choice([0.0, 0.5, 5.0])
        yield [["n/a" if rng.random() < 0.1 else str(round(g + rng.gauss(0, noise), places)), [str(g)]]
               for g in gold]


def main():
    warnings.simplefilter("ignore")
    rng = random.Random(20240301)
    corpora = {"text": [[item] for item in EDGE_TEXTS], "label": list(label_corpora(rng)),
               "number": list(number_corpora(rng))}
    corpora["text"] += [text_items(rng, 12, longest) for longest in (1, 2, 4, 8, 16, 40) for _ in range(3)]
    kinds = {"text": ["accuracy", "em", "qa_f1", "rouge_l", "rouge_l_crossfit"],
             "label": ["macro_f1", "matthews", "accuracy"], "number": ["pearson", "spearman", "pearson_spearman"]}
    cases = [{"items": items, "scores": {name: METRICS[name](items) for name in kinds[kind]}}
             for kind, several in corpora.items() for items in several]

    intervals = []
    largest = {kind: max(corpora[kind], key=len) for kind in ("label", "number")}
    for name, items in [("accuracy", largest["label"]), ("macro_f1", largest["label"]),
                        ("pearson", largest["number"])]:
        table = np.arange(len(items))
        result = scipy.stats.bootstrap(
            (table,), lambda index: METRICS[name]([items[i] for i in index]), vectorized=False,
            n_resamples=4000, confidence_level=0.9, method="percentile", rng=np.random.default_rng(1))
        low, high = result.confidence_interval
        intervals.append({"metric": name, "items": items, "low": float(low), "high": float(high)})

    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    document = {"cases": cases, "intervals_90_percent": intervals}
    OUTPUT.write_text(json.dumps(document, ensure_ascii=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
