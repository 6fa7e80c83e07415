/* main.c - milter-manager: the command line decides what runs */
#include "config.h"

#include <glib.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "src/control.h"
#include "src/environment.h"
#include "src/options.h"
#include "src/rules.h"
#include "src/supervisor.h"

static int
run(const MmOptions *options)
{
    switch (options->mode) {
    case MM_MODE_SHOW_VERSION:
        printf("milter-manager %s\n", PACKAGE_VERSION);
        return EXIT_SUCCESS;
    case MM_MODE_CHECK:
    case MM_MODE_DETECT:
    case MM_MODE_SHOW_CONFIG:
    case MM_MODE_EXPLAIN:
        return mm_supervisor_check(options, mm_rules_ruby());
    case MM_MODE_CONTROL:
        return mm_control_request(options, mm_rules_ruby());
    case MM_MODE_RUN:
        return mm_supervisor_run(options, mm_rules_ruby());
    }
    g_assert_not_reached();
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    MmOptions options = { 0 };
    int status;

    setlocale(LC_CTYPE, "");
    if (mm_environment_init(&error) && mm_options_parse(&options, &argc, &argv, &error)) {
        status = run(&options);
    } else {
        fprintf(stderr, "milter-manager: %s\n", error->message);
        status = EXIT_FAILURE;
    }
    mm_options_clear(&options);
    return status;
}
