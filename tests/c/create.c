/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Creating domains. The message of an error names the wrong field or path. A failed creation leaves no
 * domain and no node. */
#include "harness.h"
#include "refuse.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int create(scene *s, const libxl_domain_config *config, libxl_domid *domid)
{
    return RUN(s, libxl_domain_create_new(s->ctx, config, domid, how, NULL));
}

static void expect_refusal(scene *s, libxl_domain_config *config, int rc, const char *message)
{
    libxl_domid domid = 4711;
    int got = create(s, config, &domid);
    if (got == 0)
        destroy(s, domid);
    libxl_domain_config_dispose(config);
    if (got != rc || !strstr(last_message(s), message))
        fail_msg("got %d '%s', expected %d '...%s...'", got, last_message(s), rc, message);
    assert_int_equal(domid, LIBXL_DOMID_INVALID); /* A refused creation leaves *domid at its initial value. */
}

static void a_guest_without_a_number_of_vcpus_has_one(scene *s)
{
    libxl_domid domid;
    libxl_dominfo info;
    libxl_domain_config config = guest_config("b");
    config.b_info.max_vcpus = 0;
    assert_int_equal(create(s, &config, &domid), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_domain_get_info(s->ctx, domid, &info, NULL), 0);
    assert_int_equal(info.vcpu_max_id, 0);
    libxl_dominfo_dispose(&info);
    destroy(s, domid);
}

static void set(char **text, const char *value)
{
    free(*text);
    *text = value ? strdup(value) : NULL;
}

static void set_long(char **text, size_t length)
{
    free(*text);
    *text = calloc(1, length + 1);
    memset(*text, 'n', length);
}

/* Creates a guest whose kernel is a file with `size` octets of `content`, and checks that the
 * creation is refused. */
static void expect_file_refused(scene *s, const char *content, size_t size, const char *message)
{
    char folder[] = "/run/aioxen-test-XXXXXX", path[64];
    libxl_domain_config config = guest_config("b");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/kernel", folder);
    FILE *file = fopen(path, "we");
    assert_int_equal(fwrite(content, 1, size, file), size);
    fclose(file);
    set(&config.b_info.kernel, path);
    expect_refusal(s, &config, ERROR_KERNEL, "d_config.b_info.kernel");
    assert_non_null(strstr(last_message(s), path));
    assert_non_null(strstr(last_message(s), message));
    unlink(path);
    rmdir(folder);
}

/* Defines a test for one wrong field. `rc` and `message` are the expected error. `change` is a statement
 * that makes a valid configuration wrong. */
#define REFUSED(name, rc, message, change)                                                                   \
    static void name(scene *s)                                                                               \
    {                                                                                                        \
        libxl_domain_config config = guest_config("b");                                                      \
        libxl_domain_create_info *c = &config.c_info;                                                        \
        libxl_domain_build_info *b = &config.b_info;                                                         \
        (void)c, (void)b;                                                                                    \
        change;                                                                                              \
        expect_refusal(s, &config, rc, message);                                                             \
    }

REFUSED(no_kernel, ERROR_INVAL, "d_config.b_info.kernel", set(&b->kernel, NULL))
REFUSED(missing_kernel_file, ERROR_KERNEL, "/nowhere/kernel: No such file",
        set(&b->kernel, "/nowhere/kernel"))
REFUSED(kernel_is_a_folder, ERROR_KERNEL, "/tmp: not a regular file", set(&b->kernel, "/tmp"))
REFUSED(kernel_is_a_device, ERROR_KERNEL, "/dev/zero: not a regular file", set(&b->kernel, "/dev/zero"))
REFUSED(missing_ramdisk_file, ERROR_KERNEL, "d_config.b_info.ramdisk: /nowhere/ramdisk",
        set(&b->ramdisk, "/nowhere/ramdisk"))
REFUSED(empty_kernel_path, ERROR_INVAL, "d_config.b_info.kernel: empty", set(&b->kernel, ""))
REFUSED(empty_ramdisk_path, ERROR_INVAL, "d_config.b_info.ramdisk: empty", set(&b->ramdisk, ""))
REFUSED(no_memory, ERROR_INVAL, "memkb", b->target_memkb = 0)
REFUSED(too_little_memory, ERROR_INVAL, "d_config.b_info.target_memkb", b->target_memkb = 1)
REFUSED(absurd_memory, ERROR_INVAL, "d_config.b_info.target_memkb", b->target_memkb = 1ull << 60)
REFUSED(more_memory_than_the_host_has, ERROR_NO_MEMORY_FOR_GUEST, "d_config.b_info.target_memkb",
        b->target_memkb = 1ull << 30)
REFUSED(most_memory_below_memory, ERROR_INVAL, "d_config.b_info.max_memkb", b->max_memkb = 1024)
REFUSED(no_name, ERROR_INVAL, "d_config.c_info.name", set(&c->name, NULL))
REFUSED(empty_name, ERROR_INVAL, "d_config.c_info.name", set(&c->name, ""))
REFUSED(name_with_a_slash, ERROR_INVAL, "d_config.c_info.name", set(&c->name, "a/b"))
REFUSED(name_with_a_control_character, ERROR_INVAL, "d_config.c_info.name", set(&c->name, "a\nb"))
REFUSED(name_that_is_a_number, ERROR_INVAL, "d_config.c_info.name", set(&c->name, "12"))
REFUSED(name_in_use, ERROR_DOMAIN_EXISTS, "Domain-0", set(&c->name, "Domain-0"))
REFUSED(too_many_vcpus, ERROR_INVAL, "d_config.b_info.max_vcpus: 129", b->max_vcpus = 129)
REFUSED(negative_vcpus, ERROR_INVAL, "d_config.b_info.max_vcpus: -1", b->max_vcpus = -1)
REFUSED(no_type, ERROR_INVAL, "d_config.c_info.type", c->type = LIBXL_DOMAIN_TYPE_INVALID)
REFUSED(unknown_type, ERROR_INVAL, "d_config.c_info.type: 99", c->type = (libxl_domain_type)99)

REFUSED(name_too_long, ERROR_INVAL, "d_config.c_info.name: longer than 255", set_long(&c->name, 256))
REFUSED(kernel_too_long, ERROR_INVAL, "d_config.b_info.kernel: longer than 4095", set_long(&b->kernel, 4096))
REFUSED(ramdisk_too_long, ERROR_INVAL, "d_config.b_info.ramdisk: longer than 4095",
        set_long(&b->ramdisk, 4096))
/* A PV guest's start info holds 1023 octets; a longer command line would be cut silently. */
REFUSED(command_line_too_long, ERROR_INVAL, "d_config.b_info.cmdline: longer than 1023",
        set_long(&b->cmdline, 1024))
REFUSED(command_line_too_long_for_pvh, ERROR_INVAL, "d_config.b_info.cmdline: longer than 65535",
        c->type = LIBXL_DOMAIN_TYPE_PVH;
        set_long(&b->cmdline, 65536))

static void empty_kernel(scene *s)
{
    expect_file_refused(s, "", 0, "empty");
}

static void kernel_that_is_text(scene *s)
{
    static const char text[] = "This is not a kernel.\n";
    expect_file_refused(s, text, sizeof(text), "");
}

static void truncated_kernel(scene *s)
{
    char image[1 << 16];
    FILE *file = fopen(guest_kernel(), "re");
    size_t size = fread(image, 1, sizeof(image), file);
    fclose(file);
    const size_t lengths[] = {4, 63, 64, 200, size / 2};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        expect_file_refused(s, image, lengths[i], "");
}

/* The message buffer of a thread is short. A message that is too long omits the middle of the path, and
 * keeps the error. */
static void message_with_a_long_path(scene *s)
{
    static const char before[] = "d_config.b_info.kernel: nnnn", after[] = "', phase build)";
    libxl_domain_config config = guest_config("b");
    libxl_domid domid;
    set_long(&config.b_info.kernel, 4095);
    assert_int_equal(libxl_domain_create_new(s->ctx, &config, &domid, NULL, NULL), ERROR_KERNEL);
    const char *message = libxl_error_message();
    assert_int_equal(strlen(message), 511);
    assert_memory_equal(message, before, strlen(before));
    assert_non_null(strstr(message, "nnnn...nnnn"));
    assert_non_null(strstr(message, "nnnn: File name too long (domain_create_new '"));
    assert_string_equal(message + 511 - strlen(after), after);
    libxl_domain_config_dispose(&config);
}

static void kernel_is_a_pipe(scene *s)
{
    char folder[] = "/run/aioxen-test-XXXXXX", path[64];
    libxl_domain_config config = guest_config("b");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    set(&config.b_info.kernel, path);
    /* The library must not wait for a program that writes to the FIFO. */
    expect_refusal(s, &config, ERROR_KERNEL, "not a regular file");
    unlink(path);
    rmdir(folder);
}

static void missing_arguments(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    assert_int_equal(create(s, NULL, &domid), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "d_config: NULL"));
    assert_int_equal(create(s, &config, NULL), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "domid: NULL"));
    libxl_domain_config_dispose(&config);
}

static void *create_without_random_numbers(void *argument)
{
    scene *s = argument;
    libxl_domain_config config = guest_config("b");
    libxl_domid domid;
    libxl_uuid uuid;
    refuse_random_numbers();
    libxl_uuid_generate(&uuid);
    assert_true(libxl_uuid_is_nil(&uuid));
    assert_int_equal(libxl_domain_create_new(s->ctx, &config, &domid, NULL, NULL), ERROR_FAIL);
    assert_non_null(strstr(libxl_error_message(), "d_config.c_info.uuid: no random number: Function not"));
    libxl_domain_config_dispose(&config);
    return NULL;
}

static void no_random_numbers(scene *s)
{
    pthread_t thread;
    pthread_create(&thread, NULL, create_without_random_numbers, s);
    pthread_join(thread, NULL);
}

/* ---- names and UUIDs are unique, even among concurrent creations */

static void one_of_two_concurrent_creations_gets_the_name(scene *s)
{
    libxl_domid domids[2];
    op *ops[2];
    libxl_domain_config config = guest_config("b");
    int winners = 0;
    for (int i = 0; i < 2; i++)
        ops[i] = START(s, libxl_domain_create_new, s->ctx, &config, &domids[i], how, NULL);
    for (int i = 0; i < 2; i++) {
        int rc = op_result(ops[i]);
        assert_true(rc == 0 || rc == ERROR_DOMAIN_EXISTS);
        winners += rc == 0;
    }
    assert_int_equal(winners, 1);
    for (int i = 0; i < 2; i++)
        if (op_result(ops[i]) == 0)
            destroy(s, domids[i]);
    libxl_domain_config_dispose(&config);
}

static void one_of_two_concurrent_creations_gets_the_uuid(scene *s)
{
    libxl_domid domids[2];
    op *ops[2];
    libxl_domain_config configs[2] = {guest_config("b"), guest_config("b")};
    int winners = 0;
    libxl_uuid_generate(&configs[0].c_info.uuid);
    configs[1].c_info.uuid = configs[0].c_info.uuid;
    for (int i = 0; i < 2; i++)
        ops[i] = START(s, libxl_domain_create_new, s->ctx, &configs[i], &domids[i], how, NULL);
    for (int i = 0; i < 2; i++) {
        const int rc = op_result(ops[i]);
        winners += rc == 0;
        if (rc) {
            assert_int_equal(rc, ERROR_DOMAIN_EXISTS);
            assert_non_null(strstr(ops[i]->message, "d_config.c_info.uuid: "));
        }
    }
    assert_int_equal(winners, 1);
    for (int i = 0; i < 2; i++) {
        if (op_result(ops[i]) == 0)
            destroy(s, domids[i]);
        libxl_domain_config_dispose(&configs[i]);
    }
}

static void a_uuid_can_be_reused(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b"), other = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    other.c_info.uuid = config.c_info.uuid;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(create(s, &config, &domid), 0);
        assert_int_equal(create(s, &other, &(libxl_domid){0}), ERROR_DOMAIN_EXISTS);
        assert_non_null(strstr(last_message(s), "d_config.c_info.uuid: domain "));
        destroy(s, domid);
    }
    libxl_domain_config_dispose(&config);
    libxl_domain_config_dispose(&other);
}

static void a_name_can_be_reused(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(create(s, &config, &domid), 0);
        assert_int_equal(create(s, &config, &(libxl_domid){0}), ERROR_DOMAIN_EXISTS);
        destroy(s, domid);
    }
    libxl_domain_config_dispose(&config);
}

/* ---- the domain matches its configuration */

static void the_domain_is_as_configured(scene *s)
{
    libxl_domid domid;
    libxl_dominfo info;
    libxl_domain_config config = guest_config("b");
    char vm[48];
    snprintf(vm, sizeof(vm), "/vm/01234567-89ab-cdef-0123-%012llx",
             (unsigned long long)new_user() & 0xffffffffffff);
    assert_int_equal(libxl_uuid_from_string(&config.c_info.uuid, vm + strlen("/vm/")), 0);
    config.b_info.max_vcpus = 3;
    config.b_info.target_memkb = 6 << 10;
    config.b_info.max_memkb = 8 << 10;
    assert_int_equal(create(s, &config, &domid), 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_memory_equal(&info.uuid, &config.c_info.uuid, sizeof(info.uuid));
    assert_int_equal(info.vcpu_max_id, 2);
    assert_in_range(info.current_memkb, 5 << 10, 6 << 10);
    const struct {
        const char *path, *value;
    } nodes[] = {{"vm", vm},
                 {"memory/target", "6144"},
                 {"memory/static-max", "8192"},
                 {"cpu/2/availability", "online"},
                 {"control/shutdown", ""}};
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        char *value = guest_node(domid, nodes[i].path);
        assert_string_equal(value, nodes[i].value);
        free(value);
    }
    destroy(s, domid);
    libxl_domain_config_dispose(&config);
}

/* ---- progress: the console can be connected to before the operation completes */

struct progress {
    op *o;
    atomic_int reports, late;
};

static void console_ready(libxl_ctx *ctx, libxl_event *event, void *user)
{
    struct progress *p = user;
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    char *tty = guest_node(event->domid, "console/tty");
    assert_true(tty && *tty);
    free(tty);
    libxl_event_free(ctx, event);
    p->late += atomic_load(&p->o->completions) != 0;
    p->reports++;
}

static void progress_comes_before_completion(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    struct progress p = {.o = op_begin(s)};
    const libxl_asyncprogress_how progress = {.callback = console_ready, .for_callback = &p};
    op_started(p.o, libxl_domain_create_new(s->ctx, &config, &domid, op_how(p.o), &progress));
    assert_int_equal(op_result(p.o), 0);
    assert_int_equal(p.reports, 1);
    assert_int_equal(p.late, 0);
    destroy(s, domid);
    libxl_domain_config_dispose(&config);
}

static void progress_can_be_an_event(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    const libxl_asyncprogress_how progress = {.for_event = new_user()};
    int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, &progress));
    assert_int_equal(rc, 0);
    next_event(s, domid, progress.for_event, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    destroy(s, domid);
    libxl_domain_config_dispose(&config);
}

static const body bodies[] = {
    BODY(no_kernel),
    BODY(empty_kernel_path),
    BODY(empty_ramdisk_path),
    BODY(kernel_too_long),
    BODY(ramdisk_too_long),
    BODY(command_line_too_long_for_pvh),
    BODY(missing_kernel_file),
    BODY(kernel_is_a_folder),
    BODY(kernel_is_a_device),
    BODY(kernel_is_a_pipe),
    BODY(message_with_a_long_path),
    BODY(empty_kernel),
    BODY(kernel_that_is_text),
    BODY(truncated_kernel),
    BODY(missing_ramdisk_file),
    BODY(no_memory),
    BODY(too_little_memory),
    BODY(absurd_memory),
    BODY(more_memory_than_the_host_has),
    BODY(most_memory_below_memory),
    BODY(no_name),
    BODY(empty_name),
    BODY(name_with_a_slash),
    BODY(name_with_a_control_character),
    BODY(name_that_is_a_number),
    BODY(name_in_use),
    BODY(name_too_long),
    BODY(command_line_too_long),
    BODY(a_guest_without_a_number_of_vcpus_has_one),
    BODY(too_many_vcpus),
    BODY(negative_vcpus),
    BODY(no_type),
    BODY(unknown_type),
    BODY(missing_arguments),
    BODY(no_random_numbers, RUNS_ONCE),
    BODY(one_of_two_concurrent_creations_gets_the_name),
    BODY(a_name_can_be_reused),
    BODY(one_of_two_concurrent_creations_gets_the_uuid),
    BODY(a_uuid_can_be_reused),
    BODY(the_domain_is_as_configured),
    BODY(progress_comes_before_completion),
    BODY(progress_can_be_an_event),
};

HARNESS_MAIN(bodies)
