/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_userdata_store, libxl_userdata_retrieve and libxl_userdata_unlink. Owns: nothing. Any thread may call
 * these functions, without the context's lock. They block in the calling thread.
 */
#include "ops.h"

#include <limits.h>
#include <stdlib.h>

/* If rc is an error, sets the error message to files->why. Returns rc. */
static int done(const libxl__userdata_files *files, int rc)
{
    return rc && *files->why ? libxl__refuse(rc, "%s", files->why) : rc;
}

/*
 * Checks the name of the data, and finds the domain's UUID. Errors: INVAL (the name is wrong), and those of
 * libxl_domain_get_info.
 */
static int find(libxl_ctx *ctx, uint32_t domid, const char *name, libxl__userdata_files *files)
{
    libxl_dominfo info;
    *files = (libxl__userdata_files){.domid = domid};
    int rc = libxl__userdata_check_name(files, name);
    if (rc)
        return done(files, rc);
    rc = libxl_domain_get_info(ctx, domid, &info, NULL);
    if (rc)
        return rc;
    files->uuid = info.uuid;
    libxl_dominfo_dispose(&info);
    return 0;
}

int libxl_userdata_store(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, const uint8_t *data,
                         int datalen)
{
    libxl__userdata_files files;
    int lock;
    if (datalen < 0 || (datalen && !data))
        return libxl__refuse(ERROR_INVAL, "datalen: %d octets without data", datalen);
    int rc = find(ctx, domid, userdata_userid, &files);
    if (rc)
        return rc;
    rc = libxl__userdata_lock(&files, LIBXL__USERDATA_LOCK_LIMIT, NULL, &lock);
    if (rc)
        return done(&files, rc);
    rc = datalen ? libxl__userdata_put(&files, userdata_userid, data, (size_t)datalen)
                 : libxl__userdata_drop(&files, userdata_userid);
    if (!rc && datalen)
        rc = libxl__userdata_confirm(ctx, &files, userdata_userid);
    libxl__userdata_unlock(&files, lock);
    return done(&files, rc);
}

int libxl_userdata_unlink(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid)
{
    return libxl_userdata_store(ctx, domid, userdata_userid, NULL, 0);
}

int libxl_userdata_retrieve(libxl_ctx *ctx, uint32_t domid, const char *userdata_userid, uint8_t **data_r,
                            int *datalen_r)
{
    libxl__userdata_files files;
    uint8_t *data;
    size_t size;
    _Static_assert(LIBXL__USERDATA_SIZE < INT_MAX, "*datalen_r is an int");
    int rc = find(ctx, domid, userdata_userid, &files);
    if (!rc)
        rc = done(&files, libxl__userdata_get(&files, userdata_userid, &data, &size));
    if (rc)
        return rc;
    if (data && !size) { /* an empty file means that there is no data, as in libxl */
        free(data);
        data = NULL;
    }
    if (data_r)
        *data_r = data;
    else
        free(data);
    if (datalen_r)
        *datalen_r = (int)size;
    return 0;
}
