/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table that says which error a failed call gives (errno_rc.h). Owns: the table, which is constant. Needs no lock:
 * any thread may call the function.
 */
#include "errno_rc.h"

#include <errno.h>

#include <libxl.h>

/* The errno values that the table distinguishes. */
enum column {
    OTHER,
    NONE,
    NO_SUCH,
    NO_NODE,
    CONFLICT,
    REFUSED,
    NO_MEMORY,
    EXISTS,
    NOT_THERE,
    TOO_LONG,
    NO_DESCRIPTOR,
    NOT_CONNECTED,
    WRONG,
    COLUMNS
};

static enum column column_of(int errnoval)
{
    switch (errnoval) {
    case 0: return NONE;
    case ESRCH: return NO_SUCH;
    case ENOENT: return NO_NODE;
    case EPERM:
    case EACCES: return REFUSED;
    case ENOMEM: return NO_MEMORY;
    case EEXIST: return EXISTS;
    case ENOSYS:
    case EOPNOTSUPP: return NOT_THERE;
    case E2BIG: return TOO_LONG;
    case EMFILE:
    case ENFILE: return NO_DESCRIPTOR;
    case ENOTCONN: return NOT_CONNECTED;
    case EAGAIN: return CONFLICT;
    case EINVAL:
    case ERANGE: return WRONG;
    default: return OTHER;
    }
}

/*
 * The error for each kind of call and each errno. An entry that is not set has the value of the row's OTHER
 * entry.
 *
 * ENOMEM usually means that this process lacks memory. For a call that allocates memory for a guest, ENOMEM
 * means that the hypervisor lacks memory. ESRCH for a domain that is being made means that another program
 * has destroyed the domain.
 */
static const int table[LIBXL__CALLS][COLUMNS] = {
    [LIBXL__CALL_DOMAIN] = {[OTHER] = ERROR_FAIL,
                            [NO_SUCH] = ERROR_DOMAIN_NOTFOUND,
                            [REFUSED] = ERROR_PERMISSION,
                            [NO_MEMORY] = ERROR_NOMEM},
    [LIBXL__CALL_HOST] = {[OTHER] = ERROR_FAIL, [REFUSED] = ERROR_PERMISSION, [NO_MEMORY] = ERROR_NOMEM},
    [LIBXL__CALL_SETTING] = {[OTHER] = ERROR_FAIL,
                             [NO_SUCH] = ERROR_DOMAIN_NOTFOUND,
                             [REFUSED] = ERROR_PERMISSION,
                             [NO_MEMORY] = ERROR_NOMEM,
                             [WRONG] = ERROR_INVAL},
    [LIBXL__CALL_POOL] = {[OTHER] = ERROR_FAIL,
                          [NO_SUCH] = ERROR_INVAL,
                          [REFUSED] = ERROR_PERMISSION,
                          [NO_MEMORY] = ERROR_NOMEM,
                          [WRONG] = ERROR_INVAL},
    [LIBXL__CALL_MAKE_DOMAIN] = {[OTHER] = ERROR_FAIL,
                                 [REFUSED] = ERROR_PERMISSION,
                                 [NO_MEMORY] = ERROR_NO_MEMORY_FOR_GUEST,
                                 [EXISTS] = ERROR_DOMAIN_EXISTS,
                                 [NOT_THERE] = ERROR_NI},
    [LIBXL__CALL_NEW_DOMAIN] = {[OTHER] = ERROR_FAIL,
                                [NO_SUCH] = ERROR_DOMAIN_DESTROYED,
                                [REFUSED] = ERROR_PERMISSION,
                                [NO_MEMORY] = ERROR_NO_MEMORY_FOR_GUEST,
                                [NOT_THERE] = ERROR_NI},
    [LIBXL__CALL_LOAD_IMAGE] =
        {[OTHER] = ERROR_KERNEL, [NO_MEMORY] = ERROR_NOMEM, [NO_DESCRIPTOR] = ERROR_FAIL},
    [LIBXL__CALL_FILL_MEMORY] = {[OTHER] = ERROR_FAIL,
                                 [NONE] = ERROR_NO_MEMORY_FOR_GUEST,
                                 [NO_SUCH] = ERROR_DOMAIN_DESTROYED,
                                 [REFUSED] = ERROR_PERMISSION,
                                 [NO_MEMORY] = ERROR_NO_MEMORY_FOR_GUEST,
                                 [NOT_THERE] = ERROR_NI},
    [LIBXL__CALL_PLACE_IMAGE] = {[OTHER] = ERROR_FAIL,
                                 [NONE] = ERROR_KERNEL,
                                 [NO_SUCH] = ERROR_DOMAIN_DESTROYED,
                                 [REFUSED] = ERROR_PERMISSION,
                                 [NO_MEMORY] = ERROR_NOMEM,
                                 [NOT_THERE] = ERROR_NI},
    [LIBXL__CALL_OPEN_FILE] =
        {[OTHER] = ERROR_KERNEL, [NO_MEMORY] = ERROR_NOMEM, [NO_DESCRIPTOR] = ERROR_FAIL},
    [LIBXL__CALL_OPEN_HANDLE] =
        {[OTHER] = ERROR_FAIL, [REFUSED] = ERROR_PERMISSION, [NO_MEMORY] = ERROR_NOMEM},
    [LIBXL__CALL_REACH_HOST] = {[OTHER] = ERROR_NO_HYPERVISOR,
                                [REFUSED] = ERROR_PERMISSION,
                                [NO_MEMORY] = ERROR_NOMEM,
                                [NO_DESCRIPTOR] = ERROR_FAIL},
    [LIBXL__CALL_REACH_STORE] = {[OTHER] = ERROR_NO_XENSTORE,
                                 [REFUSED] = ERROR_PERMISSION,
                                 [NO_MEMORY] = ERROR_NOMEM,
                                 [NO_DESCRIPTOR] = ERROR_FAIL},
    [LIBXL__CALL_ASK_STORE] =
        {[OTHER] = ERROR_XENSTORE,
         [REFUSED] = ERROR_PERMISSION,
         [NO_MEMORY] = ERROR_NOMEM,
         [NOT_CONNECTED] = ERROR_NO_XENSTORE,
         [TOO_LONG] = ERROR_INVAL /* the request is longer than a message to xenstored may be */},
    [LIBXL__CALL_ASK_NODE] = {[OTHER] = ERROR_XENSTORE,
                              [NO_NODE] = ERROR_NOTFOUND,
                              [CONFLICT] = ERROR_CONFLICT, /* the transaction has conflicted too often */
                              [REFUSED] = ERROR_PERMISSION,
                              [NO_MEMORY] = ERROR_NOMEM,
                              [NOT_CONNECTED] = ERROR_NO_XENSTORE,
                              [TOO_LONG] = ERROR_INVAL,
                              [WRONG] = ERROR_INVAL},
};

int libxl__errno_rc(libxl__call call, int errnoval)
{
    const int rc = table[call][column_of(errnoval)];
    return rc ? rc : table[call][OTHER];
}
