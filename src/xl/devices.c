/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of specifications, and the classes whose specifications need little code. Owns nothing; takes no lock. */
#include "devices.h"

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
static const libxl__xl_style p9_style = {.skipped = " "};

void libxl__xl_read_p9(libxl__xl *x, libxl_device_p9 *p9, const libxl__xl_text *spec)
{
    libxl__xl_params(x, p9, "p9", spec, &p9_style, p9_parameters, LIBXL__XL_ERROR);
    if (!p9->tag || !p9->security_model || !p9->path)
        libxl__xl_error(x, libxl__xl_place_in(spec, 0), "p9: %s is missing",
                        !p9->tag    ? "tag"
                        : !p9->path ? "path"
                                    : "security_model");
}

/* ---- lists of devices */

/* Defines the function that reads the list of a class; `prepare` sets what a device has before it is read. */
#define CLASS(function, T, array, counter, read_one, prepare)                                                \
    void function(libxl__xl *x, void *object, const libxl__xl_field *field, const libxl__xl_text *text)      \
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
    }

CLASS(libxl__xl_disks, libxl_device_disk, disks, num_disks, libxl__xl_read_disk, )
CLASS(libxl__xl_nics, libxl_device_nic, nics, num_nics, libxl__xl_read_nic,
      device->devid = config->num_nics - 1)
CLASS(libxl__xl_p9s, libxl_device_p9, p9s, num_p9s, libxl__xl_read_p9, )
