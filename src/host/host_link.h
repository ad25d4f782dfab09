/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces ("links"), by rtnetlink: one message each, whose answer arrives in the context's loop.
 *
 * The context opens one socket for requests and one for notifications, each when it is needed first.
 * Call all functions with the context locked.
 */
#ifndef LIBXL__HOST_LINK_H
#define LIBXL__HOST_LINK_H

#include <net/if.h>

#include "host.h"

enum { LIBXL__LINK_WORDS = 160 };

/* What the kernel says of an interface. */
typedef struct libxl__link_info {
    int index;
    int master; /* index of the bridge that it is in; 0: none */
    uint32_t mtu;
    bool up, bridge;
    uint8_t address[6];
    char name[IFNAMSIZ];
} libxl__link_info;

/* A change of an interface. A member that is 0, NULL or false is not changed. */
typedef struct libxl__link_change {
    const char *new_name;
    int master; /* index of a bridge */
    uint32_t mtu;
    const uint8_t *address; /* 6 octets */
    bool up;
} libxl__link_change;

/* A request to the kernel. Embed it in the operation's state; zero-initialise it. It may be used again when it is done. */
typedef struct libxl__link_request {
    libxl__source source; /* fires when the answer has arrived */
    LIST_ENTRY(libxl__link_request) link;
    uint32_t sequence;
    bool done;
    int errnoval;                  /* once done: 0 or the kernel's errno */
    char words[LIBXL__LINK_WORDS]; /* once done: the kernel's reason for an error; often empty */
    char name[IFNAMSIZ];           /* the interface */
    libxl__link_info info;         /* the result of libxl__link_look */
} libxl__link_request;

/* Asks for an interface. Errors, recorded in ao: INVAL (the name is longer than an interface's name), FAIL, NOMEM,
 * PERMISSION. */
int libxl__link_look(libxl__ao *ao, libxl__link_request *request, const char *name);
/* Changes the interface with this index by one message. `name` is for messages. Errors: as libxl__link_look. */
int libxl__link_set(libxl__ao *ao, libxl__link_request *request, int index, const char *name,
                    const libxl__link_change *change);
/*
 * Returns LIBXL__AO_WAIT until the answer is there; then 0 or the error. Errors, recorded in ao with `what` (the member
 * of the configuration or the action), the interface's name and the kernel's words: INVAL (there is no such interface),
 * BUSY, PERMISSION, NOMEM, FAIL. A caller that expects an error looks at `done` and `errnoval` instead.
 */
int libxl__link_poll(libxl__ao *ao, libxl__link_request *request, const char *what);

/* A wait until an interface exists, or until it does not exist. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__link_await {
    libxl__source source; /* fires when the wait is over, or has failed */
    LIST_ENTRY(libxl__link_await) link;
    libxl__link_request look;
    char name[IFNAMSIZ];
    bool present; /* what is waited for */
    bool done, again;
    int errnoval; /* once done: 0, or why the kernel cannot be asked */
    int index;    /* of the interface, once it exists */
} libxl__link_await;

/* Waits until the interface exists (`present`) or does not exist. The wait has no time limit of its own. Errors,
 * recorded in ao: as libxl__link_look. */
int libxl__link_await_start(libxl__ao *ao, libxl__link_await *await, const char *name, bool present);
/* Returns LIBXL__AO_WAIT until the wait is over; then 0 or an error, recorded in ao: PERMISSION, NOMEM, FAIL. */
int libxl__link_await_poll(libxl__ao *ao, libxl__link_await *await);

/* Called once, while the context is freed. */
void libxl__links_close(libxl_ctx *ctx);

#endif
