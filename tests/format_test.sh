#!/usr/bin/env bash
# Every C++ file reads as clang-format would write it.   format_test.sh SOURCE
set -euo pipefail
cd "$1"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  mapfile -t files < <(git ls-files --cached --others --exclude-standard -- '*.hpp' '*.cpp')
else
  mapfile -t files < <(find include src tests examples bench cmake -name '*.hpp' -o -name '*.cpp')
fi
[[ ${#files[@]} -gt 50 ]]
clang-format --dry-run --Werror "${files[@]}"
echo "${#files[@]} files are formatted"
