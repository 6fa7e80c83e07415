/* control-request.c - see control.h: the side that asks */
#include "config.h"
#include "src/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/supervisor.h"

static int
fail(const char *what, const char *why)
{
    fprintf(stderr, "milter-manager: %s%s%s\n", what, *why ? ": " : "", why);
    return EXIT_FAILURE;
}

/* Errors begin with SPEC. */
static int
connect_to(const char *spec, GError **error)
{
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, error);
    int fd;

    if (!endpoint)
        return -1;
    fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&endpoint->address, endpoint->address_size) < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", spec,
                    g_strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    milter_endpoint_free(&endpoint);
    return fd;
}

/* All that comes; NULL when the connection breaks. */
static char *
read_answer(int fd)
{
    GString *text = g_string_new(NULL);
    char bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof(bytes), 0)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        g_string_append_len(text, bytes, n);
    }
    return g_string_free(text, n < 0);
}

static int
print_answer(const char *text)
{
    if (text && g_str_has_prefix(text, "ok\n")) {
        fputs(text + strlen("ok\n"), stdout);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : fail("cannot write to standard output", "");
    }
    if (text && g_str_has_prefix(text, "error\n")) {
        fputs(text + strlen("error\n"), stderr);
        return EXIT_FAILURE;
    }
    return fail("the manager hung up without an answer", "");
}

int
mm_control_request(const MmOptions *options, const MmRules *rules)
{
    g_autofree char *spec = g_strdup(options->control_spec);
    g_autofree char *line = NULL, *text = NULL;
    g_autoptr(GError) error = NULL;
    int fd;

    if (!spec && !mm_supervisor_find_control(options, rules, &spec))
        return EXIT_FAILURE;
    if (!spec)
        return fail("controller.connection_spec is not set", "there is no control socket");
    fd = connect_to(spec, &error);
    if (fd < 0)
        return fail(error->message, "");
    line = g_strdup_printf("%s%s\n", options->control, options->json ? " json" : "");
    if (send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line))
        text = read_answer(fd);
    close(fd);
    return print_answer(text);
}
