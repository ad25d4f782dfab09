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
 * A flag: read the text as leniently as xl does. xl ignores unknown keys, unknown parameters and values of
 * the wrong kind. With this flag each of these causes a warning. Without this flag each of these causes an
 * error.
 */
#define LIBXL_XL_LENIENT 1u

/*
 * Reads a text in the form of xl.cfg(5) into *config. The previous value of *config is overwritten, not
 * freed.
 *
 * - `file` is the file's name for messages; NULL: "<text>".
 * - `statements` are additional statements KEY=VALUE, ended by NULL, like those on xl's command line after
 *   the file's name. They are read after the text, so they replace values of the text. NULL: no statements.
 * - `host` has the values for settings that the text does not contain; NULL: xl's defaults are used.
 * - `flags` is 0 or LIBXL_XL_LENIENT.
 * - `messages` receives all messages, if it is not NULL. The caller disposes of them, also after an error.
 *
 * Returns 0 or an error. Errors: INVAL (libxl_error_message has the first error as "FILE:LINE:COLUMN:
 * MESSAGE"), NOMEM. After an error *config has its initial value.
 */
int libxl_domain_config_from_xl(libxl_domain_config *config, const char *text, size_t length,
                                const char *file, const char *const *statements, const libxl_xl_host *host,
                                unsigned flags, libxl_xl_messages *messages);

/*
 * Reads a text in the form of xl.conf(5) into *host. The previous value of *host is overwritten, not freed.
 * Only the keys about domains are used. The nodes in *host get their initial value. `file`, `flags`,
 * `messages` and the errors are the same as for libxl_domain_config_from_xl. After an error *host has its
 * initial value.
 */
int libxl_xl_host_from_conf(libxl_xl_host *host, const char *text, size_t length, const char *file,
                            unsigned flags, libxl_xl_messages *messages);

/*
 * Writes a configuration as a text in the form of xl.cfg(5). xl and libxl_domain_config_from_xl read this
 * text in the same way. Stores the text in *text. The caller frees the text with free(). Values that a file
 * leaves to the host (run_hotplug_scripts, claim_mode, blkdev_start) are not written. A generation ID is
 * written as "generate".
 *
 * Returns 0 or an error. Errors: INVAL (the message has the path of a value that a file cannot express),
 * NOMEM. After an error *text is NULL.
 */
int libxl_domain_config_to_xl(const libxl_domain_config *config, char **text);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_XL_H */
