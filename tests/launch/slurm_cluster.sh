# Sourced by slurm_test.sh: a Slurm of its own in $scratch/slurm, with two nodes on this machine, its own key, ports and folders.

slurm_packages="slurmctld slurmd slurm-client munge"
daemons=()

missing_slurm() {
  local tool
  for tool in slurmctld slurmd sbatch srun scontrol squeue munged; do
    command -v "$tool" >/dev/null || { echo "\`$tool\` is not installed (Debian: $slurm_packages)"; return; }
  done
}

free_port() {
  local port
  while true; do
    port=$((20000 + RANDOM % 12000)) # below the ports that the system hands out
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}

write_slurm_conf() {
  local me host
  me=$(id -un)
  host=$(hostname -s)
  # cred_expire also says how long a job waits before it starts again. TmpFS: PMIx would use one folder for both nodes.
  cat >"$SLURM_CONF" <<CONF
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmUser=$me
SlurmdUser=$me
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
CredType=cred/munge
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
TmpFS=$folder/tmp-%n
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
OverTimeLimit=0
KillWait=10
SchedulerParameters=sched_interval=2,batch_sched_delay=0
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=1
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=$(free_port) CPUs=1
PartitionName=all Nodes=one,two Default=YES MaxTime=INFINITE State=UP
CONF
}

start_slurm() {
  folder=$scratch/slurm
  mkdir -p "$folder"/{state,tmp-one,tmp-two}
  chmod 755 "$scratch" "$folder" # munge refuses what others could replace
  export SLURM_CONF=$folder/slurm.conf
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge.key")
  munged --foreground --force --key-file="$folder/munge.key" --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed" >"$folder/munged.out" 2>&1 </dev/null &
  daemons+=($!)
  for ((i = 0; i < 50; ++i)); do [[ -S $folder/munge.socket ]] && break; sleep 0.1; done
  write_slurm_conf
  slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.out" 2>&1 </dev/null &
  daemons+=($!)
  for node in one two; do
    slurmd -D -N "$node" -f "$SLURM_CONF" >"$folder/slurmd-$node.out" 2>&1 </dev/null &
    daemons+=($!)
  done
  for ((i = 0; i < 30; ++i)); do
    [[ $(timeout 3 sinfo -h -t idle -o %D 2>/dev/null) == 2 ]] && return
    sleep 0.5
  done
  tail -n 3 "$folder"/*.log "$folder"/*.out >&2
  return 1
}

# Jobs first, so that no step outlives its daemon.
stop_slurm() {
  [[ ${#daemons[@]} -gt 0 ]] || return 0
  timeout 10 scancel --state=RUNNING --state=PENDING >/dev/null 2>&1
  for ((i = 0; i < 60; ++i)); do
    [[ -z $(timeout 3 squeue -h 2>/dev/null) ]] && break
    sleep 0.5
  done
  kill "${daemons[@]}" 2>/dev/null
  wait "${daemons[@]}" 2>/dev/null
  daemons=()
}
