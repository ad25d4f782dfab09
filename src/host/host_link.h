/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads and changes network interfaces ("links") through rtnetlink. Each request is one message to the
 * kernel. The kernel's answer arrives in the context's loop.
 *
 * The context has one socket for requests and one for notifications. Each socket is opened when it is first
 * needed. Call all functions with the context locked.
 */
#ifndef LIBXL__HOST_LINK_H
#define LIBXL__HOST_LINK_H

#include <net/if.h>

#include "host.h"

enum { LIBXL__LINK_WORDS = 160 };

/* The kernel's information about an interface. */
typedef struct libxl__link_info {
    int index;
    int master; /* the index of the bridge that contains the interface; 0: no bridge contains it */
    uint32_t mtu;
    bool up, bridge;
    uint8_t address[6];
    char name[IFNAMSIZ];
} libxl__link_info;

/* A change of an interface. If a member is 0, NULL or false, the corresponding property does not change. */
typedef struct libxl__link_change {
    const char *new_name;
    int master; /* the index of the bridge that will contain the interface */
    uint32_t mtu;
    const uint8_t *address; /* the MAC address: 6 octets */
    bool up;
} libxl__link_change;

/*
 * A request to the kernel. Embed it in the operation's state; zero-initialise it. The structure may be used
 * again once the request is done.
 */
typedef struct libxl__link_request {
    libxl__source source; /* fires when the answer has arrived */
    LIST_ENTRY(libxl__link_request) link;
    uint32_t sequence;
    bool done;
    int errnoval; /* the result, valid once `done` is set: 0 or the kernel's errno */
    /* Valid once `done` is set: the kernel's text about an error. The text is often empty. */
    char words[LIBXL__LINK_WORDS];
    char name[IFNAMSIZ];   /* the name of the interface that the request is about */
    libxl__link_info info; /* the result of libxl__link_look: the information about the interface */
} libxl__link_request;

/*
 * Requests the information about an interface. Errors, recorded in ao: INVAL (the name is too long for an
 * interface), FAIL, NOMEM, PERMISSION.
 */
int libxl__link_look(libxl__ao *ao, libxl__link_request *request, const char *name);
/*
 * Requests a change of the interface with this index. `name` is used in messages. Errors: those of
 * libxl__link_look.
 */
int libxl__link_set(libxl__ao *ao, libxl__link_request *request, int index, const char *name,
                    const libxl__link_change *change);
/*
 * Returns LIBXL__AO_WAIT until the answer has arrived. Then returns 0 or an error. `what` is the action or
 * the configuration's field, for the message. Errors: INVAL (the interface does not exist), BUSY, PERMISSION,
 * NOMEM, FAIL, recorded in ao with `what`, the interface's name and the kernel's text. A caller that expects
 * an error uses `done` and `errnoval` instead of this function.
 */
int libxl__link_poll(libxl__ao *ao, libxl__link_request *request, const char *what);

/*
 * A wait until an interface exists, or until it no longer exists. Embed it in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__link_await {
    /* Fires when the wait has ended, and each time the interface must be checked again. */
    libxl__source source;
    LIST_ENTRY(libxl__link_await) link;
    libxl__link_request look;
    char name[IFNAMSIZ];
    /* True: the wait ends when the interface exists; false: the wait ends when it does not exist. */
    bool present;
    bool done, again;
    /* The result, valid once `done` is set: 0, or the errno of a failed request to the kernel. */
    int errnoval;
    int index; /* the index of the interface, once it exists */
} libxl__link_await;

/*
 * Starts to wait. `present` true: waits until the interface exists. `present` false: waits until the
 * interface does not exist. The wait has no separate time limit; the limit of the operation's phase applies.
 * Errors: those of libxl__link_look, recorded in ao.
 */
int libxl__link_await_start(libxl__ao *ao, libxl__link_await *await, const char *name, bool present);
/*
 * Returns LIBXL__AO_WAIT until the wait has ended. Then returns 0 or an error. Errors, recorded in ao:
 * PERMISSION, NOMEM, FAIL.
 */
int libxl__link_await_poll(libxl__ao *ao, libxl__link_await *await);

/* Closes both sockets. Called once, while the context is freed. */
void libxl__links_close(libxl_ctx *ctx);

#endif
