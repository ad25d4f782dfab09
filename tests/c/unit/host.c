/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files, loop devices and hotplug scripts of the host. The tests run on the simulated devices, or as root
 * on real devices. */
#include "core.h"

#include "host_file.h"
#include "host_loop.h"
#include "host_script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/loop.h>

enum { WITHIN_MS = 10000 };

/* ---- one operation of each kind */

struct task {
    const char *path;
    bool read_only, may_share;
    atomic_int held; /* The number of the loop device that the operation holds, plus 1. 0: it holds none. */
    bool waits;      /* true: the operation goes on until it is aborted. */
    libxl__file_facts facts;
    unsigned limit_ms;
    const char *argument;
};

struct taking {
    libxl__loop_device loop;
    bool taken;
};

static int take_poll(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    struct taking *s = state;
    int rc = s->taken ? 0 : libxl__loop_take_poll(ao, &s->loop, "disks[0].pdev_path");
    if (rc)
        return rc;
    s->taken = true;
    t->held = s->loop.number + 1;
    return t->waits ? LIBXL__AO_WAIT : 0;
}

static int take_start(libxl__ao *ao, void *state)
{
    const struct task *t = core_user(ao);
    struct taking *s = state;
    s->loop = (libxl__loop_device){.file = t->path, .read_only = t->read_only, .may_share = t->may_share};
    const int rc = libxl__loop_take(ao, &s->loop);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int look_poll(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    libxl__file_look *look = state;
    const int rc = libxl__file_look_poll(ao, look, "disks[0].pdev_path");
    t->facts = look->facts;
    return rc;
}

static int look_start(libxl__ao *ao, void *state)
{
    const struct task *t = core_user(ao);
    libxl__file_look *look = state;
    *look = (libxl__file_look){.path = t->path, .read_only = t->read_only};
    const int rc = libxl__file_look_start(ao, look);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int script_poll(libxl__ao *ao, void *state)
{
    return libxl__script_poll(ao, state);
}

static int script_start(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    const char **argv = libxl__gc_alloc(&ao->gc, 3 * sizeof(*argv));
    const char *const variables[] = {"XENBUS_TYPE=vif", "vif=vif7.0", NULL};
    argv[0] = t->path;
    argv[1] = t->argument;
    const int rc = libxl__script_start(ao, state, argv, variables, t->limit_ms);
    return rc ? rc : LIBXL__AO_WAIT;
}

CORE_CLASS(take, struct taking);
CORE_CLASS(look, libxl__file_look);
CORE_CLASS(script, libxl__script);

static int run(scene *s, const libxl__ao_class *cls, struct task *t)
{
    return RUN(s, core_begin(s->ctx, cls, t, how));
}

/* ---- files for the tests */

struct file {
    char path[64];
};

static struct file make_file(mode_t mode, const char *text)
{
    struct file file = {"/run/aioxen-XXXXXX"};
    const int fd = mkstemp(file.path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(ftruncate(fd, S_ISREG(mode) ? 1 << 20 : (off_t)strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode & 0777), 0);
    close(fd);
    return file;
}

static struct file make_disk(void)
{
    return make_file(S_IFREG | 0600, "");
}

static struct file make_script(const char *text)
{
    return make_file(0755, text);
}

/* Another thread may have got the same loop device for another file. */
static bool has_file(int number, const char *file)
{
    struct loop_info64 info;
    struct stat status;
    char path[32];
    snprintf(path, sizeof(path), "/dev/loop%d", number);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool used = fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info);
    if (fd >= 0)
        close(fd);
    return used && !stat(file, &status) && info.lo_inode == status.st_ino;
}

static void wait_until_freed(const struct task *t)
{
    for (int i = 0; i < WITHIN_MS && has_file(t->held - 1, t->path); i++)
        usleep(1000);
    assert_false(has_file(t->held - 1, t->path));
}

/* ---- loop devices */

static void the_device_of_an_operation_is_freed_when_it_ends(scene *s)
{
    struct file disk = make_disk();
    for (int read_only = 0; read_only <= 1; read_only++) {
        struct task t = {.path = disk.path, .read_only = read_only};
        assert_int_equal(run(s, &take_class, &t), 0);
        wait_until_freed(&t);
    }
    unlink(disk.path);
}

static op *hold(scene *s, struct task *t)
{
    t->waits = true;
    op *o = START(s, core_begin, s->ctx, &take_class, t, how);
    for (int i = 0; i < WITHIN_MS && !t->held; i++)
        pump(s, 1);
    assert_true(t->held);
    assert_true(libxl__loop_in_use(t->held - 1));
    return o;
}

static void let_go(scene *s, op *o, const struct task *t)
{
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    wait_until_freed(t);
}

static void a_shared_file_is_refused_if_one_of_the_two_is_writable(scene *s)
{
    for (int first_reads = 0; first_reads <= 1; first_reads++)
        for (int second_reads = 0; second_reads <= 1; second_reads++) {
            struct file disk = make_disk();
            struct task first = {.path = disk.path, .read_only = first_reads},
                        second = {.path = disk.path, .read_only = second_reads};
            op *o = hold(s, &first);
            char words[160];
            snprintf(words, sizeof(words), "disks[0].pdev_path: %s: /dev/loop%d has this file", disk.path,
                     first.held - 1);
            const bool allowed = first_reads && second_reads;
            assert_int_equal(run(s, &take_class, &second), allowed ? 0 : ERROR_BUSY);
            if (!allowed) {
                check_says(s, words);
                second.may_share = true;
                assert_int_equal(run(s, &take_class, &second), 0);
            }
            assert_int_not_equal(first.held, second.held);
            wait_until_freed(&second);
            let_go(s, o, &first);
            unlink(disk.path);
        }
}

static void a_wrong_file_is_refused_by_its_name(scene *s)
{
    struct file read_only = make_disk();
    static const struct {
        const char *path, *words;
    } wrong[] = {
        {"/nonexistent/disk", "disks[0].pdev_path: /nonexistent/disk: No such file or directory"},
        {"/run", "disks[0].pdev_path: /run: Is a directory"},
        {"/dev/null", "disks[0].pdev_path: /dev/null: not a regular file"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct task t = {.path = wrong[i].path};
        assert_int_equal(run(s, &take_class, &t), ERROR_INVAL);
        check_says(s, wrong[i].words);
    }
    unlink(read_only.path);
}

/* ---- looks */

static void a_look_tells_what_a_path_is(scene *s)
{
    struct file disk = make_disk();
    struct stat status;
    struct task file = {.path = disk.path}, missing = {.path = "/nonexistent/disk"},
                other = {.path = "/dev/null"};
    assert_int_equal(stat(disk.path, &status), 0);
    assert_int_equal(run(s, &look_class, &file), 0);
    assert_true(S_ISREG(file.facts.mode));
    assert_int_equal(file.facts.octets, 1 << 20);
    assert_true(file.facts.device == status.st_dev && file.facts.inode == status.st_ino);
    assert_int_equal(run(s, &look_class, &missing), ERROR_INVAL);
    check_says(s, "disks[0].pdev_path: /nonexistent/disk: No such file or directory");
    assert_int_equal(run(s, &look_class, &other), 0);
    assert_true(S_ISCHR(other.facts.mode));
    unlink(disk.path);
}

static void a_look_tells_the_number_of_a_block_device(scene *s)
{
    struct file disk = make_disk();
    struct task held = {.path = disk.path}, t = {0};
    op *o = hold(s, &held);
    char path[32];
    snprintf(path, sizeof(path), "/dev/loop%d", held.held - 1);
    t.path = path;
    assert_int_equal(run(s, &look_class, &t), 0);
    assert_true(S_ISBLK(t.facts.mode));
    assert_true(t.facts.device == makedev(7, (unsigned)held.held - 1));
    assert_int_equal(t.facts.octets, 1 << 20);
    assert_false(t.facts.claimed);
    assert_int_equal(t.facts.mounted, LIBXL__NOT_MOUNTED);
    let_go(s, o, &held);
    unlink(disk.path);
}

/* ---- scripts */

static void the_last_line_of_a_failed_script_is_in_the_message(scene *s)
{
    static const struct {
        const char *text, *words;
    } scripts[] = {
        {"#!/bin/sh\necho one\necho two >&2\necho\nexit 3\n", ": exit status 3: two"},
        {"#!/bin/sh\nprintf 'no bridge \\033[2J'\nexit 1\n", ": exit status 1: no bridge \\x1b[2J"},
        {"#!/bin/sh\nkill -USR1 $$\n", ": killed by signal 10: it has printed nothing"},
    };
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
        struct file script = make_script(scripts[i].text);
        struct task t = {.path = script.path, .argument = "online", .limit_ms = LIBXL__SCRIPT_LIMIT_MS};
        assert_int_equal(run(s, &script_class, &t), ERROR_SCRIPT);
        check_says(s, scripts[i].words);
        check_says(s, script.path);
        unlink(script.path);
    }
}

static void a_missing_script_is_named(scene *s)
{
    struct task t = {.path = "/etc/xen/scripts/nonexistent", .limit_ms = LIBXL__SCRIPT_LIMIT_MS};
    op *o = op_begin(s);
    op_started(o, core_begin(s->ctx, &script_class, &t, op_how(o)));
    assert_int_equal(o->rc, ERROR_SCRIPT);
    assert_non_null(strstr(o->message, "/etc/xen/scripts/nonexistent: No such file or directory"));
}

/* The script runs `sleep` as a separate process. The time limit must also end this process. */
static void a_script_that_hangs_is_killed_with_its_children(scene *s)
{
    struct file pid = make_file(0600, ""), script;
    char text[200];
    snprintf(text, sizeof(text), "#!/bin/sh\nsleep 1000 &\necho $! >%s\necho waiting\nwait\n", pid.path);
    script = make_script(text);
    struct task t = {.path = script.path, .limit_ms = 300};
    assert_int_equal(run(s, &script_class, &t), ERROR_SCRIPT);
    check_says(s, ": did not end within 300 ms: waiting");
    FILE *file = fopen(pid.path, "r");
    int child = 0;
    assert_int_equal(fscanf(file, "%d", &child), 1);
    fclose(file);
    for (int i = 0; i < WITHIN_MS && !kill(child, 0); i++)
        usleep(1000);
    assert_int_equal(kill(child, 0), -1);
    unlink(script.path);
    unlink(pid.path);
}

static void a_script_may_print_much(scene *s)
{
    struct file script =
        make_script("#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' 'x'\necho\necho the end\nexit 5\n");
    struct task t = {.path = script.path, .limit_ms = LIBXL__SCRIPT_LIMIT_MS};
    assert_int_equal(run(s, &script_class, &t), ERROR_SCRIPT);
    check_says(s, ": exit status 5: the end");
    unlink(script.path);
}

static void a_script_has_only_its_variables_and_path(scene *s)
{
    struct file script =
        make_script("#!/bin/sh\nset -- $(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^AIOXEN_SIM "
                    "-e ^LD_PRELOAD= | cut -d = -f 1 | sort)\necho \"$*\"\n"
                    "echo \"$vif:\" $(readlink /proc/self/fd/0)\nexit 1\n");
    struct task t = {.path = script.path, .limit_ms = LIBXL__SCRIPT_LIMIT_MS};
    setenv("AIOXEN_SECRET", "1", 1);
    assert_int_equal(run(s, &script_class, &t), ERROR_SCRIPT);
    check_says(s, ": exit status 1: vif7.0: /dev/null");
    unlink(script.path);
    script = make_script(
        "#!/bin/sh\nset -- $(env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^AIOXEN_SIM_ -e ^LD_PRELOAD= |"
        " cut -d = -f 1 | sort)\necho \"$*\"\nexit 1\n");
    assert_int_equal(run(s, &script_class, &t), ERROR_SCRIPT);
    check_says(s, ": exit status 1: PATH XENBUS_TYPE vif");
    unlink(script.path);
}

static const body bodies[] = {
    BODY(the_device_of_an_operation_is_freed_when_it_ends),
    BODY(a_shared_file_is_refused_if_one_of_the_two_is_writable, ASYNCHRONOUS),
    BODY(a_wrong_file_is_refused_by_its_name),
    BODY(a_look_tells_what_a_path_is),
    BODY(a_look_tells_the_number_of_a_block_device, ASYNCHRONOUS),
    BODY(the_last_line_of_a_failed_script_is_in_the_message),
    BODY(a_missing_script_is_named),
    BODY(a_script_that_hangs_is_killed_with_its_children, SLOW),
    BODY(a_script_may_print_much, SLOW),
    BODY(a_script_has_only_its_variables_and_path),
};

HARNESS_MAIN(bodies)
