/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* While domain_soft_reset runs, other programs also change the domain. domain_soft_reset must not destroy a
 * domain that is in order. */
#include "core.h"
#include "disk.h"
#include "simulation.h"

#include "marks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenctrl.h>

/* Makes a guest that has asked for a soft reset. If another program resumes the guest, it sleeps. */
static libxl_domid stopped_guest(scene *s, libxl_domain_config *config, libxl_uuid *uuid)
{
    libxl_dominfo info;
    libxl_domid domid;
    libxl_shutdown_reason reason;
    libxl_domain_config made = guest_config_pvh("b");
    assert_int_equal(libxl_domain_create_new(s->ctx, &made, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    simulate("shutdown %u soft_reset", domid);
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL), 0);
    assert_int_equal(libxl_retrieve_domain_configuration(s->ctx, domid, config, NULL), 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    *uuid = info.uuid;
    libxl_domain_config_dispose(&made);
    return domid;
}

static bool has_mark(const libxl_uuid *uuid)
{
    char path[LIBXL__MARK_PATH];
    snprintf(path, sizeof(path), LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
    char *text = fixture_node(path);
    free(text);
    return text != NULL;
}

static bool lists_devices(const libxl__ao *ao, libxl__phase_moment moment)
{
    return moment == LIBXL__PHASE_WAITING && !strcmp(libxl__phase_of(ao)->name, "list");
}

static int sleep_in_list(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    (void)user;
    while (lists_devices(ao, moment))
        pause();
    return 0;
}

/* Starts a process that resets the domain, and waits until the process has marked the domain. The process then sleeps
 * in the phase `list`. */
static pid_t reset_elsewhere(libxl_domid domid, const libxl_domain_config *config, const libxl_uuid *uuid)
{
    const pid_t child = fork();
    if (!child) {
        libxl_ctx *ctx;
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        libxl__ctx_set_phase_hook(ctx, sleep_in_list, NULL);
        libxl_domain_soft_reset(ctx, config, domid, NULL, NULL);
        _exit(0);
    }
    for (uint64_t end = now_ms() + scaled_ms(5000); !has_mark(uuid); sleep_ms(1))
        assert_true(now_ms() < end);
    return child;
}

/* Only one process at a time can reset a domain. If that process is killed, another process can reset the
 * domain. Nobody can add a device meanwhile. */
static void a_second_reset_is_refused(scene *s)
{
    libxl_uuid uuid;
    libxl_domain_config config;
    const libxl_domid domid = stopped_guest(s, &config, &uuid);
    libxl_device_disk disk = disk_of("xvda", DISK_IMAGE);
    disk_make_image();
    const pid_t child = reset_elsewhere(domid, &config, &uuid);
    const int rc = libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL);
    const bool refused = strstr(libxl_error_message(), "is resetting domain"), marked = has_mark(&uuid);
    const int added = libxl_device_disk_add(s->ctx, domid, &disk, NULL);
    const bool told = strstr(libxl_error_message(), "is being made or reset");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rc, ERROR_BUSY);
    assert_true(refused && marked);
    assert_int_equal(added, ERROR_BUSY);
    assert_true(told);
    assert_int_equal(libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL), 0);
    assert_false(has_mark(&uuid));
    libxl_device_disk_dispose(&disk);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* No other test uses this file. Xen's block script refuses a file that a killed program has left in a loop device. */
#define IMAGE "/run/soft_reset.img"

struct attachment {
    const char *phase; /* before this phase, xl adds a disk to the domain */
    int status;        /* the status of xl; -1: xl has not run */
};

static int attach(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct attachment *a = user;
    char command[128];
    if (moment != LIBXL__PHASE_BEFORE_START || strcmp(libxl__phase_of(ao)->name, a->phase) != 0 ||
        a->status >= 0)
        return 0;
    snprintf(command, sizeof(command), "xl block-attach %u format=raw,vdev=xvdb,access=rw,target=" IMAGE,
             ao->subject.number);
    a->status = system(command);
    return 0;
}

/* xl adds a disk before the devices are removed, or after that. The disk of the first case is removed. The disk of
 * the second case stays, and is removed with the domain. */
static void a_disk_of_xl_is_not_forgotten(scene *s)
{
    static const struct {
        const char *phase;
        bool stays;
    } cases[] = {{"release", false}, {"reset", true}};
    const int before = loop_count();
    assert_int_equal(system("truncate -s 1M " IMAGE), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        libxl_uuid uuid;
        libxl_domain_config config;
        const libxl_domid domid = stopped_guest(s, &config, &uuid);
        struct attachment a = {.phase = cases[i].phase, .status = -1};
        libxl__ctx_set_phase_hook(s->ctx, attach, &a);
        const int rc = libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL);
        libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
        assert_int_equal(a.status, 0);
        assert_int_equal(rc, 0);
        assert_int_equal(fixture_has("/libxl/%u/device/vbd/51728", domid), cases[i].stays);
        assert_int_equal(fixture_has("/local/domain/0/backend/vbd/%u/51728", domid), cases[i].stays);
        libxl_domain_config_dispose(&config);
        destroy(s, domid);
        assert_int_equal(loop_count(), before);
        disk_check_gone(domid);
    }
    unlink(IMAGE);
}

struct other {
    xc_interface *xch;
    int rc; /* the result of the other program's reset; 1: it has not reset the domain yet */
};

static int reset_in_list(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct other *other = user;
    if (lists_devices(ao, moment) && other->rc == 1)
        other->rc = xc_domain_soft_reset(other->xch, ao->subject.number);
    return 0;
}

/* Another program resets the domain before the library has changed anything, so the guest runs again. */
static void a_domain_that_runs_again_is_not_reset(scene *s)
{
    libxl_uuid uuid;
    libxl_dominfo info;
    libxl_domain_config config;
    const libxl_domid domid = stopped_guest(s, &config, &uuid);
    struct other other = {.xch = xc_interface_open(NULL, NULL, 0), .rc = 1};
    libxl__ctx_set_phase_hook(s->ctx, reset_in_list, &other);
    const int rc = libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    xc_interface_close(other.xch);
    assert_int_equal(other.rc, 0);
    assert_int_equal(rc, ERROR_INVAL);
    assert_non_null(strstr(libxl_error_message(), "has not stopped"));
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_false(info.shutdown || info.dying || has_mark(&uuid));
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(a_second_reset_is_refused, RUNS_ONCE),
    BODY(a_disk_of_xl_is_not_forgotten, RUNS_ONCE),
    BODY(a_domain_that_runs_again_is_not_reset, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
