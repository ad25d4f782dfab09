/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's errors for errno values. Owns nothing; any thread, locked or not. */
#include "xen.h"

#include <errno.h>

int libxl__errno_rc(int errnoval)
{
    switch (errnoval) {
    case ESRCH: return ERROR_DOMAIN_NOTFOUND;
    case EPERM:
    case EACCES: return ERROR_PERMISSION;
    case ENOMEM: return ERROR_NO_MEMORY_FOR_GUEST;
    case EEXIST: return ERROR_DOMAIN_EXISTS;
    case ENOSYS:
    case EOPNOTSUPP: return ERROR_NI;
    default: return ERROR_FAIL;
    }
}

int libxl__open_rc(int errnoval, int absent)
{
    switch (errnoval) {
    case EPERM:
    case EACCES: return ERROR_PERMISSION;
    case EMFILE:
    case ENFILE: return ERROR_FAIL;
    case ENOMEM: return ERROR_NOMEM;
    default: return absent;
    }
}
