/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces ("links"), by rtnetlink. Each request is one message to the kernel. Its answer arrives
 * in the context's loop.
 *
 * The context has one socket for requests and one for notifications. Each is opened when it is first needed.
 * Call all functions with the context locked.
 */
#ifndef LIBXL__HOST_LINK_H
#define LIBXL__HOST_LINK_H

#include <net/if.h>

#include "host.h"

enum { LIBXL__LINK_WORDS = 160 };

/* The kernel's information about an interface. */
typedef struct libxl__link_info {
    int index;
    int master; /* the index of the bridge that contains the interface; 0: none */
    uint32_t mtu;
    bool up, bridge;
    uint8_t address[6];
    char name[IFNAMSIZ];
} libxl__link_info;

/* A change of an interface. A member that is 0, NULL or false changes nothing. */
typedef struct libxl__link_change {
    const char *new_name;
    int master; /* the index of the bridge that will contain the interface */
    uint32_t mtu;
    const uint8_t *address; /* the MAC address, 6 octets */
    bool up;
} libxl__link_change;

/*
 * A request to the kernel. Embed it in the operation's state; zero-initialise it. It may be used again once
 * it is done.
 */
typedef struct libxl__link_request {
    libxl__source source; /* fires when the answer has arrived */
    LIST_ENTRY(libxl__link_request) link;
    uint32_t sequence;
    bool done;
    int errnoval; /* valid once `done` is set: 0 or the kernel's errno */
    /* Valid once `done` is set: the kernel's text about an error; often empty. */
    char words[LIBXL__LINK_WORDS];
    char name[IFNAMSIZ];   /* the name of the interface */
    libxl__link_info info; /* the result of libxl__link_look */
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
 * Returns LIBXL__AO_WAIT until the answer has arrived. Then returns 0 or an error. `what` names the action or
 * the configuration's member, for the message. Errors: INVAL (the interface does not exist), BUSY,
 * PERMISSION, NOMEM, FAIL, recorded in ao with `what`, the interface's name and the kernel's text. A caller
 * that expects an error uses `done` and `errnoval` instead of this function.
 */
int libxl__link_poll(libxl__ao *ao, libxl__link_request *request, const char *what);

/*
 * A wait until an interface exists, or until it no longer exists. Embed it in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__link_await {
    libxl__source source; /* fires when the wait has ended, and when the interface must be checked again */
    LIST_ENTRY(libxl__link_await) link;
    libxl__link_request look;
    char name[IFNAMSIZ];
    bool present; /* true: waits until the interface exists; false: until it does not */
    bool done, again;
    int errnoval; /* valid once `done` is set: 0, or the errno if the kernel could not be asked */
    int index;    /* the index of the interface, once it exists */
} libxl__link_await;

/*
 * Starts to wait until the interface exists, or, if `present` is false, until it does not exist. The wait has
 * no time limit of its own. Errors: those of libxl__link_look, recorded in ao.
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
