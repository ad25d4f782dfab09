/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of domain_restore that domain_create_new does not have. In them the program aioxen-transfer reads the
 * saved domain. Call all functions with the context locked.
 */
#ifndef LIBXL__CREATE_RESTORE_H
#define LIBXL__CREATE_RESTORE_H

#include "arrival.h"
#include "json_table.h"
#include "ops.h"
#include "qemu.h"
#include "transfer.h"

/* Returns whether the operation is domain_restore or domain_restore_incoming, which have the same inputs. */
bool libxl__restores(const libxl__ao *ao);
/* Returns whether the operation is domain_restore_incoming. */
bool libxl__is_incoming(const libxl__ao *ao);

/*
 * The end of the name of a domain that another machine sends, until the guest belongs to this machine. xl uses the
 * same text.
 */
#define LIBXL__INCOMING "--incoming"

/*
 * For domain_restore_incoming: adds LIBXL__INCOMING to the configuration's name, and stores the former name in
 * *name_out, in the operation's memory. Does nothing for another operation. Errors: NOMEM.
 */
int libxl__incoming_rename(libxl__ao *ao, libxl_domain_config *config, const char **name_out);

/*
 * The configuration in xl's header, or the request of a sender that asks first (migrate_ask.h). A worker parses it,
 * because it may be long. Zero-initialise it.
 */
typedef struct libxl__restored_config {
    libxl__job job;
    libxl_domain_config *config; /* the operation's input */
    /* The text of the configuration, in the operation's memory; NULL: the text was not read yet. */
    const char *text;
    bool asked;                              /* the text is a request (migrate_ask.h) */
    uint64_t memory_kb;                      /* from a request: the memory of the guest; 0: not known */
    uint32_t features[LIBXL__MOST_FEATURES]; /* from a request: the featureset of the guest (arrival.h) */
    unsigned feature_count;
    libxl__json_foreign foreign;
    int rc;
    char why[256];
} libxl__restored_config;

/*
 * Starts the program. The program reads xl's header, unless the application has given the configuration. Returns 0,
 * LIBXL__AO_WAIT, or an error, recorded in ao: INVAL, NOMEM, FAIL.
 */
int libxl__restore_head_start(libxl__ao *ao, libxl__transfer *transfer);
/*
 * Returns LIBXL__AO_WAIT until the header was read. Then stores the header's configuration in the operation's args.
 * Ignores members of the configuration that this release does not know, and logs a warning. Errors, recorded in ao:
 * those of libxl__transfer_result, and INVAL (the header has no valid configuration).
 */
int libxl__restore_head_poll(libxl__ao *ao, libxl__transfer *transfer, libxl__restored_config *parsed);

/*
 * If the application has given the input `allowed`, checks the configuration in xl's header against it. Errors:
 * those of libxl__received_check.
 */
int libxl__restore_check_allowed(libxl__ao *ao, const libxl_domain_config *config);

/*
 * Checks the request of a sender, once the domain was made. Compares the features of the processors. Reserves the
 * guest's memory until libxl__restore_receive_poll has succeeded. Does nothing if the sender has sent no request.
 * Errors, recorded in ao: INVAL, NO_MEMORY_FOR_GUEST.
 */
int libxl__restore_check_request(libxl__ao *ao, const libxl__restored_config *parsed,
                                 const libxl__build *build);

/* Tells the program to restore the saved domain into the domain that was made. Returns LIBXL__AO_WAIT. */
int libxl__restore_receive_start(libxl__ao *ao, libxl__transfer *transfer, const libxl__build *build);
/*
 * Returns LIBXL__AO_WAIT until the domain is restored. Then stores the frames of the domain's rings in `build`. For
 * an HVM domain also stores the state of QEMU in `saved`, which is valid until the operation ends. Errors, recorded
 * in ao: those of libxl__transfer_result, and INVAL (the nodes of QEMU are wrong).
 */
int libxl__restore_receive_poll(libxl__ao *ao, libxl__transfer *transfer, libxl__build *build,
                                libxl__qemu_saved *saved);

#endif
