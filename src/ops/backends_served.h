/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backends that device_events_handler serves: the state of the operation, the table of the backends, and how
 * they are found. Call all functions with the context locked.
 */
#ifndef LIBXL__BACKENDS_SERVED_H
#define LIBXL__BACKENDS_SERVED_H

#include "backend.h"
#include "relisting.h"

enum {
    LIBXL__BACKENDS_MOST = 8192, /* the greatest number of backends that are served */
    /* The greatest number of backends that are connected or released at a time. */
    LIBXL__BACKENDS_AT_ONCE = 64,
    LIBXL__BACKENDS_READ_AT_ONCE = 32,
};

/* A backend. This structure exists while the backend's nodes exist or a nested operation works on the backend. */
struct served_backend {
    struct device_events_handler *handler;
    libxl__index_link link;
    uint64_t key; /* the key in the index: the domid of the guest */
    char kind[LIBXL__DEVICE_KIND];
    uint32_t domid, devid;
    enum {
        LIBXL__BACKEND_NEW, /* not connected, or not known yet */
        LIBXL__BACKEND_CONNECTED,
        /* The connection has failed, and is tried again when the backend's state changes. */
        LIBXL__BACKEND_FAILED,
        LIBXL__BACKEND_CONNECTING,
        LIBXL__BACKEND_RELEASING,
    } state;
    bool known;      /* the backend's nodes were read at least once */
    bool uses_model; /* the guest's QEMU serves the backend or may serve it, or is being started for it */
    bool ends_model; /* the release of this backend also ends the guest's QEMU */
    bool marked, reading;
    bool waits; /* the backend is in the queue `waiting` */
    /*
     * A watch has reported a change since the last nested operation was started. An operation that has failed is
     * repeated only after such a change.
     */
    bool told;
    /*
     * Since the last nested operation was started, the backend's folder was removed or made; the device may
     * be a new device.
     */
    bool renewed;
    /* The state is FAILED because the release has failed; the release is repeated only if `told` is set. */
    bool held;
    const libxl__xs_request *state_node, *online_node, *status_node;
    libxl__backend_kept kept;
    libxl__nested work;                     /* the nested operation that connects or releases the backend */
    TAILQ_ENTRY(served_backend) queue_link; /* the entry in `marked` or `reading` */
    TAILQ_ENTRY(served_backend) waiting_link;
    TAILQ_ENTRY(served_backend) working_link;
    LIST_ENTRY(served_backend) all_link;
};
TAILQ_HEAD(served_backends, served_backend);

/*
 * A folder of xenstore that is being listed: the folder of all backends, the folder of a kind, or the folder of a
 * guest's backends of a kind.
 */
struct backends_folder {
    STAILQ_ENTRY(backends_folder) link;
    char kind[LIBXL__DEVICE_KIND]; /* "": the folder of all backends */
    uint32_t domid;                /* UINT32_MAX: this is the folder of all backends, or of a kind */
    uint32_t offset;               /* the offset of the part of the list that is read next */
    char version[24];              /* the version of the list (xs.h) that is read; "": no part was read */
    const libxl__xs_request *part; /* reads the next part; NULL: the request was not sent yet */
};
STAILQ_HEAD(backends_folders, backends_folder);

typedef struct device_events_handler {
    /* Fires when the operation has work to do. The source's stop function frees all memory. */
    libxl__source source;
    libxl__ao *ao;
    libxl__watch *watch;
    libxl__xs_batch *batch; /* reads the domid of this domain, and afterwards the nodes of marked backends */
    libxl__xs_batch *listing; /* reads the next parts of the folders at the head of `folders` */
    const libxl__xs_request *number;
    uint32_t self;
    libxl__index index;
    uint64_t index_steps;
    LIST_HEAD(, served_backend) all;
    struct served_backends marked, reading, working;
    /*
     * The backends that wait because nested operations work on LIBXL__BACKENDS_AT_ONCE other backends, or because the
     * guest's QEMU is being ended.
     */
    struct served_backends waiting;
    uint32_t count, working_count;
    struct backends_folders folders;
    libxl__relisting relisting;
    libxl__recurring refusals;
} device_events_handler_state;

/* Marks a backend. The operation then reads the nodes of the backend. */
void libxl__served_mark(struct served_backend *b);
/* Returns whether the guest's QEMU serves another backend. */
bool libxl__served_has_model(const struct served_backend *b);
/*
 * Returns whether a QEMU serves this backend, and the guest has another backend whose nodes were not read yet. That
 * QEMU may serve the other backend, too.
 */
bool libxl__served_has_unknown(const struct served_backend *b);
/* Returns whether the guest's QEMU is being ended. */
bool libxl__served_ends_model(const struct served_backend *b);
/* Frees a backend on which no nested operation works. */
void libxl__served_forget(struct served_backend *b);

/* Puts a backend into the queue `waiting`, or removes it if it is there. */
void libxl__served_wait(struct served_backend *b);
void libxl__served_wait_no_more(struct served_backend *b);

/* Called when a node at or below the folder of all backends has changed: marks the backends that may have changed. */
void libxl__served_changed(struct device_events_handler *s, const char *path);
/* Begins to list the folders from the start. Marks all backends, because some of them may be gone. Errors: NOMEM. */
int libxl__served_list(struct device_events_handler *s);
/*
 * Reads the next parts of the folders. Returns 0 when all folders are listed, LIBXL__AO_WAIT, or an error. Errors:
 * NOMEM, and those of libxl__xs_rc.
 */
int libxl__served_list_step(struct device_events_handler *s);
/* Ends the listing, and frees the folders that are not listed yet. */
void libxl__served_list_end(struct device_events_handler *s);

/* Returns the key of a backend in the index, the domid of the guest. Needs no lock. */
const uint64_t *libxl__served_key(const libxl__index_link *link);

#endif
