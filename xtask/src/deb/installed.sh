#!/bin/sh
# Installs a package on a copy of this machine, uses it, updates it and removes it: $1 the package, $2 an empty folder.
# The copy lies in memory and goes with this script, which has to run as root in namespaces of its own: mounts, network,
# processes. Ends with 77 where there can be no such copy.
set -eu
deb=$1 at=$2

wrong() {
    printf 'deb: %s\n' "$*" >&2
    exit 1
}

# What is changed goes to `upper`, so that in the end it says what was left behind.
mount -t tmpfs copy "$at" || exit 77
root=$at/root upper=$at/upper
mkdir "$root" "$upper" "$at/work"
mount -t overlay copy -o "lowerdir=/,upperdir=$upper,workdir=$at/work" "$root" || exit 77
mount -t proc proc "$root/proc" || exit 77
for folder in dev run tmp; do
    mount -t tmpfs "$folder" "$root/$folder"
done
for device in null zero full random urandom; do
    : >"$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ip link set lo up
cp "$deb" "$root/tmp/soquete.deb"
# Images of containers leave out manual pages.
rm -f "$root"/etc/dpkg/dpkg.cfg.d/*
# This one would read all manual pages of the machine, each time.
rm -f "$root/var/lib/man-db/auto-update"

# It has no configuration and no environment of who runs this.
copy() {
    chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive "$@"
}

# has TEXT COMMAND...: what it prints has this text.
has() {
    wanted=$1
    shift
    said=$(copy "$@" 2>&1) || wrong "$* failed: $said"
    case "$said" in
    *"$wanted"*) ;;
    *) wrong "$* says no \"$wanted\": $said" ;;
    esac
}

copy dpkg --purge soquete >/dev/null 2>&1 || true
has "Setting up" dpkg --install /tmp/soquete.deb
has "/etc/soquete/soquete.toml" dpkg-query --show --showformat '${Conffiles}' soquete
if copy sh -c 'command -v man' >/dev/null; then
    has "soquete-config-check.1.gz" man --where soquete-config-check
    has "in the background" man soquete-up
else
    echo "== NOT RUN: man shows the pages: apt-get install man-db"
fi
if copy sh -c 'command -v systemd-sysusers' >/dev/null; then
    has "soquete:" getent group soquete
fi

# The configuration that comes with it does what the built-in one does.
has "ok: 2 processes" soquete config check
has "/etc/soquete/soquete.toml" soquete up --detach
has "led_process" soquete status
has "LED on" soquete set LED on
has "on" soquete get LED
has "pressed BUTTON" soquete press BUTTON
copy soquete down >/dev/null

# An update keeps what somebody changed, and installing twice is installing once.
echo '# mine' >>"$root/etc/soquete/soquete.toml"
has "Setting up" dpkg --install /tmp/soquete.deb
has "# mine" tail -n 1 /etc/soquete/soquete.toml

units=0
if copy sh -c 'command -v systemctl' >/dev/null; then
    copy systemctl --quiet enable soquete.target soquete@led_process.service
    units=$(find "$upper/etc/systemd" -name 'soquete*' -type l | wc -l)
    [ "$units" = 2 ] || wrong "systemctl enable made $units links, expected 2"
fi
has "Removing" dpkg --remove soquete
[ ! -e "$root/usr/bin/soquete" ] || wrong "the program stays after its removal"
[ -e "$root/etc/soquete/soquete.toml" ] || wrong "the configuration goes with a removal; only a purge may take it"
left=$(find "$upper/etc/systemd" -name 'soquete*' -type l 2>/dev/null || true)
[ -z "$left" ] || wrong "units stay enabled after the removal: $left"

# What a unit would have left.
mkdir -p "$root/var/lib/private/soquete/led_process"
copy dpkg --purge soquete >/dev/null 2>&1
# (Pages that man keeps are man's.)
left=$(find "$upper" -path "$upper/var/cache/man" -prune -o -name '*soquete*' ! -type c -print)
[ -z "$left" ] || wrong "left behind by a purge: $left"
! copy getent group soquete >/dev/null || wrong "the group stays after a purge"
echo "deb: installed, used, updated, removed and purged on a copy of this machine; $units units enabled and disabled"
