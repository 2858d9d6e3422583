#!/usr/bin/env bash
# mpirun across N hosts of this machine: network namespaces on one switch, each with a link of limited rate, one slot per host.
#
#   bench/namespaces.sh N RATE -- [MPIRUN OPTION ...] PROGRAM [ARGUMENT ...]
#   bench/namespaces.sh N RATE --command COMMAND [ARGUMENT ...]     runs COMMAND on ech0 in place of mpirun, with ECHELON_HOSTS, a
#                                        file of the hosts' names, and ECHELON_AGENT, which runs words on a host as ssh would
#
# RATE is what a host can send, and also what it can receive, in tc's words (100mbit). Hosts are named ech0 .. echN-1, have the
# addresses 10.77.0.1 .. N and one interface, eth0. Rank r runs on host r; mpirun runs on ech0. Returns mpirun's code, or 77 with
# one line of explanation where namespaces cannot be made.
#
# Everything lives in private network, mount and process namespaces, which the kernel removes with the last process: nothing is
# left behind even if this script is killed, and several can run at once.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

refuse() { echo "namespaces.sh: $1" >&2; exit 77; }

# ---- on a host: commands below are run by the inner part and by mpirun ----
if [[ ${1:-} == --enter ]]; then # HOST COMMAND...: with the host's network and host name
  exec ip netns exec "$2" unshare --uts sh -c 'hostname "$0" && exec "$@"' "${@:2}"
elif [[ ${1:-} == --agent ]]; then # what mpirun calls in place of ssh: HOST WORDS..., joined for a shell as ssh would
  exec "$0" --enter "$2" sh -c "${*:3}"
fi

usage="usage: bench/namespaces.sh N RATE -- [MPIRUN OPTION ...] PROGRAM [ARGUMENT ...], or N RATE --command COMMAND [ARGUMENT ...]"
[[ $# -ge 4 && $1 =~ ^[1-9][0-9]*$ && $1 -le 250 && $3 =~ ^--(command)?$ ]] || { echo "$usage" >&2; exit 2; }

# ---- outside: checks, then the same script inside private namespaces ----
if [[ -z ${ECHELON_INSIDE_NAMESPACES:-} ]]; then
  for tool in ip tc unshare setpriv mpirun; do
    command -v "$tool" >/dev/null || refuse "\`$tool\` is not installed (Debian: iproute2, util-linux, openmpi-bin)"
  done
  mpirun --version 2>/dev/null | grep -q 'Open MPI' || refuse "mpirun is not Open MPI's, whose ways of starting ranks it uses"
  private=(setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc)
  who="root without CAP_NET_ADMIN and CAP_SYS_ADMIN, as in many containers"
  if [[ $EUID -ne 0 ]]; then
    private+=(--map-root-user)
    who="users other than root"
  fi
  "${private[@]}" true 2>/dev/null || refuse "this system makes no network namespaces for $who; run it as root on a machine of your own"
  self=$(readlink -f "${BASH_SOURCE[0]}")
  ECHELON_INSIDE_NAMESPACES=yes "${private[@]}" "$self" "$@" &
  child=$!
  trap 'kill -KILL "$child"' INT TERM HUP
  code=0
  wait "$child" 2>/dev/null || code=$?
  exit "$code"
fi

# ---- inside: this network namespace is the switch ----
hosts=$1
rate=$2
what=$3
shift 3

mount -t tmpfs -o mode=755 run /run # names of namespaces and files of our own
folder=/run/hosts
mkdir /run/netns "$folder"
{
  echo "127.0.0.1 localhost"
  for ((h = 0; h < hosts; ++h)); do echo "10.77.0.$((h + 1)) ech$h"; done
} >"$folder/hosts"
mount --bind "$folder/hosts" /etc/hosts

limit() { # what waits for longer than the latency is dropped, as at a real switch
  "$@" qdisc add dev "$device" root tbf rate "$rate" burst 16kb latency 50ms 2>"$folder/error" ||
    refuse "tc cannot limit the rate to \`$rate\` ($(head -1 "$folder/error"))"
}
make_network() {
  ip link add switch type bridge
  ip link set switch up
  for ((h = 0; h < hosts; ++h)); do
    ip netns add "ech$h"
    ip link add "port$h" type veth peer name eth0 netns "ech$h"
    ip link set "port$h" master switch up
    ip -n "ech$h" link set lo up
    # Single packets on the wire, so that rate and byte counters include every header.
    ip -n "ech$h" link set eth0 gso_max_segs 1
    ip -n "ech$h" address add "10.77.0.$((h + 1))/24" dev eth0
    ip -n "ech$h" link set eth0 up
  done
}
make_network 2>"$folder/error" || refuse "cannot make the network ($(head -1 "$folder/error"))"
for ((h = 0; h < hosts; ++h)); do
  device=eth0 limit tc -n "ech$h"
  device="port$h" limit tc
done

printf '#!/bin/sh\nexec "%s" --agent "$@"\n' "$0" >"$folder/agent"
chmod +x "$folder/agent"
names=$(seq -s, -f 'ech%.0f' 0 $((hosts - 1)))
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 HWLOC_HIDE_ERRORS=2 RES_OPTIONS="timeout:1 attempts:1"
code=0
if [[ $what == --command ]]; then
  seq -f 'ech%.0f slots=1' 0 $((hosts - 1)) >"$folder/hostfile"
  ECHELON_HOSTS=$folder/hostfile ECHELON_AGENT=$folder/agent OMPI_MCA_orte_tmpdir_base=$folder "$0" --enter ech0 "$@" </dev/null || code=$?
  exit "$code"
fi
# Ranks yield, since these hosts share the cores of one.
"$0" --enter ech0 mpirun --host "$names" -n "$hosts" --bind-to none --mca plm_rsh_agent "$folder/agent" --mca btl tcp,self \
  --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 --mca pml ob1 \
  --mca orte_tmpdir_base "$folder" --mca mpi_yield_when_idle 1 "$@" </dev/null || code=$?
exit "$code"
