#!/usr/bin/env bash
# The recipe launch/Containerfile: by podman or docker where one works, else by following its instructions in systems made by
# debootstrap, which needs root.   container_test.sh SOURCE
#
# Returns 77 with one line of explanation where neither is possible. Fetches packages; takes as long as two builds.
set -euo pipefail
source=$(readlink -f "$1")
scratch=$(mktemp -d)
stages=()
finish() {
  trap '' INT TERM HUP
  for stage in "${stages[@]}"; do
    for mounted in dev/shm dev sys proc; do umount -q "$scratch/$stage/$mounted" || true; done
  done
  rm -rf --one-file-system "$scratch"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

check_run() { # check_run COMMAND...: the command is launch/run inside; it writes below $work
  "$@" 1 /echelon/examples/quadratic.ini --run.output one >"$scratch/one.log" 2>&1 || { tail -5 "$scratch/one.log"; return 1; }
  "$@" 2 /echelon/examples/quadratic.ini --run.output two >"$scratch/two.log" 2>&1 || { tail -5 "$scratch/two.log"; return 1; }
  grep -q 'on 2 ranks' "$scratch/two.log"
  cmp "$work/one/result.h5" "$work/two/result.h5"
}

if "$source/launch/container" build >"$scratch/build.log" 2>&1; then
  work=$scratch/work
  mkdir "$work"
  cd "$work"
  check_run "$source/launch/container" run
  echo "built and run by a container engine"
  exit
fi
if ! grep -q 'neither podman nor docker' "$scratch/build.log"; then
  tail -5 "$scratch/build.log"
  exit 1
fi
if [[ $EUID -ne 0 ]] || ! command -v debootstrap >/dev/null; then
  echo "skipped: $(sed 's/^launch.container: //' "$scratch/build.log"), and debootstrap is not installed or this is not root"
  exit 77
fi

inside() { # inside STAGE WORDS...: with nothing of the environment but what the recipe sets
  env -i "${environment[@]}" HOME=/root LANG=C.UTF-8 chroot "$scratch/$1" "${@:2}" </dev/null
}

from() { # FROM debian:RELEASE-slim [AS NAME]
  stage=stage-${#stages[@]}
  [[ -z ${3:-} ]] || names[$3]=$stage
  environment=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  local release=${1#debian:}
  if [[ -d $scratch/base ]]; then
    cp -a "$scratch/base" "$scratch/$stage"
  else
    debootstrap --variant=minbase "${release%-slim}" "$scratch/base" >"$scratch/base.log" 2>&1 || { tail -3 "$scratch/base.log"; exit 1; }
    cp -a "$scratch/base" "$scratch/$stage"
  fi
  cp /etc/resolv.conf /etc/hosts "$scratch/$stage/etc/"
  stages+=("$stage")
  mount --bind /proc "$scratch/$stage/proc"
  mount --bind /sys "$scratch/$stage/sys"
  mount --bind /dev "$scratch/$stage/dev"
  mount -t tmpfs shm "$scratch/$stage/dev/shm"
}

copy() { # COPY [--from=STAGE] WHAT... WHERE
  local from=$source to=${*: -1} part
  if [[ $1 == --from=* ]]; then
    from=$scratch/${names[${1#--from=}]}
    shift
  fi
  to=$scratch/$stage$to
  for part in "${@:1:$#-1}"; do
    if [[ -d $from/$part ]]; then
      mkdir -p "$to" && cp -a "$from/$part/." "$to/"
    elif [[ $to == */ ]]; then
      mkdir -p "$to" && cp -a "$from/$part" "$to"
    else
      mkdir -p "$(dirname "$to")" && cp -a "$from/$part" "$to"
    fi
  done
}

declare -A names
stage='' entry='' folder=/
while read -r instruction rest; do
  read -ra words <<<"$rest"
  case $instruction in
    FROM) from "${words[@]}" ;;
    COPY) copy "${words[@]}" ;;
    ENV) environment=("${environment[@]/#${rest%%=*}=*/UNUSED=}" "$rest") ;;
    WORKDIR) folder=$rest && mkdir -p "$scratch/$stage$rest" ;;
    ENTRYPOINT) entry=$(tr -d '[]"' <<<"$rest") ;;
    CMD | '#'* | '') ;;
    RUN)
      echo "$stage: ${rest:0:60} ..."
      inside "$stage" /bin/sh -c "$rest" >"$scratch/run.log" 2>&1 || { echo "$rest FAILS:"; tail -20 "$scratch/run.log"; exit 1; }
      ;;
    *) echo "the recipe has an instruction that this test does not know: $instruction"; exit 1 ;;
  esac
done < <(grep -v '^#' "$source/launch/Containerfile" | sed -e ':a' -e '/\\$/{N;s/\\\n */ /;ba' -e '}')

work=$scratch/$stage$folder
enter() { inside "$stage" /bin/sh -c "cd $folder && exec $entry \"\$@\"" "$entry" "$@"; }
check_run enter
if inside "$stage" /bin/sh -c 'command -v g++ cmake'; then
  echo "the second stage holds a compiler"
  exit 1
fi
echo "the recipe's ${#stages[@]} stages work in new systems, the second with $(inside "$stage" dpkg-query -W -f '.\n' | wc -l) packages and" \
  "$(du -smx "$scratch/$stage" | cut -f1) MB; no container engine was there to build and run the image itself"
