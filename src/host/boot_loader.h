/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot loader is a program of the host, such as pygrub. It reads a guest's disk and chooses the guest's
 * kernel. It copies the kernel and the ramdisk into a directory, and writes a reply with the names of the two
 * files.
 *
 * The directory is /var/lib/xen/bootloader.DOMID.d. The reply is the file /var/lib/xen/bootloader.DOMID.out.
 * libxl uses the same names.
 */
#ifndef LIBXL__BOOT_LOADER_H
#define LIBXL__BOOT_LOADER_H

#include <stdarg.h>

#include "ao.h"
#include "child.h"
#include "terminal.h"

enum { LIBXL__BOOT_LOADER_WHY = 512 };

/* One run of a boot loader. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__boot_loader {
    const char *name; /* the boot loader's name in the configuration: a path, or a name without a slash */
    char directory[64], output[64];
    bool prepared; /* the directory and the reply's file exist */
    libxl__terminal terminal;
    libxl__child child;
    /*
     * The contents of the reply. kernel_fd and ramdisk_fd are descriptors of the two files, open for reading;
     * -1: the reply names no such file. The strings are parts of `reply`; NULL: the reply has no such string.
     */
    int kernel_fd, ramdisk_fd;
    const char *kernel, *ramdisk, *cmdline;
    char *reply;                      /* the malloc'ed text of the reply; NULL: the reply was not read yet */
    char why[LIBXL__BOOT_LOADER_WHY]; /* the error message of the function that has failed */
} libxl__boot_loader;

/*
 * Makes the directory and an empty file for the reply, and opens the terminal. Removes files that an earlier
 * domain with this domid has left. Called on a worker, unlocked. Returns 0 or FAIL. After an error `why` has
 * the message. Call libxl__boot_loader_clean afterwards, also after an error.
 */
int libxl__boot_loader_prepare(libxl__boot_loader *loader, const char *name, uint32_t domid);

/* The data from which the boot loader's arguments are made. A member that is not set is NULL. */
typedef struct libxl__boot_loader_job {
    /* These three members come from the domain's configuration. The boot loader may use them as hints. */
    const char *kernel, *ramdisk, *cmdline;
    char *const *args; /* further arguments, ended by NULL; NULL: none */
    /* The path of the guest's disk: an image file or a block device. */
    const char *disk;
    unsigned version; /* the hypervisor's version, major << 16 | minor */
} libxl__boot_loader_job;

/* Call it with the context locked. Starts the boot loader on its terminal. Errors: KERNEL, NOMEM, recorded in ao. */
int libxl__boot_loader_start(libxl__ao *ao, libxl__boot_loader *loader, const libxl__boot_loader_job *job);

/*
 * Call it with the context locked, once loader->child.done is set. Closes the terminal. Returns 0 if the boot
 * loader has succeeded. Errors: KERNEL, recorded in ao with the last lines that the boot loader has printed.
 */
int libxl__boot_loader_result(libxl__ao *ao, libxl__boot_loader *loader);

/*
 * Reads the reply and opens the files that it names. Called on a worker, unlocked. A file outside of the
 * directory is refused. Errors: KERNEL, NOMEM; `why` has the message.
 */
int libxl__boot_loader_read(libxl__boot_loader *loader);

/* Called on a worker, unlocked. Removes the directory with its contents, and the file of the reply. */
void libxl__boot_loader_clean(libxl__boot_loader *loader);
/* Closes the descriptors and frees the reply. Needs no lock. */
void libxl__boot_loader_free(libxl__boot_loader *loader);

#endif
