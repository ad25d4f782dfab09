/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* While domain_soft_reset runs, other programs also change the domain. domain_soft_reset must not destroy a
 * domain that is in order. */
#include "core.h"
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

/* Only one process at a time can reset a domain. If that process is killed, another process can reset the
 * domain. */
static void a_second_reset_is_refused(scene *s)
{
    libxl_uuid uuid;
    libxl_domain_config config;
    const libxl_domid domid = stopped_guest(s, &config, &uuid);
    const pid_t child = fork();
    if (!child) {
        libxl_ctx *ctx;
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        libxl__ctx_set_phase_hook(ctx, sleep_in_list, NULL);
        libxl_domain_soft_reset(ctx, &config, domid, NULL, NULL);
        _exit(0);
    }
    for (uint64_t end = now_ms() + scaled_ms(5000); !has_mark(&uuid); sleep_ms(1))
        assert_true(now_ms() < end);
    const int rc = libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL);
    const bool refused = strstr(libxl_error_message(), "is resetting domain"), marked = has_mark(&uuid);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(rc, ERROR_BUSY);
    assert_true(refused && marked);
    assert_int_equal(libxl_domain_soft_reset(s->ctx, &config, domid, NULL, NULL), 0);
    assert_false(has_mark(&uuid));
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
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
    BODY(a_domain_that_runs_again_is_not_reset, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
