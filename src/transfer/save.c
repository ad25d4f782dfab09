/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saves a domain. If the library's process ends during the save, this program ends the save and resumes the
 * guest, because no other process would resume the guest.
 *
 * Owns: nothing. The descriptors are the program's (main.c). All functions run on the main thread, which takes no lock.
 */
#include "program.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

enum { LIVE = 1 }; /* the flag XCFLAGS_LIVE of xc_domain_save */

/*
 * How many times let_run waits 50 ms: for a suspend request that the library has sent before it ended to reach
 * xenstore, and for a guest that has acknowledged the request to suspend itself.
 */
enum { WAITS_FOR_REQUEST = 20, WAITS_FOR_SUSPENSION = 200 };

typedef struct saving {
    xc_interface *xch;
    uint32_t domid;
    bool live;
    bool has_model; /* the domain has a QEMU whose state is saved */
    bool logs;      /* QEMU is in log-dirty mode */
    bool asked;     /* the message SUSPEND was sent to the library */
} saving;

static int on_suspend(void *data)
{
    saving *s = data;
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_SUSPEND};
    if (is_alone())
        return 0; /* recover need not resume the guest, because the guest was not asked to suspend itself */
    s->asked = true;
    pace_no_more();
    send_message(&message);
    if (!receive_message(LIBXL__TRANSFER_SUSPENDED, &message) || !message.value)
        return 0;
    /* libxenguest reads the memory again after this callback, so QEMU must not change it any more. */
    return !s->has_model || model_save(s->domid, s->live);
}

static int on_round(struct precopy_stats stats, void *data)
{
    libxl__transfer_message message = {
        .kind = LIBXL__TRANSFER_ROUND,
        .value = (int32_t)stats.iteration,
        .numbers = {stats.total_written, stats.dirty_count < 0 ? UINT64_MAX : (uint64_t)stats.dirty_count},
    };
    (void)data;
    if (stopped() || is_alone())
        return XGS_POLICY_ABORT;
    send_message(&message);
    if (!receive_message(LIBXL__TRANSFER_POLICY, &message))
        return XGS_POLICY_ABORT;
    return message.value ? XGS_POLICY_STOP_AND_COPY : XGS_POLICY_CONTINUE_PRECOPY;
}

/*
 * Turns QEMU's log-dirty mode on or off, because QEMU writes into the memory of an HVM guest. libxenguest calls this
 * also for a PVH guest, which has no QEMU.
 */
static int on_log_dirty(uint32_t domid, unsigned enable, void *data)
{
    saving *s = data;
    if (!s->has_model || s->logs == (enable != 0))
        return 0; /* log-dirty mode is not turned off a second time, because QEMU 7.2 would abort */
    s->logs = enable;
    return monitor_log_dirty(domid, enable) ? 0 : -1;
}

/* Writes the contents of the file HEAD, and the beginning of libxl's stream. */
static bool write_beginning(void)
{
    char part[4096];
    const stream_header header = {.magic = STREAM_MAGIC, .version = htobe32(2)};
    const stream_record record = {.type = RECORD_LIBXC_CONTEXT};
    ssize_t size;
    while ((size = read(HEAD, part, sizeof(part))) > 0)
        if (!write_all(STREAM, part, (size_t)size))
            return false;
    return !size && write_all(STREAM, &header, sizeof(header)) && write_all(STREAM, &record, sizeof(record));
}

/* Returns whether the guest is suspended. */
static bool is_suspended(const saving *s)
{
    xc_domaininfo_t info;
    if (xc_domain_getinfolist(s->xch, s->domid, 1, &info) != 1 || info.domain != s->domid)
        return false;
    return info.flags & XEN_DOMINF_shutdown &&
           ((info.flags >> XEN_DOMINF_shutdownshift) & XEN_DOMINF_shutdownmask) == SHUTDOWN_suspend;
}

/*
 * Withdraws the suspend request from the guest's node. Returns false if the node has no suspend request: the guest
 * has acknowledged the request, or the request was not written.
 */
static bool withdraw(struct xs_handle *store, uint32_t domid)
{
    char path[64];
    unsigned length;
    bool asked, done;
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    do {
        const xs_transaction_t transaction = xs_transaction_start(store);
        char *value = xs_read(store, transaction, path, &length);
        asked = value && strcmp(value, "suspend") == 0;
        free(value);
        done = xs_transaction_end(store, transaction, !asked || !xs_write(store, transaction, path, "", 0));
    } while (!done && errno == EAGAIN);
    return asked && done;
}

/*
 * Returns whether the guest may have been asked to suspend itself. The transaction that writes the request also changes
 * the stage of the mark (save_mark.h) from `saving` to `asked`.
 */
static bool may_be_asked(struct xs_handle *store, const char *mark)
{
    unsigned length;
    char *value = xs_read(store, XBT_NULL, mark, &length);
    const char *stage = value ? strrchr(value, ' ') : NULL;
    const bool may = !stage || strcmp(stage, " saving") != 0;
    free(value);
    return may;
}

/*
 * Makes a guest run again after this program has sent SUSPEND. The library's process may have ended before it has
 * written the suspend request. A guest that has acknowledged the request is suspended soon. Returns false if the
 * guest is suspended, or may still suspend itself.
 */
static bool let_run(const saving *s, struct xs_handle *store, const char *mark)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int i = 0; !is_suspended(s) && i < WAITS_FOR_SUSPENSION; i++) {
        if (withdraw(store, s->domid) || (i >= WAITS_FOR_REQUEST && !may_be_asked(store, mark)))
            return true;
        nanosleep(&pause, NULL);
    }
    return is_suspended(s) && (!s->has_model || monitor_go_on(s->domid)) &&
           !xc_domain_resume(s->xch, s->domid, 1) && xs_resume_domain(store, s->domid);
}

/*
 * Ends the save, because the library's process has ended. The mark of the save (save_mark.h) stays if the guest does
 * not run again, so that `aioxen unfinished` lists the domain.
 */
static void recover(const saving *s)
{
    char mark[64];
    struct xs_handle *store = xs_open(0);
    if (!store)
        return;
    snprintf(mark, sizeof(mark), LIBXL__SAVE_MARK, s->domid);
    if (!s->asked || let_run(s, store, mark))
        xs_rm(store, XBT_NULL, mark);
    xs_close(store);
}

/* Reports that the stream cannot be written. */
static int report_stream(int errnoval)
{
    const int paced = pace_error(), compressed = compress_error();
    return stopped() ? report(LIBXL__TRANSFER_STOPPED, 0, "")
                     : report(LIBXL__TRANSFER_IO,
                              paced        ? paced
                              : compressed ? compressed
                                           : errnoval,
                              "the stream");
}

static int run(saving *s, const save_options *options)
{
    struct save_callbacks callbacks = {
        .suspend = on_suspend, .precopy_policy = on_round, .switch_qemu_logdirty = on_log_dirty, .data = s};
    const stream_record end = {.type = RECORD_END};
    if (options->rate && !pace_begin(options->rate))
        return report(LIBXL__TRANSFER_IO, errno, "limiting the rate");
    if (options->level && !compress_begin(options->threads, options->level))
        return stopped() ? report_stream(errno) : report(LIBXL__TRANSFER_IO, errno, "compressing");
    if (!write_beginning())
        return report_stream(errno);
    errno = 0;
    if (xc_domain_save(s->xch, STREAM, s->domid, options->flags, &callbacks, XC_STREAM_PLAIN, -1)) {
        const int failed = errno;
        if (monitor_error() && !stopped())
            return report(LIBXL__TRANSFER_NO_MODEL, 0, monitor_error());
        return !stopped() && (failed == EPIPE || failed == ENOSPC || failed == EFBIG || failed == EDQUOT)
                   ? report_stream(failed)
                   : report_xen("saving", failed);
    }
    if (s->has_model && !model_write(s->domid))
        return monitor_error() && !stopped() ? report(LIBXL__TRANSFER_NO_MODEL, 0, monitor_error())
                                             : report_stream(errno);
    if (!write_all(STREAM, &end, sizeof(end)) || !compress_end() || !pace_end())
        return report_stream(errno);
    return report(LIBXL__TRANSFER_OK, 0, "");
}

int save(xc_interface *xch, uint32_t domid, const save_options *options)
{
    saving s = {.xch = xch, .domid = domid, .live = options->flags & LIVE, .has_model = options->has_model};
    const int status = run(&s, options);
    if (is_alone())
        recover(&s);
    return status;
}
