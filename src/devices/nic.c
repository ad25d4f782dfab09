/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class nic: a network interface.
 *
 * An emulated card (nictype vif_ioemu) of an HVM domain has two interfaces on the host. The device model makes
 * vifDOMID.DEVID-emu for the card, and the backend makes vifDOMID.DEVID for its PV twin. The guest uses one of the
 * two interfaces. Both are connected in the same way: first the interface of the twin, then the interface of the
 * card.
 *
 * Linux's backend makes the interface vifDOMID.DEVID. It connects the interface only when the node
 * hotplug-status is "connected". The fast path replaces the script vif-bridge. It sends one rtnetlink
 * message, which sets the interface's address, MTU, name and bridge, and activates the interface. Then it
 * writes the nodes that the script would write. Any script other than vif-bridge is run.
 *
 * The kernel removes the interface when the backend closes or when the backend's nodes are removed. It then
 * also removes the interface from the bridge.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"
#include "device_script.h"
#include "host_link.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define DEFAULT_BRIDGE "xenbr0"
#define DEFAULT_SCRIPT LIBXL__SCRIPTS "/vif-bridge"
/* The directory of the administrator's programs. vif-bridge runs these programs at its end. */
#define SCRIPT_HOOKS LIBXL__SCRIPTS "/vif-post.d"

enum { DEFAULT_MTU = 1500, NAME_OF_CARD = sizeof("-emu") - 1 };

typedef struct nic_host {
    const char *script;         /* the path of the configured script */
    char link[IFNAMSIZ];        /* the name that the kernel's backend gives to the interface */
    bool fast;                  /* the fast path can be used for this interface */
    libxl__link_request bridge; /* requests the information about the bridge */
    libxl__link_request name;   /* checks whether the configured name is already used */
    libxl__xs_batch *present;   /* reads the name of the present interface with the same number; NULL: none */
    const libxl__xs_request *present_name;
    /*
     * Waits until the interface exists (phase `host` of an addition), or is gone (phase `gone` of a removal).
     */
    libxl__link_await await;
    libxl__link_request set;
    libxl__xs_batch *batch; /* writes the nodes that the script would write */
    libxl__device_script run;
    bool setting;
    bool emulated; /* the interface of the emulated card is being connected */
} nic_host;

static libxl_device_nic *nic_of(const libxl__device *device)
{
    return device->config;
}

/* ---- check: the configuration of an interface */

/*
 * Chooses a random MAC address. As in libxl, the address is in the half of the range 00:16:3e:* of Xen that anybody
 * may use.
 */
static int choose(libxl__ao *ao, void *config)
{
    libxl_device_nic *nic = config;
    static const libxl_mac none;
    static const uint8_t xen[] = {0x00, 0x16, 0x3e};
    if (memcmp(nic->mac, none, sizeof(none)) != 0)
        return 0;
    memcpy(nic->mac, xen, sizeof(xen));
    if (getrandom(&nic->mac[3], 3, GRND_NONBLOCK) != 3)
        return libxl__ao_fail(ao, ERROR_FAIL, "mac: no random number is available");
    nic->mac[3] &= 0x7f;
    return 0;
}

static int check_name(libxl__ao *ao, const char *member, const char *name)
{
    const bool is_folder = name && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0);
    if (!name || (*name && strlen(name) < IFNAMSIZ && !strpbrk(name, "/ \t\n") && !is_folder))
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL, "%s: '%s' is not the name of an interface", member, name);
}

/* Refuses an emulated card, unless the device model that is being started has it. */
static int check_type(libxl__ao *ao, const libxl__device *device)
{
    libxl_device_nic *nic = nic_of(device);
    if (nic->nictype == LIBXL_NIC_TYPE_UNKNOWN)
        nic->nictype = LIBXL_NIC_TYPE_VIF;
    if (nic->nictype == LIBXL_NIC_TYPE_VIF)
        return 0;
    if (!device->hvm)
        return libxl__ao_fail(ao, ERROR_INVAL, "nictype: only HVM domains have emulated cards");
    return device->creating
               ? 0
               : libxl__ao_fail(ao, ERROR_NI,
                                "nictype: an emulated card cannot be added to a domain that exists");
}

static bool has_card(const libxl__device *device)
{
    return nic_of(device)->nictype == LIBXL_NIC_TYPE_VIF_IOEMU;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    libxl_device_nic *nic = nic_of(device);
    device->devid = nic->devid < 0 ? UINT32_MAX : (uint32_t)nic->devid;
    strcpy(device->backend_kind, "vif");
    if (!nic->bridge && !(nic->bridge = strdup(DEFAULT_BRIDGE)))
        return ERROR_NOMEM;
    if (!nic->script && !(nic->script = strdup("vif-bridge")))
        return ERROR_NOMEM;
    if (nic->mtu < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "mtu: %d is negative", nic->mtu);
    if (nic->rate_bytes_per_interval && !nic->rate_interval_usecs)
        return libxl__ao_fail(ao, ERROR_INVAL,
                              "rate_interval_usecs: missing; rate_bytes_per_interval needs it");
    libxl_defbool_setdefault(&nic->trusted, true);
    if (has_card(device) && nic->ifname && strlen(nic->ifname) + NAME_OF_CARD >= IFNAMSIZ)
        return libxl__ao_fail(ao, ERROR_INVAL, "ifname: longer than %d octets", IFNAMSIZ - 1 - NAME_OF_CARD);
    int rc = *nic->bridge ? check_name(ao, "bridge", nic->bridge) : 0;
    if (!rc)
        rc = check_name(ao, "ifname", nic->ifname);
    if (!rc)
        rc = check_type(ao, device);
    return rc;
}

/* ---- probe: the bridge exists, the interface's name is free, the script can be run */

static int probe_start(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    const libxl_device_nic *nic = nic_of(device);
    if (!libxl__device_is_served_here(device))
        return 0;
    host->script = libxl__device_script_path(ao, nic->script);
    if (!host->script)
        return ERROR_NOMEM;
    host->fast = !strcmp(host->script, DEFAULT_SCRIPT) && *nic->bridge && access(SCRIPT_HOOKS, F_OK);
    if (!host->fast && access(host->script, X_OK))
        return libxl__ao_fail(ao, ERROR_SCRIPT, "script: %s: %m", host->script);
    int rc = host->fast ? libxl__link_look(ao, &host->bridge, nic->bridge) : 0;
    if (!rc && nic->ifname)
        rc = libxl__link_look(ao, &host->name, nic->ifname);
    return rc || (!host->fast && !nic->ifname) ? rc : LIBXL__AO_WAIT;
}

/*
 * Called when an interface already has this device's name. Returns 0 if it is the interface that this device
 * replaces.
 */
static int check_present(libxl__ao *ao, const libxl__device *device)
{
    nic_host *host = device->host;
    const char *name = nic_of(device)->ifname;
    if (device->replaces && !host->present) {
        host->present = libxl__xs_batch_new(ao, device->domid);
        if (!host->present)
            return ERROR_NOMEM;
        host->present_name =
            libxl__xs_read(host->present, LIBXL__BACKEND "/vifname", LIBXL__BACKEND_OF(device));
        const int rc = libxl__xs_run(host->present, LIBXL__XS_ONE_BY_ONE);
        if (rc)
            return rc;
    }
    if (host->present && !libxl__xs_done(host->present))
        return LIBXL__AO_WAIT;
    const int rc = host->present ? libxl__xs_result(host->present) : 0;
    const char *present = host->present && !rc ? libxl__xs_value(host->present_name) : NULL;
    if (rc || (present && !strcmp(present, name)))
        return rc;
    return libxl__ao_fail(ao, ERROR_BUSY, "ifname: %s: an interface has this name", name);
}

static int probe_poll(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    const libxl_device_nic *nic = nic_of(device);
    const int rc = host->fast ? libxl__link_poll(ao, &host->bridge, "bridge") : 0;
    if (rc)
        return rc;
    if (host->fast && !host->bridge.info.bridge)
        return libxl__ao_fail(ao, ERROR_INVAL, "bridge: %s: not a bridge", nic->bridge);
    if (nic->ifname && !host->name.done)
        return LIBXL__AO_WAIT;
    return nic->ifname && !host->name.errnoval ? check_present(ao, device) : 0;
}

/* ---- write: the nodes of an interface */

static uint32_t mtu_of(const libxl_device_nic *nic, const nic_host *host)
{
    return nic->mtu ? (uint32_t)nic->mtu : host->fast ? host->bridge.info.mtu : DEFAULT_MTU;
}

static void optional_key(const libxl__device_nodes *nodes, const char *key, const char *value)
{
    if (value)
        libxl__backend_key(nodes, key, "%s", value);
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl__device *device = nodes->device;
    const libxl_device_nic *nic = nic_of(device);
    const nic_host *host = device->host;
    char mac[18], mtu[16];
    snprintf(mac, sizeof(mac), LIBXL_MAC_FMT, LIBXL_MAC_BYTES(nic->mac));
    snprintf(mtu, sizeof(mtu), "%u", mtu_of(nic, host));
    libxl__backend_key(nodes, "script", "%s%s", *nic->script == '/' ? "" : LIBXL__SCRIPTS "/", nic->script);
    optional_key(nodes, "vifname", nic->ifname);
    libxl__backend_key(nodes, "mac", "%s", mac);
    optional_key(nodes, "ip", nic->ip);
    optional_key(nodes, "gatewaydev", nic->gatewaydev);
    if (nic->rate_interval_usecs)
        libxl__backend_key(nodes, "rate", "%llu,%u", (unsigned long long)nic->rate_bytes_per_interval,
                           nic->rate_interval_usecs);
    if (nic->mtu && nic->mtu != DEFAULT_MTU)
        libxl__backend_key(nodes, "mtu", "%d", nic->mtu);
    libxl__backend_key(nodes, "bridge", "%s", nic->bridge);
    libxl__backend_key(nodes, "handle", "%u", device->devid);
    libxl__backend_key(nodes, "type", "%s", nic->nictype == LIBXL_NIC_TYPE_VIF ? "vif" : "vif_ioemu");
    libxl__backend_key(nodes, "hotplug-status", "%s", "");
    libxl__frontend_key(nodes, "handle", "%u", device->devid);
    libxl__frontend_key(nodes, "mac", "%s", mac);
    libxl__frontend_key(nodes, "trusted", "%d", libxl_defbool_val(nic->trusted));
    libxl__xs_write(nodes->batch, LIBXL__XS_BACKEND, mtu, LIBXL__FRONTEND "/mtu", LIBXL__FRONTEND_OF(device));
}

/* ---- read: the configuration from the nodes */

enum {
    READ_SCRIPT,
    READ_VIFNAME,
    READ_MAC,
    READ_IP,
    READ_GATEWAYDEV,
    READ_RATE,
    READ_MTU,
    READ_BRIDGE,
    READ_TYPE,
};
static const char *const read_keys[] = {"script", "vifname", "mac",    "ip",   "gatewaydev",
                                        "rate",   "mtu",     "bridge", "type", NULL};

/*
 * Reads the configuration of an interface. Skips a value whose form differs from the form that this library
 * writes.
 */
static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_nic *nic = config;
    unsigned long long rate;
    libxl_mac mac;
    (void)device;
    nic->nictype = values[READ_TYPE] && !strcmp(values[READ_TYPE], "vif_ioemu") ? LIBXL_NIC_TYPE_VIF_IOEMU
                                                                                : LIBXL_NIC_TYPE_VIF;
    if (values[READ_MAC] &&
        sscanf(values[READ_MAC], LIBXL_MAC_FMT, &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6)
        memcpy(nic->mac, mac, sizeof(mac));
    if (values[READ_RATE] && sscanf(values[READ_RATE], "%llu,%u", &rate, &nic->rate_interval_usecs) == 2)
        nic->rate_bytes_per_interval = rate;
    if (values[READ_MTU] && sscanf(values[READ_MTU], "%d", &nic->mtu) != 1)
        nic->mtu = 0;
    int rc = libxl__device_keep_text(&nic->bridge, values[READ_BRIDGE]);
    if (!rc)
        rc = libxl__device_keep_text(&nic->script, values[READ_SCRIPT]);
    if (!rc)
        rc = libxl__device_keep_text(&nic->ifname, values[READ_VIFNAME]);
    if (!rc)
        rc = libxl__device_keep_text(&nic->ip, values[READ_IP]);
    return rc ? rc : libxl__device_keep_text(&nic->gatewaydev, values[READ_GATEWAYDEV]);
}

/* ---- online: the fast path, or the script */

static int set_link(libxl__ao *ao, const libxl__device *device)
{
    /*
     * The MAC address of the host's interface: the highest possible one. A bridge uses the lowest address of its
     * interfaces as its own address, so the bridge does not use this address.
     */
    static const uint8_t address[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
    nic_host *host = device->host;
    const libxl_device_nic *nic = nic_of(device);
    const char *name = nic->ifname;
    if (name && host->emulated && !(name = libxl__gc_printf(&ao->gc, "%s-emu", name)))
        return ERROR_NOMEM;
    const libxl__link_change change = {.new_name = name,
                                       .master = host->bridge.info.index,
                                       .mtu = mtu_of(nic, host),
                                       .address = address,
                                       .up = true};
    host->setting = true;
    const int rc = libxl__link_set(ao, &host->set, host->await.index, host->link, &change);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int write_connected(libxl__ao *ao, const libxl__device *device)
{
    nic_host *host = device->host;
    host->batch = libxl__xs_batch_new(ao, device->domid);
    if (!host->batch)
        return ERROR_NOMEM;
    libxl__xs_require(host->batch, ERROR_DOMAIN_DESTROYED, NULL, LIBXL__BACKEND "/state",
                      LIBXL__BACKEND_OF(device));
    libxl__xs_write(host->batch, LIBXL__XS_INHERITS, "connected", LIBXL__BACKEND "/hotplug-status",
                    LIBXL__BACKEND_OF(device));
    const int rc = libxl__xs_run(host->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Starts a script with the variables for the interface vifDOMID.DEVID, or for the interface of the emulated card. */
static int start_script(libxl__ao *ao, const libxl__device *device, const char *script,
                        const char *gatewaydev, const char *action)
{
    unsigned count = 0;
    nic_host *host = device->host;
    const char **variables = host->run.variables;
    variables[count++] = libxl__gc_printf(&ao->gc, "vif=vif%u.%u", device->domid, device->devid);
    if (gatewaydev)
        variables[count++] = libxl__gc_printf(&ao->gc, "netdev=%s", gatewaydev);
    if (device->config && has_card(device))
        variables[count++] =
            libxl__gc_printf(&ao->gc, "INTERFACE=vif%u.%u-emu", device->domid, device->devid);
    for (unsigned i = 0; i < count; i++)
        if (!variables[i])
            return ERROR_NOMEM;
    const int rc = libxl__device_script_start(ao, &host->run, device, script, action,
                                              host->emulated ? "type_if=tap" : "type_if=vif");
    return rc ? rc : LIBXL__AO_WAIT;
}

static int online_start(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    if (!host->fast)
        return start_script(ao, device, host->script, nic_of(device)->gatewaydev,
                            host->emulated ? "add" : "online");
    /* The backend sets its state to 2 before its interface exists. So the interface must be awaited. */
    snprintf(host->link, sizeof(host->link), "vif%u.%u%s", device->domid, device->devid,
             host->emulated ? "-emu" : "");
    const int rc = libxl__link_await_start(ao, &host->await, host->link, true);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Connects the interface of the emulated card. Called when the interface of its PV twin is connected. */
static int start_card(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    host->emulated = true;
    host->setting = false;
    memset(&host->run, 0, sizeof(host->run));
    host->await.index = 0;
    return online_start(ao, device);
}

static int online_poll(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    const bool last = host->emulated || !has_card(device);
    if (!host->fast) {
        const int done = libxl__device_script_poll(ao, &host->run, device);
        return done || last ? done : start_card(ao, device);
    }
    if (host->batch)
        return libxl__xs_done(host->batch) ? libxl__xs_result(host->batch) : LIBXL__AO_WAIT;
    int rc = host->setting ? 0 : libxl__link_await_poll(ao, &host->await);
    if (rc)
        return rc;
    if (!host->setting)
        return set_link(ao, device);
    rc = libxl__link_poll(ao, &host->set, "connecting the interface");
    return rc ? rc : last ? write_connected(ao, device) : start_card(ao, device);
}

/* ---- offline: run a script other than vif-bridge; its failure is a warning, because it cannot stop the removal */

enum { SCRIPT, GATEWAYDEV, VIFNAME };
static const char *const offline_keys[] = {"script", "gatewaydev", "vifname", NULL};

static int unless_failed(libxl__ao *ao, const libxl__device *device, int rc)
{
    if (rc == LIBXL__AO_WAIT)
        return rc;
    if (rc)
        libxl__ao_log(ao, XTL_WARN, -1, "domain %u, nic %u: %s", device->domid, device->devid,
                      ao->message ? ao->message : "the script of the removal failed");
    libxl__ao_forget_failure(ao);
    return 0;
}

static int offline_start(libxl__ao *ao, libxl__device *device)
{
    const char *script = device->values[SCRIPT];
    if (!script || !strcmp(script, DEFAULT_SCRIPT) || access(script, X_OK))
        return 0;
    return unless_failed(ao, device, start_script(ao, device, script, device->values[GATEWAYDEV], "offline"));
}

static int offline_poll(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    return unless_failed(ao, device, libxl__device_script_poll(ao, &host->run, device));
}

/* ---- gone: the kernel has removed the interface */

static int gone_start(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    char name[IFNAMSIZ];
    snprintf(name, sizeof(name), "vif%u.%u", device->domid, device->devid);
    const char *own = device->values[VIFNAME];
    const int rc =
        libxl__link_await_start(ao, &host->await, own && strlen(own) < IFNAMSIZ ? own : name, false);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int gone_poll(libxl__ao *ao, libxl__device *device)
{
    nic_host *host = device->host;
    return libxl__link_await_poll(ao, &host->await);
}

/* ---- the row of the table of classes */

LIBXL__DEVICE_CONFIG(nic)
const libxl__device_class libxl__class_nic = {
    LIBXL__DEVICE_ROW(nic, nics, "vif"),
    .choose = choose,
    .waits_for_backend = true,
    .after_model = true,
    .host_size = sizeof(nic_host),
    .check = check,
    .probe_start = probe_start,
    .probe_poll = probe_poll,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
    .online_start = online_start,
    .online_poll = online_poll,
    .offline_keys = offline_keys,
    .offline_start = offline_start,
    .offline_poll = offline_poll,
    .gone_start = gone_start,
    .gone_poll = gone_poll,
};
