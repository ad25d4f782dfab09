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
    LIBXL__BACKENDS_AT_ONCE =
        64, /* the greatest number of backends that are connected or released at a time */
    LIBXL__BACKENDS_READ_AT_ONCE = 32,
};

/* A backend. It exists as long as its nodes exist, or a nested operation works on it. */
struct served_backend {
    struct device_events_handler *handler;
    libxl__index_link link;
    uint64_t key; /* the key in the index: the domid of the guest */
    char kind[LIBXL__DEVICE_KIND];
    uint32_t domid, devid;
    enum {
        LIBXL__BACKEND_NEW, /* not connected, or not known yet */
        LIBXL__BACKEND_CONNECTED,
        LIBXL__BACKEND_FAILED, /* the connection has failed, and is tried again when the backend's state changes */
        LIBXL__BACKEND_CONNECTING,
        LIBXL__BACKEND_RELEASING,
    } state;
    bool known;      /* its nodes were read */
    bool uses_model; /* the guest's QEMU serves it or may serve it, or is being started for it */
    bool ends_model; /* RELEASING: the guest's QEMU is being ended */
    bool marked, reading;
    bool waits; /* in the queue `waiting` */
    /* The nodes may have changed since the last nested operation was started. A failed one is repeated only if so. */
    bool told;
    bool renewed; /* since then, the backend's folder was removed or made, so the device may be a new one */
    bool held;    /* FAILED: the release has failed. It is repeated only when `told` */
    const libxl__xs_request *state_node, *online_node, *status_node;
    libxl__backend_kept kept;
    libxl__nested work;                     /* the nested operation that connects or releases the backend */
    TAILQ_ENTRY(served_backend) queue_link; /* the entry in `marked` or `reading` */
    TAILQ_ENTRY(served_backend) waiting_link;
    TAILQ_ENTRY(served_backend) working_link;
    LIST_ENTRY(served_backend) all_link;
};
TAILQ_HEAD(served_backends, served_backend);

/* A folder that is being listed: that of all backends, of a kind, or of a guest's backends of a kind. */
struct backends_folder {
    STAILQ_ENTRY(backends_folder) link;
    char kind[LIBXL__DEVICE_KIND]; /* "": the folder of all backends */
    uint32_t domid;                /* UINT32_MAX: the folder of a kind */
    uint32_t offset;               /* the part of the list that is read next */
    char version[24];              /* the version of the list (xs.h) that is read; "": no part was read */
    const libxl__xs_request *part; /* reads the next part; NULL: the request was not sent yet */
};
STAILQ_HEAD(backends_folders, backends_folder);

typedef struct device_events_handler {
    libxl__source source; /* fires when there is something to do; its stop function frees all memory */
    libxl__ao *ao;
    libxl__watch *watch;
    libxl__xs_batch *batch;   /* reads the number of this domain, and then nodes of the marked backends */
    libxl__xs_batch *listing; /* reads parts of the first folders */
    const libxl__xs_request *number;
    uint32_t self;
    libxl__index index;
    uint64_t index_steps;
    LIST_HEAD(, served_backend) all;
    struct served_backends marked, reading, working;
    /* The backends that must wait: too many others are worked on, or the guest's QEMU is ending. */
    struct served_backends waiting;
    uint32_t count, working_count;
    struct backends_folders folders;
    libxl__relisting relisting;
    libxl__recurring refusals;
} device_events_handler_state;

/* Marks a backend, so that its nodes are read. */
void libxl__served_mark(struct served_backend *b);
/* Returns whether the guest's QEMU serves another backend. */
bool libxl__served_has_model(const struct served_backend *b);
/* Returns whether a QEMU serves this backend, and may serve another one of the guest whose nodes were not read yet. */
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
 * Goes on with the list. Returns 0 when all folders are listed, LIBXL__AO_WAIT, or an error. Errors: NOMEM, and those
 * of libxl__xs_rc.
 */
int libxl__served_list_step(struct device_events_handler *s);
/* Frees the list. */
void libxl__served_list_end(struct device_events_handler *s);

const uint64_t *libxl__served_key(const libxl__index_link *link);

#endif
