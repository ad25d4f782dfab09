/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of the device model of an HVM domain in libxl's stream: the record EMULATOR_CONTEXT with QEMU's state, and
 * the record EMULATOR_XENSTORE_DATA with nodes that older QEMUs keep below `physmap` (Xen's
 * docs/specs/libxl-migration-stream.pandoc). QEMU is the emulator 2.
 *
 * Owns: the file in memory that QEMU writes its state to, and the nodes that were read, until the program ends. All
 * functions run on the main thread, which takes no lock.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenstore.h>

enum { EMULATOR_QEMU = 2, MOST_ADDRESSES = 256, PART = 1 << 14 };

typedef struct emulator {
    uint32_t id, index; /* `index` is always 0, because a domain has one emulator */
} emulator;

static const char padding[8];

/* ---- saving */

static int state = -1;    /* the file with QEMU's state */
static size_t state_size; /* the size of this file, in octets */

/*
 * Returns a write-only descriptor of the file, or -1. QEMU opens the file for writing, and uses only a descriptor of
 * its descriptor set that has the same access mode.
 */
static int open_for_writing(void)
{
    char path[32];
    state = memfd_create("aioxen-model", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", state);
    return state < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC);
}

bool model_save(uint32_t domid, bool live)
{
    static const char command[] = "xen-save-devices-state";
    struct stat about;
    const int fd = open_for_writing();
    if (fd < 0)
        return monitor_fail(command, strerror(errno));
    const bool saved = monitor_save(domid, live, fd);
    close(fd);
    if (!saved)
        return false;
    if (fstat(state, &about))
        return monitor_fail(command, strerror(errno));
    if (!about.st_size || about.st_size > LIBXL__TRANSFER_LONGEST_MODEL)
        return monitor_fail(command, about.st_size ? "its state is too large" : "its state is empty");
    state_size = (size_t)about.st_size;
    return true;
}

/* Writes the head of a record of `length` octets, without padding. */
static bool write_head(uint32_t type, size_t length)
{
    const struct {
        stream_record record;
        emulator emulator;
    } head = {{type, (uint32_t)(sizeof(emulator) + length)}, {EMULATOR_QEMU, 0}};
    return write_all(STREAM, &head, sizeof(head));
}

static bool write_padding(size_t length)
{
    return write_all(STREAM, padding, -length & 7);
}

/*
 * Appends the node physmap/ADDRESS/NAME and its value to the text, if the node exists. Returns false if the text is
 * too long.
 */
static bool add_node(struct xs_handle *store, const char *base, const char *name, char *text, size_t *length)
{
    char path[256];
    unsigned size;
    if (snprintf(path, sizeof(path), "%s/%s", base, name) >= (int)sizeof(path))
        return false;
    char *value = xs_read(store, XBT_NULL, path, &size);
    if (!value)
        return true;
    const char *key = strstr(path, "physmap");
    const size_t needed = strlen(key) + 1 + strlen(value) + 1;
    const bool fits = *length + needed <= LIBXL__TRANSFER_LONGEST_NODES;
    if (fits) {
        memcpy(text + *length, key, strlen(key) + 1);
        memcpy(text + *length + strlen(key) + 1, value, strlen(value) + 1);
        *length += needed;
    }
    free(value);
    return fits;
}

/* Reads QEMU's nodes into the text. QEMU may write them, so their number and length are limited. */
static bool read_nodes(uint32_t domid, char *text, size_t *length)
{
    static const char *const names[] = {"start_addr", "size", "name"};
    char base[160];
    unsigned count = 0;
    bool read = true;
    struct xs_handle *store = xs_open(0);
    if (!store)
        return false;
    snprintf(base, sizeof(base), "/local/domain/0/device-model/%u/physmap", domid);
    char **addresses = xs_directory(store, XBT_NULL, base, &count);
    for (unsigned i = 0; addresses && i < count && read; i++) {
        char path[256];
        read = i < MOST_ADDRESSES &&
               snprintf(path, sizeof(path), "%s/%s", base, addresses[i]) < (int)sizeof(path);
        for (size_t k = 0; read && k < sizeof(names) / sizeof(*names); k++)
            read = add_node(store, path, names[k], text, length);
    }
    free(addresses);
    xs_close(store);
    return read;
}

/* Writes the record with QEMU's nodes, if there are any. */
static bool write_nodes(uint32_t domid)
{
    char *text = malloc(LIBXL__TRANSFER_LONGEST_NODES);
    size_t length = 0;
    bool written = text && read_nodes(domid, text, &length);
    if (!written)
        monitor_fail("its nodes in xenstore", text ? "cannot be read" : strerror(ENOMEM));
    if (written && length)
        written = write_head(RECORD_XENSTORE_DATA, length) && write_all(STREAM, text, length) &&
                  write_padding(length);
    free(text);
    return written;
}

bool model_write(uint32_t domid)
{
    char part[PART];
    if (!write_nodes(domid) || !write_head(RECORD_EMULATOR, state_size))
        return false;
    for (size_t at = 0; at < state_size;) {
        const size_t left = state_size - at;
        const ssize_t got = pread(state, part, left < sizeof(part) ? left : sizeof(part), (off_t)at);
        if (got <= 0)
            return monitor_fail("its state", got ? strerror(errno) : "it has become shorter");
        if (!write_all(STREAM, part, (size_t)got))
            return false;
        at += (size_t)got;
    }
    return write_padding(state_size);
}

/* ---- restoring */

static char *nodes;
static size_t nodes_size;

/*
 * Reads the beginning of an emulator's record. Returns NULL, or the reason why the record is refused. errno is set in
 * the second case.
 */
static const char *read_emulator(const stream_record *record)
{
    emulator from;
    errno = 0;
    if (record->length < sizeof(from))
        return "the record of a device model is too short";
    if (!read_all(STREAM, &from, sizeof(from)))
        return "";
    if (from.id != EMULATOR_QEMU)
        return "it has the state of another device model than QEMU";
    return from.index ? "it has the state of a second device model" : NULL;
}

static bool read_padding(size_t length)
{
    char octets[8];
    return read_all(STREAM, octets, -length & 7);
}

const char *model_read_nodes(const stream_record *record)
{
    const char *refused = nodes ? "it has two records of a device model's nodes" : read_emulator(record);
    if (refused)
        return refused;
    nodes_size = record->length - sizeof(emulator);
    if (nodes_size > LIBXL__TRANSFER_LONGEST_NODES)
        return "the record of a device model's nodes is too long";
    nodes = malloc(nodes_size + 1);
    if (!nodes || !read_all(STREAM, nodes, nodes_size) || !read_padding(nodes_size))
        return "";
    return nodes_size && nodes[nodes_size - 1] ? "the record of a device model's nodes has no end" : NULL;
}

const char *model_read_state(const stream_record *record)
{
    char part[PART];
    const char *refused = state_size ? "it has two states of a device model" : read_emulator(record);
    if (refused)
        return refused;
    state_size = record->length - sizeof(emulator);
    if (!state_size || state_size > LIBXL__TRANSFER_LONGEST_MODEL)
        return state_size ? "the state of the device model is too large"
                          : "the state of the device model is empty";
    if (ftruncate(HEAD, 0) || lseek(HEAD, 0, SEEK_SET))
        return "";
    for (size_t left = state_size; left;) {
        const size_t size = left < sizeof(part) ? left : sizeof(part);
        if (!read_all(STREAM, part, size) || !write_all(HEAD, part, size))
            return "";
        left -= size;
    }
    return read_padding(state_size) ? NULL : "";
}

bool model_is_read(void)
{
    return state_size;
}

bool model_has_nodes(void)
{
    return nodes;
}

bool model_tell(void)
{
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_MODEL, .numbers = {state_size, nodes_size}};
    if (!write_all(HEAD, nodes, nodes_size))
        return false;
    send_message(&message);
    return true;
}
