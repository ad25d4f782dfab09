/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests the generated initiators, which are the functions that start operations: which inputs they refuse,
 * with which messages, which arguments the body gets, and that no memory leaks if an allocation fails. */
#undef NDEBUG
#include "runtime.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char *seen_name;
static libxl_machine *seen_machine;
static uint32_t seen_domid;
static const libxl_asyncprogress_how *seen_progress;
static libxl_uuid seen_uuid;

typedef struct libxl__painting {
    int coats;
} libxl__painting;

typedef struct site {
    /* Two letters for each call: the first letter of the phase, and the first letter of its function. */
    char called[64];
    libxl__painting painting; /* the state of the functions that the phase `settle` shares */
} machine_create_state;
static char called[64];

static int note(machine_create_state *s, const char *what)
{
    strcat(s->called, what);
    strcpy(called, s->called);
    return 0;
}

static int order_start(libxl__ao *ao, machine_create_state *s)
{
    libxl__machine_create_args *args = libxl__ao_args(ao);

    seen_name = args->in.name;
    seen_machine = &args->in.machine;
    seen_domid = ao->subject.number;
    seen_progress = ao->progress;
    seen_uuid = args->in.uuid;
    assert(!strcmp(args->in.name, "given") && !strcmp(args->in.machine.name, "m"));
    assert(args->in.colour == LIBXL_COLOUR_RED && args->in.count == 2);
    *args->out.domid = 5;
    *args->out.label = NULL;
    return note(s, "os ");
}

static int deliver_start(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "ds ");
}

static int deliver_poll(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "dp ");
}

static int deliver_undo(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "du ");
}

static int build_start(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "bs ");
}

static int build_poll(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "bp ");
}

static void build_stop(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    note(s, "bq ");
}

int libxl__painting_settle_start(libxl__ao *ao, libxl__painting *painting);
int libxl__painting_settle_start(libxl__ao *ao, libxl__painting *painting)
{
    (void)ao;
    painting->coats = 2;
    return 0;
}

int libxl__painting_settle_poll(libxl__ao *ao, libxl__painting *painting);
int libxl__painting_settle_poll(libxl__ao *ao, libxl__painting *painting)
{
    (void)ao;
    return painting->coats == 2 ? 0 : ERROR_FAIL;
}

static int sign_start(libxl__ao *ao, machine_create_state *s)
{
    (void)ao;
    return note(s, "gs ");
}

typedef struct yard {
    char none;
} machine_scrap_state;

static int dismantle_start(libxl__ao *ao, machine_scrap_state *s)
{
    const libxl__machine_scrap_args *args = libxl__ao_args(ao);

    (void)s;
    return args->in.name ? 0 : 1;
}

static int dismantle_poll(libxl__ao *ao, machine_scrap_state *s)
{
    (void)ao;
    (void)s;
    return 0;
}

int libxl__machine_destroy_body(libxl__ao *ao, libxl__machine_destroy_args *args)
{
    seen_domid = ao->subject.number;
    assert(args->in.domid == 9);
    return ERROR_ASYNC_INPROGRESS;
}

int libxl__nothing_body(libxl__ao *ao, libxl__nothing_args *args)
{
    (void)args;
    seen_domid = ao->subject.number;
    return 0;
}

static const libxl__machine_tune_args *tuned;

/* The operation's body. Checks the inputs, and returns them as results. */
int libxl__machine_tune_body(libxl__ao *ao, libxl__machine_tune_args *args)
{
    static const libxl_mac mac = {1, 2, 3, 4, 5, 6};

    (void)ao;
    tuned = args;
    assert(!memcmp(args->in.mac, mac, sizeof(mac)) && args->in.shape.word == 7);
    assert(!strcmp(args->in.tags[0], "a") && !args->in.tags[1]);
    assert(args->in.has_tuning == args->in.has_name && args->in.has_name == !!args->in.name);
    assert(args->in.has_settings == !!args->in.settings && args->in.has_extent == !!args->in.extent.map);
    assert(args->in.has_owner == args->in.owner.uuid[0]);
    /* The initial value of `ratio` is 0.5. */
    assert(args->in.tuning.ratio == (args->in.has_tuning ? 0.25 : 0.5));
    memcpy(args->out.old_mac, mac, sizeof(mac));
    *args->out.old_shape = args->in.shape;
    *args->out.old_traits = args->in.traits;
    *args->out.old_ratio = args->in.ratio;
    return libxl__string_list_copy(NULL, args->out.old_tags, &args->in.tags);
}

#include "_libxl_phases_machine_create.h"
#include "_libxl_phases_machine_scrap.h"

static libxl_machine machine;
/* The value that an initiator returns when the operation has started. */
#ifdef LIBXL_API_VERSION
#define STARTED 0
#else
#define STARTED ERROR_ASYNC_INPROGRESS
#endif

static libxl_uuid uuid;
static libxl_domid domid;
static char *label;
static char name[] = "given";
static const libxl_asyncprogress_how progress;

static int create(void)
{
    return libxl_machine_create(NULL, &machine, name, LIBXL_COLOUR_RED, 2, &uuid, &domid, &label, NULL,
                                &progress);
}

static void test_body(void)
{
    uuid.uuid[3] = 3;
    assert(!create());
    assert(domid == 5 && seen_domid == LIBXL_DOMID_INVALID && seen_progress == &progress);
    assert(!strcmp(called, "os ds dp du bs bp bq gs "));
    assert(seen_name != name && seen_machine != &machine && seen_uuid.uuid[3] == 3);
    int (*by_address)(libxl_ctx *, libxl_domid, const libxl_asyncop_how *) = libxl_machine_destroy;
    assert(libxl_machine_destroy(NULL, 9, NULL) == STARTED && by_address(NULL, 9, NULL) == STARTED);
    assert(seen_domid == 9);
    assert(!libxl_nothing(NULL, NULL));
}

static void refused(int rc, const char *expected)
{
    assert(rc == ERROR_INVAL);
    assert(!strcmp(message, expected));
}

static void test_null(void)
{
    refused(libxl_machine_create(NULL, NULL, "n", 0, 2, &uuid, &domid, &label, NULL, NULL), "machine: NULL");
    refused(libxl_machine_create(NULL, &machine, NULL, 0, 2, &uuid, &domid, &label, NULL, NULL),
            "name: NULL");
    refused(libxl_machine_create(NULL, &machine, "n", 0, 2, NULL, &domid, &label, NULL, NULL), "uuid: NULL");
    refused(libxl_machine_create(NULL, &machine, "n", 0, 2, &uuid, NULL, &label, NULL, NULL), "domid: NULL");
    refused(libxl_machine_create(NULL, &machine, "n", 0, 2, &uuid, &domid, NULL, NULL, NULL), "label: NULL");
}

/* A caller may dispose of the results after a refusal and after a failure. */
static void test_results_are_initialised(void)
{
    static char other[] = "other";

    domid = 77;
    label = other;
    assert(libxl_machine_create(NULL, NULL, "n", 0, 2, &uuid, &domid, &label, NULL, NULL) == ERROR_INVAL);
    assert(domid == LIBXL_DOMID_INVALID && !label);
    domid = 77;
    label = other;
    fail_allocation = 1;
    assert(create() == ERROR_NOMEM);
    fail_allocation = 0;
    assert(domid == LIBXL_DOMID_INVALID && !label);
}

static void test_bounds(void)
{
    refused(libxl_machine_create(NULL, &machine, "n", 0, 1, &uuid, &domid, &label, NULL, NULL),
            "count: 1 is not 2 or more");
    refused(libxl_machine_create(NULL, &machine, "n", 3, 2, &uuid, &domid, &label, NULL, NULL),
            "colour: 3 is not a colour");
    machine.weight = 0;
    refused(create(), "machine.weight: 0 is not between 1 and 65535");
    machine.weight = 1;
    machine.load = UINT64_MAX;
    refused(create(), "machine.load: 18446744073709551615 is not 18446744073709551614 or less");
    machine.load = 0;
    machine.colour = 99;
    refused(create(), "machine.colour: 99 is not a colour");
    machine.colour = LIBXL_COLOUR_RED;
    machine.spare = 9;
    refused(create(), "machine.spare: 9 is not a backend");
    machine.spare = FIXTURE_BACKEND_LATER;
    assert(!create());
}

static void test_inside_arrays_and_unions(void)
{
    libxl_disk disks[2];

    libxl_disk_init(&disks[0]);
    libxl_disk_init(&disks[1]);
    machine.num_disks = 2;
    refused(create(), "machine.num_disks: 2, but disks is NULL");
    machine.num_disks = 5;
    refused(create(), "machine.num_disks: 5 is not between 0 and 4");
    machine.num_disks = -1;
    refused(create(), "machine.num_disks: -1 is not between 0 and 4");
    machine.num_disks = 2;
    machine.disks = disks;
    disks[1].backend_type = 7;
    refused(create(), "machine.disks[1].backend_type: 7 is not a backend");
    libxl_disk_init_backend_type(&disks[1], FIXTURE_BACKEND_NUMBER);
    disks[1].backend.number.number = 10;
    refused(create(), "machine.disks[1].backend.number.number: 10 is not between -1 and 9");
    disks[1].backend.number.number = 9;
    disks[0].backend.file.shade = 5;
    refused(create(), "machine.disks[0].backend.file.shade: 5 is not a colour");
    disks[0].backend.file.shade = LIBXL_COLOUR_RED;
    assert(!create());
    machine.num_disks = 0;
    machine.disks = NULL;
}

static void test_out_of_memory(void)
{
    int failures = 0;

    for (int n = 1;; n++, failures++) {
        fail_allocation = n;
        int rc = create();
        if (!rc)
            break;
        assert(rc == ERROR_NOMEM);
    }
    fail_allocation = 0;
    /* Two allocations fail: the copies of the machine's name and of the input `name`. */
    assert(failures == 2);
}

static char *tags[] = {(char[]){"a"}, NULL};
static libxl_string_list list = tags, old_tags;
static libxl_mac mac = {1, 2, 3, 4, 5, 6}, old_mac;
static libxl_raw shape = {.word = 7}, old_shape;
static libxl_traits old_traits;
static double old_ratio;

/* Calls machine_tune with all optional inputs, or with none of them except `tuning`. */
static int tune(bool all, const libxl_tuning *tuning, libxl_traits traits, double ratio, uint8_t kind)
{
    static const libxl_uuid owner = {.uuid = {1}};
    static unsigned char map[] = {1};
    static const libxl_bitmap extent = {.size = 1, .map = map};

    return libxl_machine_tune(NULL, 9, &list, &mac, shape, tuning, all ? "n" : NULL, all ? &list : NULL,
                              all ? &owner : NULL, all ? &extent : NULL, traits, ratio, kind, true, &old_tags,
                              &old_mac, &old_shape, &old_traits, &old_ratio, NULL);
}

static void test_optional_inputs(void)
{
    libxl_tuning tuning;
    int failures = 0;

    libxl_tuning_init(&tuning);
    tuning.ratio = 0.25;
    assert(!tune(false, NULL, LIBXL_TRAITS_FAST | LIBXL_TRAITS_WARM, 2.5, 0));
    assert(old_traits == 17 && old_ratio == 2.5 && old_mac[5] == 6 && old_shape.word == 7);
    assert(!strcmp(old_tags[0], "a") && old_tags != list);
    libxl_string_list_dispose(&old_tags);
    for (int n = 1;; n++, failures++) {
        fail_allocation = n;
        int rc = tune(true, &tuning, 0, 0, FIXTURE_BACKEND_FILE);
        if (!rc)
            break;
        assert(rc == ERROR_NOMEM && !old_tags);
    }
    fail_allocation = 0;
    assert(failures == 8); /* allocations: tags 2, name 1, settings 2, extent 1, result old_tags 2 */
    libxl_string_list_dispose(&old_tags);

    refused(tune(true, &tuning, 4, 0, 0), "traits: 0x4 is no set of traits");
    refused(tune(true, &tuning, 0, 2.75, 0), "ratio: 2.75 is not between 0 and 2.5");
    refused(tune(true, &tuning, 0, __builtin_nan(""), 0), "ratio: nan is not between 0 and 2.5");
    refused(tune(true, &tuning, 0, 0, 9), "kind: 9 is not a backend");
    tuning.ratio = 1.5;
    refused(tune(true, &tuning, 0, 0, 0), "tuning.ratio: 1.5 is not between 0 and 1");
    tuning.ratio = 0;
    tuning.traits = 32;
    refused(tune(true, &tuning, 0, 0, 0), "tuning.traits: 0x20 is no set of traits");
    libxl_tuning_dispose(&tuning);
}

static void test_table(void)
{
    const libxl__ao_class *row = &libxl__operations[LIBXL__OP_MACHINE_CREATE];

    assert(LIBXL__OP_COUNT == 5 && !strcmp(row->name, "machine_create"));
    assert(row->limit_ms == 2500 && row->slow && row->dispose);
    assert(!row->body && row->phases == &libxl__machine_create_phases);
    row = &libxl__operations[LIBXL__OP_MACHINE_DESTROY];
    assert(!row->limit_ms && !row->slow && !row->dispose && row->body && !row->phases);
    row = &libxl__operations[LIBXL__OP_MACHINE_SCRAP]; /* This operation is hidden. */
    assert(!strcmp(row->name, "machine_scrap") && row->slow && row->dispose);
    assert(row->phases == &libxl__machine_scrap_phases);
}

static void test_phases(void)
{
    const libxl__phases *phases = &libxl__machine_create_phases;
    const libxl__phase *deliver = &phases->list[1], *build = &phases->list[2], *settle = &phases->list[3];
    machine_create_state state = {.painting.coats = 0};

    assert(phases->count == 5 && phases->state_size == sizeof(machine_create_state));
    assert(!strcmp(deliver->name, "deliver") && !strcmp(phases->list[4].name, "sign"));
    assert(!phases->list[0].poll && !phases->list[0].undo && !phases->list[0].limit_ms);
    assert(deliver->limit_ms == 60000 && deliver->limit_rc == ERROR_TIMEDOUT);
    assert(deliver->undo_ms == 250 && !deliver->stop_ms && !deliver->stop);
    assert(build->limit_ms == 90500 && build->limit_rc == ERROR_FAIL && build->stop_ms == 5000);
    assert(settle->limit_ms == 1000 && !settle->limit_rc);
    assert(phases->list[4].commits && !settle->commits);
    assert(!settle->start(NULL, &state) && state.painting.coats == 2 && !settle->poll(NULL, &state));
}

int main(void)
{
    libxl_machine_init(&machine);
    machine.name = strdup("m");
    test_body();
    test_null();
    test_results_are_initialised();
    test_bounds();
    test_inside_arrays_and_unions();
    test_out_of_memory();
    test_optional_inputs();
    test_table();
    test_phases();
    libxl_machine_dispose(&machine);
    return 0;
}
