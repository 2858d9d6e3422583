# Sourced by launch/hosts and launch/restart after mpi-flags.sh: ranks on several hosts.

agent="ssh -o BatchMode=yes -o ConnectTimeout=10" # a question for a password would wait for ever
interface=
bind=
grace=5
oversubscribe=no

# hosts_option NAME VALUE SCRIPT
hosts_option() {
  case $1 in
    --agent) agent=$2 ;;
    --interface) interface=$2 ;;
    --bind)
      [[ $2 =~ ^(none|core|socket|numa)$ ]] || { echo "$3: --bind: \`$2\` is none of none, core, socket, numa" >&2; exit 2; }
      bind=$2
      ;;
    --grace)
      [[ $2 =~ ^[1-9][0-9]*$ ]] || { echo "$3: --grace: \`$2\` is not a positive number of seconds" >&2; exit 2; }
      grace=$2
      ;;
  esac
}

hosts_folder=
remove_hosts_folder() { if [[ -n $hosts_folder ]]; then rm -rf "$hosts_folder"; fi; }

# read_hosts FILE SCRIPT: fills `names` and `counts` from lines `NAME [slots=N]`.
read_hosts() {
  local line name rest number=0
  if [[ ! -r $1 || -d $1 ]]; then
    echo "$2: $1: there is no such file of hosts" >&2
    exit 66
  fi
  names=()
  counts=()
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%%#*}
    read -r name rest <<<"$line" || true
    if [[ -z $name ]]; then continue; fi
    rest=${rest%"${rest##*[![:space:]]}"}
    if [[ ! $name =~ ^[A-Za-z0-9_.:-]+$ || ! ${rest:-slots=1} =~ ^slots=[1-9][0-9]*$ ]]; then
      echo "$2: $1:$number: \`$line\` is not \`NAME\` or \`NAME slots=N\`" >&2
      exit 65
    fi
    names+=("$name")
    counts+=("${rest:+${rest#slots=}}")
  done <"$1"
  if [[ ${#names[@]} -eq 0 ]]; then
    echo "$2: $1: names no host" >&2
    exit 65
  fi
}

is_this_host() { [[ $1 == localhost || $1 == 127.0.0.1 || $1 == "$(hostname)" || $1 == "$(hostname -s)" ]]; }

# prepare_hosts FILE SCRIPT: asks every host whether it is there, and sets `mpirun`, `slots` and `silent` for those that are; 76 if none is.
prepare_hosts() {
  local h probes=() probe names counts
  read_hosts "$1" "$2"
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
    echo "$2: no host of $1 answers to \`$agent HOST true\`" >&2
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
