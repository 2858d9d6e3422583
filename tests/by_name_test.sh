#!/usr/bin/env bash
# Nobody asks a part by its name: no source file compares with the name of a part or looks one up by a literal name, except the file
# that defines the part. Words of a `visitor.choice` of the same module (its .cpp and .hpp) are options of their own, whatever else
# they name; `exceptions` are words that name no part there.
#   by_name_test.sh ECHELON SOURCE
set -euo pipefail
echelon=$1
source=$(cd "$2" && pwd)
exceptions="progress.cpp:none manifest.cpp:none" # a way to show progress; an empty list
names=$("$echelon" list | awk '/^  [a-z0-9]/ { print $1 }' | sort -u)
[[ $(wc -l <<<"$names") -gt 100 ]] || { echo "echelon list shows too few parts" >&2; exit 1; }

# words_of FILE: of all choices that the module of FILE declares.
words_of() {
  local stem
  stem=$(basename "${1%.*}")
  find "$source/src" "$source/include" -name "$stem.[ch]pp" -exec cat {} + | tr '\n' ' ' |
    grep -oE 'choice\([^{]*\{[^}]*\}' | grep -oE '"[a-z0-9-]+"' | tr -d '"' || true
}

failures=0
while IFS=: read -r file line text; do
  while read -r name; do
    grep -qxF -- "$name" <<<"$names" || continue
    grep -qE "\.name = \"$name\"" "$file" && continue
    words_of "$file" | grep -qxF -- "$name" && continue
    [[ " $exceptions " == *" $(basename "$file"):$name "* ]] && continue
    echo "$file:$line: asks for the part \`$name\` by name: ${text#"${text%%[! ]*}"}" >&2
    failures=$((failures + 1))
  done < <(grep -oE '(==|!=|\.at\(|find\(|compare\() *"[a-z0-9-]+"' <<<"$text" | grep -oE '"[a-z0-9-]+"' | tr -d '"')
done < <(grep -rnE '(==|!=|\.at\(|find\(|compare\() *"[a-z0-9-]+"' "$source/src" "$source/include" --include='*.cpp' --include='*.hpp')
[[ $failures -eq 0 ]] || { echo "$failures comparisons with names of parts; declare a trait of the part instead" >&2; exit 1; }
echo "no part is asked by its name"
