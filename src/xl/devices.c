/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads lists of specifications. Also reads the small classes of devices, which have no separate file. Owns
 * nothing; takes no lock.
 */
#include "devices.h"

#include <stdlib.h>
#include <string.h>

bool libxl__xl_is_list(libxl__xl *x, const char *key, const libxl__xl_text *text)
{
    if (!text->text)
        return true;
    libxl__xl_doubt(x, libxl__xl_place_in(text, 0), "%s: a list is expected, not a single value", key);
    return false;
}

bool libxl__xl_item(libxl__xl *x, const char *key, const libxl__xl_value **next, libxl__xl_text *out)
{
    const libxl__xl_value *item = *next;
    if (!item)
        return false;
    if (item->form == LIBXL__XL_LIST) {
        libxl__xl_doubt(x, item->place, "%s: a string is expected, not a list", key);
        return false;
    }
    *out = libxl__xl_whole(item);
    *next = item->next;
    return true;
}

/* ---- 9pfs */

#define P9(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_p9, f)

static const libxl__xl_field p9_parameters[] = {
    {P9("tag", TEXT, tag)},   {P9("security_model", TEXT, security_model)},
    {P9("path", TEXT, path)}, {P9("backend", TEXT, backend_domname)},
    {.name = NULL},
};
static const libxl__xl_style plain = {.skipped = " "};

void libxl__xl_read_p9(libxl__xl *x, libxl_device_p9 *p9, const libxl__xl_text *spec)
{
    const unsigned before = x->errors;
    libxl__xl_params(x, p9, "p9", spec, &plain, p9_parameters, LIBXL__XL_ERROR);
    if ((!p9->tag || !p9->security_model || !p9->path) && x->errors == before)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "p9: %s is missing",
                        !p9->tag    ? "tag"
                        : !p9->path ? "path"
                                    : "security_model");
}

/* ---- PV Calls */

static const libxl__xl_field pvcalls_parameters[] = {
    {LIBXL__XL_ROW("backend", TEXT, libxl_device_pvcallsif, backend_domname)},
    {.name = NULL},
};

void libxl__xl_read_pvcallsif(libxl__xl *x, libxl_device_pvcallsif *device, const libxl__xl_text *spec)
{
    libxl__xl_params(x, device, "pvcalls", spec, &plain, pvcalls_parameters, LIBXL__XL_ERROR);
}

/* ---- TPMs */

static void read_vtpm_uuid(libxl__xl *x, void *object, const libxl__xl_field *field,
                           const libxl__xl_text *text)
{
    if (strlen(text->text) != 36 || libxl_uuid_from_string(&((libxl_device_vtpm *)object)->uuid, text->text))
        libxl__xl_error(x, libxl__xl_place_in(text, 0), "vtpm: %s: a UUID is expected, not '%.40s'",
                        field->name, text->text);
}

static void write_uuid(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    (void)base;
    fprintf(out, LIBXL_UUID_FMT,
            LIBXL_UUID_BYTES(*(const libxl_uuid *)((const char *)object + field->offset)));
}

static const libxl__xl_field vtpm_parameters[] = {
    {LIBXL__XL_ROW("backend", TEXT, libxl_device_vtpm, backend_domname)},
    {LIBXL__XL_ROW("uuid", SPECIAL, libxl_device_vtpm, uuid), .read = read_vtpm_uuid, .write = write_uuid},
    {.name = NULL},
};

void libxl__xl_read_vtpm(libxl__xl *x, libxl_device_vtpm *vtpm, const libxl__xl_text *spec)
{
    libxl__xl_params(x, vtpm, "vtpm", spec, &plain, vtpm_parameters, LIBXL__XL_ERROR);
    if (!vtpm->backend_domname)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "vtpm: backend is missing");
}

/* ---- channels */

enum { CHANNEL_CONNECTION, CHANNEL_PATH };

static const libxl__xl_word connections[] = {
    {"pty", LIBXL_CHANNEL_CONNECTION_PTY}, {"socket", LIBXL_CHANNEL_CONNECTION_SOCKET}, {NULL, 0}};

/*
 * A channel that is being read. Has the parameters that can be stored only when the kind of the channel's
 * connection is known.
 */
typedef struct channel {
    libxl_device_channel device;
    libxl_channel_connection kind;
    char *path;
} channel;

static const libxl__xl_field channel_parameters[] = {
    {LIBXL__XL_ROW("connection", ENUM, channel, kind), .words = connections},
    {LIBXL__XL_ROW("path", TEXT, channel, path)},
    {LIBXL__XL_ROW("name", TEXT, channel, device.name)},
    {LIBXL__XL_ROW("backend", TEXT, channel, device.backend_domname)},
    {.name = NULL},
};

void libxl__xl_read_channel(libxl__xl *x, libxl_device_channel *device, const libxl__xl_text *spec)
{
    static const libxl__xl_style style = {.skipped = " ", .trims = true};
    channel c = {.device = *device, .kind = LIBXL_CHANNEL_CONNECTION_UNKNOWN};
    const unsigned before = x->errors;
    libxl__xl_params(x, &c, "channel", spec, &style, channel_parameters, LIBXL__XL_DOUBT);
    *device = c.device;
    libxl_device_channel_init_connection(device, c.kind);
    if (c.kind == LIBXL_CHANNEL_CONNECTION_UNKNOWN && x->errors == before)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "channel: connection is missing");
    else if (!device->name || !device->name[0])
        libxl__xl_doubt(x, libxl__xl_place_in(spec, 0), "channel: name is missing");
    if (c.kind != LIBXL_CHANNEL_CONNECTION_SOCKET) {
        free(c.path);
        return;
    }
    device->u.socket.path = c.path;
    if (!c.path)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "channel: path is missing");
}

static void write_channel(FILE *out, const libxl_device_channel *device, const libxl_device_channel *base)
{
    const channel c = {.device = *device,
                       .kind = device->connection,
                       .path = device->connection == LIBXL_CHANNEL_CONNECTION_SOCKET ? device->u.socket.path
                                                                                     : NULL};
    const channel none = {.device = *base};
    libxl__xl_write_params(out, &c, &none, channel_parameters, NULL);
}

/* ---- keyboards */

#define VKB(n, k, f) LIBXL__XL_ROW(n, k, libxl_device_vkb, f)

static const libxl__xl_word vkb_backends[] = {
    {"qemu", LIBXL_VKB_BACKEND_QEMU}, {"linux", LIBXL_VKB_BACKEND_LINUX}, {NULL, 0}};

static const libxl__xl_field vkb_parameters[] = {
    {VKB("unique-id", TEXT, unique_id)},
    {VKB("backend", TEXT, backend_domname)},
    {VKB("backend-type", ENUM, backend_type), .words = vkb_backends, .any_case = true},
    {VKB("feature-disable-keyboard", BOOL, feature_disable_keyboard)},
    {VKB("feature-disable-pointer", BOOL, feature_disable_pointer)},
    {VKB("feature-abs-pointer", BOOL, feature_abs_pointer)},
    {VKB("feature-raw-pointer", BOOL, feature_raw_pointer)},
    {VKB("feature-multi-touch", BOOL, feature_multi_touch)},
    {VKB("multi-touch-width", INTEGER, multi_touch_width)},
    {VKB("multi-touch-height", INTEGER, multi_touch_height)},
    {VKB("multi-touch-num-contacts", INTEGER, multi_touch_num_contacts)},
    {VKB("width", INTEGER, width)},
    {VKB("height", INTEGER, height)},
    {.name = NULL},
};

void libxl__xl_read_vkb(libxl__xl *x, libxl_device_vkb *vkb, const libxl__xl_text *spec)
{
    const unsigned before = x->errors;
    libxl__xl_params(x, vkb, "vkb", spec, &plain, vkb_parameters, LIBXL__XL_ERROR);
    if (vkb->backend_type == LIBXL_VKB_BACKEND_UNKNOWN && x->errors == before)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "vkb: backend-type is missing");
}

/* ---- lists of devices */

/*
 * Defines the functions that read and write the list of a class. `prepare` sets a device's initial values
 * before the device is read. `write_one` writes the parameters that differ from those of `base`.
 */
#define CLASS(key, T, array, counter, read_one, prepare, write_one)                                          \
    void libxl__xl_##key(libxl__xl *x, void *object, const libxl__xl_field *field,                           \
                         const libxl__xl_text *text)                                                         \
    {                                                                                                        \
        libxl_domain_config *config = object;                                                                \
        libxl__xl_text item;                                                                                 \
        if (!libxl__xl_is_list(x, field->name, text))                                                        \
            return;                                                                                          \
        const libxl__xl_value *next = text->value->items;                                                    \
        while (libxl__xl_item(x, field->name, &next, &item)) {                                               \
            T *device = libxl__xl_append(x, libxl__xl_place_in(&item, 0), &config->array, &config->counter,  \
                                         sizeof(T));                                                         \
            if (!device)                                                                                     \
                return;                                                                                      \
            T##_init(device);                                                                                \
            prepare;                                                                                         \
            read_one(x, device, &item);                                                                      \
        }                                                                                                    \
    }                                                                                                        \
    void libxl__xl_write_##key(FILE *out, const void *object, const void *unused,                            \
                               const libxl__xl_field *field)                                                 \
    {                                                                                                        \
        const libxl_domain_config *config = object;                                                          \
        (void)unused;                                                                                        \
        libxl__xl_begin_list(out, field->name, config->counter);                                             \
        for (int i = 0; i < config->counter; i++) {                                                          \
            T base;                                                                                          \
            T##_init(&base);                                                                                 \
            const T *device = &config->array[i];                                                             \
            write_one;                                                                                       \
            libxl__xl_next_item(out, i, config->counter);                                                    \
        }                                                                                                    \
    }

void libxl__xl_begin_list(FILE *out, const char *key, int count)
{
    if (count)
        fprintf(out, "%s = [\n    \"", key);
}

void libxl__xl_next_item(FILE *out, int i, int count)
{
    fputs(i + 1 < count ? "\",\n    \"" : "\",\n]\n", out);
}

#define NUMBERED(counter) device->devid = config->counter - 1
#define PARAMS(table)     libxl__xl_write_params(out, device, &base, table, NULL)

CLASS(disks, libxl_device_disk, disks, num_disks, libxl__xl_read_disk, , libxl__xl_write_disk(out, device))
CLASS(nics, libxl_device_nic, nics, num_nics, libxl__xl_read_nic, NUMBERED(num_nics),
      libxl__xl_write_nic(out, device, i))
CLASS(p9s, libxl_device_p9, p9s, num_p9s, libxl__xl_read_p9, , PARAMS(p9_parameters))
CLASS(vtpms, libxl_device_vtpm, vtpms, num_vtpms, libxl__xl_read_vtpm, NUMBERED(num_vtpms),
      PARAMS(vtpm_parameters))
CLASS(pvcallsifs, libxl_device_pvcallsif, pvcallsifs, num_pvcallsifs, libxl__xl_read_pvcallsif,
      NUMBERED(num_pvcallsifs), PARAMS(pvcalls_parameters))
CLASS(channels, libxl_device_channel, channels, num_channels, libxl__xl_read_channel, NUMBERED(num_channels),
      write_channel(out, device, &base))
CLASS(vdispls, libxl_device_vdispl, vdispls, num_vdispls, libxl__xl_read_vdispl, NUMBERED(num_vdispls),
      libxl__xl_write_vdispl(out, device, &base))
CLASS(usbctrls, libxl_device_usbctrl, usbctrls, num_usbctrls, libxl__xl_read_usbctrl, NUMBERED(num_usbctrls),
      libxl__xl_write_usbctrl(out, device, &base))
CLASS(usbdevs, libxl_device_usbdev, usbdevs, num_usbdevs, libxl__xl_read_usbdev, ,
      libxl__xl_write_usbdev(out, device, &base))
CLASS(vkbs_of_list, libxl_device_vkb, vkbs, num_vkbs, libxl__xl_read_vkb, NUMBERED(num_vkbs),
      PARAMS(vkb_parameters))

void libxl__xl_vkbs(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)
{
    libxl__xl_vkbs_of_list(x, object, field, text);
}

/*
 * Writes all keyboards except the first N, where N is the number of framebuffers. The reader makes these N keyboards
 * itself, one for each framebuffer.
 */
void libxl__xl_write_vkbs(FILE *out, const void *object, const void *base, const libxl__xl_field *field)
{
    const libxl_domain_config *config = object;
    libxl_domain_config rest = {.vkbs = config->vkbs, .num_vkbs = config->num_vkbs - config->num_vfbs};
    if (rest.num_vkbs > 0) {
        rest.vkbs += config->num_vfbs;
        libxl__xl_write_vkbs_of_list(out, &rest, base, field);
    }
}
