/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Destructions of domains while xenstored is missing, while no thread can be created, or before xenstored knows the
 * domain. The result is right, and no destruction stops halfway. */
#include "core.h"
#include "disk.h"
#include "refuse.h"

#include "simulation.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>

/* ---- no xenstored */

static int refuse_batch(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    (void)ctx, (void)batch;
    return ERROR_NO_XENSTORE;
}

/* Destroys a domain while no request reaches xenstored. */
static int destroy_without_xenstored(scene *s, libxl_domid domid)
{
    const libxl__xs_transport *working = s->ctx->xen->transport;
    libxl__xs_transport broken = *working;
    broken.run = refuse_batch;
    s->ctx->xen->transport = &broken;
    int rc = RUN(s, libxl_domain_destroy(s->ctx, domid, how));
    s->ctx->xen->transport = working;
    return rc;
}

static void remove_nodes(const struct fixture *before, libxl_domid domid, const libxl_uuid *uuid)
{
    fixture_remove_nodes(domid, uuid);
    fixture_check_world(before);
}

static void a_domain_is_destroyed_even_if_its_nodes_stay(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", true);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_int_equal(destroy_without_xenstored(s, domid), ERROR_NO_XENSTORE);
    assert_non_null(strstr(last_message(s), "xenstore: "));
    remove_nodes(&s->before, domid, &info.uuid);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), ERROR_DOMAIN_NOTFOUND);
}

static void an_error_of_the_hypervisor_takes_precedence(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    fault_add("domctl.destroydomain:1:EPERM");
    assert_int_equal(destroy_without_xenstored(s, domid), ERROR_PERMISSION);
    faults_clear();
    assert_non_null(strstr(last_message(s), "destroying domain"));
    assert_null(strstr(last_message(s), "xenstore"));
    destroy(s, domid);
}

static int loops_before; /* The number of loop devices that exist before the test. */

/* Makes a guest whose disk has an image of its own. Programs that ran before may have left users of the usual image. */
static libxl_domid guest_with_own_disk(scene *s)
{
    char path[32];
    snprintf(path, sizeof(path), "/run/teardown-%d.img", (int)getpid());
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    loops_before = loop_count();
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(disk_add(s, domid, disk_of("xvda", path)), 0);
    return domid;
}

static void check_disk_is_released(scene *s, libxl_domid domid)
{
    disk_wait_gone(s, domid);
    for (const uint64_t end = now_ms() + scaled_ms(10000); loop_count() > loops_before && now_ms() < end;)
        pump(s, 10);
    assert_int_equal(loop_count(), loops_before);
}

/* The devices cannot be listed before the domain is destroyed. The library removes them when it is connected
 * to xenstored again. */
static void a_disk_is_released_when_the_connection_is_back(scene *s)
{
    const libxl_domid domid = guest_with_own_disk(s);
    assert_int_equal(loop_count(), loops_before + 1);
    assert_int_equal(destroy_without_xenstored(s, domid), ERROR_NO_XENSTORE);
    check_disk_is_released(s, domid);
}

/* The teardown waits a second for the list of the devices, and then destroys the domain. */
static void a_disk_is_released_when_xenstored_answers_late(scene *s)
{
    libxl_dominfo info = {.dying = false};
    const libxl_domid domid = guest_with_own_disk(s);
    assert_int_equal(loop_count(), loops_before + 1);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    int rc = 0;
    for (const uint64_t end = now_ms() + scaled_ms(10000); !rc && !info.dying && now_ms() < end; pump(s, 10))
        rc = libxl_domain_info(s->ctx, &info, domid);
    simulate("xenstored cont");
    assert_true(rc == ERROR_DOMAIN_NOTFOUND || info.dying);
    assert_int_equal(op_result(o), 0);
    disk_check_gone(domid);
    assert_int_equal(loop_count(), loops_before);
}

/* ---- a backend that changes its state all the time */

static struct flips {
    libxl__xs_transport flipping;
    const libxl__xs_transport *working;
    char state[64], online[64];
    unsigned count;
} flips;

/* Changes the state of a backend if the library has not yet asked it to close. */
static int run_after_flip(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    char text[16];
    char *online = fixture_node(flips.online);
    snprintf(text, sizeof(text), "%u", 100 + flips.count);
    if (online && strcmp(online, "1") == 0) {
        fixture_write(flips.state, text);
        flips.count++;
    }
    free(online);
    return flips.working->run(ctx, batch);
}

static void a_backend_that_changes_its_state_delays_no_destruction(scene *s)
{
    enum { MOST_FLIPS = 200 };
    const libxl_domid domid = guest_with_own_disk(s);
    flips = (struct flips){.flipping = *s->ctx->xen->transport, .working = s->ctx->xen->transport};
    snprintf(flips.state, sizeof(flips.state), "/local/domain/0/backend/vbd/%u/51712/state", domid);
    snprintf(flips.online, sizeof(flips.online), "/local/domain/0/backend/vbd/%u/51712/online", domid);
    flips.flipping.run = run_after_flip;
    s->ctx->xen->transport = &flips.flipping;
    const int rc = RUN(s, libxl_domain_destroy(s->ctx, domid, how));
    s->ctx->xen->transport = flips.working;
    assert_int_equal(rc, 0);
    assert_in_range(flips.count, 1, MOST_FLIPS);
    disk_check_gone(domid);
    assert_int_equal(loop_count(), loops_before);
}

/* ---- no thread */

struct refused {
    scene *s;
    libxl_domid domid;
    op *o; /* The operation that the thread waits for. NULL: the thread starts an operation. */
    pthread_t thread;
};

static void *destroy_without_threads(void *argument)
{
    struct refused *r = argument;
    scene *s = r->s;
    refuse_processes();
    if (!r->o)
        r->o = START(s, libxl_domain_destroy, s->ctx, r->domid, how);
    op_result(r->o);
    return NULL;
}

/* The creation has reserved a worker for its undo. The reserved worker ends when it has been idle
 * for a second. */
static void without_a_worker_nothing_is_changed(scene *s)
{
    libxl_dominfo info;
    libxl_counters count;
    struct refused r = {.s = s, .domid = guest(s, "b", true)};
    for (libxl_ctx_counters(s->ctx, &count); count.threads; libxl_ctx_counters(s->ctx, &count))
        sleep_ms(10);
    pthread_create(&r.thread, NULL, destroy_without_threads, &r);
    pthread_join(r.thread, NULL);
    assert_int_equal(op_result(r.o), ERROR_FAIL);
    assert_non_null(strstr(r.o->message, "starting a worker thread"));
    assert_int_equal(libxl_domain_info(s->ctx, &info, r.domid), 0);
    assert_false(info.paused || info.dying);
    char *name = guest_node(r.domid, "name");
    assert_non_null(name);
    free(name);
    destroy(s, r.domid);
}

/* A worker ends after one idle second. The test reserves a worker that has been idle for half a second. */
static void a_reserved_worker_stays_until_it_is_needed(scene *s)
{
    enum { IDLE_MS = 500, MOST_MS = 3000 };
    libxl_dominfo info = {.dying = false};
    struct refused r = {.s = s, .domid = guest(s, "b", true)};
    destroy(s, guest(s, "b", true));
    sleep_ms(IDLE_MS);
    simulate("xenstored stop"); /* The operation waits a second for the removal of the nodes. */
    r.o = START(s, libxl_domain_destroy, s->ctx, r.domid, how);
    pthread_create(&r.thread, NULL, destroy_without_threads, &r);
    for (uint64_t end = now_ms() + scaled_ms(MOST_MS); !info.dying && now_ms() < end; sleep_ms(10))
        libxl_domain_info(s->ctx, &info, r.domid);
    simulate("xenstored cont");
    pthread_join(r.thread, NULL);
    assert_int_equal(op_result(r.o), 0);
    assert_true(info.dying);
}

/* ---- a limit while a worker searches the process of QEMU */

/* Lets the limit of the phase `released` expire at once. The worker cannot end its search before the phase ends, because
 * the caller holds the lock. */
static int expire_in_released(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    unsigned *expired = user;
    if (moment != LIBXL__PHASE_WAITING || strcmp(libxl__phase_of(ao)->name, "released") != 0)
        return 0;
    ++*expired;
    ao->phase.expired = true;
    libxl__ao_wake(ao);
    return 0;
}

static void a_removal_that_waits_no_longer_for_qemu_leaves_no_descriptor(scene *s)
{
    unsigned expired = 0;
    const libxl_domid domid = guest(s, "b", true);
    disk_make_image();
    libxl_device_disk disk = disk_of("xvda", DISK_IMAGE);
    disk.backend = LIBXL_DISK_BACKEND_QDISK;
    assert_int_equal(RUN(s, libxl_device_disk_add(s->ctx, domid, &disk, how)), 0);
    libxl__ctx_set_phase_hook(s->ctx, expire_in_released, &expired);
    assert_int_equal(disk_destroy(s, domid, disk), 0);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    assert_int_equal(expired, 1);
    destroy(s, domid);
    fixture_check_world(&s->before);
}

/* ---- a domain that xenstored does not know */

/* Called before the phase `introduce`. Another domain comes and goes, so that xenconsoled learns of this domain, too.
 * Then the domain's event channels are closed, so that xenstored cannot introduce it. */
static int disconnect(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    bool *called = user;
    if (moment != LIBXL__PHASE_BEFORE_START || strcmp(libxl__phase_of(ao)->name, "introduce") != 0)
        return 0;
    libxl_ctx *other = open_context();
    guest_destroy(other, guest_new(other, "b", true));
    libxl_ctx_free(other);
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    assert_int_equal(xc_evtchn_reset(xch, ao->subject.number), 0);
    xc_interface_close(xch);
    *called = true;
    return 0;
}

/* xenstored reports the end of a domain only if the domain was introduced. If xenconsoled mapped the console's page of
 * another domain, it would keep the page, and the domain would stay. */
static void a_domain_that_was_not_introduced_goes(scene *s)
{
    bool called = false;
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    libxl__ctx_set_phase_hook(s->ctx, disconnect, &called);
    const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    libxl_domain_config_dispose(&config);
    assert_true(called);
    assert_int_equal(rc, ERROR_XENSTORE);
}

static const body bodies[] = {
    BODY(a_removal_that_waits_no_longer_for_qemu_leaves_no_descriptor, RUNS_ONCE),
    BODY(a_domain_is_destroyed_even_if_its_nodes_stay, RUNS_ONCE),
    BODY(a_disk_is_released_when_the_connection_is_back, RUNS_ONCE),
    BODY(a_disk_is_released_when_xenstored_answers_late, RUNS_ONCE),
    BODY(a_backend_that_changes_its_state_delays_no_destruction, RUNS_ONCE),
    BODY(an_error_of_the_hypervisor_takes_precedence, RUNS_ONCE),
    BODY(without_a_worker_nothing_is_changed, RUNS_ONCE),
    BODY(a_reserved_worker_stays_until_it_is_needed, RUNS_ONCE),
    BODY(a_domain_that_was_not_introduced_goes, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
