/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sends commands to a hostile QEMU. The input chooses the commands and their options. It also chooses what
 * QEMU sends: right and wrong answers, events, refusals, raw octets, and messages in parts. QEMU may also
 * hang up. These conditions must hold:
 *
 *   - the operation completes exactly once, whatever QEMU sends, at the latest when its limit is reached;
 *   - after a success every command that was sent has an answer, and no command is refused;
 *   - QEMU gets each command once for each connection, in order, and only after the negotiation;
 *   - after the close no descriptor or memory is left.
 *
 * Owns: QEMU's end of the connection, and the operation of a run. Only one thread uses them.
 */
#include "bytes.h"
#include "world.h"

#include "libxl_internal.h"
#include "qmp.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_COMMANDS = 200, MOST_OCTETS = 1 << 17, ROUNDS = 3 };

static struct {
    bytes input;
    libxl_ctx *ctx;
    libxl__ao *ao; /* The operation's record. NULL: the operation has ended. */
    libxl__qmp *qmp;
    int completions, rounds;
    bool memory_was_short;
    int qemu;      /* QEMU's end of the connection, or -1 */
    unsigned next; /* The number of the command that QEMU answers next. */
} run;

/* ---- the operation */

/* Adds commands to `qmp`. A later round of the same connection adds further commands. */
static int add_commands(libxl__ao *ao, libxl__qmp *qmp)
{
    for (unsigned more = next_below(&run.input, 4); more && qmp->count < LIBXL__QMP_COMMANDS; more--) {
        struct json_object *arguments =
            libxl__qmp_text("device", next_byte(&run.input) & 1 ? "disk\n" : NULL);
        const int rc = libxl__qmp_add(ao, qmp, "device_add", arguments, -1);
        if (rc)
            return rc;
        qmp->commands[qmp->count - 1].skipped = next_below(&run.input, 4) == 3;
    }
    return 0;
}

static int start_commands(libxl__ao *ao, void *state)
{
    libxl__qmp *qmp = state;
    const unsigned how = next_byte(&run.input);
    run.ao = ao;
    run.qmp = qmp;
    qmp->all = how & 1;
    qmp->kept = how & 2;
    qmp->event = how & 4 ? "DEVICE_DELETED" : NULL;
    int rc = libxl__qmp_add(ao, qmp, "query-version", NULL, -1);
    if (!rc)
        rc = add_commands(ao, qmp);
    if (!rc && how & 8)
        rc = libxl__qmp_reserve(ao, qmp);
    if (!rc)
        rc = libxl__qmp_start(ao, qmp, 1);
    return rc ? rc : LIBXL__AO_WAIT;
}

static void check_success(const libxl__qmp *qmp)
{
    for (unsigned i = 0; i < qmp->count; i++) {
        const libxl__qmp_command *command = &qmp->commands[i];
        CHECK(!*command->refusal);
        CHECK(!command->skipped || !command->result);
    }
    CHECK(qmp->answered == qmp->count && (qmp->happened || !qmp->event));
}

static int poll_answers(libxl__ao *ao, void *state)
{
    libxl__qmp *qmp = state;
    const int rc = libxl__qmp_poll(ao, qmp);
    CHECK(rc == LIBXL__AO_WAIT || rc == 0 || rc == ERROR_FAIL);
    if (rc == LIBXL__AO_WAIT)
        return rc;
    CHECK(qmp->length < LIBXL__QMP_ANSWER);
    if (rc == 0)
        check_success(qmp);
    else
        CHECK((ao->message && *ao->message) || run.memory_was_short);
    if (rc || !qmp->kept || qmp->event || run.rounds++ == ROUNDS)
        return rc;
    const int added = add_commands(ao, qmp);
    if (added)
        return added;
    libxl__qmp_go_on(ao, qmp);
    return libxl__qmp_poll(ao, qmp) == LIBXL__AO_WAIT ? LIBXL__AO_WAIT : 0;
}

static void forget(void *args)
{
    (void)args;
    run.ao = NULL;
    run.qmp = NULL;
}

static const libxl__phase phase = {.name = "ask", .start = start_commands, .poll = poll_answers};
static const libxl__phases phases = {.list = &phase, .count = 1, .state_size = sizeof(libxl__qmp)};
static const libxl__ao_class ask_class = {
    .name = "ask", .phases = &phases, .dispose = forget, .args_size = sizeof(void *), .slow = true};

static void completed(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx, (void)user;
    CHECK(!run.completions++);
    CHECK(rc == 0 || rc == ERROR_FAIL || rc == ERROR_NOMEM || rc == ERROR_ABORTED);
}

static const libxl_asyncop_how how = {.callback = completed};

static void start(void)
{
    libxl__ao *ao;
    if (libxl__ao_create(run.ctx, &ask_class, 1, &how, &ao)) {
        run.completions++;
        return;
    }
    const int rc = libxl__ao_start(ao);
    if (rc != ERROR_ASYNC_INPROGRESS)
        completed(run.ctx, rc, NULL);
}

/* ---- QEMU */

static void hang_up(void)
{
    if (run.qemu >= 0)
        close(run.qemu);
    run.qemu = -1;
}

/* Sends octets, unless the connection is full or closed. */
static void send_octets(const void *data, size_t size)
{
    if (run.qemu >= 0 && send(run.qemu, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        hang_up();
}

static void send_text(const char *text)
{
    send_octets(text, strlen(text));
}

static void greet(void)
{
    send_text("{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n");
}

/* Sends an answer to the next command. In way 0 the answer is right. In the other ways it is wrong, a
 * refusal, or has odd values. */
static void answer(unsigned way)
{
    static const char *const forms[] = {
        "{\"return\": {}, \"id\": %u}\r\n",
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\\u0007\"}, \"id\": %u}\n",
        "{\"return\": [[[]], 1e999], \"id\": %u.0}\n",
        "{\"return\": {}, \"id\": \"%u\"}\n",
        "{\"error\": {\"desc\": {\"desc\": %u}}}\n",
        "{\"error\": 5, \"id\": %u}\n",
        "{\"event\": \"DEVICE_DELETED\", \"return\": %u}\n",
        "{\"return\": null, \"id\": %u}\n",
    };
    char line[128];
    snprintf(line, sizeof(line), forms[way % 8], run.next + (way == 8));
    if (way % 8 < 2)
        run.next++;
    send_text(line);
}

static void send_event(unsigned way)
{
    static const char *const events[] = {"{\"event\": \"DEVICE_DELETED\"}\n",
                                         "{\"event\": [1]}\n",
                                         "{}\n",
                                         "[]\n",
                                         "\n",
                                         "\r\n",
                                         "{\"event\": \"",
                                         "DEVICE_DELETED\", \"data\": {}}\n"};
    send_text(events[way % 8]);
}

/* Sends many octets of one value, for lines that are too long and values that are too deep. */
static void send_many(unsigned way)
{
    static char octets[1 << 13];
    memset(octets, way & 8 ? (int)next_byte(&run.input) : '[', sizeof(octets));
    send_octets(octets, sizeof(octets) >> (way & 7));
}

static void send_raw(unsigned length)
{
    char octets[16];
    for (unsigned i = 0; i < length; i++)
        octets[i] = (char)next_byte(&run.input);
    send_octets(octets, length);
}

/* ---- commands */

static void command(void)
{
    const unsigned what = next_byte(&run.input), way = what >> 4;
    switch (what & 15) {
    case 0:
    case 1:
    case 2: libxl_ctx_process(run.ctx); break;
    case 3: greet(); break;
    case 4: send_text("{\"return\": {}}\n"); break;
    case 5: answer(0); break;
    case 6: answer(way); break;
    case 7: send_event(way); break;
    case 8: send_many(way); break;
    case 9: send_raw(way); break;
    case 10: world_advance(LIBXL__MILLISECONDS(next_byte(&run.input) * 16)); break;
    case 11:
        run.memory_was_short = true;
        world_fail_allocation(next_byte(&run.input));
        break;
    case 12:
        if (way == 15)
            hang_up();
        break;
    case 13:
        if (way == 15)
            libxl_ao_abort(run.ctx, &how);
        break;
    case 14:
        libxl__ctx_lock(run.ctx);
        if (way == 15 && run.qmp)
            libxl__qmp_leave(run.ao, run.qmp);
        libxl__ctx_leave(run.ctx);
        break;
    case 15: run.next = run.next ? run.next - 1 : 0; break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    memset(&run, 0, sizeof(run));
    run.input = (bytes){data, data + size};
    world_begin(hang_up);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    run.qemu = ends[0];
    world_connect(ends[1]);
    CHECK(libxl__ctx_create(&run.ctx, NULL) == 0);
    start();
    for (int i = 0; bytes_left(&run.input) && i < MOST_COMMANDS; i++)
        command();
    world_allow_allocations();
    if (size & 1)
        hang_up();
    CHECK(libxl__ctx_drain(run.ctx) == 0);
    CHECK(run.completions == 1 && !run.ao && run.ctx->loop.descriptors == 0);
    libxl__ctx_destroy(run.ctx);
    world_connect(-1);
    hang_up();
    return 0;
}
