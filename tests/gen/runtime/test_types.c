/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated functions of types. They set initial values. A value can be disposed of twice. Copies are
 * equal and independent. Each allocation of a copy may fail. */
#undef NDEBUG
#include "runtime.h"

#include "_libxl_types_json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static libxl_ctx *const ctx = NULL;
static const char *const theirs = "someone else's";

static bool is_zero(const void *p, size_t size)
{
    const char *bytes = p;

    while (size--) {
        if (bytes[size])
            return false;
    }
    return true;
}

static void fill_disk(libxl_disk *disk, libxl_backend backend)
{
    libxl_disk_init(disk);
    disk->path = strdup("/path");
    disk->size = 17;
    libxl_disk_init_backend_type(disk, backend);
    if (backend == FIXTURE_BACKEND_FILE) {
        disk->backend.file.name = strdup("file");
        disk->backend.file.num_aliases = 2;
        disk->backend.file.aliases = calloc(2, sizeof(char *));
        disk->backend.file.aliases[0] = strdup("first");
        libxl_disk_init_backend_file_shade(disk, LIBXL_COLOUR_DARK_BLUE);
        disk->backend.file.inner.dark_blue.sea = strdup("Aegean");
    }
}

static void fill_machine(libxl_machine *machine)
{
    libxl_machine_init(machine);
    machine->name = strdup("name");
    machine->origin = theirs;
    memset(&machine->uuid, 7, sizeof(machine->uuid));
    machine->cpus = (libxl_bitmap){.size = 3, .map = (unsigned char *)strdup("ab")};
    machine->colour = LIBXL_COLOUR_DARK_BLUE;
    machine->load = UINT64_MAX - 1;
    machine->alive = true;
    machine->address = SIZE_MAX;
    machine->raw.word = UINT64_MAX;
    machine->place.row = 255;
    machine->place.label = strdup("label");
    machine->num_disks = 2;
    machine->disks = calloc(2, sizeof(*machine->disks));
    fill_disk(&machine->disks[0], FIXTURE_BACKEND_FILE);
    fill_disk(&machine->disks[1], FIXTURE_BACKEND_NUMBER);
    machine->num_cores = 3;
    machine->cores = calloc(3, sizeof(*machine->cores));
    machine->cores[2] = UINT32_MAX;
    machine->num_colours = 1;
    machine->colours = calloc(1, sizeof(*machine->colours));
    machine->colours[0] = LIBXL_COLOUR_DARK_BLUE;
    machine->num_maps = 1;
    machine->maps = calloc(1, sizeof(*machine->maps));
    machine->maps[0] = (libxl_bitmap){.size = 2, .map = (unsigned char *)strdup("c")};
    libxl_disk_dispose(&machine->first);
    fill_disk(&machine->first, FIXTURE_BACKEND_FILE);
}

static void assert_same_string(const char *a, const char *b)
{
    assert(a != b && !strcmp(a, b));
}

static void assert_same_disk(const libxl_disk *a, const libxl_disk *b)
{
    assert_same_string(a->path, b->path);
    assert(a->size == b->size && a->backend_type == b->backend_type);
    if (a->backend_type == FIXTURE_BACKEND_NUMBER)
        assert(a->backend.number.number == b->backend.number.number);
    if (a->backend_type != FIXTURE_BACKEND_FILE)
        return;
    assert_same_string(a->backend.file.name, b->backend.file.name);
    assert(a->backend.file.num_aliases == 2 && b->backend.file.num_aliases == 2);
    assert_same_string(a->backend.file.aliases[0], b->backend.file.aliases[0]);
    assert(!a->backend.file.aliases[1] && !b->backend.file.aliases[1]);
    assert(a->backend.file.shade == b->backend.file.shade);
    assert_same_string(a->backend.file.inner.dark_blue.sea, b->backend.file.inner.dark_blue.sea);
}

static void assert_same_machine(const libxl_machine *a, const libxl_machine *b)
{
    assert_same_string(a->name, b->name);
    assert(a->origin == theirs && b->origin == theirs);
    assert(!memcmp(&a->uuid, &b->uuid, sizeof(a->uuid)));
    assert(a->cpus.map != b->cpus.map && a->cpus.size == b->cpus.size);
    assert(!memcmp(a->cpus.map, b->cpus.map, a->cpus.size));
    assert(a->colour == b->colour && a->weight == b->weight && a->load == b->load);
    assert(a->alive == b->alive && a->address == b->address && a->raw.word == b->raw.word);
    assert(a->place.row == b->place.row);
    assert_same_string(a->place.label, b->place.label);
    assert(a->num_disks == 2 && b->num_disks == 2);
    for (int i = 0; i < 2; i++)
        assert_same_disk(&a->disks[i], &b->disks[i]);
    assert(b->num_cores == 3 && !memcmp(a->cores, b->cores, 3 * sizeof(*a->cores)));
    assert(b->num_colours == 1 && a->colours[0] == b->colours[0]);
    assert(b->num_maps == 1 && a->maps[0].map != b->maps[0].map);
    assert(!memcmp(a->maps[0].map, b->maps[0].map, 2));
    assert_same_disk(&a->first, &b->first);
}

static void test_init(void)
{
    libxl_machine machine;
    libxl_disk disk;

    memset(&machine, 0x55, sizeof(machine));
    libxl_machine_init(&machine);
    assert(machine.colour == LIBXL_COLOUR_UNKNOWN && machine.weight == 256 && !machine.name &&
           !machine.disks);
    assert(machine.first.size == LIBXL_MEMKB_DEFAULT && machine.first.backend_type == FIXTURE_BACKEND_FILE);
    assert(machine.first.backend.file.shade == LIBXL_COLOUR_UNKNOWN);
    assert(machine.ready && !machine.alive && !strcmp(machine.vendor, "us"));
    libxl_machine_dispose(&machine);

    libxl_disk_init(&disk);
    libxl_disk_init_backend_type(&disk, FIXTURE_BACKEND_NUMBER);
    assert(disk.backend_type == FIXTURE_BACKEND_NUMBER && disk.backend.number.number == -1);
    libxl_disk_init_backend_file_shade(&disk, LIBXL_COLOUR_RED);
    assert(disk.backend.file.inner.red.depth == 3);
}

static void test_dispose(void)
{
    libxl_machine machine;
    libxl_secret secret;
    char *text;

    fill_machine(&machine);
    libxl_machine_dispose(&machine);
    assert(is_zero(&machine, sizeof(machine)));
    libxl_machine_dispose(&machine);
    libxl_machine_dispose(NULL);

    libxl_secret_init(&secret);
    secret.by_hand.p = strdup("by hand");
    text = libxl_secret_to_json(ctx, &secret);
    assert(!strcmp(text, "{\"by_hand\":\"by hand\"}")); /* libxl__by_hand_gen_json writes this string. */
    free(text);
    libxl_secret_dispose(&secret);
    assert(is_zero(&secret, sizeof(secret)));
}

static void test_copy(void)
{
    libxl_machine machine, copy;
    libxl_plain plain = {.a = 1, .b = -2}, other;

    fill_machine(&machine);
    memset(&copy, 0x55, sizeof(copy));
    libxl_machine_copy(ctx, &copy, &machine);
    assert_same_machine(&machine, &copy);
    libxl_machine_dispose(&copy);
    libxl_machine_dispose(&machine);

    libxl_plain_copy(ctx, &other, &plain);
    assert(other.a == 1 && other.b == -2);
}

/* An array is empty if it is NULL or its length is negative. */
static void test_missing_arrays(void)
{
    libxl_machine machine, copy;
    const int lengths[] = {3, -1};

    for (int i = 0; i < 2; i++) {
        libxl_machine_init(&machine);
        machine.num_disks = machine.num_cores = lengths[i];
        errno = 0;
        libxl_machine_copy(ctx, &copy, &machine);
        assert(!errno && !copy.num_disks && !copy.disks && !copy.num_cores && !copy.cores);
        libxl_machine_dispose(&copy);
        char *json = libxl_machine_to_json(ctx, &machine);
        assert(json && !strcmp(json, "{}"));
        free(json);
        libxl_machine_dispose(&machine);
    }
}

/* Makes each allocation of a copy fail once. The copy then owns no memory, and equals an initialised
 * value. */
static void test_copy_out_of_memory(void)
{
    libxl_machine machine, copy, fresh;
    int failures = 0;

    fill_machine(&machine);
    libxl_machine_init(&fresh);
    for (int n = 1;; n++, failures++) {
        fail_allocation = n;
        errno = 0;
        libxl_machine_copy(ctx, &copy, &machine);
        if (!errno)
            break;
        assert(errno == ENOMEM && !fail_allocation);
        assert(!memcmp(&copy, &fresh, sizeof(copy)));
        fail_allocation = n;
        assert(libxl__machine_copy(ctx, &copy, &machine) == ERROR_NOMEM);
        assert(!memcmp(&copy, &fresh, sizeof(copy)));
    }
    fail_allocation = 0;
    /* Allocations: name 1, label 1, bitmaps 1 + 1, arrays 4, paths of disks 3. Each of the two disks that are
     * files has 4 more. */
    assert(failures == 2 + 2 + 4 + 3 + 2 * 4);
    libxl_machine_dispose(&copy);
    libxl_machine_dispose(&machine);
}

/* Makes each allocation of the generated code fail once. Then no memory leaks, and the target is
 * initialised. */
static void test_json_out_of_memory(void)
{
    libxl_machine machine, other;
    char *text = NULL;
    int failures = 0;

    fill_machine(&machine);
    for (int n = 1; !text; n++) {
        fail_allocation = n;
        text = libxl_machine_to_json(ctx, &machine);
    }
    fail_allocation = 0;
    for (int n = 1;; n++, failures++) {
        fail_allocation = n;
        if (!libxl_machine_from_json(ctx, &other, text))
            break;
        assert(!strcmp(libxl_error_message(), "out of memory (reading JSON)"));
        assert(other.weight == 256 && !other.name && !other.disks);
    }
    fail_allocation = 0;
    assert(failures > 15);
    libxl_machine_dispose(&other);
    libxl_machine_dispose(&machine);
    free(text);
}

static void deprecated_renamed(libxl_renamed *p)
{
    libxl_renamed_init(p);
    libxl_renamed_init_kind(p, FIXTURE_BACKEND_FILE);
    p->u.file.name = strdup("old");
    p->u.file.size = 7;
    p->u.file.inner.look = LIBXL_COLOUR_RED;
    p->u.file.inner.reach = (libxl_bitmap){.size = 1, .map = (unsigned char *)strdup("a")};
    p->loud = true;
}

static void refuses_both(libxl_renamed *p, const char *message)
{
    assert(libxl__renamed_copy_deprecated(ctx, p) == ERROR_INVAL);
    assert(!strcmp(libxl_error_message(), message));
    libxl_renamed_dispose(p);
}

/* The value of a deprecated field is moved to the field that replaces it. If both fields have a value, the
 * struct is refused. */
static void test_deprecated(void)
{
    libxl_renamed p;

    deprecated_renamed(&p);
    assert(!libxl__renamed_copy_deprecated(ctx, &p));
    assert(!strcmp(p.title, "old") && !p.u.file.name);
    assert(p.amount == 7 && p.u.file.size == LIBXL_MEMKB_DEFAULT);
    assert(p.shade == LIBXL_COLOUR_RED && p.u.file.inner.look == LIBXL_COLOUR_UNKNOWN);
    assert(p.extent.size == 1 && !p.u.file.inner.reach.map && !p.u.file.inner.reach.size);
    assert(p.audible && !p.loud);
    assert(!libxl__renamed_copy_deprecated(ctx, &p) && p.amount == 7);
    libxl_renamed_dispose(&p);

    deprecated_renamed(&p);
    p.title = strdup("new");
    refuses_both(&p, "u.file.name: deprecated by title, which is given, too");
    deprecated_renamed(&p);
    p.amount = 0;
    refuses_both(&p, "u.file.size: deprecated by amount, which is given, too");
    deprecated_renamed(&p);
    p.audible = true;
    refuses_both(&p, "loud: deprecated by audible, which is given, too");

    libxl_renamed_init(&p);
    libxl_renamed_init_kind(&p, FIXTURE_BACKEND_WORD);
    p.u.word = 3;
    p.title = strdup("new");
    assert(!libxl__renamed_copy_deprecated(ctx, &p) && !strcmp(p.title, "new") && p.u.word == 3);
    libxl_renamed_dispose(&p);
}

static void test_event(void)
{
    libxl_event event, copy;
    int here;

    libxl_event_init(&event);
    libxl_event_init_type(&event, LIBXL_EVENT_TYPE_SAID);
    event.u.said.text = strdup("text");
    event.link.next = &here;
    event.for_user = UINT64_MAX;
    libxl_event_copy(ctx, &copy, &event);
    assert(!copy.link.next); /* A copy is not in any list. */
    assert(copy.for_user == UINT64_MAX);
    assert_same_string(event.u.said.text, copy.u.said.text);
    libxl_event_dispose(&event);
    libxl_event_dispose(&copy);
    assert(LIBXL_EVENT_TYPE_LEFT == 2 && LIBXL_EVENT_TYPE_GONE == 2);
}

static void test_names(void)
{
    libxl_colour colour = LIBXL_COLOUR_RED;

    assert(!strcmp(libxl_colour_to_string(LIBXL_COLOUR_DARK_BLUE), "dark_blue"));
    assert(!libxl_colour_to_string((libxl_colour)4));
    assert(!libxl_colour_from_string("Dark_Blue", &colour) && colour == LIBXL_COLOUR_DARK_BLUE);
    assert(libxl_colour_from_string("green", &colour) == ERROR_INVAL && colour == LIBXL_COLOUR_DARK_BLUE);
    assert(libxl_colour_from_string(NULL, &colour) == ERROR_INVAL);
    assert(!strcmp(libxl_error_name(ERROR_INVAL), "INVAL") && !libxl_error_name(-4));
    assert(!strcmp(libxl_error_describe(-6), "An argument is \"invalid\".") && !libxl_error_describe(0));
}

int main(void)
{
    test_init();
    test_dispose();
    test_copy();
    test_missing_arrays();
    test_copy_out_of_memory();
    test_json_out_of_memory();
    test_deprecated();
    test_event();
    test_names();
    return 0;
}
