/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another process destroys a domain while the library is creating the domain. The error reports the
 * destruction, whichever call fails. */
#include "harness.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xenctrl.h>

enum { MOST_TIMES = 6 };

static struct calls calls;

/* Destroys all domains that `before` does not list. Uses only a hypercall, as another process might do. */
static void destroy_new_domains(xc_interface *xch, const struct fixture *before)
{
    xc_domaininfo_t list[64];
    const int number = xc_domain_getinfolist(xch, 0, 64, list);
    for (int i = 0; i < number; i++) {
        bool old = list[i].domain == 0;
        for (int j = 0; j < before->domains; j++)
            old |= before->domids[j] == list[i].domain;
        if (!old)
            xc_domain_destroy(xch, list[i].domain);
    }
}

/* Destroys the domain. If another process has destroyed the domain, removes the domain's nodes. */
static void clean_up(scene *s, libxl_domid domid, const libxl_uuid *uuid)
{
    const int rc = RUN(s, libxl_domain_destroy(s->ctx, domid, how));
    if (rc != ERROR_DOMAIN_NOTFOUND)
        return;
    fixture_remove_nodes(domid, uuid);
}

/* Creates a domain, delays the n-th hypercall of this name, and destroys the created domain during the delay.
 * Returns whether the creation has made n such calls. */
static bool destroy_during(scene *s, xc_interface *xch, const char *call, int n, int *destroyed)
{
    struct fixture before;
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    const libxl_uuid uuid = config.c_info.uuid;
    fixture_begin(&before);
    int rule = fault_add("%s:%d:40ms", call, n);
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    for (uint64_t end = now_ms() + scaled_ms(200); !op_done(o) && !fault_hits(rule) && now_ms() < end;)
        pump(s, 1);
    const bool hit = fault_hits(rule);
    if (hit && !op_done(o))
        destroy_new_domains(xch, &before);
    const int rc = op_result(o);
    faults_clear();
    libxl_domain_config_dispose(&config);
    if (rc == 0)
        clean_up(s, domid, &uuid);
    else if (rc != ERROR_DOMAIN_DESTROYED)
        fail_msg("%s, call %d: %d '%s'", call, n, rc, o->message);
    *destroyed += rc != 0;
    fixture_check_world(&before);
    return hit;
}

static void a_creation_whose_domain_is_destroyed_says_so(scene *s)
{
    int destroyed = 0;
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    calls_begin();
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    calls_end(&calls);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
    for (int i = 0; i < calls.count; i++)
        for (int n = 1; n < MOST_TIMES && destroy_during(s, xch, calls.names[i], n, &destroyed); n++)
            ;
    xc_interface_close(xch);
    assert_in_range(destroyed, 10, 1000);
}

/* The test stops xenstored while the library writes the domain's nodes. Another process destroys the
 * domain at this time. */
static void a_domain_destroyed_while_its_nodes_are_written(scene *s)
{
    struct fixture before;
    libxl_domid domid;
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    libxl_domain_config config = guest_config("b");
    fixture_begin(&before);
    int rule = fault_add("memory_op.populate_physmap:1:100ms");
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    fault_wait(s->ctx, rule);
    simulate("xenstored stop");
    for (uint64_t end = now_ms() + scaled_ms(300); now_ms() < end;)
        pump(s, 5);
    destroy_new_domains(xch, &before);
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_DOMAIN_DESTROYED);
    faults_clear();
    libxl_domain_config_dispose(&config);
    xc_interface_close(xch);
    fixture_check_world(&before);
}

static const body bodies[] = {
    BODY(a_creation_whose_domain_is_destroyed_says_so, ALONE | SLOW),
    BODY(a_domain_destroyed_while_its_nodes_are_written, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
