"""Compares what failed in the MCP conformance suite with the failures that are expected.

    conformance.py RESULTS EXPECTED

RESULTS is what the suite's runner writes: {"cases": [{"scenario", "rev", "pass", "why"?}]}.
EXPECTED has one `scenario@rev  # reason` a line. Both must name the same failures: a new one
is a fault, and one that is gone must leave the list. Exit status 0 when they do, else 1.
"""

import json
import sys


def read_expected(path):
    """The reasons by case."""
    expected = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            case, _, reason = (part.strip() for part in line.partition("#"))
            if not case:
                continue
            if "@" not in case or not reason:
                sys.exit(f"{path}:{number}: write `scenario@rev  # reason`")
            if case in expected:
                sys.exit(f"{path}:{number}: `{case}` stands here twice")
            expected[case] = reason
    return expected


def read_results(path):
    """Why each case failed; None for one that passed."""
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    if not cases:
        sys.exit(f"{path}: no case was run")
    return {
        f"{case['scenario']}@{case['rev']}": None if case["pass"] else case.get("why") or "no reason given"
        for case in cases
    }


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    results, expected = read_results(sys.argv[1]), read_expected(sys.argv[2])
    wrong = []
    for case, why in results.items():
        if why is not None and case not in expected:
            wrong.append(f"{case} fails: {' '.join(why.split())[:200]}")
        if why is None and case in expected:
            wrong.append(f"{case} passes; take it off the list of expected failures")
    for case in expected.keys() - results.keys():
        wrong.append(f"{case} is expected to fail, and was not run; take it off the list")
    passed = sum(why is None for why in results.values())
    print(f"{passed} of {len(results)} passed, {len(expected)} failures expected, {len(wrong)} differences")
    for line in sorted(wrong):
        print(f"  {line}")
    sys.exit(1 if wrong else 0)


main()
