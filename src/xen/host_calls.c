/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about FLASK, about the hypervisor's messages, and about its parameters. Owns nothing. Any thread
 * may call the functions, locked or not.
 */
#include "host_calls.h"

#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenhypfs.h>

enum { MOST_LABEL = 4096 };

static int fail(libxl__ao *ao, const char *what)
{
    switch (errno) {
    case ENOSYS:
    case EOPNOTSUPP: return libxl__ao_fail(ao, ERROR_NI, "%s: the hypervisor has no FLASK", what);
    case EINVAL:
    case ENOENT: return libxl__ao_fail(ao, ERROR_INVAL, "%s: %m", what);
    default: return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "%s: %m", what);
    }
}

int libxl__hv_flask_enforcing(libxl__ao *ao, bool *out)
{
    const int mode = xc_flask_getenforce(libxl__xch(ao->ctx));
    if (mode < 0)
        return fail(ao, "asking for FLASK's mode");
    *out = mode;
    return 0;
}

int libxl__hv_flask_set_enforcing(libxl__ao *ao, bool enforcing)
{
    return xc_flask_setenforce(libxl__xch(ao->ctx), enforcing) < 0 ? fail(ao, "setting FLASK's mode") : 0;
}

int libxl__hv_flask_load(libxl__ao *ao, const libxl_blob *policy)
{
    if (!policy->size)
        return libxl__ao_fail(ao, ERROR_INVAL, "policy: empty");
    return xc_flask_load(libxl__xch(ao->ctx), (char *)policy->data, policy->size) < 0
               ? fail(ao, "policy: loading it")
               : 0;
}

int libxl__hv_flask_label(libxl__ao *ao, uint32_t ssidref, char **out)
{
    char text[MOST_LABEL + 1] = "";
    if (xc_flask_sid_to_context(libxl__xch(ao->ctx), (int)ssidref, text, MOST_LABEL) < 0)
        return fail(ao, "ssidref: asking for the label");
    *out = strdup(text);
    return *out ? 0 : libxl__ao_fail(ao, ERROR_NOMEM, "no memory for a label");
}

int libxl__hv_flask_number(libxl__ao *ao, const char *label, uint32_t *out)
{
    uint32_t found;
    /* libxenctrl does not change the label, so the cast from const is safe. */
    if (xc_flask_context_to_sid(libxl__xch(ao->ctx), (char *)label, (uint32_t)strlen(label), &found) < 0)
        return fail(ao, "label: asking for its number");
    *out = found;
    return 0;
}

/* ---- messages of the hypervisor */

enum { PIECE = 16384 };

int libxl__hv_console_ring(libxl__ao *ao, bool clear, libxl_blob *out)
{
    libxl_blob all;
    uint32_t index = 0;
    libxl_blob_init(&all);
    for (unsigned got = PIECE; got;) {
        uint8_t *larger = realloc(all.data, all.size + PIECE + 1);
        if (!larger) {
            libxl_blob_dispose(&all);
            return libxl__ao_fail(ao, ERROR_NOMEM, "no memory for the hypervisor's messages");
        }
        all.data = larger;
        got = PIECE;
        if (xc_readconsolering(libxl__xch(ao->ctx), (char *)all.data + all.size, &got, 0, 1, &index)) {
            const int error = errno;
            libxl_blob_dispose(&all);
            return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, error),
                                  "reading the hypervisor's messages: %s", strerror(error));
        }
        all.size += got;
    }
    all.data[all.size] = 0;
    /* libxenctrl needs room for at least one octet. */
    unsigned count = 1;
    char unused;
    if (clear && xc_readconsolering(libxl__xch(ao->ctx), &unused, &count, 1, 0, NULL)) {
        libxl_blob_dispose(&all);
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno),
                              "clearing the hypervisor's messages: %m");
    }
    *out = all;
    return 0;
}

/* ---- parameters of the hypervisor */

static int set_parameter(libxl__ao *ao, xenhypfs_handle *handle, char *word)
{
    char path[256];
    char *value = strchr(word, '=');
    if (!value)
        return libxl__ao_fail(ao, ERROR_INVAL, "params: '%s' has no '='", word);
    *value++ = 0;
    if (snprintf(path, sizeof(path), "/params/%s", word) >= (int)sizeof(path) || strchr(word, '/'))
        return libxl__ao_fail(ao, ERROR_INVAL, "params: '%s' is not a name", word);
    if (!xenhypfs_write(handle, path, value))
        return 0;
    if (errno == EACCES || errno == ENOENT || errno == EINVAL || errno == ERANGE || errno == ENOSPC)
        return libxl__ao_fail(ao, ERROR_INVAL, "params: setting %s to '%s': %m", word, value);
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "params: setting %s: %m", word);
}

int libxl__hv_set_parameters(libxl__ao *ao, const char *params)
{
    char *rest, *copy = strdup(params);
    if (!copy)
        return libxl__ao_fail(ao, ERROR_NOMEM, "no memory for the parameters");
    xenhypfs_handle *handle = xenhypfs_open(NULL, 0);
    int rc = 0;
    if (!handle)
        rc = errno == ENOSYS || errno == EOPNOTSUPP
                 ? libxl__ao_fail(ao, ERROR_NI, "the hypervisor has no file system of parameters")
                 : libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "opening the parameters: %m");
    for (char *word = strtok_r(copy, " ", &rest); word && !rc; word = strtok_r(NULL, " ", &rest))
        rc = set_parameter(ao, handle, word);
    if (handle)
        xenhypfs_close(handle);
    free(copy);
    return rc;
}
