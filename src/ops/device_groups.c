/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds, or only checks, all devices of a configuration. There is one group for each class. All groups run at the same time.
 *
 * Owns: nothing except the parent's state. The caller holds the context's lock.
 */
#include "device_operations.h"

#include <stddef.h>

enum { WIDTH = 16 }; /* the greatest number of devices of a class that are added at the same time */

static const struct addable {
    const libxl__device_class *cls;
    unsigned addition, check; /* the numbers of the operations device_NAME_add and device_NAME_check */
    /* The offsets of the configuration in the args of these operations. The domid is at the same offset in all. */
    size_t added_at, checked_at;
} addables[LIBXL__DEVICES_COUNT] = {
#define ROW(NAME, name)                                                                                      \
    {&libxl__class_##name, LIBXL__OP_DEVICE_##NAME##_ADD, LIBXL__OP_DEVICE_##NAME##_CHECK,                   \
     offsetof(libxl__device_##name##_add_args, in.name),                                                     \
     offsetof(libxl__device_##name##_check_args, in.name)},
    LIBXL__ALL_DEVICES(ROW)
#undef ROW
};
#define SAME_ARGS(NAME, name)                                                                                \
    _Static_assert(offsetof(libxl__device_##name##_add_args, in.domid) ==                                    \
                           offsetof(libxl__device_disk_check_args, in.domid) &&                              \
                       offsetof(libxl__device_##name##_check_args, in.domid) ==                              \
                           offsetof(libxl__device_disk_check_args, in.domid) &&                              \
                       offsetof(libxl__device_##name##_check_args, in.replaces) ==                           \
                           offsetof(libxl__device_disk_check_args, in.replaces),                             \
                   "all these operations have the same first inputs");
LIBXL__ALL_DEVICES(SAME_ARGS)
#undef SAME_ARGS

static int fill(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    const struct libxl__device_group *member = group->context;
    const struct addable *row = addables;
    while (row->cls != member->cls)
        row++;
    libxl__device_disk_check_args *first = libxl__ao_args(child);
    char *args = libxl__ao_args(child);
    child->subject.number = first->in.domid = member->domid;
    child->subject.uuid = member->uuid;
    if (member->checks)
        first->in.replaces = member->replaces;
    return row->cls->copy(child->ctx, args + (member->checks ? row->checked_at : row->added_at),
                          member->configs + index * row->cls->config_size);
}

/*
 * Makes the operation that adds or checks the PCI devices. All PCI devices are one device in xenstore, so one
 * operation adds them.
 */
static int reserve_pcis(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                        const struct libxl__device_group *member)
{
    const libxl_pci_list pcis = {.devices = config->pcidevs, .num_devices = config->num_pcidevs};
    all->has_pcis = config->num_pcidevs > 0;
    if (!all->has_pcis)
        return 0;
    const unsigned operation = member->checks ? LIBXL__OP_DEVICE_PCIS_CHECK : LIBXL__OP_DEVICE_PCIS_ADD;
    libxl__ao *child = libxl__nested_create(ao, &all->pcis, &libxl__operations[operation]);
    if (!child)
        return ERROR_NOMEM;
    libxl__device_pcis_add_args *add = libxl__ao_args(child);
    libxl__device_pcis_check_args *check = libxl__ao_args(child);
    child->subject.number = member->domid;
    child->subject.uuid = member->uuid;
    if (!member->checks) {
        add->in.domid = member->domid;
        return libxl__pci_list_copy(child->ctx, &add->in.pcis, &pcis);
    }
    check->in.domid = member->domid;
    check->in.replaces = member->replaces;
    return libxl__pci_list_copy(child->ctx, &check->in.pcis, &pcis);
}

/* Waits until the device model of an HVM domain runs, because the device model plugs the PCI devices in. */
static int poll_pcis(libxl__device_groups *all)
{
    if (!all->has_pcis || (all->stopping && !all->pcis.started))
        return 0;
    if (all->held)
        return LIBXL__AO_WAIT;
    if (!all->pcis.started)
        libxl__nested_start(&all->pcis);
    return all->pcis.done ? all->pcis.rc : LIBXL__AO_WAIT;
}

static int fill_usbdev(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    const struct libxl__device_group *member = group->context;
    const libxl_device_usbdev *configs = (const libxl_device_usbdev *)member->configs;
    libxl__device_usbdev_add_args *add = libxl__ao_args(child);
    libxl__device_usbdev_check_args *check = libxl__ao_args(child);
    child->subject.number = member->domid;
    child->subject.uuid = member->uuid;
    if (!member->checks) {
        add->in.domid = member->domid;
        return libxl__device_usbdev_copy(child->ctx, &add->in.usbdev, &configs[index]);
    }
    check->in.domid = member->domid;
    check->in.replaces = member->replaces;
    return libxl__device_usbdev_copy(child->ctx, &check->in.usbdev, &configs[index]);
}

static int reserve_usbdevs(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                           const struct libxl__device_group *member)
{
    const unsigned operation = member->checks ? LIBXL__OP_DEVICE_USBDEV_CHECK : LIBXL__OP_DEVICE_USBDEV_ADD;
    all->usbdev_member = *member;
    all->usbdev_member.configs = (const char *)config->usbdevs;
    all->usbdevs = (libxl__group){.cls = &libxl__operations[operation],
                                  .name = "usbdevs",
                                  .fill = fill_usbdev,
                                  .context = &all->usbdev_member,
                                  .count = (uint32_t)config->num_usbdevs,
                                  .width = 1};
    return libxl__group_reserve(ao, &all->usbdevs);
}

static int reserve_groups(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                          uint32_t domid, const libxl_uuid *uuid, bool checks, bool replaces)
{
    const struct libxl__device_group member = {
        .domid = domid, .uuid = *uuid, .checks = checks, .replaces = replaces};
    int rc = 0;
    for (unsigned i = 0; i < LIBXL__DEVICES_COUNT && !rc; i++) {
        const struct addable *row = &addables[i];
        all->members[i] = member;
        all->members[i].cls = row->cls;
        all->members[i].configs = *(char *const *)((const char *)config + row->cls->config_at);
        all->groups[i] =
            (libxl__group){.cls = &libxl__operations[checks ? row->check : row->addition],
                           .name = row->cls->array,
                           .fill = fill,
                           .context = &all->members[i],
                           .count = (uint32_t) * (const int *)((const char *)config + row->cls->count_at),
                           .width = WIDTH};
        rc = libxl__group_reserve(ao, &all->groups[i]);
    }
    if (!rc)
        rc = reserve_pcis(ao, all, config, &member);
    return rc ? rc : reserve_usbdevs(ao, all, config, &member);
}

int libxl__device_groups_check(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                               uint32_t domid, const libxl_uuid *uuid, bool replaces)
{
    const int rc = reserve_groups(ao, all, config, domid, uuid, true, replaces);
    return rc ? rc : libxl__device_groups_poll(ao, all);
}

int libxl__device_groups_start(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                               uint32_t domid, const libxl_uuid *uuid)
{
    const int rc = reserve_groups(ao, all, config, domid, uuid, false, false);
    return rc ? rc : libxl__device_groups_poll(ao, all);
}

int libxl__device_groups_poll(libxl__ao *ao, libxl__device_groups *all)
{
    bool waits = false, has_controllers = false;
    for (unsigned i = 0; i < LIBXL__DEVICES_COUNT; i++) {
        const int rc = all->held && all->members[i].cls->after_model ? LIBXL__AO_WAIT
                                                                     : libxl__group_poll(ao, &all->groups[i]);
        if (rc == LIBXL__AO_WAIT)
            waits = true;
        else if (!all->rc)
            all->rc = rc;
        if (all->members[i].cls == &libxl__class_usbctrl)
            has_controllers = rc == 0;
    }
    if (all->rc)
        libxl__group_stop(&all->usbdevs);
    const int usbdevs = has_controllers || all->rc ? libxl__group_poll(ao, &all->usbdevs) : 0;
    if (usbdevs == LIBXL__AO_WAIT)
        waits = true;
    else if (!all->rc)
        all->rc = usbdevs;
    const int pcis = poll_pcis(all);
    if (pcis == LIBXL__AO_WAIT)
        waits = true;
    else if (!all->rc)
        all->rc = pcis;
    if (all->rc)
        libxl__device_groups_stop(all);
    return waits ? LIBXL__AO_WAIT : all->rc;
}

void libxl__device_groups_stop(libxl__device_groups *all)
{
    all->held = false;
    for (unsigned i = 0; i < LIBXL__DEVICES_COUNT; i++)
        libxl__group_stop(&all->groups[i]);
    libxl__group_stop(&all->usbdevs);
    all->stopping = true;
    if (all->pcis.started && all->pcis.child)
        libxl__ao_request_stop(all->pcis.child, ERROR_ABORTED);
}
