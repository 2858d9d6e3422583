# Sourced by launch/hosts and launch/restart after options.sh and mpi-flags.sh: ranks on several hosts.

agent="ssh -o BatchMode=yes -o ConnectTimeout=10" # a question for a password would wait for ever
interface=
bind=
grace=5
oversubscribe=no

hosts_options=(agent= interface= bind= grace= oversubscribe) # as take_options reads them

check_hosts_options() {
  [[ -z $bind || $bind =~ ^(none|core|socket|numa)$ ]] || refuse "--bind: \`$bind\` is none of none, core, socket, numa"
  [[ $grace =~ ^[1-9][0-9]*$ ]] || refuse "--grace: \`$grace\` is not a positive number of seconds"
}

hosts_folder=
remove_hosts_folder() { if [[ -n $hosts_folder ]]; then rm -rf "$hosts_folder"; fi; }

# read_hosts FILE: fills `names` and `counts` from lines `NAME [slots=N]`.
read_hosts() {
  local line name rest number=0
  [[ -r $1 && ! -d $1 ]] || refuse "$1: there is no such file of hosts" 66
  names=()
  counts=()
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%%#*}
    read -r name rest <<<"$line" || true
    if [[ -z $name ]]; then continue; fi
    rest=${rest%"${rest##*[![:space:]]}"}
    if [[ ! $name =~ ^[A-Za-z0-9_.:-]+$ || ! ${rest:-slots=1} =~ ^slots=[1-9][0-9]*$ ]]; then
      refuse "$1:$number: \`$line\` is not \`NAME\` or \`NAME slots=N\`" 65
    fi
    names+=("$name")
    counts+=("${rest:+${rest#slots=}}")
  done <"$1"
  [[ ${#names[@]} -gt 0 ]] || refuse "$1: names no host" 65
}

is_this_host() { [[ $1 == localhost || $1 == 127.0.0.1 || $1 == "$(hostname)" || $1 == "$(hostname -s)" ]]; }

# prepare_hosts FILE: asks every host whether it is there, and sets `mpirun`, `slots` and `silent` for those that are; 76 if none is.
prepare_hosts() {
  local h probes=() probe names counts
  read_hosts "$1"
  if [[ -z $hosts_folder ]]; then
    hosts_folder=$(mktemp -d)
    trap remove_hosts_folder EXIT
  fi
  rm -f "$hosts_folder"/*
  for h in "${!names[@]}"; do
    # The agent is a command with arguments.
    # shellcheck disable=SC2086
    { is_this_host "${names[h]}" || timeout 15 $agent "${names[h]}" true; } </dev/null >/dev/null 2>&1 && touch "$hosts_folder/answer-$h" &
    probes+=($!)
  done
  for probe in "${probes[@]}"; do wait "$probe" || true; done
  slots=0
  silent=()
  for h in "${!names[@]}"; do
    if [[ ! -e $hosts_folder/answer-$h ]]; then
      silent+=("${names[h]}")
      continue
    fi
    echo "${names[h]} slots=${counts[h]:-1}" >>"$hosts_folder/hosts"
    slots=$((slots + ${counts[h]:-1}))
  done
  if [[ $slots -eq 0 ]]; then
    echo "$self: no host of $1 answers to \`$agent HOST true\`" >&2
    return 76
  fi
  # What ranks get between the first failure among them and the end. The directory of the session is on local disks.
  mpirun=(mpirun --hostfile "$hosts_folder/hosts" --mca plm_rsh_agent "$agent" --mca odls_base_sigkill_timeout "$grace"
    --mca orte_keep_fqdn_hostnames 1 -x HWLOC_HIDE_ERRORS)
  if [[ -n ${OMP_NUM_THREADS:-} ]]; then mpirun+=(-x OMP_NUM_THREADS); fi
  if [[ $oversubscribe == yes ]]; then
    mpirun+=(--oversubscribe --mca mpi_yield_when_idle 1)
    : "${bind:=none}"
  fi
  mpirun+=(--bind-to "${bind:-core}")
  if [[ -n $interface ]]; then
    mpirun+=(--mca btl_tcp_if_include "$interface" --mca oob_tcp_if_include "$interface")
  fi
}
