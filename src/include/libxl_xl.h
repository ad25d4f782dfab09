/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_xl: reading and writing xl's configuration files, xl.cfg(5).
 *
 * Any thread may call these functions. They need no context, take no lock, and read no file: the caller has the text
 * in memory. The text may come from an untrusted source.
 */
#ifndef LIBXL_XL_H
#define LIBXL_XL_H

#include <libxl.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The longest text that is read, in octets. */
#define LIBXL_XL_MAX_SIZE (1 << 20)

/*
 * Reads as xl reads: what xl ignores is a warning. Without this flag it is an error: an unknown key, a value of the
 * wrong kind, an unknown parameter.
 */
#define LIBXL_XL_LENIENT 1u

/*
 * Reads a text in the form of xl.cfg(5) into *config, whose previous value is overwritten, not freed.
 *
 * `file` is the name that messages give; NULL: "<text>". `statements`: additional statements, KEY=VALUE, ended by NULL, which
 * xl's command line takes after the file's name: they are read after the text, so that they replace values of the
 * text; NULL: none. `host`: what the text leaves to the host; NULL: xl's defaults. `flags`: 0 or LIBXL_XL_LENIENT.
 * `messages`: if not NULL, receives all messages; the caller disposes of them, also after an error.
 *
 * Returns 0. Errors: INVAL: libxl_error_message has the first error as "FILE:LINE:COLUMN: MESSAGE"; NOMEM. After an
 * error *config has its initial value.
 */
int libxl_domain_config_from_xl(libxl_domain_config *config, const char *text, size_t length,
                                const char *file, const char *const *statements, const libxl_xl_host *host,
                                unsigned flags, libxl_xl_messages *messages);

/*
 * Reads a text in the form of xl.conf(5) into *host, whose previous value is overwritten, not freed. Only the keys about
 * domains are used; the nodes are those of an initial value. `file`, `flags`, `messages` and the errors are as for
 * libxl_domain_config_from_xl. After an error *host has its initial value.
 */
int libxl_xl_host_from_conf(libxl_xl_host *host, const char *text, size_t length, const char *file,
                            unsigned flags, libxl_xl_messages *messages);

/*
 * Writes a configuration as a text in the form of xl.cfg(5), which xl and libxl_domain_config_from_xl read alike. Stores
 * it in *text; the caller frees it with free(). What a file leaves to the host (run_hotplug_scripts, claim_mode,
 * blkdev_start) is not written, and a generation ID is written as "generate".
 *
 * Returns 0. Errors: INVAL, with the path of a value that a file cannot express; NOMEM. After an error *text is NULL.
 */
int libxl_domain_config_to_xl(const libxl_domain_config *config, char **text);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_XL_H */
