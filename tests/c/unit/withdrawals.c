/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The withdrawal of shutdown requests. A request is withdrawn even if no memory is left. It is also
 * withdrawn if xenstored does not answer for a while. */
#include "core.h"

#include "allocation.h"
#include "simulation.h"

#include <stdlib.h>

enum { REQUESTS = 40, PROMPT_MS = 20, SLOW_MS = 40 };

/* Returns whether the guest's node holds a request. */
static bool is_asked(libxl_domid domid)
{
    char *value = guest_node(domid, "control/shutdown");
    const bool asked = value && *value;
    free(value);
    return asked;
}

/* Starts a shutdown request, and waits until the request is in the guest's node. Returns the operation. */
static op *ask(scene *s, libxl_domid domid)
{
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    while (!is_asked(domid))
        pump(s, 1);
    return o;
}

/*
 * There is one batch in reserve, which the withdrawals use one after the other. Together they take longer
 * than a second, the time limit of one withdrawal, because the program is slow between them.
 */
static void requests_are_withdrawn_without_memory(scene *s)
{
    libxl_domid domid[REQUESTS];
    op *o[REQUESTS];
    for (int i = 0; i < REQUESTS; i++)
        domid[i] = guest(s, "b", true);
    for (int i = 0; i < REQUESTS; i++)
        o[i] = ask(s, domid[i]);
    allocation_fail_from(1);
    for (int i = 0; i < REQUESTS; i++)
        libxl_ao_abort(s->ctx, &o[i]->how);
    for (int i = 0; i < REQUESTS; i++)
        for (sleep_ms(SLOW_MS); !op_done(o[i]);)
            pump(s, 1);
    allocation_fail(0);
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(op_result(o[i]), ERROR_ABORTED);
        assert_false(is_asked(domid[i]));
        destroy(s, domid[i]);
    }
}

static void a_request_that_was_not_sent_is_given_up_at_once(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    pump_for(s, PROMPT_MS);
    assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 1), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT); /* xenstored is still stopped */
    assert_non_null(strstr(o->message, "time limit of 1 ms was reached"));
    simulate("xenstored cont");
    pump_for(s, PROMPT_MS);
    assert_false(is_asked(domid));
    destroy(s, domid);
}

static void a_withdrawal_goes_on_behind_its_operation(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    op *o = ask(s, domid);
    pump_for(s, PROMPT_MS); /* The library reads xenstored's answer. */
    simulate("xenstored stop");
    assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 1), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT); /* xenstored is still stopped */
    assert_non_null(strstr(o->message, "; undoing phase request goes on in the background"));
    int count;
    libxl_operation_info *list = libxl_ao_list(s->ctx, &count);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].state, LIBXL_OPERATION_STATE_BACKGROUND);
    libxl_operation_info_list_free(list, count);
    simulate("xenstored cont");
    wait_node(s, domid, "control/shutdown", "");
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(requests_are_withdrawn_without_memory, RUNS_ONCE),
    BODY(a_request_that_was_not_sent_is_given_up_at_once, RUNS_ONCE),
    BODY(a_withdrawal_goes_on_behind_its_operation, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
