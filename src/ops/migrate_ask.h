/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The request and the answer with which a migration between two hosts of this library begins. The request
 * (libxl_migration_request) follows the receiver's greeting, in the place of xl's header. The request begins with a
 * header in the format of xl's header (transfer_messages.h), and JSON follows. The answer (libxl_migration_answer) is
 * JSON, too. Then the sender sends the saved domain, as xl does. Call all functions with the context locked.
 */
#ifndef LIBXL__MIGRATE_ASK_H
#define LIBXL__MIGRATE_ASK_H

#include "ops.h"
#include "peer.h"

/* The sender's side. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__migrate_ask {
    libxl__nested configuration; /* retrieve_domain_configuration */
    libxl__source held;          /* attached while `request.config` has memory; never fires */
    libxl_migration_request request;
    const char *octets; /* the request, in the operation's memory */
    size_t size;
    libxl__peer_text *answer; /* in the operation's memory */
} libxl__migrate_ask;

/*
 * Reads the configuration of the domain that `ao` works on. Return 0, LIBXL__AO_WAIT, or an error that is recorded in
 * ao: those of retrieve_domain_configuration.
 */
int libxl__ask_configuration_start(libxl__ao *ao, libxl__migrate_ask *ask);
int libxl__ask_configuration_poll(const libxl__migrate_ask *ask);
void libxl__ask_configuration_stop(const libxl__migrate_ask *ask);
/* Makes the request, and sends it. Errors, recorded in ao: NOMEM, FAIL, and those of a hypercall on a domain. */
int libxl__ask_start(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer);
int libxl__ask_poll(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer);
/*
 * Reads the answer. Errors, recorded in ao: FAIL (there is no valid answer), and the error of the receiver if
 * domain_restore can return it; another error of the receiver becomes FAIL.
 */
int libxl__ask_accepted(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer);

/*
 * The receiver's side: sends the answer to a request. `error` 0: the guest is accepted, and `words` is not used.
 * Otherwise `words` is the reason, which may be cut off. Errors, recorded in ao: NOMEM, FAIL.
 */
int libxl__ask_answer(libxl__ao *ao, libxl__peer *peer, int error, const char *words);

/*
 * domain_receive.c: for the nested operation domain_restore_incoming. libxl__receive_asked stores that the sender has
 * sent a request. libxl__receive_accept accepts the request; it does nothing if there was no request. Errors: those
 * of libxl__ask_answer, recorded in `child`.
 */
void libxl__receive_asked(libxl__ao *child);
int libxl__receive_accept(libxl__ao *child);

#endif
