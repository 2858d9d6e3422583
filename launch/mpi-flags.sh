# Sourced by the launch scripts: sets `mpirun`, the launcher with the flags that a single machine needs.
mpirun=(mpirun)
if mpirun --version 2>/dev/null | grep -q 'Open MPI'; then
  # More ranks than cores are allowed, and no rank is tied to a core that another program may be using. After TERM or INT
  # mpirun would kill the ranks within a second; a minute is enough to write a checkpoint.
  mpirun+=(--oversubscribe --bind-to none --mca odls_base_sigkill_timeout 60)
  # Open MPI refuses root unless told twice; in containers root is the usual user.
  if [[ $EUID -eq 0 ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
fi

# A bar where a person watches; mpirun hides the terminal from the ranks.
progress=lines
if [[ -t 1 ]]; then progress=bar; fi
