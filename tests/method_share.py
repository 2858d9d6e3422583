#!/usr/bin/env python3
"""Which share of src/method is method: method_share.py FOLDER [PERCENT] [-v]

Every line that is neither blank nor comment is of one class:

  options   structs *Options and what they hold (fields, visit, cost), visit functions outside;
            but functions of the iteration in them, such as penalty(k), are method
  texts     functions that return a MethodEntry or a list of them, and constants for their texts
  plumbing  includes, namespaces, access specifiers, using, constructors up to their body,
            visit_state, x() and y(), references to problem and network, copies of options and
            dimensions, braces that close anything but method; and all of the machinery by which
            methods are built: method.cpp, terms.cpp, catalog.cpp, estimator.cpp
  braces    lines of braces and brackets alone that close blocks of method
  method    the rest: variables, terms, recursion, numerical helpers

Prints lines per file and in total, the share of method, and the share of method with its braces.
With PERCENT, fails if the share with braces in total is below it. -v prints the class of each line.
"""

import pathlib
import re
import sys

MACHINERY = {"method.cpp", "terms.cpp", "catalog.cpp", "estimator.cpp"}
CLASSES = ("options", "texts", "plumbing", "braces", "method")

OPTIONS = re.compile(r"^(struct \w*Options\b.*\{|\s*void (\w+::)?visit\(OptionVisitor)")
TEXTS = re.compile(
    r"^(static )?(MethodEntry|std::vector<MethodEntry>) \w+\(|^(static )?constexpr (const char\*|char) ")
VISIT_STATE = re.compile(r"\bvoid (\w+::)?visit_state\(")
ITERATES = re.compile(r"const AgentView& [xy]\(\) override \{.*\}$")
BRACES = re.compile(r"^[\s{}()\[\];,]*$")
PLUMBING = re.compile(
    r"^\s*(#|namespace\b|using\b|(public|private|protected):|friend\b|class \w+;|struct \w+;)"
    r"|^\}.*namespace"
    r"|^\s*(const )?(BilevelProblem&|Network&|\w*Options|MethodContext&?|Index [pq]_|int m_)\b[^(]*;$")


def code_lines(path):
    text = path.read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    lines = [re.sub(r'("(?:[^"\\]|\\.)*")|//.*', lambda m: m.group(1) or "", line)
             for line in text.split("\n")]
    return [line.rstrip() for line in lines if line.strip()]


def balance(line, opening, closing):
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'.\'', "", line)
    return bare.count(opening) - bare.count(closing)


def end_of_block(lines, first):
    """Index of the line where the braces and parentheses that line `first` opens are closed and a
    body has been seen or a ; ends it."""
    braces = parens = 0
    for at in range(first, len(lines)):
        braces += balance(lines[at], "{", "}")
        parens += balance(lines[at], "(", ")")
        if braces <= 0 and parens <= 0 and lines[at].endswith(("}", ";", "},", "})")):
            return at
    return len(lines) - 1


def end_of_header(lines, first):
    """Index of the line where the body of the constructor at line `first` opens."""
    braces = parens = 0
    for at in range(first, len(lines)):
        braces += balance(lines[at], "{", "}")
        parens += balance(lines[at], "(", ")")
        if parens == 0 and (braces > 0 and lines[at].endswith("{") or
                            braces == 0 and lines[at].endswith(("{}", "}", ";"))):
            return at
    return len(lines) - 1


def kind_of(line):
    if BRACES.match(line):
        return "braces"
    return "plumbing" if PLUMBING.match(line) or ITERATES.search(line) else "method"


def settle_braces(lines, classes):
    """Braces belong to the line that opened the block; classes and constructors are plumbing."""
    opened = []
    for at, line in enumerate(lines):
        bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'.\'', "", line)
        opener = "plumbing"
        for sign in bare:
            if sign in "{([":
                opened.append(None if re.match(r"^(class|struct|namespace)\b", line) else classes[at])
            elif sign in "})]" and opened:
                opener = opened.pop()
        if classes[at] == "braces" and opener not in ("method", "braces"):
            classes[at] = "plumbing"
    return classes


def classify(lines):
    classes = [None] * len(lines)
    types = set(re.findall(r"^\s*(?:class|struct) (\w+)", "\n".join(lines), re.M))
    own = "|".join(sorted(types)) or "$"
    constructor = re.compile(rf"^\s*(explicit )?((?P<type>\w+)::(?P=type)|{own})\((?!.*\) = )")
    at = 0
    while at < len(lines):
        line = lines[at]
        if OPTIONS.match(line):
            last = end_of_block(lines, at)
            inside = at + 1
            classes[at:last + 1] = ["options"] * (last + 1 - at)
            while inside < last:
                is_function = re.match(r"^  \S.*\).*\{", lines[inside]) and "=" not in lines[inside].split("(")[0]
                end = end_of_block(lines, inside) if is_function else inside
                if is_function and not re.search(r"\b(visit|cost)\(", lines[inside]):
                    for k in range(inside, end + 1):
                        classes[k] = kind_of(lines[k])
                inside = end + 1
        elif TEXTS.match(line):
            last = end_of_block(lines, at)
            classes[at:last + 1] = ["texts"] * (last + 1 - at)
        elif VISIT_STATE.search(line):
            last = end_of_block(lines, at)
            classes[at:last + 1] = ["plumbing"] * (last + 1 - at)
        elif constructor.match(line):
            last = end_of_header(lines, at)
            classes[at:last + 1] = ["plumbing"] * (last + 1 - at)
        else:
            last = at
            classes[at] = kind_of(line)
        at = last + 1
    return settle_braces(lines, classes)


def main():
    verbose = "-v" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "-v"]
    folder = pathlib.Path(arguments[0])
    least = float(arguments[1]) if len(arguments) > 1 else 0
    total = dict.fromkeys(CLASSES, 0)
    print(f"{'':28}" + "".join(f"{name:>10}" for name in CLASSES) + f"{'share':>8}{'braced':>8}")

    def row(name, counts):
        lines = sum(counts.values())
        print(f"{name:28}" + "".join(f"{counts[c]:10}" for c in CLASSES) +
              f"{100 * counts['method'] / lines:7.1f}%"
              f"{100 * (counts['method'] + counts['braces']) / lines:7.1f}%")

    for path in sorted(folder.glob("*.[ch]pp")):
        lines = code_lines(path)
        classes = ["plumbing"] * len(lines) if path.name in MACHINERY else classify(lines)
        if verbose:
            for c, line in zip(classes, lines):
                print(f"{c:9}|{line}")
        counts = {c: classes.count(c) for c in CLASSES}
        for c in CLASSES:
            total[c] += counts[c]
        row(path.name, counts)
    row("in total", total)
    share = 100 * (total["method"] + total["braces"]) / sum(total.values())
    if share < least:
        sys.exit(f"{share:.1f} % of {folder} is method; at least {least:g} % is wanted")


if __name__ == "__main__":
    main()
