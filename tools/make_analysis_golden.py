"""Writes tests/golden/analysis/golden.json: correlations of binary and real numbers with their p, and adjusted
p, all by scipy.

Needs: pip install scipy
Run:   python tools/make_analysis_golden.py
"""

import json
import pathlib
import random

import scipy.stats

OUTPUT = pathlib.Path(__file__).parents[1] / "tests" / "golden" / "analysis" / "golden.json"


def correlation_cases(rng):
    cases = []
    for n in (3, 4, 10, 54, 300):
        for strength in (0.0, 0.5, 3.0, 30.0):
            x = [float(rng.random() < 0.4) for _ in range(n)]
            x[0], x[1] = 0.0, 1.0
            y = [round(strength * a + rng.gauss(0, 1), 4) for a in x]
            r, p = scipy.stats.pearsonr(x, y)
            cases.append({"x": x, "y": y, "r": r, "p": p})
    return cases


def main():
    rng = random.Random(7)
    p = [round(rng.random() ** 4, 6) for _ in range(40)] + [0.02, 0.02, 1.0, 0.0]
    adjusted = [float(v) for v in scipy.stats.false_discovery_control(p, method="bh")]
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    golden = {"correlations": correlation_cases(rng), "p": p, "adjusted_p": adjusted}
    OUTPUT.write_text(json.dumps(golden, indent=0) + "\n")


if __name__ == "__main__":
    main()
