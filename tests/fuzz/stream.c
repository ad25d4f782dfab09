/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restores a domain from a hostile stream: xl's header with a configuration, or a request to receive a guest,
 * libxl's stream, the records of a device model, and the container of a compressed stream. The input is the
 * stream. Its first octet chooses how the program is run. These conditions must hold:
 *
 *   - the program reports exactly one result: success if it returns 0, else a failure that has a text;
 *   - it writes no more to the file of the head than its limits allow;
 *   - it decompresses no more than one part at a time, and each part is limited.
 *
 * The sources of the program are included here, because a run must find their variables as they are at the
 * start of the process. This file replaces main.c: a read takes octets of the input, and a message is counted.
 * Decompressing runs before the next read instead of in a thread.
 *
 * Owns: the variables of a run. Only one thread uses them.
 */
#include "bytes.h"
#include "world.h"

#include "../../src/transfer/program.h"

static off_t head_place(int fd, off_t offset, int whence);
static int head_cut(int fd, off_t length);
/* Takes one octet of the stream, which is the errno of the failure, or 0. */
static int play_restore(int fd, unsigned long *store_out, unsigned long *console_out,
                        const struct restore_callbacks *callbacks);

#define lseek     head_place
#define ftruncate head_cut
#define xc_domain_restore(xch, fd, domid, store_port, store, store_domid, port, console, console_domid,      \
                          type, callbacks, ...)                                                              \
    play_restore(fd, store, console, callbacks)
/* Without information about the domain, the program does not limit its memory. It must not, because its
 * memory is also the fuzzer's. */
#define xc_domain_getinfolist(xch, first, count, info) ((void)(xch), (void)(first), -1)
#define PART                                           MODEL_PART
#include "../../src/transfer/model.c"
#undef PART
#include "../../src/transfer/restore.c"
#define expand_begin begin_thread
#include "../../src/transfer/expand.c"
#undef expand_begin

enum { IN = 1001, OUT = 1002, MOST_EXPANDED = 8 << 20 };

static struct {
    bytes input;
    bool receives;      /* true: the program reads a head. */
    bool hvm;           /* true: the domain has a device model. */
    size_t head;        /* The length of the file of the head. */
    int results, heads; /* The numbers of messages RESULT and HEAD that the program has sent. */
    int32_t result;     /* The value of the last message RESULT. */
    char *expanded;     /* The data that was decompressed: `size` octets, of which `taken` were read. */
    size_t size, taken;
} run;

/* ---- in place of main.c */

bool stopped(void)
{
    return false;
}

bool is_alone(void)
{
    return false;
}

void send_message(libxl__transfer_message *message)
{
    CHECK(memchr(message->text, 0, sizeof(message->text)));
    if (message->kind == LIBXL__TRANSFER_HEAD) {
        CHECK(!run.heads++);
        CHECK(message->numbers[0] == run.head && run.head <= LIBXL__TRANSFER_LONGEST_HEAD);
    }
    if (message->kind != LIBXL__TRANSFER_RESULT)
        return;
    CHECK(!run.results++);
    run.result = message->value;
}

bool receive_message(libxl__transfer_kind kind, libxl__transfer_message *message)
{
    CHECK(kind == LIBXL__TRANSFER_BUILT);
    *message = (libxl__transfer_message){.kind = kind, .numbers = {1, 2, 3, run.hvm}};
    return true;
}

int report(libxl__transfer_end result, int errnoval, const char *text)
{
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_RESULT, .value = (int32_t)result};
    CHECK(result != LIBXL__TRANSFER_OK && (errnoval || *text));
    snprintf(message.text, sizeof(message.text), "%s", text);
    send_message(&message);
    return 1;
}

int report_xen(const char *what, int errnoval)
{
    return report(LIBXL__TRANSFER_XEN, errnoval, what);
}

const char *first_error(const char *otherwise)
{
    return otherwise;
}

bool monitor_fail(const char *command, const char *reason)
{
    CHECK(command && reason);
    return false;
}

bool monitor_save(uint32_t domid, bool live, int fd)
{
    (void)domid, (void)live, (void)fd;
    return false;
}

bool join_thread(pthread_t ended)
{
    (void)ended;
    return true;
}

static bool take_input(void *data, size_t size)
{
    const size_t left = (size_t)(run.input.end - run.input.at);
    const size_t got = size < left ? size : left;
    memcpy(data, run.input.at, got);
    run.input.at += got;
    errno = 0;
    return got == size;
}

bool read_all(int fd, void *data, size_t size)
{
    CHECK(fd == STREAM || fd == IN);
    if (fd == IN || !running)
        return take_input(data, size);
    errno = 0;
    if (size > run.size - run.taken)
        return false;
    memcpy(data, run.expanded + run.taken, size);
    run.taken += size;
    return true;
}

bool write_all(int fd, const void *data, size_t size)
{
    CHECK(fd == HEAD || fd == OUT);
    if (fd == HEAD) {
        run.head += size;
        CHECK(run.head <= LIBXL__TRANSFER_LONGEST_MODEL + LIBXL__TRANSFER_LONGEST_NODES);
        return true;
    }
    CHECK(size <= (1 << 20));
    errno = ENOSPC;
    if (size > MOST_EXPANDED - run.size)
        return false;
    memcpy(run.expanded + run.size, data, size);
    run.size += size;
    return true;
}

static off_t head_place(int fd, off_t offset, int whence)
{
    CHECK(!offset && (whence == SEEK_CUR || fd == HEAD));
    return fd == HEAD ? (off_t)run.head : -1;
}

static int head_cut(int fd, off_t length)
{
    CHECK(fd == HEAD && !length);
    run.head = 0;
    return 0;
}

bool expand_begin(void)
{
    running = true;
    place = sizeof(container_header);
    expand(NULL);
    return true;
}

/* ---- in place of libxenguest */

static int play_restore(int fd, unsigned long *store_out, unsigned long *console_out,
                        const struct restore_callbacks *callbacks)
{
    unsigned char octet;
    *store_out = *console_out = 1;
    if (!read_all(fd, &octet, 1) || callbacks->static_data_done(octet & 1, callbacks->data)) {
        errno = EINVAL;
        return -1;
    }
    errno = octet;
    return octet ? -1 : 0;
}

/* ---- the runs */

static void begin(unsigned how)
{
    static char expanded[MOST_EXPANDED];
    run.hvm = how & 1;
    run.receives = !(how & 2);
    run.expanded = expanded;
    if (!zstd) {
        zstd = ZSTD_createDCtx();
        packed = malloc(ZSTD_compressBound(1 << 20));
        plain = malloc(1 << 20);
        CHECK(zstd && packed && plain);
    }
    in = IN;
    out = OUT;
    running = failed = false;
    failed_read = 0;
    state_size = nodes_size = 0;
    *why = 0;
    if (how & 4)
        world_fail_allocation(how / 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&run, 0, sizeof(run));
    world_begin(NULL);
    run.input = (bytes){data, data + size};
    begin(next_byte(&run.input));
    const int status = restore(NULL, run.receives);
    world_allow_allocations();
    CHECK(run.results == 1 && !status == !run.result);
    CHECK(status || run.heads == run.receives);
    free(nodes);
    nodes = NULL;
    return 0;
}
