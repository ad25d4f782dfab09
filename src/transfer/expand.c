/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decompresses a container, whose sender may be hostile. libxenguest reads from a pipe. A thread reads part after part,
 * checks it, and writes its content into the pipe. The thread needs the memory of one part. It checks a whole part
 * before it passes on the first octet of the part. It reads no octet after the container.
 *
 * Owns: the thread, its buffers, the pipe's writing end, and the duplicate of the stream's descriptor. The kernel frees
 * them when the process ends.
 */
#include "container.h"
#include "program.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

static pthread_t thread;
static int in = -1, out = -1; /* the descriptors from which the thread reads and to which it writes */
static ZSTD_DCtx *zstd;
static void *packed, *plain; /* a part, before and after the decompression */
static atomic_bool running, failed;
static atomic_uint_fast64_t place; /* the number of octets of the container before the present part */

/* The error message; valid once `failed` is true. */
static char why[LIBXL__TRANSFER_TEXT];
static int failed_read; /* the errno of a failed read; 0: no read has failed */

static bool fail(const char *reason, int errnoval)
{
    snprintf(why, sizeof(why), "octet %llu: %s", (unsigned long long)place, reason);
    failed_read = errnoval;
    failed = true;
    return false;
}

/* Reads octets of the container. */
static bool take(void *data, size_t size)
{
    return read_all(in, data, size) || fail("the compressed stream ends too early", errno);
}

/* Reads and checks a part's header. */
static bool take_header(uint32_t number, part_header *header)
{
    if (!take(header, sizeof(*header)))
        return false;
    header->size = le32toh(header->size);
    if (le32toh(header->frame) != CONTAINER_FRAME || le32toh(header->length) != PART_LENGTH ||
        le32toh(header->number) != number || header->size > ZSTD_compressBound(PART) ||
        (!header->size && header->crc))
        return fail("the compressed stream is corrupt: a part's header is expected here", 0);
    return true;
}

/*
 * Returns whether a part is one frame of the present format. libzstd would also decompress several frames, frames that
 * it skips, and the formats of its first releases.
 */
static bool is_one_frame(size_t size)
{
    uint32_t magic;
    if (size <= sizeof(magic))
        return false;
    memcpy(&magic, packed, sizeof(magic));
    return le32toh(magic) == ZSTD_MAGICNUMBER && ZSTD_findFrameCompressedSize(packed, size) == size;
}

/* Reads a part, and writes its content. */
static bool expand_part(const part_header *header)
{
    if (!take(packed, header->size))
        return false;
    if (le32toh(header->crc) != (uint32_t)crc32_z(0, packed, header->size))
        return fail("the compressed stream is corrupt: the checksum of a part is wrong", 0);
    if (!is_one_frame(header->size))
        return fail("the compressed stream is corrupt: a part is not one frame", 0);
    const size_t size = ZSTD_decompressDCtx(zstd, plain, PART, packed, header->size);
    if (ZSTD_isError(size))
        return fail(ZSTD_getErrorName(size), 0);
    place += sizeof(*header) + header->size;
    return write_all(out, plain, size);
}

static void *expand(void *nothing)
{
    part_header header;
    for (uint32_t number = 0; take_header(number, &header) && header.size && expand_part(&header); number++)
        ;
    close(out); /* libxenguest then sees the end of the stream, and the main thread looks for a failure. */
    return nothing;
}

bool expand_is_header(const void *octets)
{
    const container_header *header = octets;
    return le32toh(header->frame) == CONTAINER_FRAME && le32toh(header->length) == CONTAINER_LENGTH &&
           memcmp(header->magic, CONTAINER_MAGIC, sizeof(header->magic)) == 0;
}

bool expand_is_known(const void *octets)
{
    return le32toh(((const container_header *)octets)->version) == CONTAINER_VERSION;
}

bool expand_begin(void)
{
    int ends[2];
    sigset_t all, before;
    zstd = ZSTD_createDCtx();
    packed = malloc(ZSTD_compressBound(PART));
    plain = malloc(PART);
    if (!zstd || !packed || !plain) {
        errno = ENOMEM;
        return false;
    }
    in = fcntl(STREAM, F_DUPFD_CLOEXEC, HEAD + 1);
    if (in < 0 || pipe2(ends, O_CLOEXEC))
        return false;
    fcntl(ends[1], F_SETPIPE_SZ, PART);
    out = ends[1];
    if (dup2(ends[0], STREAM) < 0)
        return false;
    close(ends[0]);
    place = sizeof(container_header);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the main thread handles the signals */
    errno = pthread_create(&thread, NULL, expand, NULL);
    running = !errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return running;
}

int64_t expand_place(void)
{
    return running ? (int64_t)place : -1;
}

int expand_report(void)
{
    if (!failed)
        return 0;
    return failed_read ? report(LIBXL__TRANSFER_IO, failed_read, "the stream")
                       : report(LIBXL__TRANSFER_BAD_STREAM, 0, why);
}

const char *expand_end(void)
{
    char more;
    if (!running)
        return NULL;
    if (read_all(STREAM, &more, 1))
        return "octets follow the saved domain in the compressed stream";
    return join_thread(thread) && !failed && !stopped() ? NULL : "the stream ends too early";
}
