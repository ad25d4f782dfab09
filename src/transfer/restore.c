/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Restores a domain into an empty domain that the library has made. The sender of the stream may be hostile.
 *
 * Owns: nothing. The descriptors are the program's (main.c). All functions run on the main thread, which takes no lock.
 */
#include "program.h"
#include "release.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Reports that the stream cannot be restored. If the stream is a file, the report has the present offset. If the stream
 * is compressed, the report has the end of the part that was read last.
 */
static int refuse(const char *why)
{
    char text[LIBXL__TRANSFER_TEXT];
    const off_t part = expand_place(), at = part < 0 ? lseek(STREAM, 0, SEEK_CUR) : part;
    if (at < 0)
        return report(LIBXL__TRANSFER_BAD_STREAM, 0, why);
    snprintf(text, sizeof(text), "octet %lld: %s", (long long)at, why);
    return report(LIBXL__TRANSFER_BAD_STREAM, 0, text);
}

/*
 * If the thread that decompresses has failed, reports this failure, because libxenguest only sees the end of the
 * stream. Otherwise the same as refuse.
 */
static int refuse_end(const char *why)
{
    const int status = expand_report();
    return status ? status : refuse(why);
}

/* Reports that a read has failed. */
static int refuse_read(void)
{
    return errno ? report(LIBXL__TRANSFER_IO, errno, "the stream") : refuse_end("the stream ends too early");
}

static const char *why_refused(const libxl__xl_header *header)
{
    if (memcmp(header->magic, LIBXL__XL_MAGIC, sizeof(header->magic)) != 0)
        return "not a domain that xl or this library has saved";
    if (header->byte_order != LIBXL__XL_BYTE_ORDER)
        return "saved on a machine with another byte order";
    if (header->mandatory_flags & ~(uint32_t)LIBXL__XL_FLAGS)
        return "xl's header has unknown mandatory flags";
    if (header->mandatory_flags != LIBXL__XL_FLAGS)
        return "saved by xl 4.5 or older; this is not supported";
    if (header->optional_size > LIBXL__TRANSFER_LONGEST_HEAD)
        return "xl's header is too large";
    return header->optional_size < sizeof(uint32_t) ? "xl's header has no configuration" : NULL;
}

/*
 * Copies the configuration that follows xl's header from the stream to the file HEAD. `size` is the size of the
 * header's optional part, which has the configuration. Returns 0, or this program's exit status after a report.
 */
static int read_configuration(size_t size)
{
    char *data = malloc(size);
    uint32_t length;
    int status = 0;
    if (!data)
        return report(LIBXL__TRANSFER_IO, ENOMEM, "xl's header");
    if (!read_all(STREAM, data, size)) {
        status = refuse_read();
    } else {
        memcpy(&length, data, sizeof(length));
        if (length > size - sizeof(length))
            status = refuse("the configuration in xl's header is cut off");
        else if (!write_all(HEAD, data + sizeof(length), strnlen(data + sizeof(length), length)))
            status = report(LIBXL__TRANSFER_IO, errno, "xl's header");
    }
    free(data);
    return status;
}

/*
 * Reads a request to receive a guest, whose magic was read. Copies the request's JSON to the file HEAD. Returns 0, or
 * this program's exit status after a report.
 */
static int read_request(libxl__xl_header *header)
{
    if (!read_all(STREAM, &header->byte_order, sizeof(*header) - sizeof(header->magic)))
        return refuse_read();
    if (header->byte_order != LIBXL__XL_BYTE_ORDER)
        return refuse("sent by a machine with another byte order");
    if (header->mandatory_flags)
        return refuse("the request has unknown mandatory flags");
    if (header->optional_size > LIBXL__TRANSFER_LONGEST_HEAD)
        return refuse("the request is too large");
    char *json = malloc(header->optional_size + 1u);
    int status = 0;
    if (!json)
        return report(LIBXL__TRANSFER_IO, ENOMEM, "the request");
    if (!read_all(STREAM, json, header->optional_size))
        status = refuse_read();
    else if (!write_all(HEAD, json, strnlen(json, header->optional_size)))
        status = report(LIBXL__TRANSFER_IO, errno, "the request");
    free(json);
    return status;
}

/*
 * Reads xl's header. The caller has read the first octets into header->magic. They are xl's magic, or the header of
 * the container of a compressed stream, which has xl's header in it. Returns 0, or this program's exit status after a
 * report.
 */
static int read_xl_header(libxl__xl_header *header)
{
    if (expand_is_header(header->magic)) {
        if (!expand_is_known(header->magic))
            return refuse("compressed by a newer release");
        if (!expand_begin())
            return report(LIBXL__TRANSFER_IO, errno, "decompressing");
        if (!read_all(STREAM, header->magic, sizeof(header->magic)))
            return refuse_read();
    }
    if (!read_all(STREAM, &header->byte_order, sizeof(*header) - sizeof(header->magic)))
        return refuse_read();
    const char *why = why_refused(header);
    return why ? refuse(why) : 0;
}

/*
 * Reads xl's header with the configuration, or a request to receive a guest. Sets *asked_out to true for a request.
 * Returns 0, or this program's exit status after a report.
 */
static int read_head(bool *asked_out)
{
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_HEAD};
    libxl__xl_header header;
    _Static_assert(CONTAINER_HEADER == sizeof(header.magic), "a container's header is as long as xl's magic");
    if (!read_all(STREAM, header.magic, sizeof(header.magic)))
        return refuse_read();
    *asked_out = memcmp(header.magic, LIBXL__REQUEST_MAGIC, sizeof(header.magic)) == 0;
    if (*asked_out)
        send_message(&(libxl__transfer_message){.kind = LIBXL__TRANSFER_ASKED});
    int status = *asked_out ? read_request(&header) : read_xl_header(&header);
    if (!status && !*asked_out)
        status = read_configuration(header.optional_size);
    if (status)
        return status;
    message.numbers[0] = (uint64_t)lseek(HEAD, 0, SEEK_CUR);
    message.value = *asked_out;
    send_message(&message);
    return 0;
}

/*
 * Reads xl's header after a request, and skips the configuration in the header, because the request had one. Returns
 * 0, or this program's exit status after a report.
 */
static int skip_head(void)
{
    libxl__xl_header header;
    char part[4096];
    if (!read_all(STREAM, header.magic, sizeof(header.magic)))
        return refuse_read();
    const int status = read_xl_header(&header);
    for (uint32_t left = status ? 0 : header.optional_size; left;) {
        const size_t size = left < sizeof(part) ? left : sizeof(part);
        if (!read_all(STREAM, part, size))
            return refuse_read();
        left -= (uint32_t)size;
    }
    return status;
}

/* ---- libxl's stream */

static bool skip(uint32_t length)
{
    char part[4096];
    for (uint64_t left = ((uint64_t)length + 7) & ~7ull; left;) {
        const size_t size = left < sizeof(part) ? (size_t)left : sizeof(part);
        if (!read_all(STREAM, part, size))
            return false;
        left -= size;
    }
    return true;
}

/* Refuses a mandatory record. The message has the name of the record, if the record's type is known. */
static int refuse_record(uint32_t type)
{
    static const char *const names[] = {"END",
                                        "LIBXC_CONTEXT",
                                        "EMULATOR_XENSTORE_DATA",
                                        "EMULATOR_CONTEXT",
                                        "CHECKPOINT_END",
                                        "CHECKPOINT_STATE"};
    char text[96];
    const bool known = type < sizeof(names) / sizeof(*names);
    snprintf(text, sizeof(text), "a record of the type %u%s%s%s is not expected here", type,
             known ? " (" : "", known ? names[type] : "", known ? ")" : "");
    return refuse(text);
}

/* Reads a record with the state of the device model, or with its nodes. Returns 0, or the exit status. */
static int read_model(const stream_record *record)
{
    const char *refused =
        record->type == RECORD_EMULATOR ? model_read_state(record) : model_read_nodes(record);
    return !refused ? 0 : *refused ? refuse(refused) : refuse_read();
}

/*
 * Reads records until one of the type `wanted`. Skips optional records. `with_model`: the records of a device model
 * may come, too. Returns 0, or the exit status.
 */
static int read_until(uint32_t wanted, bool with_model)
{
    stream_record record;
    for (;;) {
        int status = 0;
        if (!read_all(STREAM, &record, sizeof(record)))
            return refuse_read();
        if (record.type == wanted)
            return record.length ? refuse("a record that must be empty has a body") : 0;
        if (with_model && (record.type == RECORD_EMULATOR || record.type == RECORD_XENSTORE_DATA))
            status = read_model(&record);
        else if (!(record.type & RECORD_OPTIONAL))
            return refuse_record(record.type);
        else if (!skip(record.length))
            return refuse_read();
        if (status)
            return status;
    }
}

/* Reads the records after libxenguest's stream. `hvm`: the domain has a device model. */
static int read_rest(bool hvm)
{
    const int status = read_until(RECORD_END, true);
    if (status)
        return status;
    if (hvm != model_is_read())
        return refuse(hvm ? "it has no state of a device model, which an HVM domain needs"
                          : "it has the state of a device model, which only an HVM domain needs");
    if (!hvm && model_has_nodes())
        return refuse("it has nodes of a device model, which only an HVM domain needs");
    const char *why = expand_end();
    if (why)
        return refuse_end(why);
    return hvm && !model_tell() ? report(LIBXL__TRANSFER_IO, errno, "the device model's state") : 0;
}

static int read_beginning(void)
{
    stream_header header;
    if (!read_all(STREAM, &header, sizeof(header)))
        return refuse_read();
    if (memcmp(header.magic, STREAM_MAGIC, sizeof(header.magic)) != 0)
        return refuse("libxl's stream does not begin here");
    if (be32toh(header.version) != 2)
        return refuse("libxl's stream has another version than 2");
    if (header.options)
        return refuse("libxl's stream has options that are not supported");
    return read_until(RECORD_LIBXC_CONTEXT, false);
}

/*
 * libxenguest calls this when it has read the static data. `missing`: the parts that a stream of Xen 4.13 or older
 * does not contain.
 */
static int on_static_data(unsigned int missing, void *data)
{
    (void)data;
    return missing ? -1 : 0;
}

/*
 * Limits the memory of this program. The sender of the stream may be hostile, and libxenguest allocates a bitmap up
 * to the highest frame number in the stream. A real domain needs far less than FOR_EACH_PAGE octets for each page
 * that it may have. Does nothing if the domain or the size of this program is not known.
 */
static void limit_memory(xc_interface *xch, uint32_t domid)
{
    enum { FOR_EACH_PAGE = 64, FOR_EACH_DOMAIN = 256 << 20 };
    xc_domaininfo_t info;
    struct rlimit limit;
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    const bool known = file && fscanf(file, "%lu", &pages) == 1;
    if (file)
        fclose(file);
    if (!known || getrlimit(RLIMIT_AS, &limit) || xc_domain_getinfolist(xch, domid, 1, &info) != 1 ||
        info.domain != domid)
        return;
    const rlim_t most =
        ((rlim_t)pages << XC_PAGE_SHIFT) + FOR_EACH_DOMAIN + (rlim_t)info.max_pages * FOR_EACH_PAGE;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > most)
        limit.rlim_cur = most;
    setrlimit(RLIMIT_AS, &limit);
}

int restore(xc_interface *xch, bool has_head)
{
    struct restore_callbacks callbacks = {.static_data_done = on_static_data};
    libxl__transfer_message built, result = {.kind = LIBXL__TRANSFER_RESULT};
    unsigned long store = 0, console = 0;
    bool asked = false;
    int status = has_head ? read_head(&asked) : 0;
    if (status || !receive_message(LIBXL__TRANSFER_BUILT, &built))
        return status ? status : 1;
    status = asked ? skip_head() : 0;
    if (!status)
        status = read_beginning();
    if (status)
        return status;
    limit_memory(xch, (uint32_t)built.numbers[0]);
    errno = 0;
    if (xc_domain_restore(xch, STREAM, (uint32_t)built.numbers[0], (unsigned)built.numbers[1], &store, 0,
                          (unsigned)built.numbers[2], &console, 0, XC_STREAM_PLAIN, &callbacks,
                          -1 LIBXL__RESTORE_MEMFLAGS)) {
        const int failed = errno;
        /* These errnos come from the hypervisor. They do not show that the stream is wrong. */
        return failed == ENOMEM || failed == EPERM || failed == EACCES || failed == ESRCH
                   ? report_xen("restoring", failed)
                   : refuse_end(first_error("the stream is not a saved domain"));
    }
    status = read_rest(built.numbers[3] == 1);
    if (status)
        return status;
    result.numbers[1] = store;
    result.numbers[2] = console;
    send_message(&result);
    return 0;
}
