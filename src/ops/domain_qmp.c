/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_qmp sends a command to a domain's QEMU. qemu_monitor_command sends a line to the monitor of QEMU.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"
#include "qmp.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OCTETS = 32 << 10, LONGEST_NAME = 64 }; /* QEMU's socket takes more octets than this at once */

typedef libxl__qmp domain_qmp_state;
typedef libxl__qmp qemu_monitor_command_state;

/* Sends one command. Takes ownership of `arguments`. */
static int ask(libxl__ao *ao, libxl__qmp *qmp, const char *command, struct json_object *arguments)
{
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (rc) {
        json_object_put(arguments);
        return rc;
    }
    rc = libxl__qmp_add(ao, qmp, command, arguments, -1);
    return rc ? rc : libxl__qmp_start(ao, qmp, ao->subject.number);
}

/* ---- domain_qmp */

/* Returns the JSON object that the text contains, or NULL. */
static struct json_object *parse(const char *text)
{
    struct json_tokener *tokener = json_tokener_new_ex(LIBXL__QMP_DEPTH);
    struct json_object *object = NULL;
    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    object = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
    json_tokener_free(tokener);
    if (json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

static int ask_start(libxl__ao *ao, libxl__qmp *qmp)
{
    const libxl__domain_qmp_args *args = libxl__ao_args(ao);
    if (!*args->in.command || strlen(args->in.command) > LONGEST_NAME)
        return libxl__ao_fail(ao, ERROR_INVAL, "command: not of 1 to %d octets", LONGEST_NAME);
    if (args->in.arguments && strlen(args->in.arguments) > MOST_OCTETS)
        return libxl__ao_fail(ao, ERROR_INVAL, "arguments: longer than %d octets", MOST_OCTETS);
    struct json_object *arguments = args->in.arguments ? parse(args->in.arguments) : NULL;
    if (args->in.arguments && !arguments)
        return libxl__ao_fail(ao, ERROR_INVAL, "arguments: not an object of JSON");
    return ask(ao, qmp, args->in.command, arguments);
}

static int ask_poll(libxl__ao *ao, libxl__qmp *qmp)
{
    const libxl__domain_qmp_args *args = libxl__ao_args(ao);
    const int rc = libxl__qmp_poll_model(ao, qmp, ao->subject.number);
    if (rc)
        return rc;
    *args->out.answer = strdup(json_object_to_json_string_ext(
        qmp->commands[0].result, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    return *args->out.answer ? 0 : ERROR_NOMEM;
}

#include "_libxl_phases_domain_qmp.h"

/* ---- qemu_monitor_command */

static int tell_start(libxl__ao *ao, libxl__qmp *qmp)
{
    const libxl__qemu_monitor_command_args *args = libxl__ao_args(ao);
    if (strlen(args->in.command_line) > MOST_OCTETS)
        return libxl__ao_fail(ao, ERROR_INVAL, "command_line: longer than %d octets", MOST_OCTETS);
    return ask(ao, qmp, "human-monitor-command", libxl__qmp_text("command-line", args->in.command_line));
}

static int tell_poll(libxl__ao *ao, libxl__qmp *qmp)
{
    const libxl__qemu_monitor_command_args *args = libxl__ao_args(ao);
    const int rc = libxl__qmp_poll_model(ao, qmp, ao->subject.number);
    if (rc)
        return rc;
    if (!json_object_is_type(qmp->commands[0].result, json_type_string))
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: human-monitor-command: no text");
    *args->out.output = strdup(json_object_get_string(qmp->commands[0].result));
    return *args->out.output ? 0 : ERROR_NOMEM;
}

#include "_libxl_phases_qemu_monitor_command.h"
