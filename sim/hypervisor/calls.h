/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A number for each call that can be counted, traced, made to fail or delayed. The calls are the hypercalls
 * with their subcommands, and the entry points of the libraries. The names of the subcommands come from Xen's
 * headers (call-names.awk). Constant data: no lock.
 */
#ifndef AIOXEN_SIM_CALLS_H
#define AIOXEN_SIM_CALLS_H

#include <stdint.h>

#define LIBRARY_CALLS(CALL)                                                                                  \
    CALL(XENCALL_OPEN, "xencall_open")                                                                       \
    CALL(XENCALL_ALLOC, "xencall.alloc_buffer")                                                              \
    CALL(EVTCHN_OPEN, "evtchn.open")                                                                         \
    CALL(EVTCHN_BIND_UNBOUND, "evtchn.bind_unbound_port")                                                    \
    CALL(EVTCHN_BIND_INTERDOMAIN, "evtchn.bind_interdomain")                                                 \
    CALL(EVTCHN_BIND_VIRQ, "evtchn.bind_virq")                                                               \
    CALL(EVTCHN_NOTIFY, "evtchn.notify")                                                                     \
    CALL(EVTCHN_UNMASK, "evtchn.unmask")                                                                     \
    CALL(EVTCHN_UNBIND, "evtchn.unbind")                                                                     \
    CALL(FOREIGN_OPEN, "foreign.open")                                                                       \
    CALL(FOREIGN_MAP, "foreign.map")                                                                         \
    CALL(FOREIGN_MAP_RESOURCE, "foreign.map_resource")                                                       \
    CALL(GNTTAB_OPEN, "gnttab.open")                                                                         \
    CALL(GNTTAB_MAP, "gnttab.map")                                                                           \
    CALL(DEVICEMODEL_OPEN, "devicemodel.open")                                                               \
    CALL(XENSTORE_OPEN, "xenstore.open")                                                                     \
    CALL(HOST_LOOP_GET_FREE, "host.loop_get_free")                                                           \
    CALL(HOST_LOOP_OPEN, "host.loop_open")                                                                   \
    CALL(HOST_LOOP_CONFIGURE, "host.loop_configure")                                                         \
    CALL(HOST_LOOP_CLEAR, "host.loop_clear")                                                                 \
    CALL(HOST_LOOP_SET_STATUS, "host.loop_set_status")                                                       \
    CALL(HOST_NETLINK_OPEN, "host.netlink_open")                                                             \
    CALL(HOST_GETLINK, "host.getlink")                                                                       \
    CALL(HOST_NEWLINK, "host.newlink")                                                                       \
    CALL(HOST_PCI_WRITE, "host.pci_write") CALL(HOST_USB_WRITE, "host.usb_write")

enum call {
    /* A hypercall whose subcommands are not listed below has the number CALL_HYPERCALL + __HYPERVISOR_*. */
    CALL_HYPERCALL = 0,
    CALL_DOMCTL = 64,   /* a subcommand has the number CALL_DOMCTL + XEN_DOMCTL_* */
    CALL_SYSCTL = 192,  /* a subcommand has the number CALL_SYSCTL + XEN_SYSCTL_* */
    CALL_MEMORY = 256,  /* a subcommand has the number CALL_MEMORY + XENMEM_* */
    CALL_EVTCHN = 320,  /* a subcommand has the number CALL_EVTCHN + EVTCHNOP_* */
    CALL_SCHED = 352,   /* a subcommand has the number CALL_SCHED + SCHEDOP_* */
    CALL_HVM = 384,     /* a subcommand has the number CALL_HVM + HVMOP_* */
    CALL_VERSION = 448, /* a subcommand has the number CALL_VERSION + XENVER_* */
    CALL_LIBRARY = 480,
#define CALL(id, name) CALL_##id,
    LIBRARY_CALLS(CALL)
#undef CALL
        NR_CALLS
};

const char *call_name(enum call call); /* returns the name of a call; NULL: there is no such call */
/* Returns the number of a call; NR_CALLS: there is no call with this name. */
enum call call_by_name(const char *name);
enum call call_of_hypercall(unsigned int op, uint64_t arg1);

#endif
