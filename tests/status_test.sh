#!/usr/bin/env bash
# What `echelon status` says about every kind of folder, and that run, resume and inspect say the same.   status_test.sh EXECUTABLE SOURCE
# shellcheck source=tests/cli_support.sh
source "$(dirname "${BASH_SOURCE[0]}")/cli_support.sh" "$@"

cat >quadratic.ini <<'END'
[run]
iterations = 40
checkpoint_every = 10
[network]
agents = 5
[problem]
name = quadratic
[method]
name = soba
alpha = 0.05
[metrics]
every = 10
END

# says STATE NEXT PATTERN FOLDER: in plain words, as one field, and as JSON of the documented form; nothing is changed.
says() {
  local state=$1 next=$2 pattern=$3 folder=$4 expected=0 before
  [[ $state != absent ]] || expected=66
  before=$(ls -R "$folder" 2>/dev/null)
  cases=$((cases + 1))
  run_on 0 status "$folder"
  [[ $code -eq $expected ]] || wrong "status of $folder ends with $code, not $expected"
  head -1 out | grep -qxF "$folder: $state" || wrong "$folder is not $state"
  grep -Eq -- "$pattern" out || wrong "no /$pattern/ about $folder"
  [[ $(wc -l <out) -le 8 && ! -s err ]] || wrong "the status of $folder is too long"
  run_on 0 status "$folder" --field next
  [[ $code -eq $expected && $(cat out) == "$next" ]] || wrong "next for $folder is $(cat out), not $next"
  run_on 0 status "$folder" --json
  python3 - "$folder" "$state" "$next" "$echelon" <<'PY' || wrong "the JSON about $folder is not as documented"
import json, sys
status = json.load(open("out"))
assert list(status) == ["format", "folder", "state", "reason", "next", "command", "checkpoint", "iterations", "ranks", "result", "damage"], list(status)
assert status["format"] == "echelon status 1"
assert [status["folder"], status["state"], status["next"]] == sys.argv[1:4], status
assert isinstance(status["reason"], str) and status["reason"]
for number in "checkpoint", "iterations", "ranks":
    assert status[number] is None or isinstance(status[number], int), number
for word in "command", "result":
    assert status[word] is None or isinstance(status[word], str), word
assert all(isinstance(line, str) for line in status["damage"])
assert status["next"] != "resume" or status["command"].startswith(sys.argv[4] + " resume "), status["command"]
PY
  [[ $state == running || $(ls -R "$folder" 2>/dev/null) == "$before" ]] || wrong "status changed $folder"
}
field() { "$echelon" status "$1" --field "$2"; }

# --- no run ---------------------------------------------------------------------------------------------------------
says absent run 'no such folder' nowhere
mkdir empty notes cut
says empty run 'is empty' empty
touch empty/.lock empty/config.ini.tmp
says empty run 'is empty' empty
echo text >notes/todo
says not-a-run run 'none of a run' notes
says not-a-run run 'a file, not a folder' quadratic.ini
refused 66 'nowhere: there is no such run directory' resume nowhere
refused 66 'notes: is not a run directory .*notes/config.ini is missing' resume notes
done_on 0 'done after 40' run quadratic.ini --run.output notes
is 'other files stay' test "$(cat notes/todo)" == text

# --- begun, interrupted, killed -----------------------------------------------------------------------------------------
cp notes/config.ini cut
says started run-again 'before its first checkpoint' cut
is 'a run without a checkpoint starts again elsewhere' test "$(field cut command)" == "$echelon run cut/config.ini --run.output NEW_FOLDER"
refused 66 'cut/checkpoints: there is no checkpoint' resume cut
refused 73 'cut: holds a run already .*before its first checkpoint.*remove this one' run quadratic.ini --run.output cut

# begin SIGNAL FOLDER LAUNCHER...: a run without an end gets the signal once it has a checkpoint.
begin() {
  local signal=$1 folder=$2 job
  shift 2
  "$@" "$echelon" run quadratic.ini --run.output "$folder" --run.iterations 100000000 --run.checkpoint_every 1000 >begun 2>&1 </dev/null &
  job=$!
  for ((i = 0; i < 200; ++i)); do
    compgen -G "$folder/checkpoints/*/manifest.txt" >/dev/null && break
    sleep 0.05
  done
  says running wait 'a process is at work here on .* 100000000 iterations are wanted' "$folder"
  refused_on=0 refused 73 "$folder: holds a run already .*a process is at work" run quadratic.ini --run.output "$folder"
  refused_on=0 refused 73 "$folder: another process runs in this folder" resume "$folder"
  if [[ $# -gt 0 ]]; then pkill -"$signal" -P "$job"; else kill -"$signal" "$job"; fi
  wait "$job" 2>/dev/null
}
begin USR2 'left here'
says interrupted resume 'the run was interrupted after iteration [0-9]+ of 100000000 on 1 rank' 'left here'
is 'the checkpoint is named' test "$(field 'left here' checkpoint)" -gt 0
is 'it is where the run stopped' grep -q "after iteration $(field 'left here' checkpoint) of" <(field 'left here' reason)
cases=$((cases + 1))
eval "$(field 'left here' command) --run.iterations $(($(field 'left here' checkpoint) + 5))" >out 2>err </dev/null || wrong 'the command that is printed does not go on'
says done nothing '^  done after iteration [0-9]+ of [0-9]+ on 1 rank' 'left here'
begin KILL killed
says interrupted resume 'ended without a note .killed, or failed.: the newest checkpoint was saved after iteration [0-9]+000 of 100000000' killed
begin KILL killed2 "${mpi[@]}" -n 2
for ((i = 0; i < 100; ++i)); do [[ $(field killed2 state) == running ]] || break; sleep 0.1; done
says interrupted resume ' on 2 ranks' killed2
is 'the number of ranks is known' test "$(field killed2 ranks)" -eq 2

# --- ended ------------------------------------------------------------------------------------------------------------
run_on 3 run quadratic.ini --run.output kept
says done nothing '^  done after iteration 40 of 40 on 3 ranks' kept
says done nothing '^  result         kept/result.h5' kept
refused 73 'kept: holds a run already .done after iteration 40 of 40.*echelon resume kept' run quadratic.ini --run.output kept
done_on 0 'state: done .done after iteration 40 of 40 on 3 ranks' inspect kept
run_on 0 run quadratic.ini --run.output brief --run.iterations 100000000 --run.seconds 0.2
says done nothing '^  time is up after iteration' brief
is 'a run whose time is up can go on' test "$(field brief command)" == "$echelon resume brief"
run_on 0 run quadratic.ini --run.output diverged --method.alpha 1e6 --run.iterations 2000
is 'exit code of a run that diverges' test "$code" -eq 3
says diverged nothing 'diverged after iteration [0-9]+ of 2000 on 1 rank: .* is not finite' diverged

# A resumed run is no longer done, though its former result is still there.
cp -r kept longer
"$echelon" resume longer --run.iterations 100000000 --run.checkpoint_every 1000 >out 2>err </dev/null &
job=$!
for ((i = 0; i < 200; ++i)); do
  [[ $(field longer checkpoint) -le 40 ]] || break
  sleep 0.05
done
kill -KILL "$job"
wait "$job" 2>/dev/null
says interrupted resume 'ended without a note' longer
is 'the former result is named' test "$(field longer result)" == longer/result.h5

# --- damage -----------------------------------------------------------------------------------------------------------
flip() { printf '\x5a' | dd of="$1" bs=1 seek=$(($(stat -c %s "$1") / 2)) conv=notrunc status=none; }
cp -r kept fallen
rm fallen/result.h5
says interrupted resume 'result.h5 is missing; resuming writes it again' fallen
for shard in fallen/checkpoints/000000000040/shard-0001*; do flip "$shard"; done
says interrupted resume 'note: checkpoint 40 does not verify .shard-0001.*digest differs' fallen
is 'the newest that verifies' test "$(field fallen checkpoint)" -eq 30
is 'a quick look reads manifests alone' test "$("$echelon" status fallen --quick --field checkpoint)" -eq 40
done_on 2 'resuming at iteration 30' resume fallen
is 'the result is that of an undisturbed run' cmp kept/result.h5 fallen/result.h5
cp -r kept broken
rm broken/result.h5
for shard in broken/checkpoints/*/shard-0001*; do flip "$shard"; done
says damaged nothing 'no checkpoint verifies .3 are damaged.' broken
cp -r kept headless
rm headless/result.h5 headless/config.ini
says damaged nothing 'config.ini is missing' headless
refused 66 'headless/config.ini' resume headless
cp -r kept garbled
echo garbage >garbled/checkpoints/000000000040/manifest.txt
says done nothing 'checkpoint 40 does not verify' garbled
# A run of an earlier version has no status.txt.
cp -r notes old
rm old/status.txt
says done nothing 'has ended' old
rm old/result.h5
says interrupted resume 'a checkpoint and no result: the newest checkpoint was saved after iteration 40 on 1 rank' old
echo 'echelon run 1' >old/status.txt # cut
says interrupted resume 'a checkpoint and no result' old

# --- where a run would write ------------------------------------------------------------------------------------------
of() { # of FOLDER CONFIG OPTION...
  cases=$((cases + 1))
  [[ $("$echelon" status --of "${@:2}" --field folder 2>&1) == "$1" ]] || wrong "not $1 for ${*:2}: $("$echelon" status --of "${@:2}" --field folder 2>&1)"
}
of results/quadratic quadratic.ini
sed 's|^iterations.*|&\n output\t= from file # a comment|' quadratic.ini >named.ini
of 'from file' named.ini
ECHELON_RUN_OUTPUT=environment of environment named.ini
ECHELON_RUN_OUTPUT=environment of option named.ini --run.output=option
of last named.ini --run.output first --run.output last --method.alpha 3
done_on 0 'results/quadratic: absent' status --of quadratic.ini
done_on 0 'kept: done' status --of quadratic.ini --run.output kept --quick
refused 66 'absent.ini' status --of absent.ini
refused 2 'takes the place' status kept --of quadratic.ini
refused 2 'belong to --of' status kept --run.output new
refused 2 'nearest is `reason`' status kept --field reasons
refused 2 'one run directory' status
refused 2 'give one of the two' status kept --json --field state
refused 2 'nearest is `--json`' status kept --jsn x
done_on 3 'kept: done' status kept
is 'one rank speaks' test "$(grep -c 'kept: done' out)" -eq 1

# --- looking does not disturb -------------------------------------------------------------------------------------------
cases=$((cases + 1))
(while [[ ! -e stop ]]; do "$echelon" status watched >/dev/null 2>&1; done) &
looker=$!
for ((i = 0; i < 5; ++i)); do
  rm -rf watched
  run_on 0 run quadratic.ini --run.output watched
  [[ $code -eq 0 ]] || wrong "a run that is looked at ends with $code"
done
touch stop
wait "$looker"

finish
