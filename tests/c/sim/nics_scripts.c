/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces with a hotplug script. The tests concern the script's arguments and variables, its
 * failures, and the end of the script when the operation is aborted. */
#include "nic.h"
#include "harness.h"
#include "simulation.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT "/run/test-script"
#define RECORD "/run/test-script.record"

static libxl_device_nic scripted(const char *script)
{
    libxl_device_nic nic = nic_of(NULL);
    nic.script = strdup(script);
    return nic;
}

static void write_script(const char *text)
{
    unlink(RECORD);
    const int fd = open(SCRIPT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
}

static const char *record(void)
{
    static char text[4096];
    FILE *file = fopen(RECORD, "re");
    const size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = 0;
    return text;
}

static void wait_record(scene *s)
{
    for (const uint64_t end = now_ms() + scaled_ms(10000); !*record() && now_ms() < end;)
        pump(s, 10);
    assert_true(*record());
}

#define RECORDS                                                                                              \
    "#!/bin/sh\n{ echo \"$0 $*\"; env | grep -E '^(script|XENBUS|vif|netdev|INTERFACE|AIOXEN_TEST)' | "      \
    "sort; } "                                                                                               \
    ">>" RECORD "\n"

static void a_script_gets_what_libxl_gives_it(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    char wanted[600];
    write_script(RECORDS);
    libxl_device_nic nic = scripted(SCRIPT);
    nic.gatewaydev = strdup("eth7");
    assert_int_equal(nic_add(s, domid, nic), 0);
    const char *format = SCRIPT " %s type_if=vif\nXENBUS_BASE_PATH=backend\nXENBUS_PATH=backend/vif/%u/0\n"
                                "XENBUS_TYPE=vif\nnetdev=eth7\nscript=" SCRIPT "\nvif=vif%u.0\n";
    snprintf(wanted, sizeof(wanted), format, "online", domid, domid);
    assert_string_equal(record(), wanted);
    unlink(RECORD);
    assert_int_equal(nic_destroy(s, domid), 0);
    snprintf(wanted, sizeof(wanted), format, "offline", domid, domid);
    assert_string_equal(record(), wanted);
    nic_check_gone(domid);
    destroy(s, domid);
}

static void a_script_that_fails_is_quoted(scene *s)
{
    static const struct {
        const char *text;
        int rc;
        const char *says;
    } scripts[] = {
        {"echo no route to '\033[1m'host >&2; exit 3", ERROR_SCRIPT,
         "exit status 3: no route to \\x1b[1mhost"},
        {"kill -9 $$", ERROR_SCRIPT, "killed by signal 9"},
        {"head -c 1000000 /dev/zero | tr '\\0' 'x'; echo; echo last; exit 1", ERROR_SCRIPT,
         "exit status 1: last"},
        {"XP=/local/domain/0/$XENBUS_PATH; xenstore-write $XP/hotplug-error 'in use by two' "
         "$XP/hotplug-status busy; exit 1",
         ERROR_BUSY, "hotplug-error: in use by two"},
        {"xenstore-write /local/domain/0/$XENBUS_PATH/hotplug-status error", ERROR_SCRIPT,
         "hotplug-status is error"},
    };
    const libxl_domid domid = guest(s, "b", true);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
        char text[400];
        snprintf(text, sizeof(text), "#!/bin/sh\n[ $1 = offline ] && exit 0\n%s\n", scripts[i].text);
        write_script(text);
        const int rc = nic_add(s, domid, scripted(SCRIPT));
        check_says(s, scripts[i].says);
        check_says(s, SCRIPT);
        assert_int_equal(rc, scripts[i].rc);
        nic_check_gone(domid);
    }
    destroy(s, domid);
}

static void an_abort_kills_a_script_that_hangs(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    write_script("#!/bin/sh\n[ $1 = offline ] && exit 0\necho $$ >" RECORD "\nsleep 1000\n");
    libxl_device_nic nic = scripted(SCRIPT);
    op *o = START(s, libxl_device_nic_add, s->ctx, domid, &nic, how);
    libxl_device_nic_dispose(&nic);
    wait_record(s);
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_int_equal(kill(atoi(record()), 0), -1);
    nic_check_gone(domid);
    destroy(s, domid);
}

struct warnings {
    /* The first member, because the library passes a pointer to it that the functions cast to struct
     * warnings. */
    xentoollog_logger vtable;
    char text[1000];
};

static void note_warning(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                         const char *format, va_list args)
{
    struct warnings *warnings = (struct warnings *)logger;
    (void)errnoval, (void)context;
    if (level == XTL_WARN)
        vsnprintf(warnings->text, sizeof(warnings->text), format, args);
}

static void a_failing_script_does_not_stop_a_removal(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    struct warnings warnings = {.vtable = {.vmessage = note_warning}};
    libxl_device_nic nic = nic_of(NULL);
    libxl_ctx *other;
    write_script("#!/bin/sh\n[ $1 = online ] || { echo no such bridge >&2; exit 3; }\n");
    assert_int_equal(nic_add(s, domid, scripted(SCRIPT)), 0);
    assert_int_equal(libxl_ctx_alloc(&other, LIBXL_VERSION, 0, &warnings.vtable), 0);
    assert_int_equal(libxl_device_nic_destroy(other, domid, &nic, NULL), 0);
    libxl_ctx_free(other);
    if (!strstr(warnings.text, "no such bridge"))
        fail_msg("'%s' has not the script's last words", warnings.text);
    nic_check_gone(domid);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(a_script_gets_what_libxl_gives_it, ALONE | SLOW),
    BODY(a_script_that_fails_is_quoted, ALONE | SLOW),
    BODY(an_abort_kills_a_script_that_hangs, ALONE | SLOW | ASYNCHRONOUS),
    BODY(a_failing_script_does_not_stop_a_removal, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
