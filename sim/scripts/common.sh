# SPDX-License-Identifier: LGPL-2.1-or-later
# What the played hotplug scripts share. The caller has set `command`; the environment is that of a hotplug script.
PATH=/run/aioxen-sim/bin:/usr/sbin:/usr/bin:/sbin:/bin
export AIOXEN_SIM_DIR=/run/aioxen-sim
ctl=$AIOXEN_SIM_DIR/ctl

node() { # NODE: its value, or nothing
    xenstore-read "$XENBUS_PATH/$1" 2>/dev/null || true
}

fatal() { # WORDS: as the real scripts end
    xenstore-write "$XENBUS_PATH/hotplug-error" "$1" "$XENBUS_PATH/hotplug-status" error
    echo "$0: $1" >&2
    exit 1
}

busy() { # WORDS
    xenstore-write "$XENBUS_PATH/hotplug-error" "$1" "$XENBUS_PATH/hotplug-status" busy
    echo "$0: $1" >&2
    exit 1
}

connected() {
    xenstore-write "$XENBUS_PATH/hotplug-status" connected
}
