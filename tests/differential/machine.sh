#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# machine.sh NAME DROPIN LIBVIRT KERNEL: runs libvirtd on this simulated machine until the file `stop` exists. The sockets and the log
# are in the directory NAME. DROPIN has the libxenlight to use; an empty DROPIN is Debian's. Machine `near` creates a guest and
# migrates it to machine `far`.
name=$1 dropin=$2 libvirt=$3 kernel=$4
here=$PWD/$name
mkdir "$here"
cat >"$here/conf" <<EOF
unix_sock_dir = "$here"
auth_unix_rw = "none"
auth_unix_ro = "none"
EOF
libraries=$libvirt/usr/lib/x86_64-linux-gnu
private=$libraries:$libvirt/lib/x86_64-linux-gnu
LD_LIBRARY_PATH=$dropin:$private LIBVIRT_DRIVER_DIR=$libraries/libvirt/connection-driver \
    LIBVIRT_LOCK_MANAGER_PLUGIN_DIR=$libraries/libvirt/lock-driver \
    "$libvirt/usr/sbin/libvirtd" -f "$here/conf" >"$here/log" 2>&1 &
daemon=$!
virsh() {
    machine=$1
    shift
    LD_LIBRARY_PATH=$private "$libvirt/usr/bin/virsh" -c "xen+unix:///system?socket=$PWD/$machine/libvirt-sock" "$@"
}
if [ "$name" = near ]; then
    # shellcheck disable=SC2034
    for attempt in $(seq 600); do
        virsh near version && virsh far version && break
        sleep 0.1
    done >/dev/null 2>&1
    cat >guest.xml <<EOF
<domain type='xen'><name>v</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='xenpvh'>xenpvh</type><kernel>$kernel</kernel><cmdline>l</cmdline></os>
<devices><console type='pty'/></devices></domain>
EOF
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    virsh near create guest.xml &&
        virsh near migrate --live v "xen+unix:///system?socket=$PWD/far/libvirt-sock" --migrateuri "tcp://127.0.0.1:$port"
    echo "status $?"
    for machine in near far; do
        echo "$machine: $(virsh "$machine" list --all --name | xargs)"
    done
    touch stop
fi
until [ -e stop ]; do sleep 0.1; done
xl list | awk -v name="$name" '$1 == "v" { print name " runs v: " ($5 ~ /^[-r][-b]----$/) }'
kill $daemon
wait $daemon
