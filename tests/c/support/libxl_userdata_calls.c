/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Like libxl_calls.c, this file is a program written for libxl. The calls read and write the data and the
 * configuration that libxl stores for a domain. They also use the domain's console.
 */
#include <stdlib.h>
#include <string.h>

#include <libxl.h>

#include "libxl_calls.h"

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
#define WITHOUT_HOW(function, ...) function(__VA_ARGS__)
#else
#define WITHOUT_HOW(function, ...) function(__VA_ARGS__, NULL)
#endif

#define NOBODY 4000 /* A domid that no domain has. */

static const char *data(libxl_ctx *ctx, uint32_t domid)
{
    uint8_t *found;
    int length;
    CHECK(!libxl_userdata_store(ctx, domid, "note", (const uint8_t *)"keep", 4));
    CHECK(!libxl_userdata_retrieve(ctx, domid, "note", &found, &length));
    CHECK(length == 4 && !memcmp(found, "keep", 4));
    free(found);
    CHECK(!libxl_userdata_unlink(ctx, domid, "note"));
    CHECK(!libxl_userdata_retrieve(ctx, domid, "note", &found, &length) && !found && !length);
    return NULL;
}

static const char *configuration(libxl_ctx *ctx, uint32_t domid)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    CHECK(!WITHOUT_HOW(libxl_retrieve_domain_configuration, ctx, domid, &config));
    CHECK(config.c_info.name && config.b_info.kernel);
    libxl_domain_config_dispose(&config);
    return NULL;
}

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040800
#define WITHOUT_NOTIFY(function, ...) function(__VA_ARGS__)
#else
#define WITHOUT_NOTIFY(function, ...) function(__VA_ARGS__, -1)
#endif

/* Calls the functions for consoles. A call that finds a console replaces this program by xenconsole. So
 * these calls name consoles that do not exist. */
static const char *console(libxl_ctx *ctx, uint32_t domid)
{
    char *path;
    libxl_console_type type;
    CHECK(!libxl_console_type_from_string("serial", &type) && type == LIBXL_CONSOLE_TYPE_SERIAL);
    CHECK(!strcmp(libxl_console_type_to_string(type), "serial"));
    CHECK(!libxl_primary_console_get_tty(ctx, domid, &path));
    CHECK(!strncmp(path, "/dev/pts/", 9));
    free(path);
    CHECK(!libxl_console_get_tty(ctx, domid, 0, LIBXL_CONSOLE_TYPE_PV, &path));
    free(path);
    CHECK(libxl_console_get_tty(ctx, domid, 0, LIBXL_CONSOLE_TYPE_SERIAL, &path) == ERROR_INVAL);
    CHECK(WITHOUT_NOTIFY(libxl_console_exec, ctx, domid, 0, LIBXL_CONSOLE_TYPE_UNKNOWN) == ERROR_INVAL);
    CHECK(WITHOUT_NOTIFY(libxl_primary_console_exec, ctx, NOBODY));
    return NULL;
}

const char *libxl_userdata_calls(libxl_ctx *ctx, uint32_t domid)
{
    const char *failed = data(ctx, domid);
    if (!failed)
        failed = configuration(ctx, domid);
    return failed ? failed : console(ctx, domid);
}
