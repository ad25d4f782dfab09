# SPDX-License-Identifier: LGPL-2.1-or-later
# Functions that the simulated hotplug scripts share. The caller must have set `command`.
PATH=/run/aioxen-sim/bin:/usr/sbin:/usr/bin:/sbin:/bin
export AIOXEN_SIM_DIR=/run/aioxen-sim
ctl=$AIOXEN_SIM_DIR/ctl

node() { # prints the value of the backend's node $1, or nothing
    xenstore-read "$XENBUS_PATH/$1" 2>/dev/null || true
}

fatal() { # ends the script with the error message $1
    xenstore-write "$XENBUS_PATH/hotplug-error" "$1" "$XENBUS_PATH/hotplug-status" error
    echo "$0: $1" >&2
    exit 1
}

busy() { # ends the script with the error message $1 and the status "busy"
    xenstore-write "$XENBUS_PATH/hotplug-error" "$1" "$XENBUS_PATH/hotplug-status" busy
    echo "$0: $1" >&2
    exit 1
}

connected() {
    xenstore-write "$XENBUS_PATH/hotplug-status" connected
}
