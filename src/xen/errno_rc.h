/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Translates the errno of a failed call to an error of the library. The table in errno_rc.c has a row for
 * each kind of call. It has a column for each errno that some kinds of calls treat specially. The file owns
 * nothing. Any thread may call the function, locked or not.
 */
#ifndef LIBXL__ERRNO_RC_H
#define LIBXL__ERRNO_RC_H

/* The kinds of calls. */
typedef enum libxl__call {
    /* A hypercall on a domain that the application named, for example to pause it. */
    LIBXL__CALL_DOMAIN,
    LIBXL__CALL_HOST, /* a hypercall about the host, for example for its version */
    /*
     * A hypercall that sets a value in a domain. The application has given the value. EINVAL: the value is
     * wrong.
     */
    LIBXL__CALL_SETTING,
    LIBXL__CALL_POOL,        /* a hypercall about a cpupool that the application named */
    LIBXL__CALL_MAKE_DOMAIN, /* the hypercall that makes a domain */
    LIBXL__CALL_NEW_DOMAIN,  /* a hypercall on a domain that is being made */
    LIBXL__CALL_LOAD_IMAGE,  /* libxenguest, when it reads a kernel or a ramdisk */
    LIBXL__CALL_FILL_MEMORY, /* libxenguest, when it allocates the guest's memory */
    /*
     * libxenguest, when it copies the kernel into the guest's memory. errno 0: libxenguest cannot use the
     * kernel.
     */
    LIBXL__CALL_PLACE_IMAGE,
    LIBXL__CALL_OPEN_FILE, /* the system call that opens a kernel or a ramdisk */
    /* Opening a further handle to the hypervisor, or a handle for event channels. */
    LIBXL__CALL_OPEN_HANDLE,
    LIBXL__CALL_REACH_HOST,  /* opening the first handle to the hypervisor */
    LIBXL__CALL_REACH_STORE, /* the calls that connect to xenstored */
    LIBXL__CALL_ASK_STORE,   /* a request to xenstored, after the connection was made */
    LIBXL__CALL_ASK_NODE,    /* a request to xenstored about a node that the application has named */
    LIBXL__CALLS
} libxl__call;

/*
 * Returns the library's error for a call that has failed with this errno. `errnoval` 0: the call has not set
 * errno.
 */
int libxl__errno_rc(libxl__call call, int errnoval);

#endif
