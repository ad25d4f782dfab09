# SPDX-License-Identifier: LGPL-2.1-or-later
"""The roles: which operations a viewer, an operator and an administrator may call.

An operation that is in no list here is for administrators only. The creation of a domain and the addition of
a device name files, devices and scripts of the host. So a caller who may do this has the power of root on
the host.
"""

from __future__ import annotations

from aioxen._fleet_operations import OPERATIONS

READS = frozenset(
    [
        "domain_console_tty",
        "disk_list",
        "nic_list",
        "p9_list",
        "vfb_list",
        "vkb_list",
        "vtpm_list",
        "vdispl_list",
        "vsnd_list",
        "pvcallsif_list",
        "channel_list",
        "usbctrl_list",
        "usbdev_list",
        "devices",
        "device_wait_connected",
        "domain_wait_shutdown",
        "domain_wait_gone",
        "domain_get_info",
        "domain_check_uuid",
        "domain_list",
        "unfinished",
        "domain_get_name",
        "domain_find",
        "host_info",
        "host_version",
        "domain_list_vcpus",
        "domain_get_node_affinity",
        "domain_get_sched_params",
        "domain_get_vcpu_sched_params",
        "host_scheduler",
        "sched_get_credit_params",
        "sched_get_credit2_params",
        "host_free_memory",
        "host_memory_needed",
        "host_cpu_topology",
        "host_numa",
        "domain_get_memory_target",
        "domain_statistics",
    ]
)
"""The operations that change nothing and whose results have no secrets."""

QUIET = READS | {"domain_configuration", "store_read", "store_get_permissions", "store_list"}
"""The operations that change nothing. A second call does no harm."""

RUNS = frozenset(
    [
        "domain_unpause",
        "domain_pause",
        "domain_shutdown",
        "domain_reboot",
        "domain_destroy",
        "domain_rename",
        "domain_set_memory",
        "domain_set_max_memory",
        "domain_set_vcpus_online",
        "domain_send_trigger",
        "domain_send_sysrq",
        "domain_suspend_only",
        "domain_resume",
        "disk_remove",
        "disk_destroy",
        "disk_safe_remove",
        "nic_remove",
        "nic_destroy",
        "vtpm_remove",
        "vtpm_destroy",
        "vdispl_remove",
        "vdispl_destroy",
        "vsnd_remove",
        "vsnd_destroy",
        "pvcallsif_remove",
        "pvcallsif_destroy",
        "usbctrl_remove",
        "usbctrl_destroy",
        "usbdev_remove",
        "p9_remove",
        "p9_destroy",
        "vfb_remove",
        "vfb_destroy",
        "vkb_remove",
        "vkb_destroy",
    ]
)
"""The operations that control existing domains."""

ROLES: dict[str, frozenset[str]] = {
    "viewer": READS,
    "operator": READS | RUNS,
    "admin": frozenset(OPERATIONS),
}
"""The operations of each role."""
