#!/usr/bin/env bash
# launch/hosts and launch/restart --hosts over hosts that are network namespaces of this machine, each with a link of limited rate;
# with ssh where its server is installed.   hosts_test.sh EXECUTABLE SOURCE
#
# Returns 77 with one line of explanation where there are no namespaces.
set -uo pipefail
if [[ -z ${ECHELON_HOSTS:-} ]]; then
  self=$(readlink -f "${BASH_SOURCE[0]}")
  exec "$(readlink -f "$2")/bench/namespaces.sh" 3 100mbit --command "$self" "$(readlink -f "$1")" "$(readlink -f "$2")"
fi
# shellcheck source=tests/launch/support.sh
source "$(dirname "${BASH_SOURCE[0]}")/support.sh" "$1" "$2"
servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$scratch"' EXIT
write_problem problem.ini
sed -i 's/ slots=1/ slots=2/;2s/ slots.*//' "$ECHELON_HOSTS" # two ranks on the first and the last, one between
over=(--agent "$ECHELON_AGENT" --interface eth0)

launch() { # launch CODE PATTERN SCRIPT ARGUMENT...
  local expected=$1 pattern=$2 script=$3 code=0
  shift 3
  cases=$((cases + 1))
  timeout 100 "$source/launch/$script" "$@" >out 2>err </dev/null || code=$?
  [[ $code -eq $expected ]] || { wrong "exit code $code, not $expected: $script $*"; tail -n 3 out err >&2; }
  grep -Eq -- "$pattern" out err || { wrong "no /$pattern/ in the output: $script $*"; tail -n 3 out err >&2; }
}

sent() { awk -F'[: ]+' '/eth0/ { sub(/^ */, ""); print $10 }' /proc/net/dev; } # bytes that this host has put on the wire

"$source/launch/run" 1 problem.ini --run.output alone >/dev/null 2>&1 || wrong 'the run on one rank failed'
before=$(sent)
launch 0 'on 5 ranks' hosts "${over[@]}" "$ECHELON_HOSTS" problem.ini --run.output five
is 'five ranks on three hosts have the bits of one rank' same_bits alone five
is 'their messages crossed the wire' test "$(($(sent) - before))" -gt 20000
launch 0 'on 3 ranks' hosts "${over[@]}" --ranks 3 --bind none "$ECHELON_HOSTS" problem.ini --run.output three
launch 0 'on 7 ranks' hosts "${over[@]}" --ranks 7 --oversubscribe "$ECHELON_HOSTS" problem.ini --run.output seven
is 'seven ranks have the bits of one' same_bits alone seven
launch 2 '7 ranks are more than the 5 slots' hosts "${over[@]}" --ranks 7 "$ECHELON_HOSTS" problem.ini --run.output new
launch 0 'resuming at iteration 40' hosts "${over[@]}" "$ECHELON_HOSTS" five
launch 2 'nearest is' hosts "${over[@]}" "$ECHELON_HOSTS" problem.ini --run.output new --method.alhpa 1

# A host that does not answer.
{ cat "$ECHELON_HOSTS"; echo 'ech9 slots=1'; } >with-a-dead-host
launch 76 'no answer .* from ech9' hosts "${over[@]}" with-a-dead-host problem.ini --run.output new
launch 0 'on 5 ranks' restart "${over[@]}" --hosts with-a-dead-host problem.ini --run.output without
is 'the ranks that are left have the same bits' same_bits alone without

# A host that falls silent after the first attempt, and one that answers again for the third.
cat >moody <<SH
#!/bin/sh
[ "\$1" != ech2 ] || [ "\$(cat $scratch/attempts)" != 1 ] || exit 255
exec "$ECHELON_AGENT" "\$@"
SH
cat >sometimes <<SH
#!/bin/sh
[ "\$1" != status ] || exec "$echelon" "\$@"
count=\$(cat attempts)
[ "\$count" -lt 2 ] || exec "$echelon" "\$@"
[ "\$OMPI_COMM_WORLD_RANK" = 0 ] || exec sleep 5
echo \$((count + 1)) >attempts
exit 70
SH
chmod +x moody sometimes
echo 0 >attempts
ECHELON_EXECUTABLE=$scratch/sometimes launch 0 'no answer from ech2; this attempt is on 3 ranks' restart --agent "$scratch/moody" --interface eth0 --wait 0 \
  --hosts "$ECHELON_HOSTS" -- problem.ini --run.output back
is 'the host is taken in again' grep -q 'on 5 ranks' out
is 'and the bits are the same' same_bits alone back

# A signal to the script reaches the ranks on all hosts.
"$source/launch/hosts" "${over[@]}" "$ECHELON_HOSTS" problem.ini --run.output long --run.iterations 100000000 --run.checkpoint_every 0 >out 2>err </dev/null &
job=$!
for ((i = 0; i < 300; ++i)); do
  [[ -e long/metrics.csv && $(wc -l <long/metrics.csv) -ge 2 ]] && break
  sleep 0.1
done
kill -TERM "$job"
code=0
wait "$job" || code=$?
is "exit code $code after TERM is 75" test "$code" -eq 75
is 'TERM leaves a checkpoint' compgen -G 'long/checkpoints/*/manifest.txt'

# By ssh itself: a server on each host, with keys of its own. It changes its user, so being root in a namespace alone does not do.
users=$(awk '{ n += $3 } END { print n }' /proc/self/uid_map)
if [[ $users -gt 1 && -x /usr/sbin/sshd ]] && command -v ssh-keygen >/dev/null; then
  ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
  chmod 700 "$scratch"
  cp key.pub authorized
  mkdir -p /run/sshd
  for host in ech1 ech2; do
    "$source/bench/namespaces.sh" --enter "$host" /usr/sbin/sshd -D -e -f /dev/null -h "$scratch/key" -o PidFile=none -o UsePAM=no \
      -o StrictModes=no -o AuthorizedKeysFile="$scratch/authorized" -o PermitRootLogin=yes >"sshd-$host.log" 2>&1 </dev/null &
    servers+=($!)
  done
  sleep 0.5
  secure="ssh -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -F none -i $scratch/key"
  launch 0 'on 5 ranks' hosts --agent "$secure" --interface eth0 "$ECHELON_HOSTS" problem.ini --run.output by-ssh
  is 'by ssh the same bits' same_bits alone by-ssh
else
  echo 'skipped: ssh itself (no sshd here, Debian: openssh-server; or this is not root)'
  [[ ${ECHELON_REQUIRE:-no} == no ]] || wrong 'ssh itself was not tried'
fi
finish
