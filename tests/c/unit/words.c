/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Error messages. The library escapes unprintable characters. A message names the operation, the
 * operation's subject, the phase and the cause. */
#include "core.h"

#include <stdlib.h>

/* ---- escaping */

static void what_is_not_printable_is_escaped(scene *s)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"web", "web"},
        {"a\nb\t\x7f", "a\\x0ab\\x09\\x7f"},
        {"\x1b[31m", "\\x1b[31m"},
        {"Gr\xc3\xb6\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x90\xa7",
         "Gr\xc3\xb6\xc3\x9f"
         "e \xe2\x82\xac \xf0\x9f\x90\xa7"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xc3", "\\xc3"},                            /* a sequence that ends too early */
        {"\xc0\xaf", "\\xc0\\xaf"},                   /* an overlong encoding */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},          /* a surrogate */
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b"
         "31m"}, /* the control character CSI */
        {"\xe2\x80\xae"
         "gpj",
         "\\xe2\\x80\\xae"
         "gpj"}, /* the right-to-left override */
        {"\xd8\x9c"
         "a\xc2\xad",
         "\\xd8\\x9c"
         "a\\xc2\\xad"}, /* the Arabic letter mark, which changes the direction, and a soft hyphen */
        {"\\x0a stays", "\\x0a stays"},
    };
    (void)s;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char shown[64];
        const size_t length = libxl__escape(shown, sizeof(shown), cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        assert_int_equal(length, strlen(cases[i].shown));
        char *printable = libxl__printable(strdup(cases[i].text));
        assert_string_equal(printable, cases[i].shown);
        free(printable);
    }
    assert_null(libxl__printable(NULL));
}

static void an_escape_is_not_cut(scene *s)
{
    char shown[8];
    (void)s;
    assert_int_equal(libxl__escape(shown, sizeof(shown), "abcd\n5"), 9);
    assert_string_equal(shown, "abcd");
    assert_int_equal(libxl__escape(shown, sizeof(shown), "abcdefgh"), 8);
    assert_string_equal(shown, "abcdefg");
    assert_int_equal(libxl__escape(NULL, 0, "\n"), 4);
}

static void messages_outside_of_operations_are_escaped(scene *s)
{
    (void)s;
    libxl__refuse(ERROR_INVAL, "name: '%s'", "a\nb");
    assert_string_equal(libxl_error_message(), "name: 'a\\x0ab'");
}

/* ---- the parts of a message */

static int fails(libxl__ao *ao, void *args)
{
    (void)args;
    ao->subject.name = "we\033b";
    return libxl__ao_fail(ao, ERROR_FAIL, "no \x01 luck");
}

static int says_nothing(libxl__ao *ao, void *args)
{
    (void)ao, (void)args;
    return ERROR_NOMEM;
}

static int succeeds(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return 0;
}

static int waits(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return LIBXL__AO_WAIT;
}

#define PHASES(...)                                                                                          \
    (&(const libxl__phases){.list = (const libxl__phase[]){{.name = "first", .start = succeeds},             \
                                                           {.name = "second", __VA_ARGS__}},                 \
                            .count = 2})

static const libxl__ao_class body_class = {.name = "named",
                                           .body = fails,
                                           .args_size = sizeof(void *),
                                           .slow = true},
                             phase_class = {.name = "phased",
                                            .phases = PHASES(.start = fails),
                                            .args_size = sizeof(void *),
                                            .slow = true},
                             silent_class = {.name = "silent",
                                             .phases = PHASES(.start = says_nothing),
                                             .args_size = sizeof(void *),
                                             .slow = true},
                             waiting_class = {.name = "waiting",
                                              .phases = PHASES(.start = waits, .poll = waits),
                                              .args_size = sizeof(void *),
                                              .slow = true},
                             limited_class = {.name = "limited",
                                              .phases = PHASES(.start = waits, .poll = waits, .limit_ms = 20,
                                                               .limit_rc = ERROR_NO_CONSOLE),
                                              .args_size = sizeof(void *),
                                              .slow = true};

static void operation_subject_phase_and_cause_are_named(scene *s)
{
    assert_int_equal(RUN(s, core_begin(s->ctx, &body_class, NULL, how)), ERROR_FAIL);
    assert_string_equal(last_message(s), "no \\x01 luck (named 'we\\x1bb' 0)");
    assert_int_equal(RUN(s, core_begin(s->ctx, &phase_class, NULL, how)), ERROR_FAIL);
    assert_string_equal(last_message(s), "no \\x01 luck (phased 'we\\x1bb' 0, phase second)");
}

static void a_failure_without_words_gets_some(scene *s)
{
    assert_int_equal(RUN(s, core_begin(s->ctx, &silent_class, NULL, how)), ERROR_NOMEM);
    assert_string_equal(last_message(s), "This process is out of memory (silent 0, phase second)");
}

static void a_stop_request_is_named(scene *s)
{
    op *o = START(s, core_begin, s->ctx, &waiting_class, NULL, how);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_string_equal(o->message, "The operation was stopped on request (waiting 0, phase second)");
}

static void the_limit_that_was_reached_is_named(scene *s)
{
    op *o = START(s, core_begin, s->ctx, &waiting_class, NULL, how);
    assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 15), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_string_equal(o->message,
                        "The operation's time limit of 15 ms was reached (waiting 0, phase second)");
    assert_int_equal(RUN(s, core_begin(s->ctx, &limited_class, NULL, how)), ERROR_NO_CONSOLE);
    assert_string_equal(last_message(s),
                        "xenconsoled did not serve the domain's console. The phase's time limit of 20 ms "
                        "was reached (limited 0, phase second)");
}

static const body bodies[] = {
    BODY(what_is_not_printable_is_escaped, NO_CONTEXT),
    BODY(an_escape_is_not_cut, NO_CONTEXT),
    BODY(messages_outside_of_operations_are_escaped, NO_CONTEXT),
    BODY(operation_subject_phase_and_cause_are_named),
    BODY(a_failure_without_words_gets_some),
    BODY(a_stop_request_is_named, ASYNCHRONOUS),
    BODY(the_limit_that_was_reached_is_named, ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
