/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declares the parts of a program written for libxl. */
#ifndef LIBXL_CALLS_H
#define LIBXL_CALLS_H

#include <stdlib.h>

#include <libxl.h>

/*
 * Calls every function that both libxl and aioxen have. `domid` is a running guest, and the calls destroy the
 * guest. Returns NULL, or the condition that did not hold.
 */
const char *libxl_calls(libxl_ctx *ctx, uint32_t domid);
/* Calls the functions of the types of a domain's configuration. Returns NULL, or the condition that did
 * not hold. */
const char *libxl_config_calls(libxl_ctx *ctx);

/* Calls the functions for domains that run. `domid` is a running guest with one vcpu. Returns NULL, or the
 * condition that did not hold. */
const char *libxl_running_calls(libxl_ctx *ctx, uint32_t domid);
const char *libxl_userdata_calls(libxl_ctx *ctx, uint32_t domid);

/* Calls the functions of enumerations. Returns NULL, or the condition that did not hold. */
const char *libxl_enumeration_calls(libxl_ctx *ctx);
/* Calls the functions that describe the host. `domid` is a running guest. Returns NULL, or the condition that
 * did not hold. */
const char *libxl_host_calls(libxl_ctx *ctx, uint32_t domid);

/* If the condition does not hold, returns the text of the condition from the calling function. */
#define CHECK(condition)                                                                                     \
    do                                                                                                       \
        if (!(condition))                                                                                    \
            return #condition;                                                                               \
    while (0)

/* Calls the functions that each struct has. The calling function needs a variable `ctx`. */
#define CALLS_OF_STRUCT(T)                                                                                   \
    do {                                                                                                     \
        libxl_##T value, copy;                                                                               \
        libxl_##T##_init(&value);                                                                            \
        libxl_##T##_copy(ctx, &copy, &value);                                                                \
        char *json = libxl_##T##_to_json(ctx, &copy);                                                        \
        CHECK(json);                                                                                         \
        libxl_##T##_dispose(&copy);                                                                          \
        CHECK(!libxl_##T##_from_json(ctx, &copy, json));                                                     \
        libxl_##T##_dispose(&copy);                                                                          \
        libxl_##T##_dispose(&value);                                                                         \
        free(json);                                                                                          \
    } while (0)

/* Calls the functions that each enumeration has. */
#define CALLS_OF_ENUMERATION(T, word)                                                                        \
    do {                                                                                                     \
        libxl_##T value, again;                                                                              \
        CHECK(!libxl_##T##_from_string(word, &value));                                                       \
        CHECK(!strcmp(libxl_##T##_to_string(value), word));                                                  \
        char *json = libxl_##T##_to_json(ctx, value);                                                        \
        CHECK(json &&strstr(json, "\"" word "\""));                                                          \
        CHECK(!libxl_##T##_from_json(ctx, &again, json) && again == value);                                  \
        free(json);                                                                                          \
    } while (0)

#endif
