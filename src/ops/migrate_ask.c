/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the configuration of a request until the request is made. The caller holds the context's lock.
 */
#include "migrate_ask.h"

#include "_libxl_types_json.h"
#include "arrival.h"
#include "json_table.h"
#include "save_devices.h"
#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the longest reason that is sent, in octets. JSON may need six octets for one octet of the reason. */
enum { LONGEST_REASON = 600 };
_Static_assert(6 * LONGEST_REASON + 64 < LIBXL__PEER_LONGEST_TEXT, "an answer fits into a text");

/* ---- making and sending the request */

static void dispose_request(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    /*
     * libxl_migration_request_dispose must not free the words of the features, which are in the operation's memory.
     */
    libxl_migration_request *request = &LIBXL__CONTAINER(source, libxl__migrate_ask, held)->request;
    request->features = NULL;
    request->num_features = 0;
    libxl_migration_request_dispose(request);
}

int libxl__ask_configuration_poll(const libxl__migrate_ask *ask)
{
    return ask->configuration.done ? ask->configuration.rc : LIBXL__AO_WAIT;
}

int libxl__ask_configuration_start(libxl__ao *ao, libxl__migrate_ask *ask)
{
    libxl_migration_request_init(&ask->request);
    /*
     * Sources are stopped in the reverse order of attachment. This source is attached before the nested operation, so
     * the nested operation has ended or was asked to stop before the request is freed. A nested operation that was asked
     * to stop stores no result.
     */
    libxl__source_attach(ao, &ask->held, dispose_request);
    const int rc = libxl__nested_reserve(ao, &ask->configuration, LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION);
    if (rc)
        return rc;
    libxl__retrieve_domain_configuration_args *args = libxl__ao_args(ask->configuration.child);
    args->out.d_config = &ask->request.config;
    libxl__nested_start(&ask->configuration);
    return libxl__ask_configuration_poll(ask);
}

void libxl__ask_configuration_stop(const libxl__migrate_ask *ask)
{
    if (!ask->configuration.done)
        libxl__ao_request_stop(ask->configuration.child, ERROR_ABORTED);
}

/* Makes the octets of the request, in the operation's memory. */
static int make_request(libxl__ao *ao, libxl__migrate_ask *ask)
{
    char *json = libxl__json_write(&libxl__json_of_migration_request, &ask->request);
    if (!json)
        return ERROR_NOMEM;
    const size_t length = strlen(json);
    const bool fits = length <= LIBXL__TRANSFER_LONGEST_HEAD;
    libxl__xl_header *header = fits ? libxl__gc_alloc(&ao->gc, sizeof(*header) + length) : NULL;
    if (header) {
        *header = (libxl__xl_header){.magic = LIBXL__REQUEST_MAGIC,
                                     .byte_order = LIBXL__XL_BYTE_ORDER,
                                     .optional_size = (uint32_t)length};
        memcpy(header + 1, json, length);
    }
    free(json);
    if (!fits)
        return libxl__ao_fail(ao, ERROR_FAIL, "the domain's configuration is too long to be sent");
    ask->octets = (const char *)header;
    ask->size = sizeof(*header) + length;
    return header ? 0 : ERROR_NOMEM;
}

int libxl__ask_start(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer)
{
    xc_domaininfo_t info;
    uint32_t *words = NULL;
    unsigned count = 0;
    int rc = libxl__migrate_usb_check(ao, &ask->request.config);
    if (!rc)
        rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc)
        rc = libxl__hv_features(ao, ao->subject.number, &words, &count);
    if (!rc) {
        ask->request.memory_kb = info.tot_pages * 4;
        ask->request.features = words;
        ask->request.num_features = (int)count;
        ask->answer = libxl__gc_alloc(&ao->gc, sizeof(*ask->answer));
        rc = ask->answer ? make_request(ao, ask) : ERROR_NOMEM;
    }
    libxl__source_stop(ao->ctx, &ask->held);
    return rc ? rc : libxl__ask_poll(ao, ask, peer);
}

int libxl__ask_poll(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer)
{
    return libxl__peer_send_parts(ao, peer, ask->octets, ask->size);
}

/* ---- sending and reading the answer */

static bool has(const int *errors, int error)
{
    while (*errors && *errors != error)
        errors++;
    return *errors == error;
}

/*
 * Returns the error of a receiver if domain_restore can return it. Returns FAIL for an error that would look like an
 * error of the sender's operation or of the domain on this machine.
 */
static int known_error(int error)
{
    static const int own[] = {ERROR_NOMEM,
                              ERROR_ABORTED,
                              ERROR_TIMEDOUT,
                              ERROR_CLOSED,
                              ERROR_DOMAIN_DESTROYED,
                              ERROR_DOMAIN_NOTFOUND,
                              0};
    return error && !has(own, error) && has(libxl__operations[LIBXL__OP_DOMAIN_RESTORE].errors, error)
               ? error
               : ERROR_FAIL;
}

int libxl__ask_accepted(libxl__ao *ao, libxl__migrate_ask *ask, libxl__peer *peer)
{
    libxl_migration_answer answer;
    libxl__json_foreign foreign = {.unknown = 0};
    int rc = libxl__peer_expect_text(ao, peer, ask->answer);
    if (rc && rc != LIBXL__AO_WAIT && peer->lost)
        libxl__ao_fail_also(ao, "a receiver of another toolstack does not understand the option ASK");
    if (rc)
        return rc;
    rc = libxl__json_read_foreign(ao->ctx, &libxl__json_of_migration_answer, &answer, ask->answer->text,
                                  &foreign);
    if (rc)
        return rc == ERROR_NOMEM
                   ? rc
                   : libxl__ao_fail(ao, ERROR_FAIL, "the receiver's answer: %s", libxl_error_message());
    if (answer.error)
        rc = libxl__ao_fail(ao, known_error(answer.error), "the receiver: %.*s", LONGEST_REASON,
                            answer.message && *answer.message ? answer.message
                                                              : libxl__error_words(answer.error));
    libxl_migration_answer_dispose(&answer);
    return rc;
}

/* Returns how many octets of a text are sent. Does not cut within a UTF-8 character. */
static size_t length_sent(const char *words)
{
    size_t length = strnlen(words, LONGEST_REASON);
    while (length && ((unsigned char)words[length] & 0xc0) == 0x80)
        length--;
    return length;
}

int libxl__ask_answer(libxl__ao *ao, libxl__peer *peer, int error, const char *words)
{
    libxl_migration_answer answer;
    libxl_migration_answer_init(&answer);
    answer.error = error;
    answer.message = error ? strndup(words, length_sent(words)) : NULL;
    char *json =
        !error || answer.message ? libxl__json_write(&libxl__json_of_migration_answer, &answer) : NULL;
    const int rc = json ? libxl__peer_send_text(ao, peer, json) : ERROR_NOMEM;
    free(json);
    libxl_migration_answer_dispose(&answer);
    return rc;
}
