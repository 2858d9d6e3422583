#!/usr/bin/env bash
# Both README commands in a new Debian 12 made by debootstrap, from a clone of the last commit alone. Needs root and debootstrap.
#
#   bench/fresh_machine.sh [FOLDER]      the new system goes to FOLDER (default: a temporary one, removed afterwards)
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=${1:-$(mktemp -d)/root}

finish() {
  for mounted in dev/shm dev sys proc; do umount -q "$root/$mounted" || true; done
  [[ $# -gt 0 ]] || rm -rf --one-file-system "$(dirname "$root")"
}
trap 'finish ${1:+keep}' EXIT

if [[ ! -x $root/usr/bin/apt-get ]]; then
  debootstrap --variant=minbase bookworm "$root" >"$root.log" 2>&1 || { tail -3 "$root.log" >&2; exit 1; }
fi
cp /etc/resolv.conf /etc/hosts "$root/etc/" # an installer would write these
rm -rf --one-file-system "$root/echelon"
git clone -q "$source" "$root/echelon"
mount --bind /proc "$root/proc"
mount --bind /sys "$root/sys"
mount --bind /dev "$root/dev"
mount -t tmpfs shm "$root/dev/shm"
for command in demo check; do
  begin=$SECONDS
  if env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 chroot "$root" /bin/bash -c "cd /echelon && ./launch/$command" >"$root/$command.log" 2>&1; then
    echo "launch/$command passes after $((SECONDS - begin)) s"
  else
    echo "launch/$command FAILS after $((SECONDS - begin)) s: $root/$command.log"
    tail -25 "$root/$command.log"
    exit 1
  fi
done
