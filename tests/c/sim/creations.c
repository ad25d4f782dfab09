/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creations that fail because xenconsoled hangs, and creations that are stopped. No domain and no node is
 * left behind. */
#include "harness.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONSOLE_MS = 10000, LAST_MOMENT_MS = 1000, UNHURRIED_MS = 5000 };

/* Without xenconsoled a creation fails when its limit for the console expires. While the creation waits,
 * other operations proceed. */
static void a_missing_console_is_reported(scene *s)
{
    enum { GUESTS = 3 };
    libxl_domid domids[GUESTS], other = guest(s, "b", true);
    libxl_domain_config configs[GUESTS];
    op *ops[GUESTS];
    simulate("xenconsoled stop");
    uint64_t began = now_ms();
    for (int i = 0; i < GUESTS; i++) {
        configs[i] = guest_config("b");
        ops[i] = START(s, libxl_domain_create_new, s->ctx, &configs[i], &domids[i], how, NULL);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, other, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, other, how)), 0);
    }
    assert_in_range(now_ms() - began, 0, UNHURRIED_MS);
    for (int i = 0; i < GUESTS; i++) {
        assert_int_equal(op_result(ops[i]), ERROR_NO_CONSOLE);
        assert_non_null(strstr(ops[i]->message, "console"));
        libxl_domain_config_dispose(&configs[i]);
    }
    assert_in_range(now_ms() - began, CONSOLE_MS, CONSOLE_MS + UNHURRIED_MS);
    fixture_check_world(&(struct fixture){.has_world = true,
                                          .domains = s->before.domains + 1,
                                          .nodes = s->before.nodes + 2,
                                          .files = s->before.files + 1,
                                          .domids = {0, other}}); /* The other guest and its nodes remain. */
    /* After the restart xenconsoled must not write nodes of the removed guests. */
    simulate("xenconsoled cont");
    destroy(s, other);
    pump_for(s, 50);
}

/* Waits until no operation of the context goes on in the background. */
static void wait_until_idle(scene *s)
{
    int count = 1;
    for (uint64_t end = now_ms() + scaled_ms(9000); count && now_ms() < end;) {
        pump(s, 5);
        libxl_operation_info *list = libxl_ao_list(s->ctx, &count);
        libxl_operation_info_list_free(list, count);
    }
    assert_int_equal(count, 0);
}

/*
 * The creation is stopped, by an abort or by a time limit, while it waits for the console. If a time limit
 * stops it, its undo runs in the background. The undo does not wait for xenconsoled.
 */
static void a_creation_without_console_can_be_stopped(scene *s)
{
    for (int by_limit = 0; by_limit <= 1; by_limit++) {
        libxl_domid domid;
        libxl_domain_config config = guest_config("b");
        simulate("xenconsoled stop");
        uint64_t began = now_ms();
        op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
        libxl_domain_config_dispose(&config);
        pump_for(s, 100);
        if (by_limit)
            assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 10), 0);
        else
            assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
        assert_int_equal(op_result(o), by_limit ? ERROR_TIMEDOUT : ERROR_ABORTED);
        assert_in_range(now_ms() - began, 0, LAST_MOMENT_MS + UNHURRIED_MS);
        if (by_limit)
            wait_until_idle(s);
        fixture_check_world(&s->before);
        simulate("xenconsoled cont");
        pump_for(s, 50);
        fixture_check_world(&s->before);
    }
}

/* A stopped creation leaves no domain and no node. A creation that succeeds has made a complete guest. */
static void creations_stopped_at_any_moment_leave_nothing(scene *s)
{
    enum { WAVES = 5, EACH = 10, LATEST_MS = 30 };
    unsigned seed = 4711;
    int stopped = 0;
    for (int wave = 0; wave < WAVES; wave++) {
        op *ops[EACH];
        libxl_domid domids[EACH];
        for (int i = 0; i < EACH; i++) {
            libxl_domain_config config = guest_config("b");
            ops[i] = START(s, libxl_domain_create_new, s->ctx, &config, &domids[i], how, NULL);
            libxl_domain_config_dispose(&config);
        }
        for (int i = 0; i < EACH; i++) {
            pump_for(s, rand_r(&seed) % (LATEST_MS / EACH * 2));
            int asked = rand_r(&seed) % 2 ? libxl_ao_abort(s->ctx, &ops[i]->how)
                                          : libxl_ao_set_limit(s->ctx, &ops[i]->how, 1);
            assert_true(asked == 0 || asked == ERROR_NOTFOUND);
        }
        for (int i = 0; i < EACH; i++) {
            int rc = op_result(ops[i]);
            assert_true(rc == 0 || rc == ERROR_ABORTED || rc == ERROR_TIMEDOUT);
            stopped += rc != 0;
            if (rc == 0)
                destroy(s, domids[i]);
        }
        fixture_check_world(&s->before);
    }
    assert_true(stopped > WAVES * EACH / 4);
}

/* Returns the number of creations that are in this phase. */
static int in_phase(libxl_ctx *ctx, const char *phase)
{
    int count, found = 0;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    for (int i = 0; i < count; i++)
        found += strcmp(list[i].operation, "domain_create_new") == 0 && strcmp(list[i].phase, phase) == 0;
    libxl_operation_info_list_free(list, count);
    return found;
}

static void wait_until_in_phase(scene *s, const char *phase, int count)
{
    for (uint64_t end = now_ms() + scaled_ms(9000); in_phase(s->ctx, phase) != count && now_ms() < end;)
        pump(s, 5);
    assert_int_equal(in_phase(s->ctx, phase), count);
}

/*
 * Only a few creations may wait for xenconsoled at the same time. The others wait for their admission,
 * without a time limit.
 */
static void a_creation_waits_for_its_admission(scene *s)
{
    enum { AT_ONCE = 32, WAITING = 8, GUESTS = AT_ONCE + WAITING };
    op *ops[GUESTS];
    libxl_domid domids[GUESTS];
    simulate("xenconsoled stop");
    for (int i = 0; i < GUESTS; i++) {
        libxl_domain_config config = guest_config("b");
        ops[i] = START(s, libxl_domain_create_new, s->ctx, &config, &domids[i], how, NULL);
        libxl_domain_config_dispose(&config);
    }
    wait_until_in_phase(s, "admission", WAITING);
    wait_until_in_phase(s, "console", AT_ONCE);
    assert_int_equal(libxl_ao_abort(s->ctx, &ops[GUESTS - 1]->how), 0);
    assert_int_equal(op_result(ops[GUESTS - 1]), ERROR_ABORTED);
    simulate("xenconsoled cont");
    for (int i = 0; i < GUESTS - 1; i++) {
        assert_int_equal(op_result(ops[i]), 0);
        destroy(s, domids[i]);
    }
}

/*
 * The test plays xenconsoled, and serves one domain every six seconds. Each time, the time limits of the
 * creations that still wait start anew.
 */
static void the_limit_starts_anew_for_those_behind(scene *s)
{
    enum { GUESTS = 3, SLOW_MS = 6000 };
    op *ops[GUESTS];
    libxl_domid domids[GUESTS], first = guest(s, "b", false) + 1;
    char path[64];
    simulate("xenconsoled stop");
    for (int i = 0; i < GUESTS; i++) {
        libxl_domain_config config = guest_config("b");
        ops[i] = START(s, libxl_domain_create_new, s->ctx, &config, &domids[i], how, NULL);
        libxl_domain_config_dispose(&config);
        wait_until_in_phase(s, "console", i + 1);
    }
    for (unsigned i = 0; i < GUESTS; i++) {
        pump_for(s, SLOW_MS);
        snprintf(path, sizeof(path), "/local/domain/%u/console/tty", first + i);
        fixture_write(path, "/dev/null");
        assert_int_equal(op_result(ops[i]), 0);
    }
    simulate("xenconsoled cont");
    for (int i = -1; i < GUESTS; i++)
        destroy(s, i < 0 ? first - 1 : domids[i]);
}

static const body bodies[] = {
    BODY(a_missing_console_is_reported, ALONE | SLOW),
    BODY(a_creation_without_console_can_be_stopped, ASYNCHRONOUS | ALONE | SLOW),
    BODY(creations_stopped_at_any_moment_leave_nothing, ASYNCHRONOUS | ALONE | SLOW),
    BODY(a_creation_waits_for_its_admission, ASYNCHRONOUS | ALONE | SLOW),
    BODY(the_limit_starts_anew_for_those_behind, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
