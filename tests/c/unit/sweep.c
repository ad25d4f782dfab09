/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sweep causes each fault of `enum fault` in each phase of each operation: an abort, the time limit of the operation or of the
 * phase, a failure, a failing undo, the closing of the context, the end of the process. Each time the operation completes once,
 * with the right result, and leaves nothing behind.
 *
 * The points come from the generated table of operations. An operation whose only input is a domid needs no scenario. Any other
 * operation needs one; without it the test fails and names the operation.
 */
#include "core.h"

#include "allocation.h"
#include "leftovers.h"
#include "simulation.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000 };

enum fault {
    ABORT,
    LIMIT,
    PHASE_LIMIT,
    FAIL_AT_START,
    FAIL_WHILE_WAITING,
    FAIL_TO_UNDO,
    UNDO_WITHOUT_MEMORY,
    CLOSE,
    KILL,
    FAULTS
};
static const char *const fault_names[FAULTS] = {
    "abort",
    "limit",
    "phase limit",
    "failure at its start",
    "failure while it waits",
    "failing undo",
    "abort, and no memory for the undo",
    "close",
    "kill -9",
};

/* ---- scenarios: how an operation is started */

struct run;

struct scenario {
    unsigned operation;
    unsigned started_by; /* the operation that runs it: itself, or the parent of a hidden one */
    void (*fill)(struct run *r, void *args); /* NULL: the only input is a domid */
};

struct results {
    libxl_domid domid;
    libxl_shutdown_reason reason;
    char *name;
    libxl_unfinished_list unfinished;
    libxl_disk_list disks;
    libxl_nic_list nics;
    libxl_p9_list p9s;
    libxl_vfb_list vfbs;
    libxl_vkb_list vkbs;
    libxl_vtpm_list vtpms;
    libxl_device_status_list devices;
    uint64_t kb;
    libxl_domain_config config;
    libxl_domain_counters_list counters;
};

struct run {
    libxl_ctx *ctx;
    unsigned flags;             /* of the context: which transport */
    const libxl__ao_class *cls; /* of the operation in which the fault occurs */
    unsigned phase;
    enum fault fault;
    libxl_domid guest;
    libxl_uuid uuid; /* of the guest */
    struct results results;
    int reached, completions, rc;
    char message[256];
};

static libxl_device_disk sweep_disk(void)
{
    libxl_device_disk disk;
    const int fd = open("/run/disk.img", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    libxl_device_disk_init(&disk);
    disk.vdev = strdup("xvda");
    disk.pdev_path = strdup("/run/disk.img");
    return disk;
}

/* A boot loader that chooses the tiny guest's kernel. It makes all phases of the creation wait. */
static char loader_path[32];

static void write_loader(void)
{
    strcpy(loader_path, "/tmp/aioxen-sweep-XXXXXX");
    const int fd = mkstemp(loader_path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd,
                        "#!/bin/sh\n"
                        "for a; do case $a in --output=*) out=${a#*=} ;; --output-directory=*) dir=${a#*=} "
                        ";; esac; done\n"
                        "cp %s $dir/k && printf 'kernel %%s/k\\0' $dir >$out\n",
                        guest_kernel()) > 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
}

static libxl_device_nic sweep_nic(void)
{
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    return nic;
}

static void fill_create(struct run *r, void *p)
{
    libxl__domain_create_new_args *args = p;
    libxl_domain_config config = guest_config("b");
    config.disks = malloc(sizeof(*config.disks));
    config.disks[0] = sweep_disk();
    config.num_disks = 1;
    config.b_info.bootloader = strdup(loader_path);
    libxl_domain_config_copy(NULL, &args->in.d_config, &config);
    libxl_domain_config_dispose(&config);
    args->out.domid = &r->results.domid;
}

static void fill_wait_shutdown(struct run *r, void *p)
{
    libxl__domain_wait_shutdown_args *args = p;
    args->in.domid = r->guest;
    args->out.reason = &r->results.reason;
}

static void fill_get_name(struct run *r, void *p)
{
    libxl__domain_get_name_args *args = p;
    args->in.domid = r->guest;
    args->out.name = &r->results.name;
}

static void fill_find(struct run *r, void *p)
{
    libxl__domain_find_args *args = p;
    args->in.name = guest_node(r->guest, "name");
    args->out.domid = &r->results.domid;
}

/* Normally an event generator runs this operation. No medium is ejected here, so the operation does not look for its generator. */
static void fill_disk_eject(struct run *r, void *p)
{
    libxl__disk_eject_args *args = p;
    args->in.domid = r->guest;
    args->in.vdev = strdup("xvda");
}

static void fill_list_unfinished(struct run *r, void *p)
{
    libxl__domain_list_unfinished_args *args = p;
    args->out.list = &r->results.unfinished;
}

static void fill_remove_unfinished(struct run *r, void *p)
{
    libxl__domain_remove_unfinished_args *args = p;
    args->in.uuid = r->uuid;
}

static void fill_set_name(struct run *r, void *p)
{
    libxl__domain_set_name_args *args = p;
    args->in.domid = r->guest;
    args->in.name = strdup("renamed");
}

static void fill_get_target(struct run *r, void *p)
{
    libxl__domain_get_memory_target_args *args = p;
    args->in.domid = r->guest;
    args->out.memkb = &r->results.kb;
}

/* The guest is PVH, because a PV guest has no pool. It has no balloon driver, so it does not reach the target. */
static void fill_set_memory(struct run *r, void *p)
{
    libxl__domain_set_memory_args *args = p;
    args->in.domid = r->guest;
    args->in.target_memkb = -(4 << 10);
    args->in.relative = args->in.wait = args->in.enforce = true;
    args->out.memkb = &r->results.kb;
}

static void fill_set_max(struct run *r, void *p)
{
    libxl__domain_set_max_memory_args *args = p;
    args->in.domid = r->guest;
    args->in.max_memkb = 8 << 10;
}

static void fill_set_online(struct run *r, void *p)
{
    libxl__set_vcpuonline_args *args = p;
    args->in.domid = r->guest;
    libxl_bitmap_alloc(r->ctx, &args->in.cpumap, 1);
    libxl_bitmap_set(&args->in.cpumap, 0);
}

static void fill_sysrq(struct run *r, void *p)
{
    libxl__domain_send_sysrq_args *args = p;
    args->in.domid = r->guest;
    args->in.sysrq = strdup("h");
    args->in.wait = true;
}

static void fill_disk_add(struct run *r, void *p)
{
    libxl__device_disk_add_args *args = p;
    args->in.domid = r->guest;
    args->in.disk = sweep_disk();
}

/* A disk that a QEMU serves. */
static void fill_qdisk_add(struct run *r, void *p)
{
    libxl__device_disk_add_args *args = p;
    fill_disk_add(r, p);
    args->in.disk.backend = LIBXL_DISK_BACKEND_QDISK;
}

/* A guest whose framebuffer has a password, which is told to its QEMU. */
static void fill_create_screen(struct run *r, void *p)
{
    libxl__domain_create_new_args *args = p;
    fill_create(r, p);
    libxl_device_vfb *vfb = args->in.d_config.vfbs = malloc(sizeof(*vfb));
    args->in.d_config.num_vfbs = 1;
    libxl_device_vfb_init(vfb);
    vfb->vnc.passwd = strdup("secret");
}

static void fill_disk_remove(struct run *r, void *p)
{
    libxl__device_disk_remove_args *args = p;
    args->in.domid = r->guest;
    args->in.disk = sweep_disk();
}

/* The classes of devices that are listed. */
#define LISTED(X) X(DISK, disk) X(NIC, nic) X(P9, p9) X(VFB, vfb) X(VKB, vkb) X(VTPM, vtpm)

#define FILL_LIST(NAME, name)                                                                                \
    static void fill_list_##name##s(struct run *r, void *p)                                                  \
    {                                                                                                        \
        libxl__domain_list_##name##s_args *args = p;                                                         \
        args->in.domid = r->guest;                                                                           \
        args->out.list = &r->results.name##s;                                                                \
    }
LISTED(FILL_LIST)
#undef FILL_LIST

static void fill_list_devices(struct run *r, void *p)
{
    libxl__domain_list_devices_args *args = p;
    args->in.domid = r->guest;
    args->out.list = &r->results.devices;
}

static void fill_wait_connected(struct run *r, void *p)
{
    libxl__device_wait_connected_args *args = p;
    args->in.domid = r->guest;
    args->in.kind = strdup("vbd");
    args->in.devid = 51712;
}

static void fill_disk_destroy(struct run *r, void *p)
{
    libxl__device_disk_destroy_args *args = p;
    args->in.domid = r->guest;
    args->in.disk = sweep_disk();
}

static void fill_console(struct run *r, void *p)
{
    libxl__domain_console_tty_args *args = p;
    args->in.domid = r->guest;
    args->out.path = &r->results.name;
}

static void fill_retrieve(struct run *r, void *p)
{
    libxl__retrieve_domain_configuration_args *args = p;
    args->in.domid = r->guest;
    args->out.d_config = &r->results.config;
}

static void fill_core_dump(struct run *r, void *p)
{
    libxl__domain_core_dump_args *args = p;
    args->in.domid = r->guest;
    args->in.filename = strdup("/tmp/core-of-sweep");
}

static void fill_statistics(struct run *r, void *p)
{
    libxl__domain_statistics_args *args = p;
    args->in.vcpus = args->in.devices = true;
    args->out.list = &r->results.counters;
}

static void fill_nic_add(struct run *r, void *p)
{
    libxl__device_nic_add_args *args = p;
    args->in.domid = r->guest;
    args->in.nic = sweep_nic();
}

static void fill_nic_remove(struct run *r, void *p)
{
    libxl__device_nic_remove_args *args = p;
    args->in.domid = r->guest;
    args->in.nic = sweep_nic();
}

static void fill_nic_destroy(struct run *r, void *p)
{
    libxl__device_nic_destroy_args *args = p;
    args->in.domid = r->guest;
    args->in.nic = sweep_nic();
}

static const struct scenario scenarios[] = {
    {LIBXL__OP_DEVICE_NIC_ADD, LIBXL__OP_DEVICE_NIC_ADD, fill_nic_add},
    {LIBXL__OP_DEVICE_NIC_REMOVE, LIBXL__OP_DEVICE_NIC_REMOVE, fill_nic_remove},
    {LIBXL__OP_DEVICE_NIC_DESTROY, LIBXL__OP_DEVICE_NIC_DESTROY, fill_nic_destroy},
    {LIBXL__OP_DEVICE_DISK_ADD, LIBXL__OP_DEVICE_DISK_ADD, fill_disk_add},
    {LIBXL__OP_DEVICE_WAIT_CONNECTED, LIBXL__OP_DEVICE_WAIT_CONNECTED, fill_wait_connected},
#define LIST_SCENARIO(NAME, name)                                                                            \
    {LIBXL__OP_DOMAIN_LIST_##NAME##S, LIBXL__OP_DOMAIN_LIST_##NAME##S, fill_list_##name##s},
    LISTED(LIST_SCENARIO)
#undef LIST_SCENARIO
        {LIBXL__OP_DOMAIN_LIST_DEVICES, LIBXL__OP_DOMAIN_LIST_DEVICES, fill_list_devices},
    {LIBXL__OP_DEVICE_DISK_REMOVE, LIBXL__OP_DEVICE_DISK_REMOVE, fill_disk_remove},
    {LIBXL__OP_DEVICE_DISK_SAFE_REMOVE, LIBXL__OP_DEVICE_DISK_SAFE_REMOVE,
     fill_disk_remove}, /* the same args */
    {LIBXL__OP_DEVICE_DISK_DESTROY, LIBXL__OP_DEVICE_DISK_DESTROY, fill_disk_destroy},
    {LIBXL__OP_DEVICE_DETACH, LIBXL__OP_DEVICE_DISK_REMOVE, fill_disk_remove},
    {LIBXL__OP_DEVICE_MODEL, LIBXL__OP_DEVICE_DISK_ADD, fill_qdisk_add},
    {LIBXL__OP_DOMAIN_CREATE_NEW, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create},
    {LIBXL__OP_DOMAIN_WAIT_SHUTDOWN, LIBXL__OP_DOMAIN_WAIT_SHUTDOWN, fill_wait_shutdown},
    {LIBXL__OP_DOMAIN_GET_NAME, LIBXL__OP_DOMAIN_GET_NAME, fill_get_name},
    {LIBXL__OP_DOMAIN_FIND, LIBXL__OP_DOMAIN_FIND, fill_find},
    {LIBXL__OP_DOMAIN_LIST_UNFINISHED, LIBXL__OP_DOMAIN_LIST_UNFINISHED, fill_list_unfinished},
    {LIBXL__OP_DOMAIN_REMOVE_UNFINISHED, LIBXL__OP_DOMAIN_REMOVE_UNFINISHED, fill_remove_unfinished},
    {LIBXL__OP_DOMAIN_CONSOLE_TTY, LIBXL__OP_DOMAIN_CONSOLE_TTY, fill_console},
    {LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION, LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION, fill_retrieve},
    {LIBXL__OP_DOMAIN_TEARDOWN, LIBXL__OP_DOMAIN_DESTROY, NULL},
    {LIBXL__OP_DISK_EJECT, LIBXL__OP_DISK_EJECT, fill_disk_eject},
    {LIBXL__OP_DOMAIN_SET_NAME, LIBXL__OP_DOMAIN_SET_NAME, fill_set_name},
    {LIBXL__OP_DOMAIN_GET_MEMORY_TARGET, LIBXL__OP_DOMAIN_GET_MEMORY_TARGET, fill_get_target},
    {LIBXL__OP_DOMAIN_SET_MEMORY, LIBXL__OP_DOMAIN_SET_MEMORY, fill_set_memory},
    {LIBXL__OP_DOMAIN_SET_MAX_MEMORY, LIBXL__OP_DOMAIN_SET_MAX_MEMORY, fill_set_max},
    {LIBXL__OP_SET_VCPUONLINE, LIBXL__OP_SET_VCPUONLINE, fill_set_online},
    {LIBXL__OP_DOMAIN_SEND_SYSRQ, LIBXL__OP_DOMAIN_SEND_SYSRQ, fill_sysrq},
    {LIBXL__OP_DOMAIN_CORE_DUMP, LIBXL__OP_DOMAIN_CORE_DUMP, fill_core_dump},
    {LIBXL__OP_DOMAIN_STATISTICS, LIBXL__OP_DOMAIN_STATISTICS, fill_statistics},
};

static bool is_phase(unsigned operation, unsigned phase, const char *name)
{
    return strcmp(libxl__operations[operation].phases->list[phase].name, name) == 0;
}

/* Some phases wait in special cases only. */
static struct scenario scenario_of(unsigned operation, unsigned phase)
{
    if (operation == LIBXL__OP_DEVICE_MODEL && is_phase(operation, phase, "password"))
        return (struct scenario){operation, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create_screen};
    if (operation == LIBXL__OP_DEVICE_DISK_ADD && is_phase(operation, phase, "model"))
        return (struct scenario){operation, operation, fill_qdisk_add};
    if (operation == LIBXL__OP_DEVICE_DETACH && is_phase(operation, phase, "released"))
        return (struct scenario){operation, LIBXL__OP_DEVICE_DISK_DESTROY, fill_disk_destroy};
    if (operation == LIBXL__OP_DEVICE_DETACH && is_phase(operation, phase, "gone"))
        return (struct scenario){operation, LIBXL__OP_DEVICE_NIC_REMOVE, fill_nic_remove};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
        if (scenarios[i].operation == operation)
            return scenarios[i];
    if (libxl__operations[operation].args_size != sizeof(libxl_domid))
        fail_msg("%s: the sweep needs a scenario for it", libxl__operations[operation].name);
    return (struct scenario){.operation = operation, .started_by = operation};
}

/* ---- faults */

/* Removes the node of a request that an operation waits for, as a guest may do. */
static void remove_request(libxl_domid domid)
{
    static const char *const nodes[] = {"shutdown", "sysrq"};
    char path[64];
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/control/%s", domid, nodes[i]);
        fixture_write(path, NULL);
    }
}

static int inject(struct run *r, libxl__ao *ao)
{
    r->reached++;
    switch (r->fault) {
    case UNDO_WITHOUT_MEMORY:
    case ABORT: libxl__ao_request_stop(ao, ERROR_ABORTED); return 0;
    case LIMIT: libxl__ao_request_stop(ao, ERROR_TIMEDOUT); return 0;
    case PHASE_LIMIT:
        assert_int_equal(libxl__timer_start(ao->ctx, &ao->phase.timer, 0, ao->phase.timer.callback), 0);
        return 0;
    case FAIL_AT_START:
    case FAIL_WHILE_WAITING:
    case FAIL_TO_UNDO: return ERROR_FAIL;
    case CLOSE: /* what libxl_ctx_free does first */
        ao->ctx->closing = true;
        libxl__aos_abort_all(ao->ctx);
        /* The operation is not listed yet if its initiator runs it. */
        libxl__ao_request_stop(ao, ERROR_ABORTED);
        return 0;
    case KILL: kill(getpid(), SIGKILL); return 0;
    default: return 0;
    }
}

/*
 * Some phases seldom wait, so they are left out. A single creation is admitted at once; tests/c/sim/creations.c starts more
 * than are admitted. xenconsoled already serves the unfinished guest of this test, and the guest exists. The guest of this
 * test has taken its disk, whose backend is in domain 0.
 */
static bool waits(const libxl__phase *phase)
{
    const libxl__phases *detach = libxl__operations[LIBXL__OP_DEVICE_DETACH].phases;
    const bool in_detach = phase >= detach->list && phase < detach->list + detach->count;
    return phase->poll && strcmp(phase->name, "admission") != 0 && strcmp(phase->name, "xenconsoled") != 0 &&
           strcmp(phase->name, "trees") != 0 &&
           !(in_detach && (strcmp(phase->name, "driver") == 0 || strcmp(phase->name, "domain") == 0));
}

static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct run *r = user;
    const libxl__phase *phase = libxl__phase_of(ao);
    if (ao->cls != r->cls)
        return 0;
    if (moment == LIBXL__PHASE_BEFORE_UNDO && r->fault == UNDO_WITHOUT_MEMORY)
        allocation_fail_from(1); /* until the operation completes */
    if (moment == LIBXL__PHASE_BEFORE_UNDO)
        return r->fault == FAIL_TO_UNDO && ao->phase.index == r->phase ? inject(r, ao) : 0;
    /* To run this phase's undo, a later phase must fail; if this phase is the last one, it must fail itself. */
    const unsigned last = ao->cls->phases->count - 1u;
    const unsigned target = r->fault == FAIL_TO_UNDO && r->phase < last ? r->phase + 1 : r->phase;
    if (moment == LIBXL__PHASE_WAITING && ao->phase.index < target && strcmp(phase->name, "acknowledge") == 0)
        remove_request(r->guest);
    if (ao->phase.index != target)
        return 0;
    if (r->fault == FAIL_TO_UNDO)
        return moment == LIBXL__PHASE_BEFORE_START && r->phase < last ? ERROR_FAIL : 0;
    const bool while_waiting = waits(phase) && r->fault != FAIL_AT_START;
    return moment == (while_waiting ? LIBXL__PHASE_WAITING : LIBXL__PHASE_BEFORE_START) ? inject(r, ao) : 0;
}

/* Whether anything is undone if the operation is stopped in this phase. */
static bool has_undo(const libxl__ao_class *cls, unsigned index)
{
    bool undo = false;
    for (unsigned i = 0; i <= index; i++)
        undo = (undo || cls->phases->list[i].undo) && !cls->phases->list[i].commits;
    return undo;
}

/* Whether this fault can occur in this phase. */
static bool is_point(const libxl__ao_class *cls, unsigned index, enum fault fault)
{
    const libxl__phase *phase = &cls->phases->list[index];
    switch (fault) {
    case PHASE_LIMIT: return phase->limit_ms && waits(phase);
    /* A phase with a stop function is left out: it fails only by itself, when the thing that it waits for has ended. */
    case FAIL_WHILE_WAITING: return waits(phase) && !phase->stop;
    case FAIL_TO_UNDO: return phase->undo && index + 1u < cls->phases->count;
    case UNDO_WITHOUT_MEMORY: return has_undo(cls, index);
    default: return true;
    }
}

/* ---- running a point */

static void on_completion(libxl_ctx *ctx, int rc, void *user)
{
    struct run *r = user;
    (void)ctx;
    allocation_fail(0);
    r->completions++;
    r->rc = rc;
    snprintf(r->message, sizeof(r->message), "%s", rc ? libxl_error_message() : "");
}

/* Does what the generated initiator does. */
static int start(struct run *r, const struct scenario *scenario)
{
    const libxl__ao_class *cls = &libxl__operations[scenario->started_by];
    const libxl_asyncop_how how = {.callback = on_completion, .u.for_callback = r};
    libxl__ao *ao;
    int rc = libxl__ao_create(r->ctx, cls, scenario->fill == fill_create ? LIBXL_DOMID_INVALID : r->guest,
                              &how, &ao);
    if (rc)
        return rc;
    if (scenario->fill)
        scenario->fill(r, libxl__ao_args(ao));
    else
        *(libxl_domid *)libxl__ao_args(ao) = r->guest;
    return libxl__ao_start(ao);
}

static bool may_succeed(const struct run *r)
{
    const libxl__phases *phases = r->cls->phases;
    bool committed = false;
    for (unsigned i = 0; i <= r->phase; i++)
        committed |= phases->list[i].commits;
    return committed || r->phase + 1u == phases->count;
}

static void check_result(const struct run *r)
{
    const libxl__phase *phase = &r->cls->phases->list[r->phase];
    int wanted = ERROR_FAIL;
    if (r->fault == ABORT || r->fault == UNDO_WITHOUT_MEMORY || r->fault == CLOSE)
        wanted = ERROR_ABORTED;
    if (r->fault == LIMIT)
        wanted = ERROR_TIMEDOUT;
    if (r->fault == PHASE_LIMIT)
        wanted = phase->limit_rc;
    const bool stopped = wanted == ERROR_ABORTED || wanted == ERROR_TIMEDOUT;
    /* The guest has acknowledged: the undo finds that the request was carried out. */
    const bool carried_out = r->phase && strcmp(phase[-1].name, "acknowledge") == 0;
    if (r->rc != wanted && !(!r->rc && (carried_out || (stopped && may_succeed(r)))))
        fail_msg("%s, phase %s, %s: %d '%s', and not %d", r->cls->name, phase->name, fault_names[r->fault],
                 r->rc, r->message, wanted);
    if (r->rc && !*r->message)
        fail_msg("%s, phase %s, %s: there is no message", r->cls->name, phase->name, fault_names[r->fault]);
    if (r->rc && (r->results.name || r->results.unfinished.domains || r->results.config.c_info.name ||
                  r->results.domid != LIBXL_DOMID_INVALID))
        fail_msg("%s, phase %s, %s: a result was stored", r->cls->name, phase->name, fault_names[r->fault]);
}

static libxl_ctx *open_hooked(struct run *r)
{
    assert_int_equal(libxl_ctx_alloc(&r->ctx, LIBXL_VERSION, r->flags, NULL), 0);
    libxl__ctx_set_phase_hook(r->ctx, on_moment, r);
    return r->ctx;
}

static void run_operation(struct run *r, const struct scenario *scenario)
{
    libxl_event *event;
    const uint64_t end = now_ms() + DEADLINE_MS;
    open_hooked(r);
    const int started = start(r, scenario);
    if (started != ERROR_ASYNC_INPROGRESS) {
        allocation_fail(0);
        r->rc = started;
        snprintf(r->message, sizeof(r->message), "%s", libxl_error_message());
        r->completions = 1; /* the initiator refused the operation; its return counts as the completion */
    }
    while (!r->completions && now_ms() < end)
        libxl_event_wait_limit(r->ctx, &event, 0, NULL, NULL, 10);
    if (r->completions != 1)
        fail_msg("%s, phase %s, %s: %d completions", r->cls->name, r->cls->phases->list[r->phase].name,
                 fault_names[r->fault], r->completions);
    libxl__ctx_set_phase_hook(r->ctx, NULL, NULL);
    assert_int_equal(libxl_ctx_free(r->ctx), 0);
    assert_int_equal(r->completions, 1);
}

static void run_and_kill(struct run *r, const struct scenario *scenario)
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        run_operation(r, scenario);
        _exit(r->reached ? 1 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s, phase %s, kill -9: status %#x", r->cls->name, r->cls->phases->list[r->phase].name,
                 (unsigned)status);
    leftovers_settle();
    r->reached = 1;
}

/* A failed request must not stay in the guest's node, unless its withdrawal fails. */
static void check_guest(const struct run *r)
{
    static const char *const nodes[] = {"control/shutdown", "control/sysrq"};
    for (size_t i = 0; r->guest && i < sizeof(nodes) / sizeof(*nodes); i++) {
        char *request = guest_node(r->guest, nodes[i]);
        if (request && *request && r->rc && r->fault != FAIL_TO_UNDO)
            fail_msg("%s, phase %s, %s: '%s' is left with the guest", r->cls->name,
                     r->cls->phases->list[r->phase].name, fault_names[r->fault], request);
        free(request);
    }
}

/* Marks the guest as one whose creation has been given up. */
static void mark_guest(libxl_ctx *ctx, struct run *r)
{
    char path[LIBXL__MARK_PATH], text[LIBXL__MARK_TEXT];
    libxl__ctx_lock(ctx);
    libxl__mark_text(ctx, true, r->guest, text);
    libxl__ctx_unlock(ctx);
    snprintf(path, sizeof(path), LIBXL__MARK_FMT, LIBXL__MARK_OF(r->uuid));
    fixture_write(path, text);
}

static libxl_domid new_pvh_guest(libxl_ctx *ctx)
{
    libxl_domain_config config = guest_config_pvh("b");
    libxl_domid domid;
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    return domid;
}

/* Waits until the guest has connected to its device. */
static void wait_connected(libxl_domid guest, const char *node)
{
    char *state = NULL;
    for (const uint64_t end = now_ms() + DEADLINE_MS; now_ms() < end; usleep(1000)) {
        free(state);
        state = guest_node(guest, node);
        if (state && strcmp(state, "4") == 0)
            break;
    }
    assert_string_equal(state, "4");
    free(state);
}

/* Adds the disk that the scenario removes. */
static void add_disk(libxl_ctx *ctx, libxl_domid guest)
{
    libxl_device_disk disk = sweep_disk();
    assert_int_equal(libxl_device_disk_add(ctx, guest, &disk, NULL), 0);
    libxl_device_disk_dispose(&disk);
    wait_connected(guest, "device/vbd/51712/state");
}

static void add_nic(libxl_ctx *ctx, libxl_domid guest)
{
    libxl_device_nic nic = sweep_nic();
    assert_int_equal(libxl_device_nic_add(ctx, guest, &nic, NULL), 0);
    libxl_device_nic_dispose(&nic);
    wait_connected(guest, "device/vif/0/state");
}

static libxl_domid new_guest(libxl_ctx *ctx, struct run *r, bool pvh)
{
    libxl_dominfo info;
    const libxl_domid domid = pvh ? new_pvh_guest(ctx) : guest_new(ctx, "b", true);
    assert_int_equal(libxl_domain_info(ctx, &info, domid), 0);
    r->uuid = info.uuid;
    return domid;
}

/* Lists and removes the unfinished domains of a killed process, from another process. Returns their number. */
static int remove_unfinished(void)
{
    libxl_ctx *ctx;
    libxl_unfinished_list list;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    assert_int_equal(libxl_domain_list_unfinished(ctx, &list, NULL), 0);
    const int count = list.num_domains;
    for (int i = 0; i < count; i++)
        assert_int_equal(libxl_domain_remove_unfinished(ctx, &list.domains[i].uuid, NULL), 0);
    libxl_unfinished_list_dispose(&list);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    return count;
}

/* A creation that is killed after its first phase and before its last one leaves its mark. The last phase removes the mark. */
static void check_unfinished(const struct run *r, const struct scenario *scenario, int domains)
{
    const int removed = remove_unfinished();
    if (scenario->fill != fill_create || r->phase + 1u == r->cls->phases->count)
        return;
    if (r->phase && removed != 1)
        fail_msg("%s, phase %s, kill -9: nothing is unfinished", r->cls->name,
                 r->cls->phases->list[r->phase].name);
    assert_int_equal(leftovers_domains(), domains);
}

static void run_point(unsigned flags, unsigned operation, unsigned phase, enum fault fault)
{
    const struct scenario scenario = scenario_of(operation, phase);
    struct run r = {.flags = flags,
                    .cls = &libxl__operations[operation],
                    .phase = phase,
                    .fault = fault,
                    .results.domid = LIBXL_DOMID_INVALID};
    struct fixture before;
    libxl_ctx *ctx;
    fixture_begin(&before);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    if (scenario.fill != fill_create && scenario.fill != fill_create_screen)
        r.guest = new_guest(ctx, &r, scenario.fill == fill_set_memory);
    if (scenario.fill == fill_disk_remove || scenario.fill == fill_disk_destroy ||
        scenario.fill == fill_wait_connected ||
        (operation == LIBXL__OP_DOMAIN_TEARDOWN && is_phase(operation, phase, "devices")))
        add_disk(ctx, r.guest);
    if (scenario.fill == fill_nic_remove || scenario.fill == fill_nic_destroy)
        add_nic(ctx, r.guest);
    if (scenario.fill == fill_list_unfinished || scenario.fill == fill_remove_unfinished)
        mark_guest(ctx, &r);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    const int domains = leftovers_domains();
    if (is_phase(operation, phase, "gone"))
        fault_add("dying=50"); /* the phase must wait, however fast the daemons unmap the domain's pages */
    if (fault == KILL)
        run_and_kill(&r, &scenario);
    else
        run_operation(&r, &scenario);
    faults_clear();
    if (!r.reached)
        fail_msg("%s, phase %s, %s: it was not reached; %d '%s'", r.cls->name,
                 r.cls->phases->list[phase].name, fault_names[fault], r.rc, r.message);
    if (fault != KILL) {
        check_result(&r);
        check_guest(&r);
    }
    /* A failing creation leaves no domain, unless the undo that destroys the domain fails. */
    if ((scenario.fill == fill_create || scenario.fill == fill_create_screen) && fault != KILL &&
        fault != FAIL_TO_UNDO)
        if (leftovers_domains() != domains + !r.rc)
            fail_msg("%s, phase %s, %s: %d domains, and not %d; %d %s", r.cls->name,
                     r.cls->phases->list[phase].name, fault_names[fault], leftovers_domains(),
                     domains + !r.rc, r.rc, r.message);
    if (fault == KILL)
        check_unfinished(&r, &scenario, domains);
    free(r.results.name);
    libxl_unfinished_list_dispose(&r.results.unfinished);
#define DISPOSE_LIST(NAME, name) libxl_##name##_list_dispose(&r.results.name##s);
    LISTED(DISPOSE_LIST)
#undef DISPOSE_LIST
    libxl_device_status_list_dispose(&r.results.devices);
    libxl_domain_config_dispose(&r.results.config);
    libxl_domain_counters_list_dispose(&r.results.counters);
    fixture_clean(&before);
    if (fault == FAIL_TO_UNDO)
        leftovers_remove(&before);
    fixture_check(&before);
}

/* Whether an operation shares its phases with an earlier one. */
static bool shares_phases(unsigned operation)
{
    for (unsigned o = 0; o < operation; o++)
        if (libxl__operations[o].phases == libxl__operations[operation].phases)
            return true;
    return false;
}

static void sweep_all(unsigned flags, const char *transport)
{
    unsigned operations = 0, phases = 0, points = 0;
    write_loader();
    for (unsigned o = 0; o < LIBXL__OP_COUNT; o++) {
        const libxl__ao_class *cls = &libxl__operations[o];
        if (!cls->phases || shares_phases(o))
            continue;
        operations++;
        for (unsigned p = 0; p < cls->phases->count; p++, phases++)
            for (enum fault f = 0; f < FAULTS; f++)
                if (is_point(cls, p, f)) {
                    run_point(flags, o, p, f);
                    points++;
                }
    }
    unlink(loader_path);
    printf("sweep, %s: %u operations, %u phases, %u points\n", transport, operations, phases, points);
    assert_true(points > phases);
}

static void every_phase_survives_every_fault(scene *s)
{
    (void)s;
    sweep_all(0, "the wire");
}

static void every_phase_survives_every_fault_with_libxenstore(scene *s)
{
    (void)s;
    sweep_all(LIBXL_CTX_LIBXENSTORE, "libxenstore");
}

static const body bodies[] = {
    BODY(every_phase_survives_every_fault, NO_CONTEXT),
    BODY(every_phase_survives_every_fault_with_libxenstore, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
