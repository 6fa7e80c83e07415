/* check.c - see supervisor.h: loading a configuration only to say what is in it */
#include "config.h"
#include "src/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/channel.h"
#include "src/generation.h"
#include "src/listener.h"
#include "src/privilege.h"
#include "src/process.h"

#define SHOWN_MAX (2 * MM_SETTINGS_PACKED_MAX)

static int
fail(const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    return EXIT_FAILURE;
}

static int
print(int fd, int status)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = mm_memory_file_read(fd, SHOWN_MAX, &error);
    gsize size;
    const char *text;

    if (!bytes)
        return fail(error->message);
    text = g_bytes_get_data(bytes, &size);
    if (fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0)
        return fail("cannot write to standard output");
    return status;
}

/* SPEC_P, where given, gets controller.connection_spec. */
static int
check(int fd, char **spec_p)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = mm_memory_file_read(fd, MM_SETTINGS_PACKED_MAX, &error);
    MmSettings *settings = bytes ? mm_settings_unpack(bytes, &error) : NULL;
    int status = EXIT_SUCCESS;

    if (!settings)
        return fail(error->message);
    if (spec_p)
        *spec_p = g_strdup(settings->controller_spec);
    else if (!mm_privilege_check(settings, &error) ||
             !mm_listener_check(settings, MM_SCOPE_MANAGER, &error) ||
             !mm_listener_check(settings, MM_SCOPE_CONTROLLER, &error))
        status = fail(error->message);
    mm_settings_free(&settings);
    return status;
}

static int
load(const MmOptions *options, const MmRules *rules, char **spec_p)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *how = NULL;
    MmGenerationProcess process;
    MmMessage message;
    int status = -1;

    if (!mm_generation_launch(options, rules, NULL, NULL, &process, &error))
        return fail(error->message);
    while (status < 0 &&
           mm_channel_receive(process.channel, TRUE, &message) == MM_CHANNEL_MESSAGE) {
        if (message.kind == MM_MESSAGE_ERROR)
            status = fail(message.text);
        else if (message.kind == MM_MESSAGE_SHOWN)
            status = print(message.fd, *message.text ? EXIT_FAILURE : EXIT_SUCCESS);
        else if (message.kind == MM_MESSAGE_SETTINGS)
            status = check(message.fd, spec_p);
        if (message.fd >= 0)
            close(message.fd);
    }
    close(process.channel);
    how = mm_process_reap(process.pid);
    close(process.pidfd);
    mm_generation_unmap_beat(&process.beat);
    if (status < 0) {
        fprintf(stderr, "the process that loads the configuration ended: %s\n", how);
        status = EXIT_FAILURE;
    }
    return status;
}

int
mm_supervisor_check(const MmOptions *options, const MmRules *rules)
{
    return load(options, rules, NULL);
}

gboolean
mm_supervisor_find_control(const MmOptions *options, const MmRules *rules, char **spec)
{
    return load(options, rules, spec) == EXIT_SUCCESS;
}
