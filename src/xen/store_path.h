/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of the paths that an application gives. xenstored checks paths, too, but its answer does not say
 * which rule a path breaks. Owns nothing. Any thread may call the function, locked or not.
 */
#ifndef LIBXL__STORE_PATH_H
#define LIBXL__STORE_PATH_H

#include <stdbool.h>

/*
 * Returns a text that says what is wrong with a path, or NULL if the path has xenstored's form. In a message
 * the text follows the path. `special`: a name that begins with '@', such as @releaseDomain, is accepted.
 * xenstored may refuse a path of more than 2048 octets that has this form.
 */
const char *libxl__store_path_fault(const char *path, bool special);

/*
 * The greatest number of octets of a path that a message shows. LIBXL__STORE_PATH_FMT shows "..." after a longer
 * path.
 */
enum { LIBXL__STORE_PATH_SHOWN = 100 };
#define LIBXL__STORE_PATH_FMT "'%.*s%s'"
#define LIBXL__STORE_PATH_ARG(path)                                                                          \
    LIBXL__STORE_PATH_SHOWN, path, strlen(path) > LIBXL__STORE_PATH_SHOWN ? "..." : ""

#endif
