#!/usr/bin/env bash
# Parts that the library does not know: tests/outside is built against an installed tree, as a plug-in and as commands of its own on the
# static and the shared library; then each part does what built-in parts do.
#   outside_test.sh BUILD SOURCE
build=$(readlink -f "$1")
set -- "$build/echelon" "$2"
source "$(dirname "$0")/cli_support.sh"

# --- the documentation shows these files --------------------------------------------------------------------------------
shown=0
for file in "$source"/tests/outside/*.cpp; do
  name=tests/outside/$(basename "$file")
  is "docs/extending.md shows $name as it is" cmp "$file" <(awk -v mark="<!-- file: $name -->" \
    '$0 == mark { wanted = 1; next } wanted && /^```cpp$/ { on = 1; wanted = 0; next } on && /^```$/ { exit } on' "$source/docs/extending.md")
  shown=$((shown + 1))
done
[[ $(grep -c '^```cpp$' "$source/docs/extending.md") -eq $shown ]] || wrong "docs/extending.md has C++ that no file of tests/outside holds"

# --- an installed tree, and the project beside it -----------------------------------------------------------------------
{
  cmake --install "$build" --prefix "$scratch/prefix" &&
    cmake -S "$source/tests/outside" -B project -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="-O1 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
      $(grep -q '^ECHELON_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && echo -fsanitize=address,undefined)" \
      -DCMAKE_PREFIX_PATH="$scratch/prefix" -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON &&
    cmake --build project --parallel 2
} >build.log 2>&1 || { tail -20 build.log; exit 1; }
plugin=$scratch/project/outside_plugin.so

cat >wheel.ini <<END
[run]
preset = double-loop-on-wheel
iterations = 30
[problem]
name = shifted-mean
[estimator]
name = window
window = 4
[steps]
rule = warm-up
warm_up_steps = 10
[network]
agents = 7
[metrics]
every = 10
END
cat >attacked.ini <<END
[run]
iterations = 30
[problem]
name = shifted-mean
[method]
name = double-loop
[network]
agents = 7
[consensus]
strategy = all-reduce
aggregation = norm-clipped
largest_norm = 2
[attack]
kind = constant
constant = 5
END
cat >compressed.ini <<END
[run]
iterations = 30
[problem]
name = shifted-mean
[method]
name = double-loop
alpha = 0.02
beta = 0.1
[network]
agents = 7
[consensus]
strategy = compressed-tracking
compressor = group-max
group = 3
END
cat >clients.ini <<END
[run]
iterations = 30
[problem]
name = shifted-mean
[method]
name = double-loop
[network]
agents = 7
[consensus]
strategy = local-server
local_steps = 3
[participation]
clients = 20
compute_seconds = 1
compute_sigma = 1
policy = first-part
part = 0.6
END

parts=(
  "problems shifted-mean problem.weight" "methods double-loop method.inner_steps" "consensus lazy-gossip consensus.kept"
  "topologies wheel network.spokes_apart" "weights timid network.trust|trust" "compressors group-max consensus.group"
  "estimators window estimator.window" "steps warm-up steps.warm_up_steps" "aggregation norm-clipped consensus.largest_norm"
  "attacks constant attack.constant" "policies first-part participation.part" "presets double-loop-on-wheel method.inner_steps")

same() { is "$1" cmp "$2/result.h5" "$3/result.h5"; }

# --- everything that built-in parts can do, in the three forms ----------------------------------------------------------
all_of() {  # NAME EXECUTABLE MORE...
  local name=$1
  echelon=$2
  shift 2
  for part in "${parts[@]}"; do
    read -r kind called option <<<"$part"
    done_on 0 "^  $called +[a-z]" list "$kind" "$@"
    done_on 0 "$option" describe "$called" "$@"
  done
  done_on 0 'connected' topology wheel --agents 9 --spokes_apart 2 --weights timid --trust 0.7 "$@"
  for ini in wheel attacked compressed clients; do
    done_on 0 'done after 30' run $ini.ini --run.output "$name/$ini-1" "$@"
    done_on 3 'done after 30' run $ini.ini --run.output "$name/$ini-3" "$@"
    same "$ini of $name on 1 and 3 ranks" "$name/$ini-1" "$name/$ini-3"
    done_on 0 'done after 12' run $ini.ini --run.iterations 12 --run.checkpoint_every 5 --run.output "$name/$ini-part" "$@"
    rm "$name/$ini-part/result.h5"
    done_on 3 'resuming at iteration 12' resume "$name/$ini-part" --run.iterations 30
    same "$ini of $name after an interruption" "$name/$ini-1" "$name/$ini-part"
  done
  done_on 0 'per iteration 23 and 0' run --dry-run wheel.ini --run.output "$name/dry" "$@"
  is "a dry run writes nothing" test ! -e "$name/dry"
  done_on 0 '4 of 4 .*done' sweep wheel.ini --vary method.inner_steps=2,4 --vary consensus.kept=0.2,0.6 --output "$name/sweep" "$@"
  is "a sweep varies a foreign option" test "$(find "$name/sweep" -name result.h5 | wc -l)" -eq 4
  refused 2 'method.inner_stepz.*inner_steps' run wheel.ini --method.inner_stepz 3 --run.output new "$@"
  refused 2 'network.spokes_apart is read by .*wheel' run wheel.ini --network.topology ring --network.spokes_apart 2 --run.output new "$@"
  refused 2 'steps.warm_up_steps.*0 is out of range' run wheel.ini --steps.warm_up_steps 0 --run.output new "$@"
  refused 2 'norm-clipped tolerates fewer' run attacked.ini --attack.fraction 0.6 --run.output new "$@"
}
all_of static "$scratch/project/command_static"
all_of shared "$scratch/project/command_shared"
all_of plugin "$scratch/prefix/bin/echelon" --plugin "$plugin"

# --- the testing kit ----------------------------------------------------------------------------------------------------
for ranks in 1 2; do
  is "the testing kit on $ranks ranks" timeout 120 "${mpi[@]}" -n $ranks project/contract_test
done

figures() { cut -d, -f1,3- "$1/metrics.csv"; }  # without the seconds
for ini in wheel attacked compressed clients; do
  is "$ini in a program and as a plug-in" cmp <(figures static/$ini-1) <(figures plugin/$ini-1)
done

# --- plug-ins -----------------------------------------------------------------------------------------------------------
echelon=$scratch/prefix/bin/echelon
digest=$(xxh128sum "$plugin" 2>/dev/null | cut -d' ' -f1)
is "the configuration names the plug-in" grep -q "^plugin = $plugin" plugin/wheel-1/config.ini
is "and its digest" grep -qE "^# plug-in outside_plugin.so ${digest:-[0-9a-f]{32\}}$" plugin/wheel-1/config.ini
is "so does the result" grep -aq "plug-in outside_plugin.so ${digest:-.}" plugin/wheel-1/result.h5
done_on 0 'double-loop' describe double-loop --plugin="$plugin"
done_on 0 'done after 30' run wheel.ini --run.plugin "$plugin" --run.output plugin/by-key
same "by key and by option" plugin/wheel-1 plugin/by-key
ECHELON_RUN_PLUGIN=$plugin done_on 3 'done after 30' run wheel.ini --run.output plugin/by-environment
same "by key and by environment" plugin/wheel-1 plugin/by-environment
cp "$plugin" same.so
done_on 0 'done after 30' run wheel.ini --plugin "$plugin" --plugin same.so --plugin "$plugin" --run.output plugin/twice

# Interrupted by a signal, resumed with another build of the plug-in in the same place.
cp "$plugin" mine.so
"$echelon" run wheel.ini --plugin mine.so --run.iterations 100000000 --run.output plugin/signal >out 2>err &
job=$!
for ((i = 0; i < 200; ++i)); do [[ -s plugin/signal/metrics.csv ]] && break; sleep 0.1; done
kill -USR2 $job
wait $job
code=$?
[[ $code -eq 75 ]] || wrong "exit code $code, not 75, after USR2"
reached=$(sed -n 's/.*interrupted after \([0-9]*\) iterations.*/\1/p' out)
cp -r plugin/signal plugin/again
total=$((${reached:-0} + 10))
done_on 3 "resuming at iteration $reached" resume plugin/signal --run.iterations $total
is "no note about the same plug-in" test "$(grep -c 'another build' out)" -eq 0
echo >>mine.so
done_on 0 'note: checkpoint.*another build.*plug-in mine.so [0-9a-f]{32}.*now.*plug-in mine.so' resume plugin/again --run.iterations $total
is "the same iterates whatever file adds the parts" cmp <(figures plugin/signal) <(figures plugin/again)

mkdir kept
cp -r plugin/wheel-1 kept/run
refused 2 'there are two problem parts with the name `shifted-mean`' run wheel.ini --plugin "$plugin" --plugin mine.so --run.output new
refused 66 'nowhere.so: there is no such plug-in; name' run wheel.ini --plugin nowhere.so --run.output new
refused 66 'nowhere.so: there is no such plug-in' resume kept/run --run.plugin nowhere.so
refused 2 'wheel.ini: is no plug-in of Echelon' run wheel.ini --plugin wheel.ini --run.output new
refused 2 'kept: is not a file' run wheel.ini --plugin kept --run.output new
refused 2 'libechelon.*is no plug-in|libechelon.*has no function echelon_register' run wheel.ini --plugin "$(find prefix -name 'libechelon.so')" --run.output new
refused 2 'there is no `double-loop`|no preset called `double-loop-on-wheel`' run wheel.ini --run.output new
sed 's/echelon_plugin_abi=Echelon 0/echelon_plugin_abi=Echelon 7/' "$plugin" >other.so
refused 2 'other.so: was built for Echelon 7.*this program is Echelon 0.*echelon_add_plugin' run wheel.ini --plugin other.so --run.output new
abi=$(grep -ao 'echelon_plugin_abi=[ -~]*' "$plugin" | head -1)
echo "const char abi[] = \"$abi\";" | gcc -shared -fPIC -xc - -o silent.so
refused 2 'silent.so: has no function echelon_register' run wheel.ini --plugin silent.so --run.output new
echo "extern int missing(void); const char abi[] = \"$abi\"; int (*f)(void) = missing;" | gcc -shared -fPIC -xc - -o unlinked.so
refused 2 'unlinked.so: cannot be loaded .*undefined symbol: missing' run wheel.ini --plugin unlinked.so --run.output new
refused_on=0
for command in "list" "describe ring" "topology ring" "sweep wheel.ini --seeds 2" "inspect kept/run"; do
  # shellcheck disable=SC2086
  refused 66 'nowhere.so: there is no such plug-in' $command --plugin nowhere.so
done
refused 2 '--plugin has no value' list --plugin

# Ranks that see other files.
mkdir a b c
cp "$plugin" a/p.so
cp mine.so b/p.so
apart() {  # FOLDER CODE PATTERN: rank 1 works in another folder
  cases=$((cases + 1))
  timeout 20 "${mpi[@]}" -n 1 --wdir "$scratch/a" "$echelon" run "$scratch/wheel.ini" --plugin p.so --run.output "$scratch/new" : \
    -n 1 --wdir "$scratch/$1" "$echelon" run "$scratch/wheel.ini" --plugin p.so --run.output "$scratch/new" >out 2>err </dev/null
  code=$?
  [[ $code -eq $2 && $(grep -c '^echelon: ' err) -eq 1 && ! -e new ]] && grep -Eq "$3" err || wrong "code $code of ranks with other plug-ins, not $2"
}
apart b 2 'run.plugin: files of the same name differ between ranks.*plug-in p.so'
apart c 66 'p.so: there is no such plug-in'

finish
