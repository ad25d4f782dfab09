/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_save and domain_suspend: save a domain to a descriptor. The program aioxen-transfer (src/transfer) writes
 * the stream. When aioxen-transfer asks for it, the nested operation domain_suspend_guest suspends the guest. If the
 * save fails, the nested operation domain_recover lets the guest run again (recover.h). If this process dies,
 * aioxen-transfer lets the guest run again. If aioxen-transfer dies, too, the mark of the save stays (save_mark.h).
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_json.h"
#include "build.h"
#include "precopy.h"
#include "recover.h"
#include "save_devices.h"
#include "transfer.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIVE = 1, DEBUG = 2 }; /* the flags of xc_domain_save */

typedef struct saving {
    libxl__xs_batch *batch;
    libxl__xs_request *mark;     /* reads the mark of another save */
    libxl__xs_request *pci;      /* reads the number of the domain's PCI devices */
    libxl__nested configuration; /* retrieve_domain_configuration */
    libxl__source held; /* attached while `config` has memory; frees this memory when the operation ends */
    libxl_domain_config config; /* the result of `configuration` */
    libxl__nested suspension;   /* domain_suspend_guest, reserved before aioxen-transfer is started */
    libxl__nested recovery;     /* domain_recover, reserved before the mark is written */
    libxl__transfer transfer;
    libxl__precopy precopy;
    uint64_t pages;   /* the number of the domain's pages */
    bool has_model;   /* the domain is HVM, so the state of its QEMU is saved, too */
    bool marking;     /* xenstored was asked to write the mark */
    bool marked;      /* the mark was written */
    bool answered;    /* aioxen-transfer has got the answer whether the guest is suspended */
    bool stopping;    /* aioxen-transfer was asked to end */
    bool may_suspend; /* the suspension has failed, and the guest may still suspend itself */
} domain_save_state, domain_suspend_state;

static const libxl__domain_suspend_args *args_of(libxl__ao *ao)
{
    _Static_assert(offsetof(libxl__domain_save_args, in.flags) ==
                       offsetof(libxl__domain_suspend_args, in.flags),
                   "the operations have the same first inputs");
    return libxl__ao_args(ao);
}

static bool with_configuration(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_SAVE];
}

/* Returns the policy that the application has given; NULL: none. */
static const libxl_save_policy *policy_of(libxl__ao *ao)
{
    const libxl__domain_save_args *args = libxl__ao_args(ao);
    return with_configuration(ao) && args->in.has_policy ? &args->in.policy : NULL;
}

/* ---- look: the domain is looked up */

int libxl__nested_reserve(libxl__ao *ao, libxl__nested *nested, int operation)
{
    libxl__ao *child = libxl__nested_create(ao, nested, &libxl__operations[operation]);
    if (!child)
        return ERROR_NOMEM;
    child->subject = ao->subject;
    libxl__domain_suspend_only_args *args = libxl__ao_args(child);
    args->in.domid = ao->subject.number;
    return libxl__phases_reserve(child);
}

static int look_start(libxl__ao *ao, struct saving *s)
{
    xc_domaininfo_t info;
    int rc = libxl__transfer_check(ao, "fd", args_of(ao)->in.fd, true);
    if (!rc && args_of(ao)->in.flags & ~(LIBXL_SUSPEND_DEBUG | LIBXL_SUSPEND_LIVE))
        rc = libxl__ao_fail(ao, ERROR_INVAL, "flags: %d has unknown bits", args_of(ao)->in.flags);
    if (!rc && ao->subject.number == 0)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain 0 is not a guest");
    if (!rc)
        rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc && info.flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        rc = libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u does not run", ao->subject.number);
    s->pages = rc ? 0 : info.tot_pages;
    s->has_model = !rc && libxl__hv_type(&info) == LIBXL_DOMAIN_TYPE_HVM;
    if (!rc)
        rc = libxl__recover_reserve(ao, &s->recovery);
    if (!rc)
        rc = libxl__nested_reserve(ao, &s->suspension, LIBXL__OP_DOMAIN_SUSPEND_GUEST);
    if (rc)
        return rc;
    libxl__domain_suspend_guest_args *args = libxl__ao_args(s->suspension.child);
    args->out.may_suspend = &s->may_suspend;
    return 0;
}

/* ---- mark: the save is marked, so that no other process saves the domain, and a later process can finish it */

static int run_batch(libxl__ao *ao, struct saving *s, libxl__xs_mode mode)
{
    (void)ao;
    const int rc = libxl__xs_run(s->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int begin_batch(libxl__ao *ao, struct saving *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, ao->subject.number);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int mark_start(libxl__ao *ao, struct saving *s)
{
    const int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    s->mark = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, ao->subject.number);
    s->pci = libxl__save_pci_read(s->batch, ao->subject.number);
    return run_batch(ao, s, LIBXL__XS_ONE_BY_ONE);
}

/*
 * Writes the mark, unless a process that runs has written one. A mark of the stage `saved` is overwritten, too: the
 * domain runs, so the save of this mark has ended.
 */
static int write_mark(libxl__ao *ao, struct saving *s)
{
    const uint32_t domid = ao->subject.number;
    const char *text = libxl__xs_value(s->mark);
    libxl__save_mark found;
    if (text && libxl__save_mark_read(ao->ctx, text, &found) && !found.mark.left &&
        found.stage != LIBXL__SAVE_SAVED)
        return libxl__ao_fail(ao, ERROR_BUSY, "domid: domain %u is being saved by process %u", domid,
                              found.mark.pid);
    int rc = libxl__save_pci_check(ao, s->pci);
    if (rc)
        return rc;
    text = text ? libxl__gc_printf(&ao->gc, "%s", text) : NULL;
    rc = begin_batch(ao, s);
    if (rc)
        return rc;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    if (text)
        libxl__xs_require(s->batch, ERROR_BUSY, text, LIBXL__SAVE_MARK, domid);
    else
        libxl__xs_require_absent(s->batch, ERROR_BUSY, LIBXL__SAVE_MARK, domid);
    libxl__save_mark_write(s->batch, domid, LIBXL__SAVE_SAVING, false);
    s->marking = true;
    return run_batch(ao, s, LIBXL__XS_TRANSACTION);
}

static int mark_poll(libxl__ao *ao, struct saving *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc || !s->marking)
        return rc ? rc : write_mark(ao, s);
    s->marked = true;
    return 0;
}

/* ---- configuration: the domain's configuration is read */

static int configuration_poll(libxl__ao *ao, struct saving *s)
{
    const bool migrates = ao->notify_target == LIBXL__AO_PARENT &&
                          ao->parent->cls == &libxl__operations[LIBXL__OP_DOMAIN_MIGRATE];
    if (!s->configuration.done)
        return LIBXL__AO_WAIT;
    if (s->configuration.rc)
        return s->configuration.rc;
    return migrates ? libxl__migrate_usb_check(ao, &s->config) : 0;
}

static void dispose_configuration(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl_domain_config_dispose(&LIBXL__CONTAINER(source, struct saving, held)->config);
}

static int configuration_start(libxl__ao *ao, struct saving *s)
{
    libxl_domain_config_init(&s->config);
    /*
     * Sources are stopped in the reverse order of attachment. This source is attached before the nested operation, so
     * the nested operation has ended or was asked to stop before `config` is freed. A nested operation that was asked to
     * stop stores no result.
     */
    libxl__source_attach(ao, &s->held, dispose_configuration);
    const int rc = libxl__nested_reserve(ao, &s->configuration, LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION);
    if (rc)
        return rc;
    libxl__retrieve_domain_configuration_args *args = libxl__ao_args(s->configuration.child);
    args->out.d_config = &s->config;
    libxl__nested_start(&s->configuration);
    return configuration_poll(ao, s);
}

/* ---- transfer: aioxen-transfer saves the domain */

/*
 * Stores the size of the memory for the page tables. If the saved configuration had neither this size nor max_vcpus,
 * xl would use 4 KiB for each MiB of the restored domain's memory. That is too little for a small domain. For
 * example, a domain of 32 MiB needs more than 128 KiB.
 */
static void set_paging(libxl_domain_config *config)
{
    libxl_domain_build_info *info = &config->b_info;
    if (config->c_info.type != LIBXL_DOMAIN_TYPE_PV)
        info->shadow_memkb = libxl__build_paging_kb(info, info->max_vcpus > 0 ? (uint32_t)info->max_vcpus : 1,
                                                    info->max_memkb);
}

/* Makes xl's header with the configuration, in the operation's memory. Returns NULL if there is no memory. */
static void *make_header(libxl__ao *ao, struct saving *s, size_t *size)
{
    set_paging(&s->config);
    char *json = libxl__json_write(&libxl__json_of_domain_config, &s->config);
    const uint32_t length = json ? (uint32_t)strlen(json) + 1 : 0;
    libxl__xl_header *header =
        json ? libxl__gc_alloc(&ao->gc, sizeof(*header) + sizeof(length) + length) : NULL;
    libxl__source_stop(ao->ctx, &s->held);
    if (header) {
        *header = (libxl__xl_header){
            .magic = LIBXL__XL_MAGIC,
            .byte_order = LIBXL__XL_BYTE_ORDER,
            .mandatory_flags = LIBXL__XL_FLAGS,
            .optional_size = (uint32_t)sizeof(length) + length,
        };
        char *at = memcpy(header + 1, &length, sizeof(length));
        memcpy(at + sizeof(length), json, length);
        *size = sizeof(*header) + sizeof(length) + length;
    }
    free(json);
    return header;
}

/*
 * Returns the number of threads that compress the stream. The default is small, because other saves and the guests
 * need processors.
 */
static unsigned compressing_threads(const libxl_save_policy *policy)
{
    enum { USUAL_THREADS = 4 };
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (policy && policy->compression_threads)
        return policy->compression_threads;
    return processors < 1 ? 1 : processors > USUAL_THREADS ? USUAL_THREADS : (unsigned)processors;
}

static int transfer_start(libxl__ao *ao, struct saving *s)
{
    const int given = args_of(ao)->in.flags;
    const int flags = (given & LIBXL_SUSPEND_LIVE ? LIVE : 0) | (given & LIBXL_SUSPEND_DEBUG ? DEBUG : 0);
    const char *domid = libxl__gc_printf(&ao->gc, "%u", ao->subject.number);
    const char *how = libxl__gc_printf(&ao->gc, "%d", flags);
    const bool with_header = with_configuration(ao);
    const libxl_save_policy *policy = policy_of(ao);
    const char *rate = libxl__gc_printf(&ao->gc, "%llu", policy ? 1024ull * policy->bandwidth_kib : 0ull);
    const char *level = libxl__gc_printf(&ao->gc, "%u", policy ? policy->compression : 0);
    const char *threads = libxl__gc_printf(&ao->gc, "%u", compressing_threads(policy));
    size_t size = 0;
    const void *header = with_header ? make_header(ao, s, &size) : NULL;
    if (!domid || !how || !rate || !level || !threads || (with_header && !header))
        return ERROR_NOMEM;
    libxl__precopy_begin(&s->precopy, policy, s->pages);
    const int rc = libxl__transfer_start(
        ao, &s->transfer,
        (const char *const[]){"save", domid, how, rate, s->has_model ? "1" : "0", level, threads, NULL},
        args_of(ao)->in.fd, header, size);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Once domain_suspend_guest has ended, sends aioxen-transfer the answer whether the guest is suspended. */
static void answer(struct saving *s)
{
    if (s->answered || !s->suspension.done)
        return;
    s->answered = true;
    libxl__transfer_send(&s->transfer, &(libxl__transfer_message){.kind = LIBXL__TRANSFER_SUSPENDED,
                                                                  .value = s->suspension.rc == 0});
}

static int transfer_poll(libxl__ao *ao, struct saving *s)
{
    libxl__transfer_message message;
    while (libxl__transfer_next(ao, &s->transfer, &message) == 0)
        if (message.kind == LIBXL__TRANSFER_SUSPEND && !s->suspension.started && !s->stopping)
            libxl__nested_start(&s->suspension);
        else if (message.kind == LIBXL__TRANSFER_ROUND)
            libxl__transfer_send(&s->transfer, &(libxl__transfer_message){
                                                   .kind = LIBXL__TRANSFER_POLICY,
                                                   .value = libxl__precopy_decide(ao, &s->precopy, &message),
                                               });
    answer(s);
    if (!libxl__transfer_done(&s->transfer) || (s->suspension.started && !s->suspension.done))
        return LIBXL__AO_WAIT;
    /* domain_suspend_guest has already recorded why the guest was not suspended. */
    if (s->suspension.done && s->suspension.rc)
        return s->suspension.rc;
    return libxl__transfer_result(ao, &s->transfer, "fd");
}

static void transfer_stop(libxl__ao *ao, struct saving *s)
{
    (void)ao;
    s->stopping = true;
    libxl__transfer_stop(&s->transfer);
    if (s->suspension.child && s->suspension.started)
        libxl__ao_request_stop(s->suspension.child, ERROR_ABORTED);
}

static int transfer_undo(libxl__ao *ao, struct saving *s)
{
    libxl__transfer_kill(ao->ctx, &s->transfer);
    if (s->suspension.started && !s->suspension.done)
        libxl__ao_request_stop(s->suspension.child, ERROR_ABORTED);
    const bool waits = s->transfer.child.running || (s->suspension.started && !s->suspension.done);
    return waits ? LIBXL__AO_WAIT : 0;
}

/* ---- settle: the mark says that the domain is saved */

/*
 * Returns the stage after a complete save. In a migration this is `sent`, so that no other process lets the guest run
 * before the migration has ended.
 */
static libxl__save_stage final_stage(const libxl__ao *ao)
{
    const bool migrates = ao->notify_target == LIBXL__AO_PARENT &&
                          ao->parent->cls == &libxl__operations[LIBXL__OP_DOMAIN_MIGRATE];
    return migrates ? LIBXL__SAVE_SENT : LIBXL__SAVE_SAVED;
}

/*
 * A failure is ignored, because the save has succeeded. The mark then keeps the stage `asked`, with which no other
 * process lets the guest run either.
 */
static int settle_start(libxl__ao *ao, struct saving *s)
{
    if (begin_batch(ao, s))
        return 0;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__save_mark_write(s->batch, ao->subject.number, final_stage(ao), false);
    return libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION) ? 0 : LIBXL__AO_WAIT;
}

static int settle_poll(libxl__ao *ao, struct saving *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? 0 : LIBXL__AO_WAIT;
}

/*
 * The next undo removes the mark. An unanswered request could write the mark again afterwards. So this undo waits
 * until the request is answered.
 */
static int settle_undo(libxl__ao *ao, struct saving *s)
{
    (void)ao;
    if (s->batch && !libxl__xs_done(s->batch) && !libxl__xs_take_back(s->batch))
        return LIBXL__AO_WAIT;
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    return 0;
}

/* ---- the undo of the mark: what the save has changed is taken back */

/*
 * Returns LIBXL__AO_WAIT until the request that writes the mark is answered. Afterwards `marked` is true if the mark
 * may be in xenstore.
 */
static int wait_for_mark(struct saving *s)
{
    if (s->marked || !s->marking)
        return 0;
    if (!libxl__xs_done(s->batch) && !libxl__xs_take_back(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_done(s->batch) ? libxl__xs_rc(s->batch) : ERROR_ABORTED;
    libxl__xs_batch_free(s->batch);
    s->batch = NULL;
    s->marking = false;
    s->marked = !rc || rc == ERROR_NO_XENSTORE;
    return 0;
}

/*
 * If domain_suspend_guest has succeeded, this save has suspended the guest. Otherwise another program may have
 * suspended it, so it is not resumed.
 */
static int mark_undo(libxl__ao *ao, struct saving *s)
{
    if (!s->recovery.started) {
        const int rc = wait_for_mark(s);
        if (rc || !s->marked)
            return rc;
        const bool asked = s->suspension.started;
        const bool suspended = s->suspension.done && !s->suspension.rc;
        libxl__recover_start(&s->recovery, asked ? LIBXL__SAVE_ASKED : LIBXL__SAVE_SAVING, suspended,
                             s->may_suspend ? LIBXL__RECOVER_FOLLOWS : 0);
    }
    const int rc = libxl__recover_poll(ao, &s->recovery, false);
    return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
}

#include "_libxl_phases_domain_save.h"
#include "_libxl_phases_domain_suspend.h"
